package main

import (
	"fmt"
	"log/slog"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/cmd/internal/environment"
	"github.com/stratosfund/stratosfund/xrpc"
)

func databaseFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "database-url", Sources: cli.EnvVars("APPVIEW_DATABASE_URL"), Value: "sqlite://data/appview.db",
		Usage: "the index: sqlite:// and a path, made when missing",
	}
}

func trustFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{
			Name: "trusted-escrows", Sources: cli.EnvVars("APPVIEW_TRUSTED_ESCROWS"),
			Usage: "DIDs of the escrows whose receipts count, separated by commas",
		},
		&cli.BoolFlag{
			Name: "test-money", Sources: cli.EnvVars("APPVIEW_TEST_MONEY"),
			Usage: "let receipts of test money count; for demonstrations",
		},
	}
}

func logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "log-level", Sources: cli.EnvVars("APPVIEW_LOG_LEVEL"), Value: "info",
			Usage: "debug, info, warn or error",
		},
		&cli.StringFlag{
			Name: "log-format", Sources: cli.EnvVars("APPVIEW_LOG_FORMAT"), Value: "text",
			Usage: "text or json",
		},
	}
}

func runFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{
			Name: "bind", Sources: cli.EnvVars("APPVIEW_BIND"), Value: "127.0.0.1:8080",
			Usage: "host:port that the API listens on",
		},
		&cli.StringFlag{
			Name: "public-url", Sources: cli.EnvVars("APPVIEW_PUBLIC_URL"), Value: "http://localhost:8080",
			Usage: "where clients reach the API: https, or localhost; makes the service's did:web",
		},
		&cli.StringSliceFlag{
			Name: "relay-url", Sources: cli.EnvVars("APPVIEW_RELAY_URL"), Value: []string{"https://relay1.us-east.bsky.network"},
			Usage: "the upstream, a relay or a PDS; others, after commas, take over when it fails; http for this machine only",
		},
		&cli.StringFlag{
			Name: "collectiondir-url", Sources: cli.EnvVars("APPVIEW_COLLECTIONDIR_URL"),
			Usage: "who is asked which repositories have records of ours; the first upstream when empty",
		},
		&cli.StringFlag{
			Name: "plc-url", Sources: cli.EnvVars("APPVIEW_PLC_URL"), Value: "https://plc.directory",
			Usage: "the directory of did:plc; http for this machine only",
		},
		&cli.StringFlag{
			Name: "metrics-bind", Sources: cli.EnvVars("APPVIEW_METRICS_BIND"),
			Usage: "host:port of the Prometheus metrics; off when empty",
		},
		&cli.FloatFlag{
			Name: "rate-limit", Sources: cli.EnvVars("APPVIEW_RATE_LIMIT"), Value: 50,
			Usage: "requests per second that one client may make in the long run; 0 for no limit",
		},
		&cli.StringSliceFlag{
			Name: "trusted-proxies", Sources: cli.EnvVars("APPVIEW_TRUSTED_PROXIES"),
			Usage: "addresses or ranges of the proxies in front, separated by commas; 127.0.0.1 for one on this machine. They have to add to X-Forwarded-For who asks them; whoever comes through others is one client with everybody else there",
		},
		&cli.BoolFlag{
			Name: "web", Sources: cli.EnvVars("APPVIEW_WEB"), Value: true,
			Usage: "serve the web pages beside the API; --web=false for the API alone",
		},
		&cli.StringFlag{
			Name: "sessions-url", Sources: cli.EnvVars("APPVIEW_SESSIONS_URL"),
			Usage: "who is signed in to the pages: sqlite:// and a path, made when missing; sessions.db beside the index when empty; it holds secrets",
		},
		&cli.StringSliceFlag{
			Name: "oauth-keys", Sources: cli.EnvVars("APPVIEW_OAUTH_KEYS"),
			Usage: "keys that prove the pages to the hosts of those who sign in, as new-key makes them, the newest first; a key that is left out ends its sessions; none makes a public client",
		},
		databaseFlag(),
	}
	return append(append(flags, trustFlags()...), logFlags()...)
}

// configFrom reads the flags of the run command.
func configFrom(cmd *cli.Command) (appview.Config, error) {
	escrows, err := parseDIDs(cmd.StringSlice("trusted-escrows"))
	if err != nil {
		return appview.Config{}, fmt.Errorf("trusted-escrows: %w", err)
	}
	keys, err := parseKeys(cmd.StringSlice("oauth-keys"))
	if err != nil {
		return appview.Config{}, fmt.Errorf("oauth-keys: %w", err)
	}
	proxies, err := xrpc.ParseProxies(cmd.StringSlice("trusted-proxies"))
	if err != nil {
		return appview.Config{}, fmt.Errorf("trusted-proxies: %w", err)
	}
	return appview.Config{
		Bind:        cmd.String("bind"),
		DatabaseURL: cmd.String("database-url"),
		RelayURLs:   cmd.StringSlice("relay-url"),

		CollectionDirURL: cmd.String("collectiondir-url"),

		PLCURL:         cmd.String("plc-url"),
		PublicURL:      cmd.String("public-url"),
		TrustedEscrows: escrows,
		TestMoney:      cmd.Bool("test-money"),
		Web:            cmd.Bool("web"),
		SessionsURL:    cmd.String("sessions-url"),
		OAuthKeys:      keys,
		MetricsBind:    cmd.String("metrics-bind"),
		RateLimit:      cmd.Float("rate-limit"),
		TrustedProxies: proxies,
		Version:        version,
	}, nil
}

func parseKeys(raw []string) ([]session.Key, error) {
	var out []session.Key
	for _, r := range raw {
		key, err := session.ParseKey(r)
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
}

func parseDIDs(raw []string) ([]syntax.DID, error) {
	var out []syntax.DID
	for _, r := range raw {
		did, err := syntax.ParseDID(r)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", r, err)
		}
		out = append(out, did)
	}
	return out, nil
}

func loggerFrom(cmd *cli.Command) (*slog.Logger, error) {
	return environment.Logger(cmd.Root().ErrWriter, cmd.String("log-level"), cmd.String("log-format"))
}
