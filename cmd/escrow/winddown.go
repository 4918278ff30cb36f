package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/escrow/winddown"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// windDownCommand ends an escrow. It runs instead of the service, with the same settings.
func windDownCommand(clock func() time.Time) *cli.Command {
	return &cli.Command{
		Name:  "wind-down",
		Usage: "end this escrow: give everything back that is held, and take nothing in any more, for ever; goes on where it was when it is run again",
		Flags: append(runFlags(),
			becauseFlag(),
			&cli.BoolFlag{Name: "for-ever", Usage: "say that you mean it; there is no way back"},
			&cli.BoolFlag{
				Name:  "without-repository",
				Usage: "do not ask the escrow's PDS, because it is gone, or because a restored backup lost a decision to pay out: what it does not know comes back from the processor's lists alone",
			},
			&cli.BoolFlag{Name: "lift", Usage: "let money go on that stands still, after somebody has looked why (escrow status)"},
		),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if !cmd.Bool("for-ever") {
				return errors.New("nothing was done: this ends the escrow for ever, so say --for-ever")
			}
			cfg, opts, err := serviceFrom(cmd, clock)
			if err != nil {
				return err
			}
			service, err := escrow.Build(ctx, cfg, opts)
			if errors.Is(err, sqlite.ErrLocked) {
				return fmt.Errorf("the escrow still runs on %s: stop it first: %w", cfg.DatabaseURL, err)
			}
			if err != nil {
				return err
			}
			err = service.WindDown(ctx, escrow.WindDown{
				Because: cmd.String("because"), WithoutRepository: cmd.Bool("without-repository"), Lift: cmd.Bool("lift"),
				Tell: func(sentence string) { fmt.Fprintln(cmd.Root().Writer, sentence) },
			})
			if errors.Is(err, winddown.ErrStopped) {
				err = fmt.Errorf("%w; when somebody has looked, --lift lets it go on", err)
			}
			return errors.Join(err, service.Close())
		},
	}
}
