package main

import (
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

func runFlags() []cli.Flag {
	terms := simulator.StripeTerms()
	return []cli.Flag{
		&cli.StringFlag{
			Name: "bind", Sources: cli.EnvVars("SIMULATOR_BIND"), Value: "127.0.0.1:8095",
			Usage: "host:port to listen on; loopback only",
		},
		&cli.StringFlag{
			Name: "public-url", Sources: cli.EnvVars("SIMULATOR_PUBLIC_URL"),
			Usage: "where browsers reach the pages; the address that is listened on when empty",
		},
		&cli.StringFlag{
			Name: "database", Sources: cli.EnvVars("SIMULATOR_DATABASE"), Value: "simulator.db",
			Usage: "the file with its state, made when missing",
		},
		&cli.StringFlag{
			Name: "key", Sources: cli.EnvVars("SIMULATOR_KEY"), Value: simulator.KeyPrefix + "local",
			Usage: "the secret key that requests carry; begins with " + simulator.KeyPrefix,
		},
		&cli.StringFlag{
			Name: "webhook-url", Sources: cli.EnvVars("SIMULATOR_WEBHOOK_URL"),
			Usage: "who is told of the platform's events; nobody when empty",
		},
		&cli.StringFlag{
			Name: "webhook-secret", Sources: cli.EnvVars("SIMULATOR_WEBHOOK_SECRET"), Value: "whsec_simulator",
			Usage: "what signs them",
		},
		&cli.StringFlag{
			Name: "connect-webhook-url", Sources: cli.EnvVars("SIMULATOR_CONNECT_WEBHOOK_URL"),
			Usage: "who is told of connected accounts' events; nobody when empty",
		},
		&cli.StringFlag{
			Name: "connect-webhook-secret", Sources: cli.EnvVars("SIMULATOR_CONNECT_WEBHOOK_SECRET"), Value: "whsec_simulator_connect",
			Usage: "what signs them",
		},
		&cli.StringFlag{
			Name: "country", Sources: cli.EnvVars("SIMULATOR_COUNTRY"), Value: terms.Country,
			Usage: "of the platform",
		},
		&cli.StringFlag{
			Name: "currency", Sources: cli.EnvVars("SIMULATOR_CURRENCY"), Value: terms.Currency,
			Usage: "of the platform",
		},
		&cli.Int64Flag{
			Name: "fee-basis-points", Sources: cli.EnvVars("SIMULATOR_FEE_BASIS_POINTS"), Value: terms.FeeBasisPoints,
			Usage: "hundredths of a percent that are taken of a charge",
		},
		&cli.Int64Flag{
			Name: "fee-fixed", Sources: cli.EnvVars("SIMULATOR_FEE_FIXED"), Value: terms.FeeFixed,
			Usage: "minor units that are taken of a charge",
		},
		&cli.DurationFlag{
			Name: "funds-after", Sources: cli.EnvVars("SIMULATOR_FUNDS_AFTER"), Value: terms.FundsAfter,
			Usage: "how long the funds of a charge are pending",
		},
		&cli.StringFlag{
			Name: "log-level", Sources: cli.EnvVars("SIMULATOR_LOG_LEVEL"), Value: "info",
			Usage: "debug, info, warn or error",
		},
		&cli.StringFlag{
			Name: "log-format", Sources: cli.EnvVars("SIMULATOR_LOG_FORMAT"), Value: "text",
			Usage: "text or json",
		},
	}
}

// configFrom reads the flags of the run command.
func configFrom(cmd *cli.Command) simulator.Config {
	terms := simulator.StripeTerms()
	terms.Country, terms.Currency = cmd.String("country"), cmd.String("currency")
	terms.FeeBasisPoints, terms.FeeFixed = cmd.Int64("fee-basis-points"), cmd.Int64("fee-fixed")
	terms.FundsAfter = cmd.Duration("funds-after")
	config := simulator.Config{
		Bind: cmd.String("bind"), PublicURL: cmd.String("public-url"), DatabasePath: cmd.String("database"), Key: cmd.String("key"), Terms: terms,
	}
	for prefix, connect := range map[string]bool{"": false, "connect-": true} {
		if url := cmd.String(prefix + "webhook-url"); url != "" {
			config.Endpoints = append(config.Endpoints, simulator.Endpoint{URL: url, Secret: cmd.String(prefix + "webhook-secret"), Connect: connect})
		}
	}
	return config
}
