// Command cmd measures the indexer against tap, and soaks it; package bench says
// how. The commands index and read are for itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().Run(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure the indexer against tap, on the same frames",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "quick", Usage: "small feeds and one run each, unless other flags say otherwise"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the feeds follow from it"},
			&cli.IntFlag{Name: "runs", Value: 3, Usage: "of each contender; medians are reported"},
			&cli.IntFlag{Name: "accounts", Value: 10_000, Usage: "on the network-like feed; one in a hundred is ours"},
			&cli.IntFlag{Name: "records", Value: 200, Usage: "in each repository at first"},
			&cli.IntFlag{Name: "network-events", Value: 200_000, Usage: "length of the network-like feed"},
			&cli.IntFlag{Name: "ours-accounts", Value: 300, Usage: "on the feed that is all ours"},
			&cli.IntFlag{Name: "ours-events", Value: 10_000, Usage: "length of the feed that is all ours"},
			&cli.IntSliceFlag{Name: "tracked", Value: []int{1_000, 10_000, 100_000}, Usage: "numbers of tracked repositories to compare"},
			&cli.BoolFlag{Name: "without-tap", Usage: "leave tap out"},
			&cli.StringFlag{Name: "profiles", Usage: "folder for CPU profiles of the indexer"},
		},
		Action:   run,
		Commands: []*cli.Command{soakCommand(), indexCommand(), readCommand()},
	}
}

func run(ctx context.Context, cmd *cli.Command) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	flags := struct{ runs, accounts, network, oursAccounts, ours int }{
		cmd.Int("runs"), cmd.Int("accounts"), cmd.Int("network-events"), cmd.Int("ours-accounts"), cmd.Int("ours-events"),
	}
	tracked := cmd.IntSlice("tracked")
	if cmd.Bool("quick") {
		unset := func(name string, into *int, value int) {
			if !cmd.IsSet(name) {
				*into = value
			}
		}
		unset("runs", &flags.runs, 1)
		unset("accounts", &flags.accounts, 2_000)
		unset("network-events", &flags.network, 100_000)
		unset("ours-accounts", &flags.oursAccounts, 50)
		unset("ours-events", &flags.ours, 3_000)
		if !cmd.IsSet("tracked") {
			tracked = []int{1_000, 10_000}
		}
	}
	records := cmd.Int("records")
	return bench.Run(ctx, bench.Config{
		Seed:       cmd.Uint64("seed"),
		Network:    bench.FeedConfig{Accounts: flags.accounts, Ours: max(1, flags.accounts/100), Records: records, Events: flags.network},
		AllOurs:    bench.FeedConfig{Accounts: flags.oursAccounts, Ours: flags.oursAccounts, Records: records, Events: flags.ours},
		Small:      bench.FeedConfig{Accounts: 50, Ours: 50, Records: records, Events: 3_000},
		Tracked:    tracked,
		Runs:       flags.runs,
		Program:    program,
		Profiles:   cmd.String("profiles"),
		WithoutTap: cmd.Bool("without-tap"),
	}, os.Stdout, os.Stderr)
}

func soakCommand() *cli.Command {
	return &cli.Command{
		Name:  "soak",
		Usage: "send the indexer events as fast as it reads, and see whether its memory stays flat",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "for", Value: 30 * time.Minute, Usage: "how long"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the accounts follow from it"},
			&cli.IntFlag{Name: "accounts", Value: 100, Usage: "of ours at first"},
			&cli.IntFlag{Name: "newcomers", Value: 100, Usage: "accounts of ours that appear, evenly over the time"},
			&cli.IntFlag{Name: "foreign", Value: 2_000, Usage: "accounts of the rest of the network; their frames come round again"},
			&cli.IntFlag{Name: "records", Value: 200, Usage: "in each repository"},
			&cli.IntFlag{Name: "calm", Value: 200, Usage: "commits of ours until something else than a commit happens"},
			&cli.StringFlag{Name: "heap", Usage: "file for a profile of the indexer's heap at the end"},
		},
		Action: soak,
	}
}

// soakMemory is where the sender of a soak, which shares the machine with the
// indexer, begins to collect its garbage more often, in bytes.
const soakMemory = 256 << 20

func soak(ctx context.Context, cmd *cli.Command) error {
	debug.SetMemoryLimit(soakMemory)
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	found, err := bench.Soak(ctx, bench.SoakConfig{
		Seed:      cmd.Uint64("seed"),
		For:       cmd.Duration("for"),
		Accounts:  cmd.Int("accounts"),
		Newcomers: cmd.Int("newcomers"),
		Foreign:   cmd.Int("foreign"),
		Records:   cmd.Int("records"),
		Calm:      cmd.Int("calm"),
		Program:   program,
		Heap:      cmd.String("heap"),
	}, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Print(found)
	return found.Err()
}

func indexCommand() *cli.Command {
	return &cli.Command{
		Name: "index", Hidden: true, Usage: "be the indexer",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "upstream"}, &cli.StringFlag{Name: "database"}, &cli.StringFlag{Name: "profile"},
			&cli.StringFlag{Name: "inside"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			indexer.RelaxGC() // as the AppView's command does
			return bench.Index(ctx, bench.IndexConfig{
				Upstream: cmd.String("upstream"), Database: cmd.String("database"),
				Profile: cmd.String("profile"), Inside: cmd.String("inside"),
			})
		},
	}
}

func readCommand() *cli.Command {
	return &cli.Command{
		Name: "read", Hidden: true, Usage: "be the reader",
		Flags: []cli.Flag{&cli.StringFlag{Name: "upstream"}, &cli.IntFlag{Name: "events"}},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return bench.Read(ctx, cmd.String("upstream"), cmd.Int("events"), os.Stdout)
		},
	}
}
