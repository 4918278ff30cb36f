// Command appview indexes StratosFund's records from an atproto upstream and
// answers queries about them.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/cmd/internal/environment"
	"github.com/stratosfund/stratosfund/indexer"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	indexer.RelaxGC()
	if err := run(context.Background(), os.Args, os.Environ, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "appview:", err)
		os.Exit(1)
	}
}

// run is the whole program. environ is asked after .env was read.
func run(ctx context.Context, args []string, environ func() []string, stdout, stderr io.Writer) error {
	if err := environment.LoadDotEnv(); err != nil {
		return err
	}
	ctx, stop := environment.UntilStopped(ctx)
	defer stop()
	root := &cli.Command{
		Name:        "appview",
		Usage:       "index StratosFund's records and answer queries about them",
		Description: "Every flag can be set by the variable beside it, also in a file .env in the working directory.",
		Version:     version,
		Writer:      stdout,
		ErrWriter:   stderr,
		Commands: []*cli.Command{
			runCommand(time.Now), statusCommand(time.Now), resyncCommand(time.Now), rebuildCommand(time.Now), backupCommand(), newKeyCommand(),
		},
	}
	root.Before = func(ctx context.Context, _ *cli.Command) (context.Context, error) {
		return ctx, environment.CheckKnown("APPVIEW_", environ(), root)
	}
	return root.Run(ctx, args)
}
