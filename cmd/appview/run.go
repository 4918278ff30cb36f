package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/appview"
)

// runCommand is the service itself.
func runCommand(clock func() time.Time) *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "follow the upstream and serve the API until stopped",
		Flags: runFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			log, err := loggerFrom(cmd)
			if err != nil {
				return err
			}
			cfg, err := configFrom(cmd)
			if err != nil {
				return err
			}
			service, err := appview.Build(ctx, cfg, appview.Options{Log: log, Clock: clock})
			if err != nil {
				return err
			}
			log.Info("serving", "addr", service.Addr(), "url", cfg.PublicURL, "upstream", cfg.RelayURLs, "version", version)
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
