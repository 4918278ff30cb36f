package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/lexicons"
)

const adminPassword = "correct horse battery"

// processor runs a simulator until the test ends, and returns what an escrow has to be
// told of it.
func processor(t *testing.T) (simulator.Control, map[string]string) {
	t.Helper()
	server, err := simulator.Build(t.Context(), simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(t.TempDir(), "simulator.db"), Key: simulator.KeyPrefix + "local", Terms: simulator.StripeTerms(),
	}, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, server.Close()); err != nil {
			t.Errorf("the simulator ended: %v", err)
		}
	})
	return simulator.Control{URL: server.URL()}, map[string]string{
		"ESCROW_STRIPE_KEY": simulator.KeyPrefix + "local", "ESCROW_STRIPE_API_URL": server.URL(), "ESCROW_ADMIN_PASSWORD": adminPassword,
	}
}

// admin runs an admin command against a process.
func (o *operator) admin(p *process, args ...string) (string, error) {
	var out strings.Builder
	args = append([]string{"escrow"}, args...)
	args = append(args[:2:2], append([]string{"--service-url", "http://" + p.addr, "--admin-password", adminPassword}, args[2:]...)...)
	err := run(o.t.Context(), args, func() []string { return nil }, &out, os.Stderr)
	return out.String(), err
}

// want runs an admin command, and looks for words in what it says, or in its error.
func (o *operator) want(p *process, failing bool, words string, args ...string) {
	o.t.Helper()
	out, err := o.admin(p, args...)
	if (err != nil) != failing {
		o.t.Errorf("%q: %v: %s", args, err, out)
		return
	}
	if err != nil {
		out += err.Error()
	}
	if !strings.Contains(out, words) {
		o.t.Errorf("%q says %q, want %q", args, out, words)
	}
}

// sequence is the number of the newest entry.
func (o *operator) sequence(p *process) float64 {
	o.t.Helper()
	_, health := o.get(p, "/xrpc/_health")
	n, _ := health["sequence"].(float64)
	return n
}

func TestProcessor_IsHeardComparedAndCommanded(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	control, settings := processor(t)
	p := o.start(settings)
	o.published(p)

	// What a webhook tells is in the ledger without anybody asking.
	o.ok(control.SetEndpoints(t.Context(),
		simulator.Endpoint{URL: "http://" + p.addr + escrow.WebhookPath, Secret: "whsec_account"},
		simulator.Endpoint{URL: "http://" + p.addr + escrow.ConnectWebhookPath, Secret: "whsec_connect", Connect: true}))
	_, err := control.TopUp(t.Context(), 100_000, "usd")
	o.ok(err)
	o.until("the top-up is in the ledger", func() bool { return o.sequence(p) == 1 })

	// What no webhook told is found on request.
	o.ok(control.SetEndpoints(t.Context()))
	_, err = control.ChargeFee(t.Context(), 70, "usd", "Radar")
	o.ok(err)
	o.want(p, false, "objects are looked at", "sync", "--full")
	o.until("the fee is in the ledger", func() bool { return o.sequence(p) == 2 })
	o.want(p, false, "agree: 2 movements, 0 in flight", "reconcile")
	o.want(p, true, "Nothing stands still", "resume", "--because", "none")
	o.want(p, true, "nothing to catch up with", "restored", "--because", "none")
	o.stop(p)

	// Money that never was at the processor stops everything.
	o.paid(1)
	p = o.start(settings)
	o.published(p)
	pledge := pledgeOf(0).String()
	o.want(p, true, "Nothing was ever paid", "refund", "--reason", "fraud", "--because", "x", pledgeOf(7).String())
	o.want(p, true, "do not agree", "reconcile", "--json")
	o.want(p, true, "unmatched  txn_h0", "reconcile")
	o.want(p, false, "go back to the payer", "refund", "--reason", "legal-order", "--because", "court of X", pledge)
	o.want(p, true, "came back", "retry-refund", "--because", "x", pledge)
	evidence := filepath.Join(t.TempDir(), "statement.txt")
	o.ok(os.WriteFile(evidence, []byte("a statement"), 0o600))
	o.want(p, true, "came back", "paid-otherwise", "--evidence", evidence, "--because", "x", pledge)

	out, err := o.run("status")
	o.ok(err)
	for _, words := range []string{"stopped", "unreconciled", "unmatched: movement txn_h0", "refunds", "intents", "reconciled"} {
		if !strings.Contains(out, words) {
			t.Errorf("the status does not say %q:\n%s", words, out)
		}
	}
	o.want(p, false, "Money goes on", "resume", "--because", "it is a test")
	out, err = o.run("journal")
	o.ok(err)
	for _, words := range []string{"legal-order: court of X", "it is a test", pledge} {
		if !strings.Contains(out, words) {
			t.Errorf("the journal does not say %q:\n%s", words, out)
		}
	}
	o.stop(p)
}

func TestAdmin_SaysWhyItCannot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  []string
		words string
	}{
		{[]string{"sync"}, "ESCROW_ADMIN_PASSWORD is missing"},
		{[]string{"sync", "--admin-password", adminPassword, "--service-url", "http://escrow.example.org"}, "by https"},
		{[]string{"sync", "--admin-password", adminPassword, "--service-url", "http://localhost:1@escrow.example.org"}, "not the address of an escrow"},
		{[]string{"sync", "--admin-password", adminPassword, "--service-url", "localhost:8090"}, "not the address of an escrow"},
		{[]string{"sync", "--admin-password", adminPassword, "--service-url", "http://127.0.0.1:1"}, "no escrow answers"},
		{[]string{"sync", "--admin-password", adminPassword, "--service-url", "http://[::1]:1/"}, "no escrow answers"},
		{[]string{"refund", "--admin-password", adminPassword, "--reason", "fraud", "--because", "x"}, "one pledge"},
		{[]string{"refund", "--admin-password", adminPassword, "--reason", "fraud", "--because", "x", "http://example.org"}, "no address of a pledge"},
		{[]string{"resume", "--admin-password", adminPassword}, "because"},
	} {
		err := run(t.Context(), append([]string{"escrow"}, c.args...), func() []string { return nil }, &strings.Builder{}, &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%q: %v, want %q", c.args, err, c.words)
		}
	}
}

func TestRestored_NothingOlderIsPublished(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	_, settings := processor(t)
	o.paid(1)
	p := o.start(settings)
	o.published(p)
	copied := filepath.Join(t.TempDir(), "copy.db")
	_, err := o.run("backup", copied)
	o.ok(err)
	o.want(p, false, "go back to the payer", "refund", "--reason", "legal-order", "--because", "court of X", pledgeOf(0).String())
	o.published(p)
	o.stop(p)

	// The backup knows nothing of the refund, which is published.
	o.database = copied
	p = o.start(settings)
	o.until("the ledger has caught up", func() bool { return o.sequence(p) == 2 && !strings.Contains(o.status(), "behind") })
	o.published(p)
	if receipt := o.receipt(); receipt != "refunding" {
		t.Errorf("the receipt says %s", receipt)
	}
	if !strings.Contains(strings.Join(p.lines(), " "), "the ledger is behind what was published") {
		t.Error("nobody was told that the ledger was restored")
	}
	o.stop(p)
}

func (o *operator) status() string {
	o.t.Helper()
	out, err := o.run("status")
	o.ok(err)
	return out
}

// receipt is the status of the only one in the repository.
func (o *operator) receipt() (status string) {
	o.t.Helper()
	var page struct {
		Records []struct {
			Value struct{ Status string }
		}
	}
	o.ok(o.account.Client.Get(o.t.Context(), "com.atproto.repo.listRecords", map[string]any{
		"repo": o.account.DID.String(), "collection": lexicons.CollectionReceipt.String(),
	}, &page))
	if len(page.Records) != 1 {
		o.t.Fatalf("%d receipts", len(page.Records))
	}
	return page.Records[0].Value.Status
}
