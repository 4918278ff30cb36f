package intake

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
)

// unsaid is a processor that says nothing of warnings but that they are there.
type unsaid struct {
	payments.Processor
	silent bool
}

func (u *unsaid) Warning(ctx context.Context, id payments.WarningID) (payments.Warning, error) {
	if u.silent {
		return payments.Warning{}, &payments.Failure{Kind: payments.ErrUnreachable}
	}
	return u.Processor.Warning(ctx, id)
}

// TestR17_WhatPressesIsHeardBeforeADecision: the webhook of a warning was lost, and when
// the list told of it nobody could look. It acts all the same, and until somebody looked
// nothing is decided.
func TestR17_WhatPressesIsHeardBeforeADecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Held("h2", amount, processortest.Pays)
	w.OK(w.worker.Hear(t.Context()))
	processor := &unsaid{Processor: w.Client, silent: true}
	w.processor = processor
	w.restart(nil)
	_, err := w.Control.WarnOfFraud(t.Context(), w.Hold("h1").Charge)
	w.OK(err)
	for range 8 { // each time it is put off for longer
		if err := w.worker.Hear(t.Context()); !payments.Outside(err) {
			t.Fatalf("nobody could look at the warning, and it is heard: %v", err)
		}
	}
	w.Want("h1", "held")
	processor.silent = false
	w.OK(w.worker.Drain(t.Context()))
	w.Want("h1", "held") // it is not due again for a while
	w.OK(w.worker.Hear(t.Context()))
	w.Want("h1", "refunding(fraud)")
	w.Want("h2", "held")
	w.noHalt()
}

func TestHear_SaysWhenTheProcessorIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{Probability: map[simulator.Fault]float64{simulator.FaultErrorBefore: 1}}))
	if err := w.worker.Hear(t.Context()); !payments.Outside(err) {
		t.Errorf("the processor is away: %v", err)
	}
	w.OK(w.Control.SetFaults(t.Context(), simulator.Faults{}))
	w.OK(w.worker.Hear(t.Context()))
}

// A chargeback that the ledger cannot place yet is of money that is not held: it does not
// keep everybody else from being paid.
func TestHear_DoesNotWaitForWhatCannotBePlacedYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.worker.Outgoing = notYet{w.sender}
	_, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, simulator.NewDispute{})
	w.OK(err)
	w.OK(w.worker.Hear(t.Context()))
	if waits := w.waiting(); waits.Failing == 0 {
		t.Error("nothing was put off")
	}
	w.OK(w.worker.Hear(t.Context()))
}

// notYet cannot place chargebacks.
type notYet struct{ Outgoing }

func (notYet) ObserveDispute(context.Context, payments.DisputeID) error { return ledger.ErrNotYet }

// TestR14_WhatWasSentByHandStopsMoneyAndNotSettlementsForEver: such a transfer is out of no
// charge, and never will be.
func TestR14_WhatWasSentByHandStopsMoneyAndNotSettlementsForEver(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"a transfer": false, "its reversal": true} {
		w := newWorld(t)
		w.Advance(10 * day) // the float is available
		id := w.byHand(payments.Platform, "/v1/transfers", url.Values{"amount": {"700"}, "currency": {"usd"}, "destination": {string(w.Account)}})
		if back {
			w.byHand(payments.Platform, "/v1/transfers/"+id+"/reversals", url.Values{})
		}
		kind := payments.MovementTransfer
		if back {
			kind = payments.MovementReversal
		}
		for m, err := range w.Client.Movements(t.Context(), payments.MovementQuery{Kind: kind}) {
			w.OK(err)
			w.Update(noting(object{kind: kindMovement, id: string(m.ID)}))
		}
		w.OK(w.worker.Drain(t.Context()))
		if halts := w.halts(); !slices.Equal(halts, []halt.Reason{halt.UnknownMoney}) {
			t.Errorf("%s: standing: %v", name, halts)
		}
		if waits := w.waiting(); waits.Hints != 0 {
			t.Errorf("%s: %+v wait", name, waits)
		}
		w.Update(func(ctx context.Context, tx *store.Tx) error {
			_, err := halt.Lift(ctx, tx, "looked")
			return err
		})
		w.OK(w.worker.Hear(t.Context()))
		w.noHalt()
	}
}

// TestHear_WhatNamesNothingIsNotAskedForAgain: an object that leads to one without an id is
// the same tomorrow.
func TestHear_WhatNamesNothingIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.processor = moved{w.Client, payments.Movement{ID: "txn_1", Kind: payments.MovementRefund}}
	w.restart(nil)
	w.Update(noting(object{kind: kindMovement, id: "txn_1"}))
	w.OK(w.worker.Hear(t.Context()))
	if halts := w.halts(); !slices.Equal(halts, []halt.Reason{halt.UnknownMoney}) {
		t.Errorf("standing: %v", halts)
	}
	if waits := w.waiting(); waits.Hints != 0 {
		t.Errorf("%+v wait", waits)
	}
}

// uncounted is a processor whose charges are in a currency that nobody here can count.
type uncounted struct{ payments.Processor }

func (uncounted) Charge(context.Context, payments.AccountID, payments.ChargeID) (payments.Charge, error) {
	return payments.Charge{}, &payments.Failure{Kind: payments.ErrUncertain, Cause: payments.ErrInvalid}
}

// What payees sell elsewhere, in whatever currency, stops nothing here.
func TestHint_OfAPayeesOwnBusinessStopsNoMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.processor = uncounted{w.Client}
	w.restart(nil)
	w.Update(noting(object{kind: kindCharge, id: "ch_1", account: w.Account}))
	w.OK(w.worker.Drain(t.Context()))
	w.noHalt()
	if n := w.outcomes()[OutcomeStranger]; n != 1 {
		t.Errorf("%d strangers, want the one", n)
	}
}

// mute is a processor that does not answer about payees' own accounts, and tells of each
// time that it was asked.
type mute struct {
	payments.Processor
	asked chan struct{}
}

func (m mute) wait(ctx context.Context) error {
	m.asked <- struct{}{}
	<-ctx.Done()
	return &payments.Failure{Kind: payments.ErrUnreachable, Cause: ctx.Err()}
}

func (m mute) Disputes(ctx context.Context, account payments.AccountID, q payments.DisputeQuery) iter.Seq2[payments.Dispute, error] {
	if account == payments.Platform {
		return m.Processor.Disputes(ctx, account, q)
	}
	return func(yield func(payments.Dispute, error) bool) { yield(payments.Dispute{}, m.wait(ctx)) }
}

func (m mute) Dispute(ctx context.Context, account payments.AccountID, id payments.DisputeID) (payments.Dispute, error) {
	if account == payments.Platform {
		return m.Processor.Dispute(ctx, account, id)
	}
	return payments.Dispute{}, m.wait(ctx)
}

// beloved knows of many accounts that donations went to.
type beloved struct{ Checkouts }

func (beloved) DonatedTo(context.Context) (list []payments.AccountID, err error) {
	for n := range 200 {
		list = append(list, payments.AccountID(fmt.Sprintf("acct_%d", n)))
	}
	return list, nil
}

// TestR14_DonationsKeepNoSettlementWaiting: they are never held, so nothing about them is
// asked before money that is.
func TestR14_DonationsKeepNoSettlementWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	processor := mute{Processor: w.Client, asked: make(chan struct{}, 1)}
	w.processor = processor
	w.restart(nil)
	w.worker.Checkouts = beloved{w.World}
	w.Update(noting(object{kind: kindDispute, id: "dp_1", account: w.Account}))

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := w.worker.Sync(ctx, false)
		ended <- err
	}()
	<-processor.asked // the hourly reading waits for the first of them
	_, err := w.Control.WarnOfFraud(t.Context(), w.Hold("h1").Charge)
	w.OK(err)
	hearing, enough := context.WithTimeout(t.Context(), 10*time.Second)
	defer enough()
	if err := w.worker.Hear(hearing); err != nil {
		t.Errorf("donations are waited for: %v", err)
	}
	w.Want("h1", "refunding(fraud)")
	cancel()
	if err := <-ended; err == nil {
		t.Error("the hourly reading has read what nobody told")
	}
}

// stuck is a processor whose list of movements does not end the first time.
type stuck struct {
	payments.Processor
	asked atomic.Bool
	first chan struct{} // closed when it is asked
}

func (s *stuck) Movements(ctx context.Context, q payments.MovementQuery) iter.Seq2[payments.Movement, error] {
	if s.asked.CompareAndSwap(false, true) {
		close(s.first)
		<-ctx.Done()
	}
	return s.Processor.Movements(ctx, q)
}

// A reading of everything, which somebody asked for, may take long.
func TestHear_WaitsForNoReadingUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	processor := &stuck{Processor: w.Client, first: make(chan struct{})}
	w.processor = processor
	w.restart(nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := w.worker.Sync(ctx, true)
		ended <- err
	}()
	<-processor.first
	hearing, enough := context.WithTimeout(t.Context(), 10*time.Second)
	defer enough()
	if err := w.worker.Hear(hearing); err != nil {
		t.Errorf("a reading under way is waited for: %v", err)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the other reading ended well")
	}
}

// TestHear_DoesNotAskAboutWhoLeft: a chargeback on the account of somebody who has cut the
// connection cannot be looked at, and is of money that is not held.
func TestHear_DoesNotAskAboutWhoLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.processor = hidden{w.Client}
	w.restart(nil)
	w.Update(noting(object{kind: kindDispute, id: "dp_1", account: w.Account}))
	for range 2 {
		w.OK(w.worker.Hear(t.Context()))
	}
}
