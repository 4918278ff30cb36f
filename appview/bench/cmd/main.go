// Command cmd measures the AppView; package bench says how. The commands serve,
// echo, ask and pages are for itself.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/appview/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := command().Run(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command() *cli.Command {
	cmd := &cli.Command{
		Name:  "bench",
		Usage: "measure the AppView beside an echo handler and its own queries without HTTP",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "quick", Usage: "little data and short measurements"},
			&cli.IntFlag{Name: "one-in", Value: 1, Usage: "make so much less data"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "the data follows from it"},
			&cli.StringFlag{Name: "folder", Usage: "where the data is kept (default: the user's cache)"},
			&cli.StringSliceFlag{Name: "only", Usage: "methods to measure, by the start of their names"},
			&cli.IntSliceFlag{Name: "connections", Value: []int{1, 8, 64}, Usage: "of the closed loops; 0 leaves them out"},
			&cli.DurationFlag{Name: "warm-up", Value: time.Second, Usage: "before each measurement"},
			&cli.DurationFlag{Name: "measure", Value: 3 * time.Second, Usage: "length of each measurement"},
			&cli.DurationFlag{Name: "live", Value: 30 * time.Second, Usage: "length of the open loop"},
			&cli.IntFlag{Name: "rate", Value: 500, Usage: "requests per second in the open loop; 0 leaves it out"},
			&cli.IntFlag{Name: "indexed", Value: 1000, Usage: "records per second that are indexed meanwhile"},
			&cli.StringFlag{Name: "profile", Usage: "file for a CPU profile of the service"},
		},
		Action: run,
	}
	for _, role := range []string{"serve", "echo", "ask", "pages"} {
		cmd.Commands = append(cmd.Commands, &cli.Command{
			Name: role, Hidden: true, SkipFlagParsing: true,
			Action: func(ctx context.Context, cmd *cli.Command) error {
				return bench.Child(ctx, append([]string{role}, cmd.Args().Slice()...), os.Stdout)
			},
		})
	}
	return cmd
}

func run(ctx context.Context, cmd *cli.Command) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	folder := cmd.String("folder")
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find a folder for the data: %w", err)
		}
		folder = filepath.Join(cache, "stratosfund-bench")
	}
	less := cmd.Int("one-in")
	if less < 1 {
		return fmt.Errorf("one-in: must be at least 1, got %d", less)
	}
	cfg := bench.Config{
		Seed: cmd.Uint64("seed"), Size: bench.Full().OneIn(less), Folder: folder, Only: cmd.StringSlice("only"), Clients: slices.DeleteFunc(cmd.IntSlice("connections"), func(n int) bool { return n == 0 }),
		WarmUp: cmd.Duration("warm-up"), Measure: cmd.Duration("measure"), Live: cmd.Duration("live"),
		Rate: cmd.Int("rate"), Indexed: cmd.Int("indexed"), Program: program, Profile: cmd.String("profile"),
	}
	if cmd.Bool("quick") {
		cfg = cfg.Quickly()
	}
	return bench.Run(ctx, cfg, os.Stdout, os.Stderr)
}
