package intake

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func TestWebhooks_TellOfAWholeLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	w.Paid("h1", amount, processortest.Pays)
	w.Paid("h2", amount, processortest.RefundPends)
	w.Session("h3", amount)
	w.deliver()
	w.Want("h1", "held")
	w.Want("h2", "held")
	w.DecideRefund("h2", ledger.ReasonWithdrawn)
	w.send()
	w.deliver()
	w.Want("h2", "refunding(withdrawn)")
	_, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, simulator.NewDispute{})
	w.OK(err)
	w.Advance(6 * day)
	w.deliver()
	w.Want("h1", "charged-back(chargeback)")
	w.Want("h2", "refunded(withdrawn)")
	if state := w.Hold("h3").State; state != ledger.HoldVoided {
		t.Errorf("a session that nobody paid is %s", state)
	}
	if waits := w.waiting(); waits.Hints != 0 {
		t.Errorf("%+v wait", waits)
	}
	w.Agree()
	w.noHalt()
}

func TestWebhooks_DoubledReorderedAndLateAreTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Seed: 3, Probability: map[simulator.Fault]float64{
		simulator.FaultWebhookDuplicate: 0.5, simulator.FaultWebhookLate: 0.5, simulator.FaultWebhookLost: 0.2,
	}}))
	for n := range 8 {
		hold := ledger.HoldID(fmt.Sprintf("h%d", n))
		w.Paid(hold, amount, processortest.Pays)
		w.deliver()
	}
	w.sync(false)
	for n := range 8 {
		hold := ledger.HoldID(fmt.Sprintf("h%d", n))
		w.Want(hold, "held")
		w.DecideRefund(hold, ledger.ReasonCancelled)
	}
	w.send()
	w.deliver()
	w.sync(false)
	for n := range 8 {
		w.Want(ledger.HoldID(fmt.Sprintf("h%d", n)), "refunded(cancelled)")
	}
	for _, fault := range []simulator.Fault{simulator.FaultWebhookDuplicate, simulator.FaultWebhookLate, simulator.FaultWebhookLost} {
		w.Fired(fault)
	}
	w.Agree()
	w.noHalt()
}

func TestSync_HealsATotalLossOfWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n, card := range []string{processortest.Pays, processortest.RefundFails, processortest.RefundPends, processortest.PaysAtOnce} {
		w.Paid(ledger.HoldID(fmt.Sprintf("h%d", n)), amount, card)
	}
	w.Session("h9", amount)
	_, err := w.Control.TopUp(t.Context(), 5000, "usd")
	w.OK(err)
	_, err = w.Control.ChargeFee(t.Context(), 70, "usd", "Radar")
	w.OK(err)
	_, err = w.Control.PayOut(t.Context(), "", 1000, "usd")
	w.OK(err)
	w.sync(false)
	for n := range 4 {
		w.Want(ledger.HoldID(fmt.Sprintf("h%d", n)), "held")
	}
	w.Agree()

	_, err = w.Control.Dispute(t.Context(), w.Hold("h0").Charge, simulator.NewDispute{})
	w.OK(err)
	_, err = w.Control.WarnOfFraud(t.Context(), w.Hold("h3").Charge)
	w.OK(err)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.DecideRefund("h2", ledger.ReasonWithdrawn)
	w.send()
	w.Advance(time.Hour)
	w.sync(false)
	w.send()
	w.Want("h0", "charged-back(chargeback)")
	w.Want("h1", "refunded(withdrawn)")
	w.Want("h3", "refunded(fraud)")

	w.Advance(22 * day) // the bank of h1 sends the refund back, and h0 is lost
	w.sync(false)
	w.send()
	w.Want("h1", "refund-failed(withdrawn)")
	w.Want("h2", "refunded(withdrawn)")
	if state := w.Hold("h9").State; state != ledger.HoldVoided {
		t.Errorf("a session that nobody paid is %s", state)
	}
	w.Agree()
	w.noHalt()
	if waits := w.waiting(); waits.Hints != 0 {
		t.Errorf("%+v wait", waits)
	}
}

func TestSync_ReadsOnFromWhereItEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Paid("h1", amount, processortest.Pays)
	objects := func(reads []Read, list string) int {
		for _, r := range reads {
			if r.List == list {
				return r.Objects
			}
		}
		t.Fatalf("%s were not read", list)
		return 0
	}
	if n := objects(w.sync(false), "movements"); n != 2 {
		t.Errorf("the first time it read %d movements, want all 2", n)
	}
	w.Advance(30 * day)
	w.sync(false)
	w.Advance(day)
	reads := w.sync(false)
	if n := objects(reads, "movements") + objects(reads, "sessions"); n != 0 {
		t.Errorf("later it read %d old objects again", n)
	}
	if n := objects(w.sync(true), "movements"); n != 2 {
		t.Errorf("in full it read %d movements, want all 2", n)
	}
}

// What was noted while the clock was ahead keeps nothing waiting until that date.
func TestSync_AClockThatLeaptAheadAndWasSetBackIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	processor := &unsaid{Processor: w.Client, silent: true}
	w.processor = processor
	w.restart(nil)
	w.Held("h1", amount, processortest.Pays)
	_, err := w.Control.WarnOfFraud(t.Context(), w.Hold("h1").Charge)
	w.OK(err)
	w.Leap(90 * day)
	w.sync(false) // and the warning is put off
	w.Leap(-90 * day)
	processor.silent = false
	w.OK(w.worker.Drain(t.Context()))
	w.Want("h1", "refunding(fraud)")

	w.processor = silent{processor} // which tells nothing but its lists
	w.restart(nil)
	w.Paid("h2", amount, processortest.Pays)
	w.sync(false)
	w.Want("h2", "held")
	w.Advance(30 * day)
	w.sync(false)
	w.Advance(day)
	for _, r := range w.sync(false) {
		if r.Objects != 0 {
			t.Errorf("it read %d old %s again", r.Objects, r.List)
		}
	}
}

func TestSync_FindsWhatBecameOfASessionThatWasOpenTheLastTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.processor = silent{w.Client}
	w.restart(nil)
	w.Session("h1", amount)
	w.Advance(30 * time.Minute)
	w.sync(false)
	w.Advance(3 * time.Hour)
	w.sync(false)
	w.Advance(3 * time.Hour)
	w.sync(false)
	if state := w.Hold("h1").State; state != ledger.HoldVoided {
		t.Errorf("a session that nobody paid is %s", state)
	}
}

func TestHint_ThatWasWorkedOffIsNotWorkedOffAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	event := payments.Hint{ID: "evt_1", Kind: "balance"}
	fresh, err := w.worker.hear(t.Context(), event)
	w.OK(err)
	w.OK(w.worker.Drain(t.Context()))
	again, err := w.worker.hear(t.Context(), event)
	w.OK(err)
	if !fresh || again || w.waiting().Hints != 0 {
		t.Errorf("fresh %t, again %t, %d wait", fresh, again, w.waiting().Hints)
	}
}

func TestSync_OfAForgottenCheckoutAdoptsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := ledger.HoldID("h1")
	w.OK(w.Store.Backup(t.Context(), w.Path+".backup"))
	w.Paid(hold, amount, processortest.Pays)
	w.Paid("h2", amount, processortest.Pays)
	w.sync(false)
	w.OK(w.Store.Close())
	w.Path += ".backup"
	w.Open()
	w.restart(nil)
	w.sync(true)
	w.Want(hold, "held")
	w.Want("h2", "held")
	w.Agree()
	w.noHalt()
}

func TestPayees_HearOfTheirAccountsByWebhookAndList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	payees := &payees{}
	w.worker.Payees = payees
	w.OK(w.Control.Restrict(t.Context(), string(w.Account), "requirements.past_due"))
	w.deliver()
	if len(payees.told) == 0 || payees.told[0] != w.Account {
		t.Errorf("a webhook told of %v, want %s", payees.told, w.Account)
	}
	payees.told = nil
	w.sync(true)
	if !slices.Contains(payees.told, w.Account) {
		t.Errorf("the list told of %v, want %s", payees.told, w.Account)
	}
}

func TestHint_WhatCannotBeAskedNowIsAskedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	w.Paid("h1", amount, processortest.Pays)
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Probability: map[simulator.Fault]float64{simulator.FaultErrorBefore: 1}}))
	w.deliver()
	waits := w.waiting()
	if waits.Hints == 0 || waits.Failing != waits.Hints {
		t.Fatalf("%+v wait", waits)
	}
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{}))
	w.Advance(time.Minute)
	w.OK(w.worker.Drain(t.Context()))
	w.Want("h1", "held")
	if waits := w.waiting(); waits.Hints != 0 {
		t.Errorf("%+v wait", waits)
	}
}

func TestHint_OfAPartThatDoesNotRunWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	w.worker.Checkouts = nil
	w.Paid("h1", amount, processortest.Pays)
	w.deliver()
	if waits := w.waiting(); waits.Hints == 0 {
		t.Error("nothing waits")
	}
	w.restart(nil)
	w.Advance(time.Hour)
	w.OK(w.worker.Drain(t.Context()))
	w.Want("h1", "held")
}

func TestHint_IsForgottenAfterTheProcessorHasForgottenItsEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	w.Paid("h1", amount, processortest.Pays)
	w.deliver()
	kept := w.outcomes()[OutcomeDone]
	if kept == 0 {
		t.Fatal("no hint was worked off")
	}
	w.Advance(31 * day)
	w.OK(w.worker.Drain(t.Context()))
	if n := w.outcomes()[OutcomeDone]; n != kept {
		t.Errorf("%d of %d hints are left while the processor still has their events", n, kept)
	}
	w.Advance(5 * day)
	w.OK(w.worker.Drain(t.Context()))
	if n := w.outcomes()[OutcomeDone]; n != 0 {
		t.Errorf("%d hints are kept for ever", n)
	}
}

func TestCrash_AnEventThatWasKeptAndNotAnsweredIsToldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	w.restart(once(crashpoint.AfterHint))
	w.Paid("h1", amount, processortest.Pays)
	list, err := w.Control.DeliverWebhooks(t.Context())
	w.OK(err)
	refused := 0
	for _, d := range list {
		if d.State == "waiting" && d.Status == http.StatusInternalServerError {
			refused++
		}
	}
	if refused != 1 {
		t.Fatalf("%d events were answered with 500, want the one", refused)
	}
	w.restart(nil)
	w.deliver()
	w.Want("h1", "held")
	w.Agree()
}

func TestCrash_AnObjectThatWasLookedAtIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	w.restart(once(crashpoint.AfterObserve))
	w.Paid("h1", amount, processortest.Pays)
	_, err := w.Control.DeliverWebhooks(t.Context())
	w.OK(err)
	if err := w.worker.Drain(t.Context()); !errors.Is(err, errDead) {
		t.Fatalf("it did not die: %v", err)
	}
	before := w.waiting().Hints
	w.restart(nil)
	w.OK(w.worker.Drain(t.Context()))
	w.Want("h1", "held")
	if before == 0 || w.waiting().Hints != 0 {
		t.Errorf("%d waited after the death, %d in the end", before, w.waiting().Hints)
	}
	w.Agree()
}

func TestCrash_AListIsReadAgainFromTheSamePlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Paid("h1", amount, processortest.Pays)
	w.restart(once(crashpoint.AfterList))
	if _, err := w.worker.Sync(t.Context(), false); !errors.Is(err, errDead) {
		t.Fatalf("it did not die: %v", err)
	}
	w.Advance(30 * day)
	w.restart(nil)
	w.sync(false)
	w.Want("h1", "held")
	w.Agree()
}

var errDead = errors.New("dead")

// once is a death at a point.
func once(point crashpoint.Point) crashpoint.Hook {
	var died atomic.Bool
	return func(p crashpoint.Point) error {
		if p == point && died.CompareAndSwap(false, true) {
			return errDead
		}
		return nil
	}
}

func TestStranger_OnTheAccountStopsCheckouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hear()
	_, err := w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 900, Currency: "usd"})
	w.OK(err)
	w.deliver()
	if halts := w.halts(); len(halts) != 1 || halts[0] != halt.Strangers {
		t.Errorf("standing: %v", halts)
	}
	if w.outcomes()[OutcomeStranger] == 0 {
		t.Error("no stranger was counted")
	}
}

func TestMovement_ThatNoRulePlacesStopsMoney(t *testing.T) {
	t.Parallel()
	usd := func(n int64) money.Money { return money.Money{Amount: n, Currency: "USD"} }
	for name, m := range map[string]payments.Movement{
		"a kind that nobody knows":    {ID: "txn_1", Kind: "issuing_authorization_hold", Amount: usd(-50), Net: usd(-50)},
		"an adjustment for nothing":   {ID: "txn_2", Kind: payments.MovementAdjustment, Amount: usd(-50), Net: usd(-50)},
		"an adjustment for no object": {ID: "txn_3", Kind: payments.MovementAdjustment, Amount: usd(-50), Net: usd(-50), Source: "dp_none"},
		"a reversal of no transfer":   {ID: "txn_4", Kind: payments.MovementReversal, Amount: usd(50), Net: usd(50), Source: "trr_none"},
		"a top-up that takes":         {ID: "txn_5", Kind: payments.MovementTopup, Amount: usd(-50), Net: usd(-50), Source: "tu_1"},
	} {
		w := newWorld(t)
		w.processor = moved{w.Client, m}
		w.restart(nil)
		w.Update(noting(object{kind: kindMovement, id: string(m.ID)}))
		w.OK(w.worker.Drain(t.Context()))
		if halts := w.halts(); len(halts) != 1 || halts[0] != halt.UnknownMoney {
			t.Errorf("%s: standing: %v", name, halts)
		}
		w.Agree()
	}
}

func TestR17_FeesAndPayoutsOfTheOperatorPostThemselves(t *testing.T) {
	t.Parallel()
	usd := func(n int64) money.Money { return money.Money{Amount: n, Currency: "USD"} }
	w := newWorld(t)
	before, err := w.Client.Balance(t.Context())
	w.OK(err)
	sum := before.Available[0].Amount
	for n, m := range []payments.Movement{
		{Kind: payments.MovementFee, Amount: usd(-50)}, {Kind: "network_cost", Amount: usd(-7)}, {Kind: "tax_fee", Amount: usd(-3)},
		{Kind: "connect_collection_transfer", Amount: usd(-80), Source: "cct_1"},
		{Kind: payments.MovementTopup, Amount: usd(900), Source: "tu_1"}, {Kind: payments.MovementPayout, Amount: usd(-400), Source: "po_1"},
		{Kind: "payout_failure", Amount: usd(400), Source: "po_1"},
	} {
		m.ID, m.Net = payments.MovementID(fmt.Sprintf("txn_%d", n)), m.Amount
		sum += m.Amount.Amount
		w.processor = moved{w.Client, m}
		w.restart(nil)
		w.OK(w.worker.ObserveMovement(t.Context(), m.ID))
		w.OK(w.worker.ObserveMovement(t.Context(), m.ID))
	}
	var have []money.Money
	w.OK(w.Store.Read(t.Context(), func(ctx context.Context, q querier) (err error) {
		have, err = ledger.AtProcessor(ctx, q)
		return err
	}))
	if have[0].Amount != sum {
		t.Errorf("the ledger has %d, want %d", have[0].Amount, sum)
	}
	w.noHalt()
}

func TestEndpoint_TakesOnlyWhatTheProcessorSaysNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const event = `{"object":"event","id":"evt_1","type":"refund.updated","livemode":%t,"created":1777636800,"data":{"object":{"object":"refund","id":"re_1"}}%s}`
	ours := fmt.Sprintf(event, false, "")
	signed := func(at time.Time, secret, body string) string {
		return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(webhook.ComputeSignature(at, []byte(body), secret)))
	}
	good := signed(w.Now(), processortest.AccountSecret, ours)
	for _, c := range []struct {
		name, path, header, body string
		status, kept             int
	}{
		{"good", "", good, ours, http.StatusOK, 1},
		{"replayed", "", good, ours, http.StatusOK, 1},
		{"unsigned", "", "", ours, http.StatusBadRequest, 1},
		{"forged", "", signed(w.Now(), "whsec_forged", ours), ours, http.StatusBadRequest, 1},
		{"changed", "", good, strings.Replace(ours, "re_1", "re_2", 1), http.StatusBadRequest, 1},
		{"stale", "", signed(w.Now().Add(-time.Hour), processortest.AccountSecret, ours), ours, http.StatusBadRequest, 1},
		{"at the other endpoint", "/connect", good, ours, http.StatusBadRequest, 1},
		{"live money", "", signed(w.Now(), processortest.AccountSecret, fmt.Sprintf(event, true, "")), fmt.Sprintf(event, true, ""), http.StatusOK, 1},
		{"too large", "", good, ours + strings.Repeat(" ", payments.MaxEvent), http.StatusRequestEntityTooLarge, 1},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.endpoint.URL+"/webhooks/stripe"+c.path, bytes.NewBufferString(c.body))
		w.OK(err)
		r.Header.Set("Stripe-Signature", c.header)
		response, err := http.DefaultClient.Do(r)
		w.OK(err)
		w.OK(response.Body.Close())
		if response.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, response.StatusCode, c.status)
		}
		if n := w.waiting().Hints; n != int64(c.kept) {
			t.Errorf("%s: %d hints are kept, want %d", c.name, n, c.kept)
		}
	}
}

// Whoever sends what is no event fills no disk with lines about it.
func TestEndpoint_WhatIsForgedFillsNoLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var said bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&said, nil))
	w.restart(nil)
	hear := w.worker.Handler(payments.EndpointAccount)
	for range 10 * loudFirst {
		hear.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/webhooks/stripe", strings.NewReader("{}")))
	}
	if n := strings.Count(said.String(), "an event is not taken"); n < loudFirst || n > 2*loudFirst {
		t.Errorf("%d of %d are in the log", n, 10*loudFirst)
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 8)
}

// TestR17_AFraudWarningActsBeforeTheDecision: its webhook was lost, and the list tells of
// it. The decision is then about the rest.
func TestR17_AFraudWarningActsBeforeTheDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Held("h2", amount, processortest.Pays)
	w.sync(false)
	_, err := w.Control.WarnOfFraud(t.Context(), w.Hold("h1").Charge)
	w.OK(err)
	w.sync(false)
	w.Want("h1", "refunding(fraud)")
	w.Settle()
	w.send()
	w.Want("h1", "refunded(fraud)")
	w.Want("h2", "releasing")
	if h := w.Hold("h1"); len(h.Payouts) != 0 {
		t.Errorf("somebody is paid out of what was stolen: %+v", h.Payouts)
	}
	w.noHalt()
	w.Agree()
}
