package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// maintenanceFlags are those that opening the index for writing needs: under
// another policy than the service's everything would be derived again.
func maintenanceFlags() []cli.Flag {
	return append(append([]cli.Flag{databaseFlag()}, trustFlags()...), logFlags()...)
}

// openIndex opens the index to write to it.
func openIndex(ctx context.Context, cmd *cli.Command, clock func() time.Time) (*store.Store, error) {
	log, err := loggerFrom(cmd)
	if err != nil {
		return nil, err
	}
	path, err := indexPath(cmd)
	if err != nil {
		return nil, err
	}
	escrows, err := parseDIDs(cmd.StringSlice("trusted-escrows"))
	if err != nil {
		return nil, fmt.Errorf("trusted-escrows: %w", err)
	}
	policy := lifecycle.Policy{TrustedEscrows: escrows, TestMoney: cmd.Bool("test-money")}
	return store.Open(ctx, store.Config{Path: path, Policy: policy}, store.Options{Log: log, Clock: clock})
}

func indexPath(cmd *cli.Command) (string, error) {
	path, err := sqlite.PathOf(cmd.String("database-url"))
	if err != nil {
		return "", fmt.Errorf("database-url: %w", err)
	}
	return path, nil
}

// resyncCommand asks for a repository to be fetched again. A running service
// does it within seconds, another one when it starts.
func resyncCommand(clock func() time.Time) *cli.Command {
	return &cli.Command{
		Name:      "resync",
		Usage:     "have a repository fetched whole again, also by a running service",
		ArgsUsage: "DID",
		Flags:     maintenanceFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) (err error) {
			did, err := syntax.ParseDID(cmd.Args().First())
			if err != nil || cmd.NArg() != 1 {
				return fmt.Errorf("resync wants one DID, like did:plc:abc")
			}
			st, err := openIndex(ctx, cmd, clock)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, st.Close()) }()
			if err := st.RequestResync(ctx, did); err != nil {
				return err
			}
			fmt.Fprintf(cmd.Root().Writer, "%s will be fetched by the service.\n", did)
			return nil
		},
	}
}

// rebuildCommand derives everything again, alone.
func rebuildCommand(clock func() time.Time) *cli.Command {
	return &cli.Command{
		Name:  "rebuild",
		Usage: "derive every row again from the raw records and report differences; the service must be stopped",
		Flags: maintenanceFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) (err error) {
			path, err := indexPath(cmd)
			if err != nil {
				return err
			}
			lock, err := sqlite.Lock(path)
			if errors.Is(err, sqlite.ErrLocked) {
				return fmt.Errorf("a service runs on %s: stop it first", path)
			}
			if err != nil {
				return err
			}
			defer lock.Close()
			st, err := openIndex(ctx, cmd, clock)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, st.Close()) }()

			out := cmd.Root().Writer
			differences, err := st.Rebuild(ctx, func(done, total int64) {
				fmt.Fprintf(cmd.Root().ErrWriter, "%d of %d records\n", done, total)
			})
			if err != nil {
				return err
			}
			for _, d := range differences {
				fmt.Fprintf(out, "%s: %d rows were wrong, %d were missing\n", d.Table, d.Lost, d.New)
			}
			if len(differences) > 0 {
				return errors.New("the index differed from its records; it is right now")
			}
			fmt.Fprintln(out, "Everything was as the records say.")
			return nil
		},
	}
}

// backupCommand copies the index, also while a service runs on it.
func backupCommand() *cli.Command {
	return &cli.Command{
		Name:      "backup",
		Usage:     "copy the index to a new file, also while a service runs on it",
		ArgsUsage: "FILE",
		Flags:     []cli.Flag{databaseFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.NArg() != 1 {
				return errors.New("backup wants one file name")
			}
			path, err := indexPath(cmd)
			if err != nil {
				return err
			}
			if err := sqlite.Backup(ctx, path, cmd.Args().First()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.Root().Writer, "The index was copied to %s.\n", cmd.Args().First())
			return nil
		},
	}
}
