package intake

import (
	"context"
	"slices"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/store"
)

// away is an outgoing side that cannot ask the processor, or whose ledger does not know what
// came before.
type away struct {
	Outgoing
	why error
}

func (a away) ObserveRefund(ctx context.Context, id payments.RefundID) error {
	if a.why != nil {
		return a.why
	}
	return a.Outgoing.ObserveRefund(ctx, id)
}

func TestInsist_LooksAtOnceAtWhatWasPutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.send()
	unheard := &away{Outgoing: w.sender, why: &payments.Failure{Kind: payments.ErrUnreachable}}
	w.worker.Outgoing = unheard
	_, err := w.worker.Sync(t.Context(), false)
	w.OK(err)
	for range 8 { // each time it is put off for longer
		w.OK(w.worker.Drain(t.Context()))
		if err := w.worker.Insist(t.Context()); !payments.Outside(err) {
			t.Fatalf("nobody could look at the refund, and nothing is missing: %v", err)
		}
	}
	unheard.why = nil
	w.OK(w.worker.Insist(t.Context()))
	if waits := w.waiting(); waits.Hints != 0 {
		t.Errorf("%+v wait", waits)
	}
	w.noHalt()
}

// What nobody can place ends as a halt, and what belongs to money that the ledger has never
// seen waits without anybody waiting for it; so does what happens on other accounts.
func TestInsist_DoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Held("h2", amount, processortest.Pays)
	w.DecideRefund("h2", ledger.ReasonWithdrawn)
	w.send()
	charge, err := w.Client.Charge(t.Context(), payments.Platform, payments.ChargeID(w.Hold("h1").Charge))
	w.OK(err)
	_, err = w.Client.SendRefund(t.Context(), payments.RefundOrder{
		Key: "by-hand", Mark: charge.Mark, Charge: charge.ID, Amount: charge.Amount, Reason: payments.RefundRequested,
	})
	w.OK(err)
	_, err = w.worker.Sync(t.Context(), false)
	w.OK(err)
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return noting(object{kind: kindDispute, id: "dp_nobody", account: w.Account})(ctx, tx)
	})
	w.OK(w.worker.Insist(t.Context()))
	if halts := w.halts(); !slices.Contains(halts, halt.UnknownMoney) {
		t.Errorf("of a refund that was made by hand there stand %v", halts)
	}
	w.worker.Outgoing = away{Outgoing: w.sender, why: ledger.ErrNotYet}
	_, err = w.worker.Sync(t.Context(), true)
	w.OK(err)
	w.OK(w.worker.Insist(t.Context()))
	w.OK(w.worker.Insist(t.Context()))
	if waits := w.waiting(); waits.Failing == 0 {
		t.Error("nothing was put off")
	}
}
