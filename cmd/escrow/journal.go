package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/journal"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// journalCommand prints what people did by hand, also while the escrow runs.
func journalCommand() *cli.Command {
	return &cli.Command{
		Name:  "journal",
		Usage: "print what people did to the escrow by hand, and why",
		Flags: []cli.Flag{databaseFlag(), &cli.IntFlag{Name: "last", Value: 100, Usage: "how many lines, the newest"}},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			s, err := openToRead(ctx, cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			var lines []journal.Line
			err = s.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
				lines, err = journal.Newest(ctx, q, cmd.Int("last"))
				return err
			})
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
			for _, l := range lines {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.At.Format(time.RFC3339), l.Action, l.Subject, l.Because, l.Outcome)
			}
			return t.Flush()
		},
	}
}
