package campaign_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
)

// errAway is what a question comes to that nobody answers.
var errAway = errors.New("nobody answers")

// TestR15_ACheckoutThatIsPendingAtTheFinalDateIsFinishedBeforeAnythingGoesBack: nobody could
// end its page since the closing. From the final date on all of it goes back, but is decided
// about only when it is known whether somebody paid.
func TestR15_ACheckoutThatIsPendingAtTheFinalDateIsFinishedBeforeAnythingGoesBack(t *testing.T) {
	t.Parallel()
	for _, paid := range []bool{false, true} {
		w := opened(t)
		w.paid("h1", 2500)
		w.pledge("h2", 1000)
		w.sessions["h2"] = paid
		w.away = true
		w.at(closesAt)
		w.wantPhase("open") // the pot is not final
		w.at(finalAt.Add(-time.Second))
		w.wantPhase("open")
		w.at(finalAt)
		w.wantPhase("refunding(undecided)")
		w.pass(day)
		w.wantReceipt("h1", "held")
		w.away = false
		w.pass(time.Second)
		w.wantReceipt("h1", "held refunding(undecided)")
		w.refunded("h1", 2500)
		if !paid {
			w.pass(time.Second)
			w.wantPhase("refunded(undecided)")
			w.charge("h2", 1000) // and yet
			w.wantReceipt("h2", "refunding(late)")
			continue
		}
		w.pass(time.Second)
		w.wantPhase("refunding(undecided)") // the other one has not got his back
		w.wantReceipt("h2", "held refunding(undecided)")
		w.refunded("h2", 1000)
		w.pass(time.Second)
		w.wantPhase("refunded(undecided)")
	}
}

// TestR15_ARefundThatIsPendingAtTheFinalDateIsStillOwed: the final date says nothing about
// money that goes back already, and refunded is said when it has arrived.
func TestR15_ARefundThatIsPendingAtTheFinalDateIsStillOwed(t *testing.T) {
	t.Parallel()
	for _, arrives := range []bool{true, false} {
		w := opened(t)
		w.paid("h1", 2500)
		w.at(closesAt)
		w.at(finalAt.Add(-day))
		w.wantPhase("refunding(not-released)")
		refund := ledger.RefundObject{ID: "re_h1", Hold: "h1", Amount: 2500, Status: ledger.RefundPending}
		tell := func() {
			t.Helper()
			w.do(func(ctx context.Context, tx *store.Tx) error { return w.ledger.Refund(ctx, tx, refund) })
		}
		tell()
		w.at(finalAt.Add(day))
		w.wantPhase("refunding(not-released)")
		w.wantReceipt("h1", "held refunding(not-released)")
		if arrives {
			refund.Status, refund.Taken = ledger.RefundSucceeded, &ledger.Transaction{ID: "txn_re", Amount: -2500, Currency: "USD"}
			tell()
			w.pass(time.Second)
			w.wantPhase("refunded(not-released)")
			continue
		}
		refund.Status = ledger.RefundFailed
		tell()
		w.pass(day)
		w.wantPhase("refunding(not-released)")
		w.wantReceipt("h1", "held refunding(not-released) refund-failed(not-released)")
	}
}

// TestR15_APledgeThatIsTakenBackAtTheFinalDateGoesBackOnce: its author's PDS has not proven
// it when the final date refunds everybody.
func TestR15_APledgeThatIsTakenBackAtTheFinalDateGoesBackOnce(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.away, w.behind = true, true
	w.pledge("h3", 500)
	w.at(finalAt.Add(-time.Minute))
	w.wantPhase("open")
	w.behind = false
	w.proof = func(uriT) (bool, error) { return false, errAway }
	w.remove(pledgeOf("h1"))
	w.pass(30 * time.Second)
	w.at(finalAt)
	w.wantPhase("refunding(undecided)")
	w.away, w.proof = false, func(uriT) (bool, error) { return true, nil }
	w.pass(time.Hour)
	w.wantReceipt("h1", "held refunding(undecided)")
	w.wantReceipt("h2", "held refunding(undecided)")
}
