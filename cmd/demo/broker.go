package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/cmd/internal/environment"
	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

//go:embed terms
var termsFiles embed.FS

const (
	brokerHandle = syntax.Handle("demo-escrow.test")
	// refundTakes is how long a simulated bank takes for a refund that it does not make at
	// once. Real ones take days, and nobody would watch for so long.
	refundTakes = 5 * time.Second
	// fundsAfter is how long the simulated processor waits until what was paid is there.
	// Real ones take days as well.
	fundsAfter = 10 * time.Second
)

// broker is the real escrow of the demo, with play money: the service as an operator runs
// it, its account, and the simulator, which it takes for a payment processor.
type broker struct {
	account  *atmosphere.Account
	memory   *memory
	database string // its URL
	url      string
	opened   []io.Closer

	processor *simulator.Server
	service   *escrow.Service
}

// newBroker gives the escrow an account and builds it. Whatever it returns is closed by
// its Close.
func newBroker(ctx context.Context, s settings, network *atmosphere.Network, forge *forge) (*broker, error) {
	dir := filepath.Join(s.dataDir, "escrow")
	b := &broker{
		url:      "http://localhost:" + strconv.Itoa(s.escrowPort),
		database: "sqlite://" + filepath.Join(dir, "escrow.db"),
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return b, fmt.Errorf("make the escrow's folder: %w", err)
	}
	var err error
	if b.memory, err = remember(dir); err != nil {
		return b, err
	}
	if err := b.register(ctx, network); err != nil {
		return b, err
	}
	if err := writeTerms(dir); err != nil {
		return b, err
	}
	if err := b.buildProcessor(ctx, s, dir); err != nil {
		return b, err
	}
	return b, b.buildService(ctx, s, network, forge, dir)
}

// writeTerms puts the terms where people can read them. Other ones than before are
// announced as new ones.
func writeTerms(dir string) error {
	for _, name := range []string{"terms.json", "terms.md"} {
		b, err := termsFiles.ReadFile("terms/" + name)
		if err != nil {
			return fmt.Errorf("read the escrow's terms: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("write the escrow's terms: %w", err)
		}
	}
	return nil
}

// register gets the escrow its account, with an app password, and lets the account's DID
// document lead to the service.
func (b *broker) register(ctx context.Context, network *atmosphere.Network) error {
	rotation, err := atcrypto.ParsePrivateMultibase(b.memory.RotationKey)
	if err != nil {
		return fmt.Errorf("read the escrow's rotation key: %w", err)
	}
	public, err := rotation.PublicKey()
	if err != nil {
		return fmt.Errorf("read the escrow's rotation key: %w", err)
	}
	b.account, err = network.CreateAccount(ctx, brokerHandle, atmosphere.WithPassword(password), atmosphere.WithRecoveryKey(public.DIDKey()))
	if err != nil {
		return fmt.Errorf("create the escrow's account: %w", err)
	}
	acknowledgements, err := atcrypto.ParsePrivateMultibase(b.memory.AcknowledgementKey)
	if err != nil {
		return fmt.Errorf("read the escrow's key of acknowledgements: %w", err)
	}
	verifies, err := acknowledgements.PublicKey()
	if err != nil {
		return fmt.Errorf("read the escrow's key of acknowledgements: %w", err)
	}
	err = network.Amend(ctx, b.account, rotation, atmosphere.Addition{
		Services: map[string]atmosphere.Service{escrow.ServiceID: {Type: escrow.ServiceType, Endpoint: b.url}},
		Keys:     map[string]string{checkout.KeyID: verifies.DIDKey()},
	})
	if err != nil {
		return fmt.Errorf("let the escrow be found: %w", err)
	}
	return b.allow(ctx)
}

// allow makes the app password with which the service writes receipts.
func (b *broker) allow(ctx context.Context) error {
	if b.memory.AppPassword != "" {
		return nil
	}
	var made struct{ Password string }
	// A start that died before it was noted left one behind, so no two have one name.
	name := map[string]any{"name": "escrow " + time.Now().UTC().Format(time.RFC3339Nano)}
	if err := b.account.Client.Post(ctx, "com.atproto.server.createAppPassword", name, &made); err != nil {
		return fmt.Errorf("make the escrow's app password: %w", err)
	}
	b.memory.AppPassword = made.Password
	return b.memory.keep()
}

// logTo opens a log in the demo's folder.
func (b *broker) logTo(s settings, name string) (*slog.Logger, error) {
	file, err := os.OpenFile(filepath.Join(s.dataDir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open a log: %w", err)
	}
	b.opened = append(b.opened, file)
	return environment.Logger(file, "info", "text")
}

func (b *broker) buildProcessor(ctx context.Context, s settings, dir string) error {
	log, err := b.logTo(s, "simulator.log")
	if err != nil {
		return err
	}
	terms := simulator.StripeTerms()
	terms.RefundSettlesAfter, terms.FundsAfter = refundTakes, fundsAfter
	port := strconv.Itoa(s.processorPort)
	b.processor, err = simulator.Build(ctx, simulator.Config{
		Bind: "127.0.0.1:" + port, PublicURL: "http://localhost:" + port,
		DatabasePath: filepath.Join(dir, "simulator.db"), Key: b.memory.ProcessorKey, Terms: terms,
		Endpoints: []simulator.Endpoint{
			{URL: b.url + escrow.WebhookPath, Secret: b.memory.WebhookSecret},
			{URL: b.url + escrow.ConnectWebhookPath, Secret: b.memory.ConnectWebhookSecret, Connect: true},
		},
	}, simulator.Options{Log: log, Clock: time.Now})
	return err
}

func (b *broker) buildService(ctx context.Context, s settings, network *atmosphere.Network, forge *forge, dir string) error {
	log, err := b.logTo(s, "escrow.log")
	if err != nil {
		return err
	}
	client, err := stripe.New(stripe.Config{
		Mode: payments.Simulator, Key: payments.NewSecret(b.memory.ProcessorKey), URL: b.processor.URL(),
	}, stripe.Options{})
	if err != nil {
		return err
	}
	hooks := stripe.Webhooks{
		Mode:    payments.Simulator,
		Account: []payments.Secret{payments.NewSecret(b.memory.WebhookSecret)},
		Connect: []payments.Secret{payments.NewSecret(b.memory.ConnectWebhookSecret)},
	}
	// As the variables ESCROW_... say it to the real one.
	b.service, err = escrow.Build(ctx, escrow.Config{
		Mode: payments.Simulator, Bind: "127.0.0.1:" + strconv.Itoa(s.escrowPort), PublicURL: b.url, DatabaseURL: b.database,
		RelayURLs: []string{network.PDSURL()}, PLCURL: network.PLCURL(),
		DID: b.account.DID, Identifier: b.account.Handle.String(), AppPassword: payments.NewSecret(b.memory.AppPassword),
		Name: "The demo's escrow", TermsFile: filepath.Join(dir, "terms.json"),
		AcknowledgementKey: payments.NewSecret(b.memory.AcknowledgementKey), Costs: checkout.DefaultCosts(),
		AdminPassword: payments.NewSecret(password), Version: "demo",
	}, escrow.Options{
		Log: log.With("mode", string(payments.Simulator)), Clock: time.Now, Transport: forge.transport(network.Transport()),
		Processor: client, ParseEvent: hooks.ParseEvent, CheckOutput: true,
	})
	return err
}

// Run serves both until ctx ends.
func (b *broker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.processor.Run(ctx) })
	g.Go(func() error { return b.service.Run(ctx) })
	return g.Wait()
}

// Close releases everything.
func (b *broker) Close() error {
	var errs []error
	if b.service != nil {
		errs = append(errs, b.service.Close())
	}
	if b.processor != nil {
		errs = append(errs, b.processor.Close())
	}
	for _, file := range b.opened {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}
