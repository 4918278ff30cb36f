package escrow

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// TestWindDown_OfAWholeServiceGivesEverythingBackAndSaysSo: ended in the middle of a
// campaign, its records say what became of the money, and it runs no other way any more.
func TestWindDown_OfAWholeServiceGivesEverythingBackAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.onboard(w.developer)
	x := w.announce("3lbqxkdzvqk2a")
	w.opened(x)
	pledge := w.pledges(w.backer, "3lbqxkdzvqk2a", x)
	w.pay(w.backer, pledge)
	w.published()
	w.stop()
	// Whether the account still holds money is of no matter to money that goes back.
	const unasked = simulator.FaultErrorBefore
	w.ok(w.control.SetFaults(t.Context(), simulator.Faults{Next: slices.Repeat([]simulator.NextFault{{Fault: unasked, On: "GET /v1/account"}}, 100)}))

	// It died before it was done, and begins again.
	for attempt := range 2 {
		service := w.build()
		var said []string
		ctx, cancel := context.WithCancel(t.Context())
		err := service.WindDown(ctx, WindDown{Because: "the operator retires", Tell: func(s string) {
			said = append(said, s)
			if attempt == 0 && strings.Contains(s, "go back") {
				cancel()
			}
		}})
		cancel()
		if (err == nil) != (attempt == 1) || attempt == 0 && !errors.Is(err, context.Canceled) {
			t.Fatalf("time %d ended with %v: %q", attempt, err, said)
		}
		w.ok(service.Close())
	}
	if fired, err := w.control.Fired(t.Context()); err != nil || fired[unasked] != 0 {
		t.Errorf("it waited for the account: %v %v", fired, err)
	}
	for subject, got := range w.receipts() {
		if got != "refunded wind-down" {
			t.Errorf("the receipt of %s says %s", subject, got)
		}
	}
	if phases := w.phases(); len(phases) != 1 || phases[0] != "refunded wind-down" {
		t.Errorf("the campaigns are %v", phases)
	}
	service := w.build()
	if err := service.Run(t.Context()); !errors.Is(err, ErrWindingDown) {
		t.Errorf("run after its end it says %v", err)
	}
	err := service.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error { return service.halted(ctx, tx) })
	if stopped := (*halt.Error)(nil); err == nil || errors.As(err, &stopped) {
		t.Errorf("a checkout after its end: %v", err)
	}
	w.ok(service.Close())
}

// TestWindDown_SaysThatItWaitsForAPerson: a record tells of money that went to payees, and the
// ledger cannot know that. It ends without the repository, by what the processor says.
func TestWindDown_SaysThatItWaitsForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.onboard(w.developer)
	x := w.announce("3lbqxkdzvqk2a")
	w.opened(x)
	w.pay(w.backer, w.pledges(w.backer, "3lbqxkdzvqk2a", x))
	w.published()
	w.stop()
	for _, r := range w.listed(lexicons.CollectionReceipt) {
		var receipt map[string]any
		w.ok(json.Unmarshal(r.Value, &receipt))
		at := time.Now().Add(time.Minute).UTC().Format(syntax.AtprotoDatetimeLayout)
		receipt["status"], receipt["updatedAt"] = "released", at
		receipt["history"] = append(receipt["history"].([]any), map[string]any{"status": "released", "at": at})
		_, _, err := w.account.PutRecord(t.Context(), lexicons.CollectionReceipt, r.URI.RecordKey(), receipt)
		w.ok(err)
	}

	service := w.build()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	var said []string
	err := service.WindDown(ctx, WindDown{Because: "the operator retires", Tell: func(s string) {
		said = append(said, s)
		if strings.Contains(s, "--without-repository") {
			cancel()
		}
	}})
	cancel()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v: %q", err, said)
	}
	w.ok(service.Close())

	service = w.build()
	w.ok(service.WindDown(t.Context(), WindDown{Because: "the operator retires", WithoutRepository: true, Tell: func(s string) { said = append(said, s) }}))
	w.ok(service.Close())
	if last := said[len(said)-1]; last != "Everything that was held went back." {
		t.Errorf("it said %q", said)
	}
}

// build is a process that does not run yet.
func (w *world) build() *Service {
	w.t.Helper()
	hooks := stripe.Webhooks{Mode: w.cfg.Mode}
	service, err := Build(w.t.Context(), w.cfg, Options{
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Clock: time.Now,
		Processor: w.client, ParseEvent: hooks.ParseEvent,
	})
	w.ok(err)
	return service
}

// phases are those of the published campaigns, with their reasons.
func (w *world) phases() (out []string) {
	w.t.Helper()
	for _, r := range w.listed(lexicons.CollectionCampaign) {
		var campaign struct{ Phase, Reason string }
		w.ok(json.Unmarshal(r.Value, &campaign))
		out = append(out, campaign.Phase+" "+campaign.Reason)
	}
	return out
}
