package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"
)

// backupCommand copies the ledger, also while the escrow runs. The index is not
// copied: it follows from the network.
func backupCommand() *cli.Command {
	return &cli.Command{
		Name:      "backup",
		Usage:     "copy the ledger to a new file, also while the escrow runs",
		ArgsUsage: "FILE",
		Flags:     []cli.Flag{databaseFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.NArg() != 1 {
				return errors.New("backup wants one file name")
			}
			s, err := openToRead(ctx, cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := s.Backup(ctx, cmd.Args().First()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.Root().Writer, "The ledger was copied to %s.\n", cmd.Args().First())
			return nil
		},
	}
}
