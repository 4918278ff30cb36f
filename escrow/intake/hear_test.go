package intake

import (
	"context"
	"net/url"
	"slices"
	"testing"

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
