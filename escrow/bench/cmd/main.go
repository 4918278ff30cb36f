// Command cmd measures the escrow's ledger: see package bench.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/stratosfund/stratosfund/escrow/bench"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	cfg := bench.Usual()
	flags := flag.NewFlagSet("bench-escrow", flag.ContinueOnError)
	flags.StringVar(&cfg.Folder, "folder", cfg.Folder, "where the databases are made; a real disk")
	flags.IntVar(&cfg.Rounds, "rounds", cfg.Rounds, "how often each contender has its turn")
	flags.DurationVar(&cfg.Length, "length", cfg.Length, "how long a turn is")
	flags.IntVar(&cfg.Postings, "postings", cfg.Postings, "how many postings are verified")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return bench.Run(ctx, cfg, os.Stdout, os.Stderr)
}
