package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// statusCommand reads the index, also while a service runs on it.
func statusCommand(clock func() time.Time) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "print what is in the index and how far it is",
		Flags: []cli.Flag{databaseFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			path, err := sqlite.PathOf(cmd.String("database-url"))
			if err != nil {
				return fmt.Errorf("database-url: %w", err)
			}
			st, err := store.OpenReadOnly(ctx, path, store.Options{Clock: clock, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				return err
			}
			defer st.Close()
			status, err := st.Status(ctx)
			if err != nil {
				return err
			}
			return printStatus(cmd.Root().Writer, status)
		},
	}
}

func printStatus(w io.Writer, s store.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	section := func(title string, counts map[string]int64) {
		if len(counts) == 0 {
			fmt.Fprintf(t, "%s\tnone\n", title)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(t, "%s\t%s\t%d\n", title, key, counts[key])
		}
	}
	section("cursor", s.Cursors)
	eta := "done"
	if s.Backlog.Waiting > 0 {
		eta = "not moving"
		if d, ok := s.Backlog.ETA(); ok {
			eta = d.String()
		}
	}
	fmt.Fprintf(t, "backlog\twaiting\t%d\n", s.Backlog.Waiting)
	fmt.Fprintf(t, "backlog\tfailing\t%d\n", s.Backlog.Failing)
	fmt.Fprintf(t, "backlog\tper minute\t%d\n", s.Backlog.PerMinute)
	fmt.Fprintf(t, "backlog\teta\t%s\n", eta)
	section("repos", s.Repos)
	section("records", s.Records)
	section("invalid", s.Invalid)
	section("claims", s.Claims)
	fmt.Fprintf(t, "stale\t\t%d\n", s.Stale)
	return t.Flush()
}
