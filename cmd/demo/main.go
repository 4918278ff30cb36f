// Command demo shows StratosFund at work on one machine: it starts a real PLC
// directory and a real PDS, lets developers and backers write records, and serves
// them with the AppView until it is stopped.
//
// Three stories are told. One is sample data; the others happen while they are told, with
// the real escrow and a simulated payment processor: one for whoever sits at the keyboard,
// and one of attempts side by side that end in each way there is.
//
// The first story that the records tell has a proposal in every stage. An account plays
// the escrow in it: it writes what an escrow would, marked as test money, and the
// AppView is told to trust it. No money exists. The story is told for a moment,
// which the escrow's service record remembers, so a demo that is started again
// writes the same records; it is told anew before one of its deadlines comes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/cmd/internal/environment"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

func main() {
	if err := run(context.Background(), os.Args, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	ctx, stop := environment.UntilStopped(ctx)
	defer stop()
	cmd := &cli.Command{
		Name:      "demo",
		Usage:     "run StratosFund with a local PLC and PDS and sample data",
		Writer:    stdout,
		ErrWriter: stderr,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data-dir", Value: ".demo", Usage: "where everything lives; started there again, the demo goes on"},
			&cli.IntFlag{Name: "plc-port", Value: 2582, Usage: "port of the PLC directory"},
			&cli.IntFlag{Name: "pds-port", Value: 2583, Usage: "port of the PDS"},
			&cli.IntFlag{Name: "port", Value: 8080, Usage: "port of the AppView"},
			&cli.IntFlag{Name: "escrow-port", Value: 8090, Usage: "port of the escrow"},
			&cli.IntFlag{Name: "processor-port", Value: 8095, Usage: "port of the simulated payment processor"},
			&cli.IntFlag{Name: "forge-port", Value: 8070, Usage: "port of the developers' previews and git repositories"},
			&cli.BoolFlag{Name: "outcomes", Value: true, Usage: "let attempts end in every way in the background, which takes some minutes"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return demo(ctx, settings{
				dataDir: cmd.String("data-dir"),
				plcPort: cmd.Int("plc-port"), pdsPort: cmd.Int("pds-port"), port: cmd.Int("port"),
				escrowPort: cmd.Int("escrow-port"), processorPort: cmd.Int("processor-port"), forgePort: cmd.Int("forge-port"),
				outcomes: cmd.Bool("outcomes"),
			}, stdout, stderr)
		},
	}
	return cmd.Run(ctx, args)
}

type settings struct {
	dataDir                   string
	plcPort, pdsPort, port    int
	escrowPort, processorPort int
	forgePort                 int
	outcomes                  bool
}

// demo starts the parts from the bottom up and stops them from the top down.
func demo(ctx context.Context, s settings, stdout, stderr io.Writer) (err error) {
	fmt.Fprintln(stdout, "Starting a PLC directory and a PDS on this machine ...")
	network, err := atmosphere.Start(ctx, atmosphere.Config{
		DataDir: filepath.Join(s.dataDir, "atmosphere"), PLCPort: s.plcPort, PDSPort: s.pdsPort, Log: stderr,
	})
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	defer func() { err = errors.Join(err, network.Close()) }()

	logFile, err := os.OpenFile(filepath.Join(s.dataDir, "appview.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the AppView's log: %w", err)
	}
	defer logFile.Close()
	cast, err := assemble(ctx, network)
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	forge, err := newForge(ctx, s)
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	defer func() { err = errors.Join(err, forge.Close()) }()
	broker, err := newBroker(ctx, s, network, forge)
	defer func() { err = errors.Join(err, broker.Close()) }()
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	service, base, err := buildAppView(ctx, s, network, []syntax.DID{cast.escrow.DID, broker.account.DID}, logFile)
	if err != nil {
		return stoppedEarly(ctx, err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return service.Run(ctx) })
	g.Go(func() error { return broker.Run(ctx) })
	g.Go(func() error { return forge.Run(ctx) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-network.Done():
			return network.Err()
		}
	})
	g.Go(func() error {
		sum := &summary{base: base, network: network, cast: cast}
		around := &scenery{cast: cast, network: network, broker: broker, forge: forge, appview: base, dataDir: s.dataDir, out: stdout}
		return stoppedEarly(ctx, tellAll(ctx, sum, around, s.outcomes))
	})
	return g.Wait()
}

// tellAll tells all stories, and how to look at them. The outcomes happen beside the story
// before them, and what became of them is the last that is said.
func tellAll(ctx context.Context, sum *summary, around *scenery, withOutcomes bool) error {
	fmt.Fprintln(around.out, "Writing records through the PDS ...")
	told, err := toldAt(ctx, sum.cast, time.Now())
	if err != nil {
		return err
	}
	if sum.scenes, err = tell(ctx, pds{}, sum.cast, told); err != nil {
		return err
	}
	if err := sum.print(ctx, around.out); err != nil {
		return err
	}
	show := &live{scenery: around}
	if err := show.begin(ctx); err != nil {
		return err
	}
	show.introduce()
	if err := show.float(ctx); err != nil {
		return err
	}
	if !withOutcomes {
		return show.play(ctx)
	}
	beside, err := rememberedOutcomes(around)
	if err != nil {
		return err
	}
	g, telling := errgroup.WithContext(ctx)
	g.Go(func() error { return show.play(telling) })
	g.Go(func() error { return beside.sideBySide(telling) })
	if err := g.Wait(); err != nil || !around.broker.memory.OutcomesTold {
		return err
	}
	return beside.print(ctx)
}

func buildAppView(ctx context.Context, s settings, network *atmosphere.Network, trusted []syntax.DID, log io.Writer) (*appview.Service, *url.URL, error) {
	logger, err := environment.Logger(log, "info", "text")
	if err != nil {
		return nil, nil, err
	}
	base := &url.URL{Scheme: "http", Host: "localhost:" + strconv.Itoa(s.port)}
	service, err := appview.Build(ctx, appview.Config{
		Bind:        "127.0.0.1:" + strconv.Itoa(s.port),
		DatabaseURL: "sqlite://" + filepath.Join(s.dataDir, "appview.db"),
		RelayURLs:   []string{network.PDSURL()},
		PLCURL:      network.PLCURL(),
		PublicURL:   base.String(),
		// As APPVIEW_TRUSTED_ESCROWS and APPVIEW_TEST_MONEY say it to the real one.
		TrustedEscrows: trusted,
		TestMoney:      true,
		Web:            true,
		Version:        "demo",
	}, appview.Options{Log: logger, Clock: time.Now, Transport: network.Transport(), CheckOutput: true})
	return service, base, err
}

// stoppedEarly turns what a Ctrl-C interrupted into the quiet end it is.
func stoppedEarly(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
