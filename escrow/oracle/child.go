package oracle

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
)

// settings are what a process of the escrow has to know about its world.
type settings struct {
	// Folder holds the database, the terms and the clock.
	Folder string
	// PublicURL is the front, PDSURL where handles are found.
	PublicURL, RelayURL, PLCURL, PDSURL string
	DID                                 syntax.DID
	Password                            string
	AcknowledgementKey                  string // multibase
	ProcessorURL, ProcessorKey          string
	Strangers                           map[string]string // hosts, and where they are
	Dooms                               []doom
}

// The files of a world.
const (
	clockFile    = "clock"
	databaseFile = "escrow.db"
	termsFile    = "terms.json"
	textFile     = "terms.md"
	logFile      = "escrow.log"
)

// adminPassword is the operator's.
const adminPassword = "the operator's password"

// patience is how long the escrow waits for the processor, which hangs at times.
const patience = 2 * time.Second

// serve runs the whole service, as cmd/escrow does, until the process is told to stop.
func (s settings) serve(ctx context.Context) error {
	indexer.RelaxGC()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	clock, err := followClock(filepath.Join(s.Folder, clockFile))
	if err != nil {
		return err
	}
	processor, err := stripe.New(stripe.Config{
		Mode: payments.Simulator, Key: payments.NewSecret(s.ProcessorKey), URL: s.ProcessorURL, Timeout: patience,
	}, stripe.Options{})
	if err != nil {
		return err
	}
	hooks := stripe.Webhooks{
		Mode: payments.Simulator, Account: []payments.Secret{payments.NewSecret(accountSecret)}, Connect: []payments.Secret{payments.NewSecret(connectSecret)},
	}
	service, err := escrow.Build(ctx, s.config(), escrow.Options{
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Clock: clock, Transport: byName{s.Strangers, simulated.Transport(s.PDSURL)}, Processor: processor, ParseEvent: hooks.ParseEvent,
		Crash: (&fate{dooms: s.Dooms}).pass, CheckOutput: true,
	})
	if err != nil {
		return err
	}
	fmt.Println(saidServing + service.Addr().String())
	err = service.Run(ctx)
	if closeErr := service.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (s settings) config() escrow.Config {
	return escrow.Config{
		Mode: payments.Simulator, Bind: "127.0.0.1:0", DatabaseURL: "sqlite://" + filepath.Join(s.Folder, databaseFile),
		PublicURL: s.PublicURL, RelayURLs: []string{s.RelayURL}, PLCURL: s.PLCURL,
		DID: s.DID, Identifier: s.DID.String(), AppPassword: payments.NewSecret(s.Password),
		AcknowledgementKey: payments.NewSecret(s.AcknowledgementKey), Costs: checkout.DefaultCosts(), AdminPassword: payments.NewSecret(adminPassword),
		Name: "The oracle's escrow", TermsFile: filepath.Join(s.Folder, termsFile), Version: "oracle",
	}
}
