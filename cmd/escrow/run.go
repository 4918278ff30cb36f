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
			cfg, opts, err := serviceFrom(cmd, clock)
			if err != nil {
				return err
			}
			service, err := escrow.Build(ctx, cfg, opts)
			if errors.Is(err, sqlite.ErrLocked) {
				return fmt.Errorf("another escrow runs on %s, and only one may: %w", cfg.DatabaseURL, err)
			}
			if err != nil {
				return err
			}
			opts.Log.Info("serving", "addr", service.Addr(), "url", cfg.PublicURL, "did", cfg.DID, "upstream", cfg.RelayURLs, "version", version)
			err = service.Run(ctx)
			if closeErr := service.Close(); err == nil {
				err = closeErr
			}
			if err == nil {
				opts.Log.Info("stopped")
			}
			return err
		},
	}
}

// serviceFrom is what the flags of the service say.
func serviceFrom(cmd *cli.Command, clock func() time.Time) (escrow.Config, escrow.Options, error) {
	cfg, err := configFrom(cmd)
	if err != nil {
		return escrow.Config{}, escrow.Options{}, err
	}
	log, err := loggerFrom(cmd, cfg.Mode)
	if err != nil {
		return escrow.Config{}, escrow.Options{}, err
	}
	client, hooks, err := processorFrom(cmd, cfg.Mode)
	return cfg, escrow.Options{Log: log, Clock: clock, Processor: client, ParseEvent: hooks.ParseEvent}, err
}
