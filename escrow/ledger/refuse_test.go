package ledger

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// refuse wants an error, and that nothing has changed.
func (w *world) refuse(want error, fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	head, balances := w.head(), w.balances()
	err := w.try(fn)
	if want != nil && !errors.Is(err, want) {
		w.t.Fatalf("%v instead of %v", err, want)
	}
	if err == nil {
		w.t.Fatalf("not refused")
	}
	if w.head() != head || w.balances() != balances {
		w.t.Fatalf("refused with %v, and the ledger changed: %s", err, w.balances())
	}
}

func TestPost_TheSameReferenceWithOtherFactsIsAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("h1", 2500)
	f := w.charge("h1", 2500)
	head := w.head()
	w.charged(f)
	if w.head() != head {
		t.Error("the same charge was posted twice")
	}
	for name, lie := range map[string]func(*Charged){
		"amount": func(f *Charged) { f.Transaction.Amount-- },
		"fee":    func(f *Charged) { f.Transaction.Fee++ },
		"charge": func(f *Charged) { f.Charge += "x" },
	} {
		other := f
		lie(&other)
		err := w.try(func(ctx context.Context, tx *store.Tx) error { return w.l.Charge(ctx, tx, other) })
		if conflict, ok := errors.AsType[*ConflictError](err); !ok || conflict.Reference != "balance-transaction/"+f.Transaction.ID {
			t.Errorf("another %s: %v", name, err)
		}
	}
	// The same movement under another name.
	err := w.try(func(ctx context.Context, tx *store.Tx) error { return w.l.Operator(ctx, tx, TopUp, f.Transaction) })
	if _, ok := errors.AsType[*ConflictError](err); !ok {
		t.Errorf("a charge that became a top-up: %v", err)
	}
	other := checkout("h1", 2501)
	if err := w.try(func(ctx context.Context, tx *store.Tx) error { return w.l.OpenHold(ctx, tx, other) }); err == nil {
		t.Error("the same hold was opened for another amount")
	}
	w.verify()
}

func TestPost_RefusesWhatIsNoEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	usd, float := Of(KindProcessor, "USD"), Of(KindFloat, "USD")
	for name, e := range map[string]Entry{
		"no lines":        {Reference: "r", Kind: "k"},
		"no reference":    {Kind: "k", Lines: []Line{{usd, float, 1}}},
		"nothing moved":   {Reference: "r", Kind: "k", Lines: []Line{{usd, float, 0}}},
		"less moved":      {Reference: "r", Kind: "k", Lines: []Line{{usd, float, -1}}},
		"to itself":       {Reference: "r", Kind: "k", Lines: []Line{{usd, usd, 1}}},
		"two currencies":  {Reference: "r", Kind: "k", Lines: []Line{{usd, Of(KindFloat, "EUR"), 1}}},
		"unknown account": {Reference: "r", Kind: "k", Lines: []Line{{usd, Of("pocket", "USD"), 1}}},
		"held of nobody":  {Reference: "r", Kind: "k", Lines: []Line{{usd, Of(KindHeld, "USD"), 1}}},
		"float of a hold": {Reference: "r", Kind: "k", Lines: []Line{{usd, OfHold(KindFloat, "USD", "h"), 1}}},
		"half a payee":    {Reference: "r", Kind: "k", Lines: []Line{{usd, OfPayee(KindOwed, "USD", "", ann), 1}}},
		"a path in an id": {Reference: "r", Kind: "k", Lines: []Line{{usd, OfHold(KindHeld, "USD", "h/held"), 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			w.refuse(ErrEntry, func(ctx context.Context, tx *store.Tx) error {
				_, err := w.l.Post(ctx, tx, e)
				return err
			})
		})
	}
}

func TestPost_NoAccountIsOverdrawnOrOverflows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 2500)
	post := func(line Line) error {
		return w.try(func(ctx context.Context, tx *store.Tx) error {
			_, err := w.l.Post(ctx, tx, Entry{Reference: "r", Kind: "k", Lines: []Line{line}})
			return err
		})
	}
	heldOf, due := OfHold(KindHeld, "USD", "h1"), OfHold(KindRefundDue, "USD", "h1")
	err := post(Line{heldOf, due, 2501})
	if bound, ok := errors.AsType[*BoundError](err); !ok || bound.Account != heldOf || bound.Amount != 2501 {
		t.Errorf("more than is held: %v", err)
	}
	transit := OfHold(KindRefundInTransit, "USD", "h1")
	err = post(Line{due, transit, 1})
	if bound, ok := errors.AsType[*BoundError](err); !ok || bound.Account != due {
		t.Errorf("nothing due, nothing in transit: %v", err)
	}
	err = post(Line{heldOf, transit, 1})
	if bound, ok := errors.AsType[*BoundError](err); !ok || bound.Account != transit {
		t.Errorf("nothing in transit: %v", err)
	}
	if err := post(Line{Of(KindProcessor, "USD"), Of(KindFloat, "USD"), math.MaxInt64}); err == nil {
		t.Error("the processor's balance overflowed")
	}
	if got, want := w.balances(), "h1/held 2500, processing-cost 100, processor 2400"; got != want {
		t.Errorf("%s instead of %s", got, want)
	}
	w.verify()
}

func TestRule9_APledgeIsReservedAndPaidOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	openHold := func(hold HoldID) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error { return w.l.OpenHold(ctx, tx, checkout(hold, 2500)) }
	}
	w.open("h1", 2500)
	w.refuse(ErrTaken, openHold("h1'"))
	w.void("h1")
	w.open("h1'", 2500) // after an abandoned session
	w.charge("h1'", 2500)
	w.refuse(ErrTaken, openHold("h1''"))
	w.decideRefund("h1'", ReasonWithdrawn)
	w.refundSucceeded(w.refundTaken("h1'", 2500))
	w.refuse(ErrTaken, openHold("h1''"))

	w.open("h2", 2500)
	w.void("h2")
	w.charge("h2", 2500) // late
	w.refuse(ErrTaken, openHold("h2'"))
	w.decideRefunds(ReasonCancelled)
	w.refuse(ErrDecided, openHold("h3"))
	w.refuse(ErrPosted, func(ctx context.Context, tx *store.Tx) error { return w.l.VoidHold(ctx, tx, "h1'") })
	w.refuse(ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return w.l.VoidHold(ctx, tx, "h9") })
}

func TestCharge_OfAnythingElseIsUnknownMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("h1", 2500)
	for name, f := range map[string]Charged{
		"less":           {Hold: "h1", Charge: "ch", Transaction: *w.moved(2499, fee)},
		"more":           {Hold: "h1", Charge: "ch", Transaction: *w.moved(2501, fee)},
		"nothing":        {Hold: "h1", Charge: "ch", Transaction: *w.moved(0, fee)},
		"negative":       {Hold: "h1", Charge: "ch", Transaction: *w.moved(-2500, fee)},
		"without charge": {Hold: "h1", Transaction: *w.moved(2500, fee)},
		"other currency": {Hold: "h1", Charge: "ch", Transaction: Transaction{ID: "txn", Amount: 2500, Currency: "JPY"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.refuse(ErrUnknown, func(ctx context.Context, tx *store.Tx) error { return w.l.Charge(ctx, tx, f) })
		})
	}
	w.charge("h1", 2500)
	second := Charged{Hold: "h1", Charge: "ch2", Transaction: *w.moved(2500, fee)}
	w.refuse(ErrUnknown, func(ctx context.Context, tx *store.Tx) error { return w.l.Charge(ctx, tx, second) })
	w.refuse(ErrNotFound, func(ctx context.Context, tx *store.Tx) error {
		return w.l.Charge(ctx, tx, Charged{Hold: "h9", Charge: "ch3", Transaction: *w.moved(2500, fee)})
	})
}

func TestRule14_OneWayOut(t *testing.T) {
	t.Parallel()
	refundOf := func(w *world, hold HoldID) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error {
			return w.l.Refund(ctx, tx, RefundObject{ID: "re", Hold: hold, Amount: 2500, Status: RefundPending, Taken: w.moved(-2500, 0)})
		}
	}
	t.Run("no refund after a settlement", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.held("h1", 2500)
		w.settle()
		w.refuse(ErrDecided, func(ctx context.Context, tx *store.Tx) error { return w.l.DecideRefund(ctx, tx, "h1", ReasonFraud) })
		w.refuse(ErrDecided, func(ctx context.Context, tx *store.Tx) error { return w.l.DecideRefunds(ctx, tx, attempt, ReasonFraud) })
		w.refuse(ErrUnknown, refundOf(w, "h1"))
	})
	t.Run("no settlement after refunds", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.held("h1", 2500)
		w.decideRefunds(ReasonCancelled)
		w.refuse(ErrDecided, func(ctx context.Context, tx *store.Tx) error { return w.l.Settle(ctx, tx, halves) })
		w.refuse(ErrNotFound, func(ctx context.Context, tx *store.Tx) error {
			_, err := w.l.RequestTransfer(ctx, tx, "h1", ann)
			return err
		})
		w.refuse(ErrUnknown, func(ctx context.Context, tx *store.Tx) error {
			return w.l.Transfer(ctx, tx, TransferObject{ID: "tr", Hold: "h1", Payee: ann, Created: *w.moved(-1425, 0)})
		})
	})
	t.Run("no refund that nobody decided, and no second one", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.held("h1", 2500)
		w.refuse(ErrUnknown, refundOf(w, "h1"))
		w.held("h2", 2500)
		w.chargeback("h2", 2500)
		w.refuse(ErrUnknown, refundOf(w, "h2")) // contested, and nobody decided
		w.decideRefund("h1", ReasonWithdrawn)
		w.refund(RefundObject{ID: "re_h1", Hold: "h1", Amount: 2500, Status: RefundPending})
		w.refuse(ErrUnknown, refundOf(w, "h1"))
		w.refundTaken("h1", 2500)
		w.refuse(ErrUnknown, refundOf(w, "h1"))
	})
	t.Run("a settlement with other shares", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.held("h1", 2500)
		w.settle()
		other := Settlement{Attempt: attempt, Shares: []Share{{ann, 10000}}, FeeBasisPoints: 500}
		w.refuse(nil, func(ctx context.Context, tx *store.Tx) error { return w.l.Settle(ctx, tx, other) })
	})
	t.Run("nothing is decided while a hold is pending", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.held("h1", 2500)
		w.open("h2", 700)
		w.refuse(ErrPending, func(ctx context.Context, tx *store.Tx) error { return w.l.Settle(ctx, tx, halves) })
		w.refuse(ErrPending, func(ctx context.Context, tx *store.Tx) error {
			return w.l.DecideRefunds(ctx, tx, attempt, ReasonUndecided)
		})
		w.void("h2")
		w.settle()
		w.charge("h2", 700) // after all
		if got := w.history("h2"); got != "refunding(late)" {
			t.Error(got)
		}
		w.verify()
	})
	t.Run("nothing held", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.refuse(ErrNothingHeld, func(ctx context.Context, tx *store.Tx) error { return w.l.Settle(ctx, tx, halves) })
		w.open("h1", 2500)
		w.refuse(ErrNotHeld, func(ctx context.Context, tx *store.Tx) error { return w.l.DecideRefund(ctx, tx, "h1", ReasonWithdrawn) })
		w.void("h1")
		w.decideRefunds(ReasonNotReleased)
		w.decideRefunds(ReasonNotReleased)
		w.refuse(ErrDecided, func(ctx context.Context, tx *store.Tx) error { return w.l.Settle(ctx, tx, halves) })
	})
}

func TestTransfer_OnlyWhatIsDueAndOnlyOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 2500)
	w.settle()
	for name, o := range map[string]TransferObject{
		"less":           {ID: "tr", Hold: "h1", Payee: ann, Created: *w.moved(-1424, 0)},
		"more":           {ID: "tr", Hold: "h1", Payee: ann, Created: *w.moved(-1426, 0)},
		"a stranger":     {ID: "tr", Hold: "h1", Payee: "did:plc:eve", Created: *w.moved(-1425, 0)},
		"the wrong way":  {ID: "tr", Hold: "h1", Payee: ann, Created: *w.moved(1425, 0)},
		"other currency": {ID: "tr", Hold: "h1", Payee: ann, Created: Transaction{ID: "txn", Amount: -1425, Currency: "EUR"}},
	} {
		t.Run(name, func(t *testing.T) {
			w.refuse(ErrUnknown, func(ctx context.Context, tx *store.Tx) error { return w.l.Transfer(ctx, tx, o) })
		})
	}
	sent := w.sent("h1", ann)
	second := TransferObject{ID: "tr2", Hold: "h1", Payee: ann, Created: *w.moved(-1425, 0)}
	w.refuse(ErrUnknown, func(ctx context.Context, tx *store.Tx) error { return w.l.Transfer(ctx, tx, second) })
	w.settled(sent)
	w.refuse(ErrNotDue, func(ctx context.Context, tx *store.Tx) error {
		_, err := w.l.RequestTransfer(ctx, tx, "h1", ann)
		return err
	})
	if err := w.reverse("h1", ann, 1); !errors.Is(err, ErrUnknown) {
		t.Errorf("a reversal without a loss: %v", err)
	}
	w.lost(w.chargeback("h1", 1000))
	if err := w.reverse("h1", ann, 571); !errors.Is(err, ErrUnknown) {
		t.Errorf("more than the payee's part of the loss: %v", err)
	}
	w.verify()
}

func TestRefund_OnlyInAnOrderThatCanBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 2500)
	w.decideRefund("h1", ReasonWithdrawn)
	refuse := func(want error, r RefundObject) {
		t.Helper()
		r.ID, r.Hold = "re", "h1"
		w.refuse(want, func(ctx context.Context, tx *store.Tx) error { return w.l.Refund(ctx, tx, r) })
	}
	refuse(ErrNotYet, RefundObject{Amount: 2500, Status: RefundSucceeded})
	refuse(ErrNotYet, RefundObject{Amount: 2500, Status: RefundFailed, Returned: w.moved(2500, 0)})
	refuse(ErrUnknown, RefundObject{Amount: 2501, Status: RefundPending})
	refuse(ErrUnknown, RefundObject{Amount: 2500, Status: RefundPending, Taken: w.moved(-2499, 0)})
	refuse(ErrUnknown, RefundObject{Amount: 0, Status: RefundPending})
	taken := w.refundTaken("h1", 2500)
	w.refuse(ErrNotYet, func(ctx context.Context, tx *store.Tx) error {
		r := taken
		r.Status = RefundFailed
		return w.l.Refund(ctx, tx, r)
	})
	w.refuse(ErrNotDue, func(ctx context.Context, tx *store.Tx) error { return w.l.RefuseRefund(ctx, tx, "h1", "1") })
	w.refuse(ErrNotDue, func(ctx context.Context, tx *store.Tx) error { return w.l.RetryRefund(ctx, tx, "h1") })
	w.refuse(ErrNotDue, func(ctx context.Context, tx *store.Tx) error { return w.l.PayOtherwise(ctx, tx, "h1", Digest{}) })
}

func TestChargeback_OnlyWhatCanBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("h1", 2500)
	refuse := func(want error, d DisputeObject) {
		t.Helper()
		d.ID, d.Hold = "dp_h1", "h1"
		w.refuse(want, func(ctx context.Context, tx *store.Tx) error { return w.l.Chargeback(ctx, tx, d) })
	}
	refuse(ErrNotYet, DisputeObject{Withdrawn: w.moved(-2500, 0)})
	w.charge("h1", 2500)
	refuse(ErrUnknown, DisputeObject{Withdrawn: w.moved(-2501, 0)})
	refuse(ErrUnknown, DisputeObject{Withdrawn: w.moved(2500, 0)})
	open := w.chargeback("h1", 2500)
	refuse(ErrUnknown, DisputeObject{Withdrawn: w.moved(-1, 0)})
	refuse(ErrNotYet, DisputeObject{Withdrawn: open.Withdrawn, State: ChargebackWon})
	refuse(ErrUnknown, DisputeObject{Withdrawn: open.Withdrawn, Reinstated: []Transaction{*w.moved(2501, 0)}})
	lost := w.lost(open)
	refuse(nil, DisputeObject{Withdrawn: open.Withdrawn, State: ChargebackWon})
	refuse(ErrUnknown, DisputeObject{Withdrawn: lost.Withdrawn, Reinstated: []Transaction{*w.moved(2500, 0)}, State: ChargebackLost})
	// A bank may take again what it was given, and not more than that at a time.
	w.dispute(DisputeObject{ID: "dp_2", Hold: "h1", Withdrawn: w.moved(-2000, 0), State: ChargebackOpen})
	more := DisputeObject{ID: "dp_3", Hold: "h1", Withdrawn: w.moved(-501, 0), State: ChargebackOpen}
	w.refuse(ErrUnknown, func(ctx context.Context, tx *store.Tx) error { return w.l.Chargeback(ctx, tx, more) })
}

// The database refuses by itself what the functions would not do.
func TestDatabase_RefusesTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 2500)
	w.held("h2", 2500)
	w.held("h3", 2500)
	w.held("h4", 2500)
	w.decideRefund("h1", ReasonWithdrawn)
	w.refundTaken("h1", 2500)
	w.chargeback("h3", 2500)
	w.settle()
	other := checkout("h5", 1)
	other.Attempt = "another"
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.OpenHold(ctx, tx, other) })
	zeros := strings.Repeat("00", 32)
	for _, statement := range []string{
		`UPDATE entry SET at = at + 1`, `DELETE FROM entry`, `UPDATE posting SET amount = amount + 1`, `DELETE FROM posting`,
		`INSERT INTO posting (entry, line, debit, credit, amount) VALUES (1, 3, 1, 2, 5)`, // lines added later
		`INSERT INTO posting (entry, line, debit, credit, amount) VALUES ((SELECT max(sequence) FROM entry), 9, 1, 2, 5)`,
		`INSERT INTO posting (entry, line, debit, credit, amount) VALUES ((SELECT max(sequence) + 1 FROM entry), 1, 1, 1, 5)`,
		`INSERT INTO posting (entry, line, debit, credit, amount) VALUES ((SELECT max(sequence) + 1 FROM entry), 1, 1, 2, -5)`,
		`INSERT INTO posting (entry, line, debit, credit, amount) VALUES ((SELECT max(sequence) + 1 FROM entry), 1, 1, 2, 2.5)`,
		`INSERT INTO entry (sequence, reference, kind, at, facts, lines, hash) SELECT max(sequence) + 1, 'r', 'k', max(at), x'` + zeros + `', 1, x'` + zeros + `' FROM entry`,
		`INSERT INTO entry (sequence, reference, kind, at, facts, lines, hash) SELECT max(sequence) + 2, 'r', 'k', max(at), x'` + zeros + `', 1, x'` + zeros + `' FROM entry`,
		`INSERT OR REPLACE INTO posting (entry, line, debit, credit, amount) VALUES (1, 1, 1, 2, 5)`,
		`UPDATE account SET path = 'USD/mine'`, `DELETE FROM account`, `UPDATE account SET balance = 5 WHERE kind = 'held'`,
		`INSERT INTO account (path, kind, currency, bound, balance) VALUES ('USD/x', 'float', 'USD', 'none', 5)`,
		`UPDATE hold SET amount = 1`, `UPDATE hold SET state = 'pending' WHERE id = 'h1'`, `UPDATE hold SET state = 'voided' WHERE id = 'h1'`,
		`UPDATE hold SET charge = 'x' WHERE id = 'h1'`, `UPDATE hold SET state = 'posted' WHERE id = 'h5'`, `DELETE FROM hold`,
		`INSERT INTO hold (id, pledge, cid, attempt, currency, amount, state) SELECT 'x', pledge, cid, attempt, currency, amount, 'pending' FROM hold WHERE id = 'h1'`,
		`UPDATE decision SET outcome = 'refund'`, `DELETE FROM decision`,
		`INSERT INTO decision (attempt, outcome, reason) SELECT attempt, 'refund', '' FROM decision`,
		`UPDATE exit SET outcome = 'settlement'`, `DELETE FROM exit`, `INSERT INTO exit (hold, outcome, reason) VALUES ('h1', 'settlement', '')`,
		`INSERT OR REPLACE INTO exit (hold, outcome, reason) VALUES ('h1', 'settlement', '')`,
		`INSERT INTO refund (id, hold, outcome, amount, state) VALUES ('x', 'h2', 'refund', 1, 'pending')`,     // it was settled
		`INSERT INTO refund (id, hold, outcome, amount, state) VALUES ('x', 'h2', 'settlement', 1, 'pending')`, //
		`INSERT INTO refund (id, hold, outcome, amount, state) VALUES ('x', 'h1', 'refund', 1, 'pending')`,     // there is one
		`UPDATE refund SET state = 'pending'`, `UPDATE refund SET amount = 1`, `DELETE FROM refund`,
		`INSERT INTO payout (hold, payee, outcome, amount, state) VALUES ('h1', 'did:plc:eve', 'settlement', 1, 'due')`, // it was refunded
		`UPDATE payout SET amount = amount + 1`, `UPDATE payout SET withheld = amount + 1`, `UPDATE payout SET recovered = 1`, `DELETE FROM payout`,
		`UPDATE chargeback SET amount = 1`, `UPDATE chargeback SET returned = 2501`, `DELETE FROM chargeback`,
		`UPDATE change SET status = 'released'`, `DELETE FROM change`,
	} {
		w.refuse(nil, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			if err == nil {
				t.Errorf("not refused: %s", statement)
				err = errors.New("not refused")
			}
			return err
		})
	}
	w.verify()
}
