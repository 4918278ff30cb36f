package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	attempt AttemptKey = "attemptaaaaaaaaaaaaaaaaa"
	ann     syntax.DID = "did:plc:ann"
	ben     syntax.DID = "did:plc:ben"
	fee     int64      = 100 // the processor's, for each charge
)

// halves is what a settlement pays to whom, with a fee of 5 %.
var halves = Settlement{Attempt: attempt, Shares: []Share{{ann, 6000}, {ben, 4000}}, FeeBasisPoints: 500}

// tester is a *testing.T, or a property's.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is an escrow's ledger, and a processor that says what it is told to say.
type world struct {
	t     tester
	ctx   context.Context
	path  string
	s     *store.Store
	l     *Ledger
	clock time.Time
	n     int // of the last movement
	told  []func(context.Context, *store.Tx) error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := openWorld(t, t.Context(), filepath.Join(t.TempDir(), "escrow.db"))
	t.Cleanup(w.close)
	return w
}

func openWorld(t tester, ctx context.Context, path string) *world {
	t.Helper()
	w := &world{t: t, ctx: ctx, path: path, clock: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	w.s, err = store.Open(ctx, store.Config{Path: path, Mode: payments.Simulator}, store.Options{Clock: func() time.Time {
		w.clock = w.clock.Add(time.Second)
		return w.clock
	}})
	w.ok(err)
	w.l = New(w.s.Mode())
	return w
}

func (w *world) close() { w.ok(w.s.Close()) }

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

// try runs fn in a transaction.
func (w *world) try(fn func(context.Context, *store.Tx) error) error {
	return w.s.Update(w.ctx, fn)
}

func (w *world) do(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	w.ok(w.try(fn))
	w.told = append(w.told, fn)
}

// tellAgain does everything once more, backwards. Who asks for a transfer that is
// there hears that it is not due.
func (w *world) tellAgain() {
	w.t.Helper()
	for _, fn := range slices.Backward(w.told) {
		if err := w.try(fn); err != nil && !errors.Is(err, ErrNotDue) {
			w.t.Fatalf("told again: %v", err)
		}
	}
}

// moved is a new movement of the processor's balance.
func (w *world) moved(amount, fee int64) *Transaction {
	w.n++
	return &Transaction{ID: fmt.Sprintf("txn_%03d", w.n), Amount: amount, Fee: fee, Currency: "USD"}
}

func pledgeOf(hold HoldID) syntax.ATURI {
	return syntax.ATURI("at://did:plc:payer/fund.stratos.feature.pledge/" + strings.TrimRight(string(hold), "'"))
}

// checkout is that of a hold; those whose ids differ only by strokes are for the
// same pledge.
func checkout(hold HoldID, amount int64) Checkout {
	return Checkout{Hold: hold, Pledge: pledgeOf(hold), CID: "bafyreia", Attempt: attempt, Value: money.Money{Amount: amount, Currency: "USD"}}
}

func (w *world) open(hold HoldID, amount int64) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.OpenHold(ctx, tx, checkout(hold, amount)) })
}

func (w *world) void(hold HoldID) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.VoidHold(ctx, tx, hold) })
}

func (w *world) charge(hold HoldID, amount int64) Charged {
	w.t.Helper()
	f := Charged{Hold: hold, Charge: "ch_" + string(hold), Transaction: *w.moved(amount, fee)}
	w.charged(f)
	return f
}

func (w *world) charged(f Charged) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Charge(ctx, tx, f) })
}

// held opens a hold and charges it.
func (w *world) held(hold HoldID, amount int64) {
	w.t.Helper()
	w.open(hold, amount)
	w.charge(hold, amount)
}

func (w *world) decideRefund(hold HoldID, reason Reason) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.DecideRefund(ctx, tx, hold, reason) })
}

func (w *world) decideRefunds(reason Reason) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.DecideRefunds(ctx, tx, attempt, reason) })
}

func (w *world) refund(r RefundObject) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Refund(ctx, tx, r) })
}

// refundTaken is a refund that has left the balance.
func (w *world) refundTaken(hold HoldID, amount int64) RefundObject {
	w.t.Helper()
	r := RefundObject{ID: "re_" + string(hold), Hold: hold, Amount: amount, Status: RefundPending, Taken: w.moved(-amount, 0)}
	w.refund(r)
	return r
}

func (w *world) refundSucceeded(r RefundObject) RefundObject {
	w.t.Helper()
	r.Status = RefundSucceeded
	w.refund(r)
	return r
}

func (w *world) refundFailed(r RefundObject) RefundObject {
	w.t.Helper()
	r.Status, r.Returned = RefundFailed, w.moved(r.Amount, 0)
	w.refund(r)
	return r
}

func (w *world) retry(hold HoldID) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.RetryRefund(ctx, tx, hold) })
}

func (w *world) settle() {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Settle(ctx, tx, halves) })
}

func (w *world) requested(hold HoldID, payee syntax.DID) (amount int64) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) (err error) {
		amount, err = w.l.RequestTransfer(ctx, tx, hold, payee)
		return err
	})
	return amount
}

func (w *world) transfer(t TransferObject) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Transfer(ctx, tx, t) })
}

// sent asks for a transfer, which is created.
func (w *world) sent(hold HoldID, payee syntax.DID) TransferObject {
	w.t.Helper()
	amount := w.requested(hold, payee)
	t := TransferObject{ID: "tr_" + string(hold) + string(payee), Hold: hold, Payee: payee, Created: *w.moved(-amount, 0)}
	w.transfer(t)
	return t
}

func (w *world) settled(t TransferObject) {
	w.t.Helper()
	t.Settled = true
	w.transfer(t)
}

// released settles and pays a hold out.
func (w *world) released(holds ...HoldID) {
	w.t.Helper()
	w.settle()
	for _, hold := range holds {
		w.settled(w.sent(hold, ann))
		w.settled(w.sent(hold, ben))
	}
}

func (w *world) reverse(hold HoldID, payee syntax.DID, amount int64) error {
	r := Reversal{Transfer: "tr_" + string(hold) + string(payee), Hold: hold, Payee: payee, Returned: *w.moved(amount, 0)}
	return w.try(func(ctx context.Context, tx *store.Tx) error { return w.l.ReverseTransfer(ctx, tx, r) })
}

func (w *world) dispute(d DisputeObject) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Chargeback(ctx, tx, d) })
}

// chargeback is a dispute that takes an amount and costs 15.00.
func (w *world) chargeback(hold HoldID, amount int64) DisputeObject {
	w.t.Helper()
	d := DisputeObject{ID: "dp_" + string(hold), Hold: hold, Withdrawn: w.moved(-amount, 1500), State: ChargebackOpen}
	w.dispute(d)
	return d
}

// won gives an amount back.
func (w *world) won(d DisputeObject, amount int64) DisputeObject {
	w.t.Helper()
	d.State, d.Reinstated = ChargebackWon, append(d.Reinstated, *w.moved(amount, 0))
	w.dispute(d)
	return d
}

func (w *world) lost(d DisputeObject) DisputeObject {
	w.t.Helper()
	d.State = ChargebackLost
	w.dispute(d)
	return d
}

// balances shows all accounts that are not empty: those of holds under their hold,
// those of payees under the payee, and the operator's.
func (w *world) balances() string {
	w.t.Helper()
	var shown []string
	w.ok(w.s.Read(w.ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		shown, err = sqlite.Collect(ctx, q, `
			SELECT path, CASE WHEN bound = 'credit' OR kind = 'float' THEN -balance ELSE balance END FROM account
			WHERE balance <> 0
			ORDER BY path LIKE '%/hold/%' DESC, path LIKE '%/attempt/%' DESC, path`,
			func(rows *sql.Rows) (string, error) {
				var path string
				var balance int64
				err := rows.Scan(&path, &balance)
				path = strings.NewReplacer("USD/hold/", "", "USD/attempt/"+string(attempt)+"/did:plc:", "", "USD/", "").Replace(path)
				return fmt.Sprintf("%s %d", path, balance), err
			})
		return err
	}))
	return strings.Join(shown, ", ")
}

func (w *world) receipt(pledge syntax.ATURI) (r Receipt, err error) {
	err = w.s.Read(w.ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		r, err = ReceiptState(ctx, q, pledge)
		return err
	})
	return r, err
}

// history shows the statuses of a hold's pledge so far, with their reasons.
func (w *world) history(hold HoldID) string {
	w.t.Helper()
	r, err := w.receipt(pledgeOf(hold))
	w.ok(err)
	var out []string
	for _, c := range r.History {
		s := string(c.Status)
		if c.Reason != "" {
			s += "(" + string(c.Reason) + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// verify wants a whole ledger.
func (w *world) verify(heads ...Head) *Report {
	w.t.Helper()
	r, err := w.l.Verify(w.ctx, w.s, heads, nil)
	w.ok(err)
	if !r.Whole() {
		w.t.Fatalf("the ledger is not whole: %v", r.Findings)
	}
	return r
}

func (w *world) head() (h Head) {
	w.t.Helper()
	w.ok(w.s.Read(w.ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		h, err = w.l.HeadOf(ctx, q)
		return err
	}))
	return h
}
