// Command simulator stands in for Stripe on this machine: play money, real shapes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/cmd/internal/environment"
	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// version is set when the binary is built.
var version = "dev"

func main() {
	if err := run(context.Background(), os.Args, os.Environ, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "simulator:", err)
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
		Name:        "simulator",
		Usage:       "stand in for Stripe: no money moves",
		Description: "Every flag can be set by the variable beside it, also in a file .env in the working directory.",
		Version:     version,
		Writer:      stdout,
		ErrWriter:   stderr,
		Commands:    []*cli.Command{runCommand(time.Now)},
	}
	root.Before = func(ctx context.Context, _ *cli.Command) (context.Context, error) {
		return ctx, environment.CheckKnown("SIMULATOR_", environ(), root)
	}
	return root.Run(ctx, args)
}

// runCommand is the server itself.
func runCommand(clock func() time.Time) *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "serve the API, the pages and the control API until stopped",
		Flags: runFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			log, err := environment.Logger(cmd.Root().ErrWriter, cmd.String("log-level"), cmd.String("log-format"))
			if err != nil {
				return err
			}
			server, err := simulator.Build(ctx, configFrom(cmd), simulator.Options{Log: log, Clock: clock})
			if err != nil {
				return err
			}
			log.Info("simulating the payment processor; no money moves", "addr", server.Addr(), "url", server.URL(), "version", version)
			err = server.Run(ctx)
			if closeErr := server.Close(); err == nil {
				err = closeErr
			}
			if err == nil {
				log.Info("stopped")
			}
			return err
		},
	}
}
