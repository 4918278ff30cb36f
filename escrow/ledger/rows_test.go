package ledger

import (
	"context"
	"errors"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// Each case is a row of the tables in docs/escrow.md: what happens, what the
// accounts then hold, and what the receipt of h1 says so far. At the end everything
// is told once more, from the last to the first, which changes nothing.
type story struct {
	name     string
	happens  func(*world)
	balances string
	history  string
}

func tellStories(t *testing.T, stories []story) {
	t.Helper()
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s.happens(w)
			if got := w.balances(); got != s.balances {
				t.Errorf("balances\n got %s\nwant %s", got, s.balances)
			}
			if got := w.history("h1"); got != s.history {
				t.Errorf("history\n got %s\nwant %s", got, s.history)
			}
			w.verify()
			head := w.head()
			w.tellAgain()
			if again := w.head(); again != head || w.balances() != s.balances || w.history("h1") != s.history {
				t.Errorf("told again, it became %s, %s", w.balances(), w.history("h1"))
			}
		})
	}
}

func TestTableA_In(t *testing.T) {
	t.Parallel()
	tellStories(t, []story{
		{"charge succeeded", func(w *world) { w.held("h1", 2500) },
			"h1/held 2500, processing-cost 100, processor 2400", "held"},
		{"charge without a fee", func(w *world) {
			w.open("h1", 2500)
			w.charged(Charged{Hold: "h1", Charge: "ch", Transaction: *w.moved(2500, 0)})
		}, "h1/held 2500, processor 2500", "held"},
		{"charge for a void hold", func(w *world) { w.open("h1", 2500); w.void("h1"); w.charge("h1", 2500) },
			"h1/refund-due 2500, processing-cost 100, processor 2400", "refunding(late)"},
		{"charge after closing", func(w *world) {
			w.open("h1", 2500)
			w.charged(Charged{Hold: "h1", Charge: "ch", Transaction: *w.moved(2500, fee), Return: ReasonLate})
		}, "h1/refund-due 2500, processing-cost 100, processor 2400", "refunding(late)"},
		{"charge for a pledge that is gone", func(w *world) {
			w.open("h1", 2500)
			w.charged(Charged{Hold: "h1", Charge: "ch", Transaction: *w.moved(2500, fee), Return: ReasonWithdrawn})
		}, "h1/refund-due 2500, processing-cost 100, processor 2400", "refunding(withdrawn)"},
		{"late charge beside one that is held", func(w *world) {
			w.open("h1", 2500)
			w.void("h1")
			w.held("h1'", 2500)
			w.charge("h1", 2500)
		}, "h1'/held 2500, h1/refund-due 2500, processing-cost 200, processor 4800", "held"},
	})
}

func TestTableA_Back(t *testing.T) {
	t.Parallel()
	tellStories(t, []story{
		{"refund decided", func(w *world) { w.held("h1", 2500); w.decideRefund("h1", ReasonWithdrawn) },
			"h1/refund-due 2500, processing-cost 100, processor 2400", "held refunding(withdrawn)"},
		{"the first reason stays", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.decideRefund("h1", ReasonFraud)
			w.decideRefunds(ReasonCancelled)
		}, "h1/refund-due 2500, processing-cost 100, processor 2400", "held refunding(withdrawn)"},
		{"all of an attempt", func(w *world) { w.held("h1", 2500); w.held("h2", 700); w.decideRefunds(ReasonCancelled) },
			"h1/refund-due 2500, h2/refund-due 700, processing-cost 200, processor 3000", "held refunding(cancelled)"},
		{"created and pending", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refund(RefundObject{ID: "re", Hold: "h1", Amount: 2500, Status: RefundPending})
		}, "h1/refund-due 2500, processing-cost 100, processor 2400", "held refunding(withdrawn)"},
		{"taken", func(w *world) { w.held("h1", 2500); w.decideRefund("h1", ReasonWithdrawn); w.refundTaken("h1", 2500) },
			"h1/refund-due 2500, h1/refund-in-transit 2500, processing-cost 100, processor -100", "held refunding(withdrawn)"},
		{"succeeded", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refundSucceeded(w.refundTaken("h1", 2500))
		}, "processing-cost 100, processor -100", "held refunding(withdrawn) refunded(withdrawn)"},
		{"failed after it was taken", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refundFailed(w.refundTaken("h1", 2500))
		}, "h1/returned 2500, processing-cost 100, processor 2400", "held refunding(withdrawn) refund-failed(withdrawn)"},
		{"returned by the bank after it succeeded, and older news after that", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			taken := w.refundTaken("h1", 2500)
			succeeded := w.refundSucceeded(taken)
			w.refundFailed(succeeded)
			w.refund(succeeded)
			w.refund(taken)
		}, "h1/returned 2500, processing-cost 100, processor 2400",
			"held refunding(withdrawn) refunded(withdrawn) refund-failed(withdrawn)"},
		{"failed, and that it had succeeded is told later", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			taken := w.refundTaken("h1", 2500)
			w.refundFailed(taken)
			w.refundSucceeded(taken)
		}, "h1/returned 2500, processing-cost 100, processor 2400", "held refunding(withdrawn) refund-failed(withdrawn)"},
		{"all of a refund's life in one object", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refund(RefundObject{ID: "re", Hold: "h1", Amount: 2500, Status: RefundFailed, Taken: w.moved(-2500, 0), Returned: w.moved(2500, 0)})
		}, "h1/returned 2500, processing-cost 100, processor 2400", "held refunding(withdrawn) refund-failed(withdrawn)"},
		{"failed before it left", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refund(RefundObject{ID: "re", Hold: "h1", Amount: 2500, Status: RefundPending})
			w.refund(RefundObject{ID: "re", Hold: "h1", Amount: 2500, Status: RefundFailed})
		}, "h1/returned 2500, processing-cost 100, processor 2400", "held refunding(withdrawn) refund-failed(withdrawn)"},
		{"refused by the processor", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.RefuseRefund(ctx, tx, "h1", "1") })
		}, "h1/returned 2500, processing-cost 100, processor 2400", "held refunding(withdrawn) refund-failed(withdrawn)"},
		{"tried again", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refundFailed(w.refundTaken("h1", 2500))
			w.retry("h1")
			again := RefundObject{ID: "re2", Hold: "h1", Amount: 2500, Status: RefundSucceeded, Taken: w.moved(-2500, 0)}
			w.refund(again)
		}, "processing-cost 100, processor -100",
			"held refunding(withdrawn) refund-failed(withdrawn) refunding(withdrawn) refunded(withdrawn)"},
		{"paid otherwise", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refundFailed(w.refundTaken("h1", 2500))
			w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.PayOtherwise(ctx, tx, "h1", Digest{1}) })
		}, "float 2500, processing-cost 100, processor 2400",
			"held refunding(withdrawn) refund-failed(withdrawn) refunded(withdrawn)"},
	})
}

func TestTableA_Out(t *testing.T) {
	t.Parallel()
	tellStories(t, []story{
		{"settled", func(w *world) { w.held("h1", 2500); w.held("h2", 700); w.settle() },
			// 125 and 35 of fee; 2375 and 665 to divide by 60 and 40.
			"ann/owed 1824, ben/owed 1216, fee-income 160, processing-cost 200, processor 3000", "held releasing"},
		{"transfer created", func(w *world) { w.held("h1", 2500); w.settle(); w.sent("h1", ann) },
			"ann/in-transit 1425, ann/owed 1425, ben/owed 950, fee-income 125, processing-cost 100, processor 975", "held releasing"},
		{"both created, none settled", func(w *world) { w.held("h1", 2500); w.settle(); w.sent("h1", ann); w.sent("h1", ben) },
			"ann/in-transit 1425, ann/owed 1425, ben/in-transit 950, ben/owed 950, fee-income 125, processing-cost 100, processor 25",
			"held releasing"},
		{"one of two settled", func(w *world) { w.held("h1", 2500); w.settle(); w.settled(w.sent("h1", ann)) },
			"ben/owed 950, fee-income 125, processing-cost 100, processor 975", "held releasing"},
		{"all settled", func(w *world) { w.held("h1", 2500); w.released("h1") },
			"fee-income 125, processing-cost 100, processor 25", "held releasing released"},
		{"what was decided before is not in the settlement", func(w *world) {
			w.held("h1", 2500)
			w.held("h2", 700)
			w.decideRefund("h1", ReasonWithdrawn)
			w.settle()
		}, "h1/refund-due 2500, ann/owed 399, ben/owed 266, fee-income 35, processing-cost 200, processor 3000",
			"held refunding(withdrawn)"},
	})
}

func TestRule17_ChargebackBeforeTheDecision(t *testing.T) {
	t.Parallel()
	tellStories(t, []story{
		{"inquiry", func(w *world) {
			w.held("h1", 2500)
			w.dispute(DisputeObject{ID: "dp", Hold: "h1", State: ChargebackOpen})
		},
			"h1/held 2500, processing-cost 100, processor 2400", "held"},
		{"withdrawn while held", func(w *world) { w.held("h1", 2500); w.chargeback("h1", 2500) },
			"h1/chargeback-open 2500, h1/contested 2500, dispute-cost 1500, processing-cost 100, processor -1600",
			"held charged-back(chargeback)"},
		{"a part is withdrawn, and all leaves", func(w *world) { w.held("h1", 2500); w.chargeback("h1", 1000) },
			"h1/chargeback-open 1000, h1/contested 2500, dispute-cost 1500, processing-cost 100, processor -100",
			"held charged-back(chargeback)"},
		{"given back in part, and not decided", func(w *world) {
			w.held("h1", 2500)
			d := w.chargeback("h1", 2500)
			d.Reinstated = []Transaction{*w.moved(1000, 0)}
			w.dispute(d)
		}, "h1/chargeback-open 1500, h1/contested 2500, dispute-cost 1500, processing-cost 100, processor -600",
			"held charged-back(chargeback)"},
		{"won before the decision", func(w *world) { w.held("h1", 2500); w.won(w.chargeback("h1", 2500), 2500) },
			"h1/held 2500, dispute-cost 1500, processing-cost 100, processor 900", "held charged-back(chargeback) held"},
		{"won, and the dispute fee comes back", func(w *world) {
			w.held("h1", 2500)
			d := w.chargeback("h1", 2500)
			d.State, d.Reinstated = ChargebackWon, []Transaction{*w.moved(2500, -1500)}
			w.dispute(d)
		}, "h1/held 2500, processing-cost 100, processor 2400", "held charged-back(chargeback) held"},
		{"lost while held", func(w *world) { w.held("h1", 2500); w.lost(w.chargeback("h1", 2500)) },
			"dispute-cost 1500, processing-cost 100, processor -1600", "held charged-back(chargeback)"},
		{"a part is lost, and the rest goes back", func(w *world) { w.held("h1", 2500); w.lost(w.chargeback("h1", 1000)) },
			"h1/refund-due 1500, dispute-cost 1500, processing-cost 100, processor -100",
			"held charged-back(chargeback) refunding(chargeback)"},
		{"the rest of a lost one arrives", func(w *world) {
			w.held("h1", 2500)
			w.lost(w.chargeback("h1", 1000))
			w.refundSucceeded(w.refundTaken("h1", 1500))
		}, "dispute-cost 1500, processing-cost 100, processor -1600",
			"held charged-back(chargeback) refunding(chargeback) charged-back(chargeback)"},
		{"partly lost", func(w *world) { w.held("h1", 2500); w.won(w.chargeback("h1", 2500), 1000) },
			"h1/refund-due 1000, dispute-cost 1500, processing-cost 100, processor -600",
			"held charged-back(chargeback) refunding(chargeback)"},
		{"another pledge is not touched", func(w *world) {
			w.held("h1", 2500)
			w.held("h2", 700)
			w.lost(w.chargeback("h1", 2500))
			w.settle()
		}, "ann/owed 399, ben/owed 266, dispute-cost 1500, fee-income 35, processing-cost 200, processor -1000",
			"held charged-back(chargeback)"},
		{"settled without it, and won then", func(w *world) {
			w.held("h1", 2500)
			w.held("h2", 700)
			d := w.chargeback("h1", 2500)
			w.settle()
			w.won(d, 2500)
		}, "h1/refund-due 2500, ann/owed 399, ben/owed 266, dispute-cost 1500, fee-income 35, processing-cost 200, processor 1500",
			"held charged-back(chargeback) refunding(chargeback)"},
		{"refunded without it, and won then", func(w *world) {
			w.held("h1", 2500)
			d := w.chargeback("h1", 2500)
			w.decideRefunds(ReasonCancelled)
			w.won(d, 2500)
		}, "h1/refund-due 2500, dispute-cost 1500, processing-cost 100, processor 900",
			"held charged-back(chargeback) refunding(cancelled)"},
		{"taken back while a bank decides, and won then", func(w *world) {
			w.held("h1", 2500)
			d := w.chargeback("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.won(d, 2500)
		}, "h1/refund-due 2500, dispute-cost 1500, processing-cost 100, processor 900",
			"held charged-back(chargeback) refunding(withdrawn)"},
		{"two at a time: what remains of a lost one waits for the other", func(w *world) {
			w.held("h1", 2500)
			first := w.chargeback("h1", 1000)
			w.dispute(DisputeObject{ID: "dp2", Hold: "h1", Withdrawn: w.moved(-500, 0), State: ChargebackOpen})
			w.lost(first)
		}, "h1/chargeback-open 500, h1/contested 1500, dispute-cost 1500, processing-cost 100, processor -600",
			"held charged-back(chargeback)"},
		{"two at a time: one won, one lost", func(w *world) {
			w.held("h1", 2500)
			first := w.chargeback("h1", 1000)
			second := DisputeObject{ID: "dp2", Hold: "h1", Withdrawn: w.moved(-500, 0), State: ChargebackOpen}
			w.dispute(second)
			w.won(first, 1000)
			w.lost(second)
		}, "h1/refund-due 2000, dispute-cost 1500, processing-cost 100, processor 400",
			"held charged-back(chargeback) refunding(chargeback)"},
		{"taken once more after it was lost", func(w *world) {
			w.held("h1", 2500)
			w.lost(w.chargeback("h1", 2500))
			w.dispute(DisputeObject{ID: "dp2", Hold: "h1", Withdrawn: w.moved(-2500, 0), State: ChargebackOpen})
		}, "h1/chargeback-open 2500, dispute-cost 1500, processing-cost 100, processor -4100", "held charged-back(chargeback)"},
		{"lost once more", func(w *world) {
			w.held("h1", 2500)
			w.lost(w.chargeback("h1", 2500))
			second := DisputeObject{ID: "dp2", Hold: "h1", Withdrawn: w.moved(-2500, 0), State: ChargebackOpen}
			w.dispute(second)
			w.lost(second)
		}, "chargeback-loss 2500, dispute-cost 1500, processing-cost 100, processor -4100", "held charged-back(chargeback)"},
		{"a part is lost, and then all of it", func(w *world) {
			w.held("h1", 2500)
			w.lost(w.chargeback("h1", 1000))
			second := DisputeObject{ID: "dp2", Hold: "h1", Withdrawn: w.moved(-2500, 0), State: ChargebackOpen}
			w.dispute(second)
			w.lost(second)
		}, "chargeback-loss 1000, dispute-cost 1500, processing-cost 100, processor -2600",
			"held charged-back(chargeback) refunding(chargeback) charged-back(chargeback)"},
	})
}

func TestRule17_ChargebackBesideARefund(t *testing.T) {
	t.Parallel()
	due := func(w *world) { w.held("h1", 2500); w.decideRefund("h1", ReasonWithdrawn) }
	tellStories(t, []story{
		{"withdrawn while the refund is due", func(w *world) { due(w); w.chargeback("h1", 2500) },
			"h1/chargeback-open 2500, h1/contested 2500, dispute-cost 1500, processing-cost 100, processor -1600",
			"held refunding(withdrawn) charged-back(chargeback)"},
		{"won then", func(w *world) { due(w); w.won(w.chargeback("h1", 2500), 2500) },
			"h1/refund-due 2500, dispute-cost 1500, processing-cost 100, processor 900",
			"held refunding(withdrawn) charged-back(chargeback) refunding(withdrawn)"},
		{"lost then", func(w *world) { due(w); w.lost(w.chargeback("h1", 2500)) },
			"dispute-cost 1500, processing-cost 100, processor -1600",
			"held refunding(withdrawn) charged-back(chargeback)"},
		{"the refund was taken all the same", func(w *world) {
			due(w)
			w.refund(RefundObject{ID: "re_h1", Hold: "h1", Amount: 2500, Status: RefundPending})
			w.chargeback("h1", 2500)
			w.refundSucceeded(w.refundTaken("h1", 2500))
		}, "h1/chargeback-open 2500, dispute-cost 1500, processing-cost 100, processor -4100",
			"held refunding(withdrawn) charged-back(chargeback) refunding(withdrawn) refunded(withdrawn)"},
		{"the refund was taken all the same, which is told after the bank kept it", func(w *world) {
			due(w)
			w.refund(RefundObject{ID: "re_h1", Hold: "h1", Amount: 2500, Status: RefundPending})
			w.lost(w.chargeback("h1", 2500))
			w.refundSucceeded(w.refundTaken("h1", 2500))
		}, "chargeback-loss 2500, dispute-cost 1500, processing-cost 100, processor -4100",
			"held refunding(withdrawn) charged-back(chargeback) refunding(withdrawn) refunded(withdrawn)"},
		{"the same of a part, and it comes back", func(w *world) {
			due(w)
			w.refund(RefundObject{ID: "re_h1", Hold: "h1", Amount: 2500, Status: RefundPending})
			w.lost(w.chargeback("h1", 1000))
			w.refundFailed(w.refundTaken("h1", 2500))
		}, "h1/returned 1500, dispute-cost 1500, processing-cost 100, processor -100",
			"held refunding(withdrawn) charged-back(chargeback) refunding(withdrawn) refund-failed(withdrawn)"},
		{"withdrawn while the refund is in transit", func(w *world) { due(w); w.refundTaken("h1", 2500); w.chargeback("h1", 2500) },
			"h1/chargeback-open 2500, h1/refund-due 2500, h1/refund-in-transit 2500, dispute-cost 1500, processing-cost 100, processor -4100",
			"held refunding(withdrawn)"},
		{"withdrawn after the refund succeeded", func(w *world) {
			due(w)
			w.refundSucceeded(w.refundTaken("h1", 2500))
			w.chargeback("h1", 2500)
		}, "h1/chargeback-open 2500, dispute-cost 1500, processing-cost 100, processor -4100",
			"held refunding(withdrawn) refunded(withdrawn)"},
		{"withdrawn after the refund succeeded, and lost", func(w *world) {
			due(w)
			w.refundSucceeded(w.refundTaken("h1", 2500))
			w.lost(w.chargeback("h1", 2500))
		}, "chargeback-loss 2500, dispute-cost 1500, processing-cost 100, processor -4100",
			"held refunding(withdrawn) refunded(withdrawn)"},
		{"withdrawn after the refund succeeded, and won", func(w *world) {
			due(w)
			w.refundSucceeded(w.refundTaken("h1", 2500))
			w.won(w.chargeback("h1", 2500), 2500)
		}, "dispute-cost 1500, processing-cost 100, processor -1600",
			"held refunding(withdrawn) refunded(withdrawn)"},
		{"the refund comes back while a bank decides", func(w *world) {
			due(w)
			r := w.refundTaken("h1", 2500)
			w.chargeback("h1", 2500)
			w.refundFailed(r)
		}, "h1/chargeback-open 2500, h1/contested 2500, dispute-cost 1500, processing-cost 100, processor -1600",
			"held refunding(withdrawn) charged-back(chargeback)"},
		{"the refund comes back after the bank has paid", func(w *world) {
			due(w)
			r := w.refundTaken("h1", 2500)
			w.lost(w.chargeback("h1", 2000))
			w.refundFailed(r)
		}, "h1/returned 500, dispute-cost 1500, processing-cost 100, processor -1100",
			"held refunding(withdrawn) refund-failed(withdrawn)"},
		{"withdrawn when the refund had come back", func(w *world) {
			due(w)
			w.refundFailed(w.refundTaken("h1", 2500))
			w.chargeback("h1", 2500)
		}, "h1/chargeback-open 2500, h1/contested 2500, dispute-cost 1500, processing-cost 100, processor -1600",
			"held refunding(withdrawn) refund-failed(withdrawn) charged-back(chargeback)"},
		{"withdrawn when the refund had come back, and won", func(w *world) {
			due(w)
			w.refundFailed(w.refundTaken("h1", 2500))
			w.won(w.chargeback("h1", 2500), 2500)
		}, "h1/returned 2500, dispute-cost 1500, processing-cost 100, processor 900",
			"held refunding(withdrawn) refund-failed(withdrawn) charged-back(chargeback) refund-failed(withdrawn)"},
		{"tried again, and again after a bank had it and gave it back", func(w *world) {
			due(w)
			w.refundFailed(w.refundTaken("h1", 2500))
			w.retry("h1")
			w.won(w.chargeback("h1", 2500), 2500)
			w.retry("h1")
		}, "h1/refund-due 2500, dispute-cost 1500, processing-cost 100, processor 900",
			"held refunding(withdrawn) refund-failed(withdrawn) refunding(withdrawn) charged-back(chargeback) refund-failed(withdrawn) refunding(withdrawn)"},
	})
}

func TestRule17_ChargebackAfterTheSettlement(t *testing.T) {
	t.Parallel()
	tellStories(t, []story{
		{"withdrawn after the decision: transfers go on", func(w *world) {
			w.held("h1", 2500)
			w.settle()
			w.chargeback("h1", 2500)
			w.settled(w.sent("h1", ann))
			w.settled(w.sent("h1", ben))
		}, "h1/chargeback-open 2500, dispute-cost 1500, fee-income 125, processing-cost 100, processor -3975",
			"held releasing released"},
		{"withdrawn after the release", func(w *world) { w.held("h1", 2500); w.released("h1"); w.chargeback("h1", 2500) },
			"h1/chargeback-open 2500, dispute-cost 1500, fee-income 125, processing-cost 100, processor -3975",
			"held releasing released"},
		{"won", func(w *world) { w.held("h1", 2500); w.released("h1"); w.won(w.chargeback("h1", 2500), 2500) },
			"dispute-cost 1500, fee-income 125, processing-cost 100, processor -1475", "held releasing released"},
		{"lost: the operator's until reversals succeed", func(w *world) { w.held("h1", 2500); w.released("h1"); w.lost(w.chargeback("h1", 2500)) },
			"chargeback-loss 2500, dispute-cost 1500, fee-income 125, processing-cost 100, processor -3975",
			"held releasing released charged-back(chargeback)"},
		{"lost: taken from the payees as far as reversals succeed", func(w *world) {
			w.held("h1", 2500)
			w.released("h1")
			w.lost(w.chargeback("h1", 2500))
			w.ok(w.reverse("h1", ann, 1000))
			w.ok(w.reverse("h1", ann, 425))
			w.ok(w.reverse("h1", ben, 950))
		}, "chargeback-loss 125, dispute-cost 1500, fee-income 125, processing-cost 100, processor -1600",
			"held releasing released charged-back(chargeback)"},
		{"a part is lost, and taken by share", func(w *world) {
			w.held("h1", 2500)
			w.released("h1")
			w.lost(w.chargeback("h1", 1000))
			w.ok(w.reverse("h1", ann, 570))
			w.ok(w.reverse("h1", ben, 380))
		}, "chargeback-loss 50, dispute-cost 1500, fee-income 125, processing-cost 100, processor -1525",
			"held releasing released charged-back(chargeback)"},
		{"lost before any transfer was asked for: withheld", func(w *world) {
			w.held("h1", 2500)
			w.held("h2", 700)
			w.settle()
			w.lost(w.chargeback("h1", 2500))
		}, "ann/owed 399, ben/owed 266, chargeback-loss 125, dispute-cost 1500, fee-income 160, processing-cost 200, processor -1000",
			"held releasing charged-back(chargeback)"},
		{"a part withheld, the rest paid", func(w *world) {
			w.held("h1", 2500)
			w.settle()
			w.lost(w.chargeback("h1", 1000))
			w.settled(w.sent("h1", ann))
		}, "ben/owed 570, chargeback-loss 50, dispute-cost 1500, fee-income 125, processing-cost 100, processor -955",
			"held releasing charged-back(chargeback)"},
		{"lost while a transfer was asked for: not withheld", func(w *world) {
			w.held("h1", 2500)
			w.settle()
			o := TransferObject{ID: "tr", Hold: "h1", Payee: ann, Created: *w.moved(-w.requested("h1", ann), 0), Settled: true}
			w.lost(w.chargeback("h1", 2500))
			w.transfer(o)
		}, "chargeback-loss 1550, dispute-cost 1500, fee-income 125, processing-cost 100, processor -3025",
			"held releasing charged-back(chargeback)"},
		{"lost once more, and the payees have given back already", func(w *world) {
			w.held("h1", 2500)
			w.released("h1")
			w.lost(w.chargeback("h1", 2500))
			w.ok(w.reverse("h1", ann, 1425))
			w.ok(w.reverse("h1", ben, 950))
			second := DisputeObject{ID: "dp2", Hold: "h1", Withdrawn: w.moved(-2500, 0), State: ChargebackOpen}
			w.dispute(second)
			w.lost(second)
		}, "chargeback-loss 2625, dispute-cost 1500, fee-income 125, processing-cost 100, processor -4100",
			"held releasing released charged-back(chargeback)"},
		{"reversed before it settled", func(w *world) {
			w.held("h1", 2500)
			w.settle()
			sent := w.sent("h1", ann)
			w.lost(w.chargeback("h1", 2500))
			w.ok(w.reverse("h1", ann, 1000))
			w.settled(sent)
		}, "chargeback-loss 550, dispute-cost 1500, fee-income 125, processing-cost 100, processor -2025",
			"held releasing charged-back(chargeback)"},
	})
}

func TestTableA_Operator(t *testing.T) {
	t.Parallel()
	operate := func(w *world, m Movement, amount, fee int64) {
		w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Operator(ctx, tx, m, *w.moved(amount, fee)) })
	}
	for _, c := range []struct {
		name, balances string
		happens        func(*world)
	}{
		{"top-up", "float 5000, processor 5000", func(w *world) { operate(w, TopUp, 5000, 0) }},
		{"withdrawal", "float 3000, processor 3000", func(w *world) { operate(w, TopUp, 5000, 0); operate(w, Withdrawal, -2000, 0) }},
		{"withdrawal with a fee", "float 3000, processing-cost 25, processor 2975", func(w *world) { operate(w, TopUp, 5000, 0); operate(w, Withdrawal, -2000, 25) }},
		{"withdrawal failed", "float 5000, processor 5000", func(w *world) {
			operate(w, TopUp, 5000, 0)
			operate(w, Withdrawal, -2000, 0)
			operate(w, WithdrawalFailed, 2000, 0)
		}},
		{"more than there was, all the same", "float -2000, processor -2000", func(w *world) { operate(w, Withdrawal, -2000, 0) }},
		{"cost", "processing-cost 300, processor -300", func(w *world) { operate(w, OperatorCost, -300, 0) }},
		{"cost given back", "processing-cost 200, processor -200", func(w *world) { operate(w, OperatorCost, -300, 0); operate(w, OperatorCost, 100, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.happens(w)
			if got := w.balances(); got != c.balances {
				t.Errorf("got %s, want %s", got, c.balances)
			}
			w.verify()
		})
	}
	w := newWorld(t)
	for m, amount := range map[Movement]int64{TopUp: -1, Withdrawal: 1, WithdrawalFailed: -1, "reserve": 5} {
		err := w.try(func(ctx context.Context, tx *store.Tx) error { return w.l.Operator(ctx, tx, m, *w.moved(amount, 0)) })
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s of %d: %v", m, amount, err)
		}
	}
}
