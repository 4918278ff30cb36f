package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/cmd/internal/environment"
	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/xrpc"
)

func databaseFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "database-url", Sources: cli.EnvVars("ESCROW_DATABASE_URL"), Value: "sqlite://data/escrow.db",
		Usage: "the ledger: sqlite:// and a path; escrow run makes it when it is missing, and the index beside it",
	}
}

func passwordFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "admin-password", Sources: cli.EnvVars("ESCROW_ADMIN_PASSWORD"),
		Usage: "what admin commands prove themselves with, at least 12 characters; admin is off when empty",
	}
}

func logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "log-level", Sources: cli.EnvVars("ESCROW_LOG_LEVEL"), Value: "info",
			Usage: "debug, info, warn or error",
		},
		&cli.StringFlag{
			Name: "log-format", Sources: cli.EnvVars("ESCROW_LOG_FORMAT"), Value: "text",
			Usage: "text or json",
		},
	}
}

func runFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name: "mode", Sources: cli.EnvVars("ESCROW_MODE"),
			Usage: "live, test or simulator; required, and pinned in the database for ever",
		},
		&cli.StringFlag{
			Name: "bind", Sources: cli.EnvVars("ESCROW_BIND"), Value: "127.0.0.1:8090",
			Usage: "host:port that the API listens on",
		},
		&cli.StringFlag{
			Name: "public-url", Sources: cli.EnvVars("ESCROW_PUBLIC_URL"), Value: "http://localhost:8090",
			Usage: "where clients reach the API: https, or localhost",
		},
		&cli.StringSliceFlag{
			Name: "relay-url", Sources: cli.EnvVars("ESCROW_RELAY_URL"), Value: []string{"https://relay1.us-east.bsky.network"},
			Usage: "the upstream, a relay or a PDS; others, after commas, take over when it fails; http for this machine only",
		},
		&cli.StringFlag{
			Name: "collectiondir-url", Sources: cli.EnvVars("ESCROW_COLLECTIONDIR_URL"),
			Usage: "who is asked which repositories have records of ours; the first upstream when empty",
		},
		&cli.StringFlag{
			Name: "plc-url", Sources: cli.EnvVars("ESCROW_PLC_URL"), Value: "https://plc.directory",
			Usage: "the directory of did:plc; http for this machine only",
		},
		&cli.StringFlag{
			Name: "did", Sources: cli.EnvVars("ESCROW_DID"),
			Usage: "the account whose repository holds the receipts; its DID document has the service #" + escrow.ServiceID,
		},
		&cli.StringFlag{
			Name: "identifier", Sources: cli.EnvVars("ESCROW_IDENTIFIER"),
			Usage: "the account's handle; its DID when empty",
		},
		&cli.StringFlag{
			Name: "app-password", Sources: cli.EnvVars("ESCROW_APP_PASSWORD"),
			Usage: "an app password of the account; better in the variable than on the command line",
		},
		&cli.StringFlag{
			Name: "pds-url", Sources: cli.EnvVars("ESCROW_PDS_URL"),
			Usage: "the account's PDS, for a did:web of the public URL, which this service explains",
		},
		&cli.StringFlag{
			Name: "signing-key", Sources: cli.EnvVars("ESCROW_SIGNING_KEY"),
			Usage: "the public key of the account's repository, a did:key, for the same did:web",
		},
		&cli.StringFlag{
			Name: "service-name", Sources: cli.EnvVars("ESCROW_SERVICE_NAME"),
			Usage: "how the escrow introduces itself",
		},
		&cli.StringFlag{
			Name: "contact", Sources: cli.EnvVars("ESCROW_CONTACT"),
			Usage: "where people reach the operator: https or mailto",
		},
		&cli.StringFlag{
			Name: "terms-file", Sources: cli.EnvVars("ESCROW_TERMS_FILE"),
			Usage: "the terms: JSON with the numbers, as in fund.stratos.escrow.terms, and as text the name of a Markdown file",
		},
		&cli.StringFlag{
			Name: "stripe-key", Sources: cli.EnvVars("ESCROW_STRIPE_KEY"),
			Usage: "the secret key at the payment processor, of the mode's kind; better in the variable than on the command line",
		},
		&cli.StringFlag{
			Name: "stripe-api-url", Sources: cli.EnvVars("ESCROW_STRIPE_API_URL"),
			Usage: "the simulator, in simulator mode; empty in any other",
		},
		&cli.StringSliceFlag{
			Name: "stripe-webhook-secret", Sources: cli.EnvVars("ESCROW_STRIPE_WEBHOOK_SECRET"),
			Usage: "the secret with which the processor signs events of the platform's own account; several, after commas, while one is replaced",
		},
		&cli.StringSliceFlag{
			Name: "stripe-connect-webhook-secret", Sources: cli.EnvVars("ESCROW_STRIPE_CONNECT_WEBHOOK_SECRET"),
			Usage: "the same for events of payees' accounts",
		},
		passwordFlag(),
		&cli.StringFlag{
			Name: "acknowledgement-key", Sources: cli.EnvVars("ESCROW_ACKNOWLEDGEMENT_KEY"),
			Usage: "the private key, in multibase, that signs acknowledgements; its public half stands in the DID document under #" + checkout.KeyID + "; escrow new-key makes one",
		},
		&cli.Int64Flag{
			Name: "cost-basis-points", Sources: cli.EnvVars("ESCROW_COST_BASIS_POINTS"), Value: checkout.DefaultCosts().BasisPoints,
			Usage: "the most that the processor takes of a payment and keeps when it is refunded, in hundredths of a percent",
		},
		&cli.StringSliceFlag{
			Name: "cost-fixed", Sources: cli.EnvVars("ESCROW_COST_FIXED"),
			Usage: "what it takes besides, in minor units by currency: USD=60,EUR=50; of others a hundred of the smallest unit",
		},
		&cli.StringFlag{
			Name: "metrics-bind", Sources: cli.EnvVars("ESCROW_METRICS_BIND"),
			Usage: "host:port of the Prometheus metrics; off when empty",
		},
		&cli.FloatFlag{
			Name: "rate-limit", Sources: cli.EnvVars("ESCROW_RATE_LIMIT"), Value: 50,
			Usage: "requests per second that one client may make in the long run; 0 for no limit",
		},
		&cli.StringSliceFlag{
			Name: "trusted-proxies", Sources: cli.EnvVars("ESCROW_TRUSTED_PROXIES"),
			Usage: "addresses or ranges of the proxies in front, separated by commas; 127.0.0.1 for one on this machine. They have to add to X-Forwarded-For who asks them; whoever comes through others is one client with everybody else there",
		},
		databaseFlag(),
	}
	return append(flags, logFlags()...)
}

// configFrom reads the flags of the run command.
func configFrom(cmd *cli.Command) (escrow.Config, error) {
	if cmd.String("mode") == "" {
		return escrow.Config{}, errors.New("ESCROW_MODE is missing: it is live (real money), test (the processor's test mode) or simulator, and stays so for ever")
	}
	mode, err := payments.ParseMode(cmd.String("mode"))
	if err != nil {
		return escrow.Config{}, fmt.Errorf("ESCROW_MODE: %w", err)
	}
	if _, _, err := processorFrom(cmd, mode); err != nil {
		return escrow.Config{}, err
	}
	var did syntax.DID
	if raw := cmd.String("did"); raw != "" {
		if did, err = syntax.ParseDID(raw); err != nil {
			return escrow.Config{}, fmt.Errorf("did: %q: %w", raw, err)
		}
	}
	fixed, err := checkout.ParseFixed(cmd.StringSlice("cost-fixed"))
	if err != nil {
		return escrow.Config{}, fmt.Errorf("cost-fixed: %w", err)
	}
	proxies, err := xrpc.ParseProxies(cmd.StringSlice("trusted-proxies"))
	if err != nil {
		return escrow.Config{}, fmt.Errorf("trusted-proxies: %w", err)
	}
	identifier := cmd.String("identifier")
	if identifier == "" {
		identifier = did.String()
	}
	return escrow.Config{
		Mode:        mode,
		Bind:        cmd.String("bind"),
		DatabaseURL: cmd.String("database-url"),
		PublicURL:   cmd.String("public-url"),
		RelayURLs:   cmd.StringSlice("relay-url"),

		CollectionDirURL: cmd.String("collectiondir-url"),

		PLCURL:      cmd.String("plc-url"),
		DID:         did,
		Identifier:  identifier,
		AppPassword: payments.NewSecret(cmd.String("app-password")),
		PDSURL:      cmd.String("pds-url"),
		SigningKey:  cmd.String("signing-key"),
		Name:        cmd.String("service-name"),
		Contact:     cmd.String("contact"),
		TermsFile:   cmd.String("terms-file"),
		Costs:       checkout.Costs{BasisPoints: cmd.Int64("cost-basis-points"), Fixed: fixed},

		AcknowledgementKey: payments.NewSecret(cmd.String("acknowledgement-key")),
		AdminPassword:      payments.NewSecret(cmd.String("admin-password")),

		MetricsBind: cmd.String("metrics-bind"),
		RateLimit:   cmd.Float("rate-limit"),
		Version:     version,

		TrustedProxies: proxies,
	}, nil
}

// processorFrom makes the payment processor's client and the check of its events, or says
// what is wrong with their settings.
func processorFrom(cmd *cli.Command, mode payments.Mode) (*stripe.Client, stripe.Webhooks, error) {
	hooks := stripe.Webhooks{
		Mode:    mode,
		Account: secrets(cmd.StringSlice("stripe-webhook-secret")),
		Connect: secrets(cmd.StringSlice("stripe-connect-webhook-secret")),
	}
	client, err := stripe.New(stripe.Config{Mode: mode, Key: payments.NewSecret(cmd.String("stripe-key")), URL: cmd.String("stripe-api-url")}, stripe.Options{})
	return client, hooks, errors.Join(err, hooks.Check())
}

func secrets(list []string) (out []payments.Secret) {
	for _, text := range list {
		if text != "" {
			out = append(out, payments.NewSecret(text))
		}
	}
	return out
}

// loggerFrom marks every line with the mode, so that no test can be taken for real
// money, nor the other way round.
func loggerFrom(cmd *cli.Command, mode payments.Mode) (*slog.Logger, error) {
	log, err := environment.Logger(cmd.Root().ErrWriter, cmd.String("log-level"), cmd.String("log-format"))
	if err != nil {
		return nil, err
	}
	return log.With("mode", string(mode)), nil
}
