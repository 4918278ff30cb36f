// Command escrow holds the money of pledges, and publishes a receipt for each of them.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
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
		fmt.Fprintln(os.Stderr, "escrow:", err)
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
		Name:        "escrow",
		Usage:       "hold the money of pledges, and publish what became of it",
		Description: "Every flag can be set by the variable beside it, also in a file .env in the working directory.",
		Version:     version,
		Writer:      stdout,
		ErrWriter:   stderr,
		Commands:    slices.Concat([]*cli.Command{runCommand(time.Now), windDownCommand(time.Now), statusCommand(), ledgerCommand(), backupCommand(), journalCommand(), newKeyCommand(), verifyStatementCommand()}, adminCommands()),
	}
	refuseArguments(root.Commands)
	root.Before = func(ctx context.Context, _ *cli.Command) (context.Context, error) {
		return ctx, environment.CheckKnown("ESCROW_", environ(), root)
	}
	return root.Run(ctx, args)
}

// refuseArguments lets commands that have no use for arguments say so: whoever names a
// database behind `ledger verify` must not be told that another one is whole.
func refuseArguments(commands []*cli.Command) {
	for _, c := range commands {
		refuseArguments(c.Commands)
		if c.Action == nil || c.ArgsUsage != "" {
			continue
		}
		act := c.Action
		c.Action = func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return fmt.Errorf("%s takes only flags, and not %q; --help lists them", cmd.FullName(), cmd.Args().First())
			}
			return act(ctx, cmd)
		}
	}
}
