package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// runCommand is the service itself.
func runCommand(clock func() time.Time) *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "hold money, publish receipts and serve the API until stopped",
		Flags: runFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			cfg, err := configFrom(cmd)
			if err != nil {
				return err
			}
			log, err := loggerFrom(cmd, cfg.Mode)
			if err != nil {
				return err
			}
			client, hooks, err := processorFrom(cmd, cfg.Mode)
			if err != nil {
				return err
			}
			service, err := escrow.Build(ctx, cfg, escrow.Options{Log: log, Clock: clock, Processor: client, ParseEvent: hooks.ParseEvent})
			if errors.Is(err, sqlite.ErrLocked) {
				return fmt.Errorf("another escrow runs on %s, and only one may: %w", cfg.DatabaseURL, err)
			}
			if err != nil {
				return err
			}
			log.Info("serving", "addr", service.Addr(), "url", cfg.PublicURL, "did", cfg.DID, "upstream", cfg.RelayURLs, "version", version)
			err = service.Run(ctx)
			if closeErr := service.Close(); err == nil {
				err = closeErr
			}
			if err == nil {
				log.Info("stopped")
			}
			return err
		},
	}
}
