package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/outgoing"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const amount = 2500

// world is an escrow that hears of nothing by itself.
type world struct {
	*processortest.World
	sender     *outgoing.Sender
	worker     *intake.Worker
	reconciler *Reconciler
	pauses     int // between rounds
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: processortest.New(t)}
	w.sender = outgoing.New(processortest.Escrow, w.Store, w.Ledger, w.Client, outgoing.Options{Log: w.Log, Clock: w.Now})
	w.worker = intake.New(intake.Parts{
		Escrow: processortest.Escrow, Store: w.Store, Ledger: w.Ledger, Processor: w.Client, Outgoing: w.sender, Checkouts: w.World,
	}, intake.Options{Log: w.Log, Clock: w.Now})
	w.use(w.Client, w.worker.ObserveMovement)
	return w
}

func (w *world) use(p Processor, observe Observe) {
	w.reconciler = New(processortest.Escrow, w.Store, p, observe, Options{Log: w.Log, Clock: w.Now, Pause: func(context.Context) error {
		w.pauses++
		return nil
	}})
}

func (w *world) compare(full bool) *Report {
	w.T.Helper()
	r, err := w.reconciler.Compare(w.T.Context(), full)
	w.OK(err)
	return r
}

// want compares the kinds of what is wrong.
func (w *world) want(r *Report, flying int, kinds ...Kind) {
	w.T.Helper()
	if r.Flying != flying || r.Found != len(kinds) {
		w.T.Fatalf("%d in flight and %d wrong, want %d and %v: %+v", r.Flying, r.Found, flying, kinds, r)
	}
	for i, kind := range kinds {
		if r.Findings[i].Kind != kind {
			w.T.Errorf("the finding is %s, want %s", r.Findings[i], kind)
		}
	}
	if wrong := len(kinds) > 0; wrong != (len(w.halts()) > 0) {
		w.T.Errorf("standing: %v, with %d wrong", w.halts(), len(kinds))
	}
}

func (w *world) halts() (list []halt.Halt) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = halt.Standing(ctx, q)
		return err
	})
	return list
}

// deaf is an observer that learns nothing.
func deaf(context.Context, payments.MovementID) error { return nil }

func TestCompare_AWholeLifeAgrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Held("h2", amount, processortest.PaysAtOnce)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	_, err := w.sender.Pass(t.Context())
	w.OK(err)
	w.Settle()
	_, err = w.sender.Pass(t.Context())
	w.OK(err)
	id, err := w.Control.Dispute(t.Context(), w.Hold("h2").Charge, simulator.NewDispute{})
	w.OK(err)
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	for _, full := range []bool{false, true} {
		r := w.compare(full)
		w.want(r, 0)
		if r.Movements != 6 {
			t.Errorf("it compared %d movements, want 6", r.Movements)
		}
	}
}

func TestCompare_WhatIsNotInTheLedgerIsLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Paid("h1", amount, processortest.Pays)
	_, err := w.Control.ChargeFee(t.Context(), 70, "usd", "Radar")
	w.OK(err)
	_, err = w.Control.TopUp(t.Context(), 500, "usd")
	w.OK(err)
	w.want(w.compare(false), 0)
	w.Want("h1", "held")
	w.Agree()
}

func TestCompare_WhatIsYoungIsInFlightAndThenStopsMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.use(w.Client, deaf)
	w.Paid("h1", amount, processortest.Pays)
	w.want(w.compare(true), 1)
	w.Advance(47 * time.Hour)
	w.want(w.compare(false), 1)
	w.Advance(2 * time.Hour)
	w.want(w.compare(false), 0, KindMissing)
	if h := w.halts()[0]; h.Reason != halt.Unreconciled || !h.Money() {
		t.Errorf("it stands still for %+v", h)
	}
	// Found again it is the same halt.
	w.compare(true)
	if len(w.halts()) != 1 {
		t.Errorf("standing: %v", w.halts())
	}
}

func TestPass_WhatCameLateLetsMoneyGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	silent := true
	w.use(w.Client, func(ctx context.Context, id payments.MovementID) error {
		if silent {
			return nil // as when the processor answers no question
		}
		return w.worker.ObserveMovement(ctx, id)
	})
	w.Paid("h1", amount, processortest.Pays)
	w.Advance(inFlight)
	pass := func(standing int) {
		t.Helper()
		_, err := w.reconciler.Pass(t.Context())
		w.OK(err)
		if len(w.halts()) != standing {
			t.Fatalf("standing: %v, want %d", w.halts(), standing)
		}
	}
	pass(1)
	pass(1)
	silent = false
	w.Advance(window) // out of the recent movements
	pass(0)
	w.Want("h1", "held")
}

// What a person has looked at stops nothing again, however the balance moves and however
// old it becomes.
func TestPass_WhatWasLiftedDoesNotStopMoneyAgainAsABalance(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*world){
		"a movement that the ledger does not have": func(w *world) {
			_, err := w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 900, Currency: "usd"})
			w.OK(err)
		},
		"a movement that the processor does not have": func(w *world) {
			w.Update(func(ctx context.Context, tx *store.Tx) error {
				return w.Ledger.Operator(ctx, tx, ledger.TopUp, ledger.Transaction{ID: "txn_invented", Amount: 100, Currency: "USD"})
			})
		},
	} {
		w := newWorld(t)
		begin(w)
		pass := func() []halt.Halt {
			t.Helper()
			_, err := w.reconciler.Pass(t.Context())
			w.OK(err)
			return w.halts()
		}
		w.Advance(inFlight)
		if len(pass()) == 0 {
			t.Fatalf("%s: nothing stands still", name)
		}
		w.Update(func(ctx context.Context, tx *store.Tx) error {
			_, err := halt.Lift(ctx, tx, "looked")
			return err
		})
		for i, wait := range []time.Duration{window, hourly} {
			w.Advance(wait)
			w.Held(ledger.HoldID(fmt.Sprintf("h%d", i)), amount, processortest.Pays)
			if halts := pass(); len(halts) != 0 {
				t.Errorf("%s: after %s, standing: %v", name, wait, halts)
			}
		}
	}
}

func TestCompare_TheRecentMovementsAloneLetNothingGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.use(richer{w.Client, 1}, w.worker.ObserveMovement)
	w.want(w.compare(false), 0, KindBalance)
	w.use(w.Client, w.worker.ObserveMovement)
	if r := w.compare(false); !r.Clean() || len(w.halts()) != 1 {
		t.Errorf("standing: %v after %+v", w.halts(), r)
	}
	w.want(w.compare(true), 0)
}

func TestCompare_AStrangersMoneyIsInFlightAndThenStopsMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 900, Currency: "usd"})
	w.OK(err)
	r := w.compare(true)
	if r.Flying != 1 || r.Found != 0 {
		t.Errorf("%+v", r)
	}
	if halts := w.halts(); len(halts) != 1 || halts[0].Reason != halt.Strangers {
		t.Errorf("standing: %v", halts)
	}
	w.Advance(inFlight)
	if r := w.compare(false); r.Found != 1 || r.Findings[0].Kind != KindMissing {
		t.Errorf("%+v", r)
	}
}

// TestCompare_WhatIsReservedIsStillThere: the processor holds a part of the balance back for
// a payee's account below zero, more of it later, and releases it.
func TestCompare_WhatIsReservedIsStillThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.PaysAtOnce)
	agrees := func(reserved int64) {
		t.Helper()
		for _, full := range []bool{false, true} {
			r := w.compare(full)
			w.want(r, 0)
			if len(r.Unmatched) != 0 || len(r.Balance.Reserved) != 1 || r.Balance.Reserved[0].Amount != reserved {
				t.Errorf("the report is %+v", r)
			}
		}
	}
	var moved []string
	for n, amount := range []int64{2000, 300} {
		id, err := w.Control.Reserve(t.Context(), amount, "usd")
		w.OK(err)
		moved = append(moved, id)
		w.Advance(72 * time.Hour)
		agrees(2000 + 300*int64(n))
	}
	id, err := w.Control.Release(t.Context(), 2300, "usd")
	w.OK(err)
	for _, id := range append(moved, id) {
		w.OK(w.worker.ObserveMovement(t.Context(), payments.MovementID(id)))
	}
	agrees(0)
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("standing: %v", halts)
	}
}

func TestCompare_AMovementOfNobodyIsAFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.Operator(ctx, tx, ledger.TopUp, ledger.Transaction{ID: "txn_invented", Amount: 100, Currency: "USD"})
	})
	r := w.compare(true)
	w.want(r, 0, KindUnmatched, KindBalance)
	if f := r.Findings[0]; f.Ledger != (money.Money{Amount: 100, Currency: "USD"}) || f.Processor != (money.Money{Currency: "USD"}) {
		t.Errorf("the ledger has %s of it, the processor %s", f.Ledger, f.Processor)
	}
}

func TestCompare_AnotherAmountIsAFinding(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*payments.Movement){
		"net": func(m *payments.Movement) { m.Net.Amount++ },
		"fee": func(m *payments.Movement) { m.Fee.Amount++; m.Amount.Amount++ },
	} {
		w := newWorld(t)
		w.Held("h1", amount, processortest.Pays)
		w.use(told{w.Client, change}, w.worker.ObserveMovement)
		r := w.compare(true)
		if r.Found != 1 || r.Findings[0].Kind != KindDiffers {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestCompare_AnotherBalanceIsAFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.use(richer{w.Client, 1}, w.worker.ObserveMovement)
	w.want(w.compare(false), 0, KindBalance)
}

func TestCompare_WhatMovesMeanwhileIsNoFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.use(&busy{Client: w.Client, move: sync.OnceFunc(func() { w.Held("h1", amount, processortest.Pays) })}, w.worker.ObserveMovement)
	w.want(w.compare(true), 0)
	if w.pauses != 1 {
		t.Errorf("it paused %d times, want once", w.pauses)
	}
}

// During a mass refund each look finds another difference, and none of them is one. Nor does
// it say that what stood still may go on.
func TestCompare_WhatMovesEachTimeIsNoFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := int64(0)
	moving := &busy{Client: w.Client, move: func() {
		n++
		w.Held(ledger.HoldID(fmt.Sprintf("h%d", n)), amount+n, processortest.Pays)
	}}
	w.use(moving, w.worker.ObserveMovement)
	r := w.compare(true)
	w.want(r, 0)
	if !r.Moving || r.Clean() || w.pauses != rounds-1 {
		t.Errorf("after %d pauses it moves: %t, and agrees: %t", w.pauses, r.Moving, r.Clean())
	}
	if wait, err := w.reconciler.Pass(t.Context()); err != nil || wait != again {
		t.Errorf("it is compared again after %s: %v", wait, err)
	}

	w.use(richer{w.Client, 1}, w.worker.ObserveMovement)
	w.want(w.compare(true), 0, KindBalance)
	w.use(moving, w.worker.ObserveMovement)
	if r := w.compare(true); r.Found != 0 || len(w.halts()) != 1 {
		t.Errorf("standing: %v after %+v", w.halts(), r)
	}
	w.use(w.Client, w.worker.ObserveMovement)
	w.want(w.compare(true), 0)
}

// What is wrong in one currency is told also while another moves.
func TestCompare_TheSameDifferenceEachTimeIsAFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := int64(0)
	w.use(&busy{Client: richer{w.Client, 1}, add: func(b *payments.Balance) {
		n++
		b.Pending = append(b.Pending, money.Money{Amount: n, Currency: "EUR"})
	}}, w.worker.ObserveMovement)
	r := w.compare(true)
	w.want(r, 0, KindBalance)
	if f := r.Findings[0]; f.Processor.Currency != "USD" || !r.Moving {
		t.Errorf("it is %s, and moves: %t", f, r.Moving)
	}
}

func TestWatch_AnAccountThatIsEmptiedStopsCheckouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	truth, err := w.Control.Truth(t.Context())
	w.OK(err)
	w.OK(w.Control.SchedulePayouts(t.Context(), truth.Platform, "daily"))
	w.OK(w.reconciler.Watch(t.Context()))
	if halts := w.halts(); len(halts) != 1 || halts[0].Reason != halt.PayoutSchedule || halts[0].Money() {
		t.Errorf("standing: %v", halts)
	}
	w.OK(w.Control.SchedulePayouts(t.Context(), truth.Platform, "manual"))
	w.OK(w.reconciler.Watch(t.Context()))
	if halts := w.halts(); len(halts) != 0 {
		t.Errorf("standing after it was set right: %v", halts)
	}
}

func TestWatch_AStrangerStopsCheckouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 900, Currency: "usd"})
	w.OK(err)
	w.OK(w.reconciler.Watch(t.Context()))
	if halts := w.halts(); len(halts) != 1 || halts[0].Reason != halt.Strangers {
		t.Errorf("standing: %v", halts)
	}
}

// Whoever reads the log knows from one line what stands still and what to do.
func TestPass_SaysToTheOperatorWhatStandsStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var said bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&said, nil))
	w.use(w.Client, w.worker.ObserveMovement)
	pass := func() string {
		t.Helper()
		said.Reset()
		_, err := w.reconciler.Pass(t.Context())
		w.OK(err)
		return said.String()
	}
	if text := pass(); strings.Contains(text, "level=ERROR") {
		t.Errorf("nothing stands still, and it says %s", text)
	}
	truth, err := w.Control.Truth(t.Context())
	w.OK(err)
	w.OK(w.Control.SchedulePayouts(t.Context(), truth.Platform, "daily"))
	for range logged + 1 {
		_, err := w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 900, Currency: "usd"})
		w.OK(err)
	}
	w.Advance(inFlight)
	for range 2 {
		text := pass()
		for _, words := range []string{
			"set the payouts of the platform's account to manual", "reason=payout-schedule", "detail=daily",
			"another business uses the account", "reason=strangers", "detail=ch_",
			"run escrow resume", "reason=unreconciled", `detail="missing: movement txn_`,
		} {
			if !strings.Contains(text, words) {
				t.Errorf("it does not say %q: %s", words, text)
			}
		}
		if n := strings.Count(text, "do not agree"); n != logged {
			t.Errorf("%d findings were told, want %d", n, logged)
		}
	}
}

func TestPass_AProcessorThatCannotBeAskedIsForLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Probability: map[simulator.Fault]float64{simulator.FaultErrorBefore: 1}}))
	wait, err := w.reconciler.Pass(t.Context())
	w.OK(err)
	if wait != again {
		t.Errorf("it waits %s", wait)
	}
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{}))
	wait, err = w.reconciler.Pass(t.Context())
	w.OK(err)
	if wait != hourly {
		t.Errorf("it waits %s", wait)
	}
	var last []Last
	w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
		last, err = LastOf(ctx, q)
		return err
	})
	if len(last) != 1 || last[0].Scope != "all" || last[0].Movements != 1 || last[0].Findings != 0 {
		t.Errorf("the last report is %+v", last)
	}
}

func TestPass_AFailureOfOursIsReturned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ours := errors.New("ours")
	w.use(w.Client, func(context.Context, payments.MovementID) error { return ours })
	w.Paid("h1", amount, processortest.Pays)
	if _, err := w.reconciler.Pass(t.Context()); !errors.Is(err, ours) {
		t.Errorf("it gave %v", err)
	}
}

// told is a processor that tells something else of charges.
type told struct {
	Processor
	change func(*payments.Movement)
}

func (p told) Movements(ctx context.Context, q payments.MovementQuery) iter.Seq2[payments.Movement, error] {
	return func(yield func(payments.Movement, error) bool) {
		for m, err := range p.Processor.Movements(ctx, q) {
			if m.Kind == payments.MovementCharge {
				p.change(&m)
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// richer is a processor that shows more than there is.
type richer struct {
	Processor
	more int64
}

func (p richer) Balance(ctx context.Context) (payments.Balance, error) {
	b, err := p.Processor.Balance(ctx)
	b.Pending = append(b.Pending, money.Money{Amount: p.more, Currency: "USD"})
	return b, err
}

// busy is a processor on which something happens after its list was read.
type busy struct {
	Client Processor
	move   func()
	add    func(*payments.Balance) // to what it shows
}

func (p *busy) Movements(ctx context.Context, q payments.MovementQuery) iter.Seq2[payments.Movement, error] {
	return p.Client.Movements(ctx, q)
}
func (p *busy) Movement(ctx context.Context, id payments.MovementID) (payments.Movement, error) {
	return p.Client.Movement(ctx, id)
}
func (p *busy) Topups(ctx context.Context, since time.Time) iter.Seq2[payments.Topup, error] {
	return p.Client.Topups(ctx, since)
}
func (p *busy) Charges(ctx context.Context, a payments.AccountID, q payments.ChargeQuery) iter.Seq2[payments.Charge, error] {
	return p.Client.Charges(ctx, a, q)
}
func (p *busy) Platform(ctx context.Context) (payments.PlatformAccount, error) {
	return p.Client.Platform(ctx)
}

// Balance is asked, and then somebody pays before the ledger is read.
func (p *busy) Balance(ctx context.Context) (payments.Balance, error) {
	b, err := p.Client.Balance(ctx)
	if p.move != nil {
		p.move()
	}
	if p.add != nil {
		p.add(&b)
	}
	return b, err
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 2)
}
