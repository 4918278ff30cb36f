package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// The rows of accounts are remembered; not of those whose transaction was taken back.
func TestPost_ForgetsAccountsThatWereTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := errors.New("refused")
	err := w.try(func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(w.l.Operator(ctx, tx, TopUp, *w.moved(5000, 0)), refused)
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.l.Operator(ctx, tx, OperatorCost, *w.moved(-300, 0))
	})
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Operator(ctx, tx, TopUp, *w.moved(5000, 0)) })
	if got, want := w.balances(), "float 5000, processing-cost 300, processor 4700"; got != want {
		t.Errorf("%s instead of %s", got, want)
	}
	w.verify()
}

func TestPost_AClockThatIsSetBackDoesNotTakeTheLedgerBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 2500)
	w.clock = w.clock.Add(-time.Hour)
	w.decideRefund("h1", ReasonWithdrawn)
	r, err := w.receipt(pledgeOf("h1"))
	w.ok(err)
	if len(r.History) != 2 || !r.History[1].At.Equal(r.History[0].At) {
		t.Errorf("%v", r.History)
	}
	w.verify()
}
