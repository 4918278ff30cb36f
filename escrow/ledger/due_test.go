package ledger

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// read runs a reader on a snapshot.
func read[T any](w *world, fn func(context.Context, sqlite.Querier) (T, error)) (out T) {
	w.t.Helper()
	w.ok(w.s.Read(w.ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		out, err = fn(ctx, q)
		return err
	}))
	return out
}

func (w *world) refundsDue() (holds []HoldID) {
	w.t.Helper()
	for after := int64(0); ; {
		page := read(w, func(ctx context.Context, q sqlite.Querier) ([]RefundDue, error) { return RefundsDue(ctx, q, after, 1) })
		if len(page) == 0 {
			slices.Sort(holds)
			return holds
		}
		holds, after = append(holds, page[0].Hold), page[0].Place
	}
}

func TestRefundsDue_AreThoseOfWhichNoneIsUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, hold := range []HoldID{"h1", "h2", "h3", "h4"} {
		w.held(hold, 1000)
	}
	if due := w.refundsDue(); len(due) != 0 {
		t.Errorf("due while all is held: %v", due)
	}
	w.decideRefund("h1", ReasonWithdrawn)
	w.decideRefund("h2", ReasonWithdrawn)
	w.decideRefund("h3", ReasonWithdrawn)
	w.refundTaken("h2", 1000)
	w.refundSucceeded(w.refundTaken("h3", 1000))
	if diff := cmp.Diff([]HoldID{"h1"}, w.refundsDue()); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.RefuseRefund(ctx, tx, "h1", "1") })
	if due := w.refundsDue(); len(due) != 0 {
		t.Errorf("due although the processor refuses it: %v", due)
	}
	w.retry("h1")
	if diff := cmp.Diff([]HoldID{"h1"}, w.refundsDue()); diff != "" {
		t.Errorf("due after an admin wants another try (-want +got):\n%s", diff)
	}
}

func TestPayoutsDue_UntilTheirTransferIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 1000)
	w.held("h2", 1000)
	w.settle()
	list := func() (out []PayoutOf) {
		for after := (PayoutOf{}); ; {
			page := read(w, func(ctx context.Context, q sqlite.Querier) ([]PayoutOf, error) { return PayoutsDue(ctx, q, after, 1) })
			if len(page) == 0 {
				return out
			}
			out, after = append(out, page[0]), page[0]
		}
	}
	if diff := cmp.Diff([]PayoutOf{{"h1", ann}, {"h1", ben}, {"h2", ann}, {"h2", ben}}, list()); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	amount := w.requested("h1", ann)
	w.transfer(TransferObject{ID: "tr_1", Hold: "h1", Payee: ann, Created: *w.moved(-amount, 0)})
	if diff := cmp.Diff([]PayoutOf{{"h1", ben}, {"h2", ann}, {"h2", ben}}, list()); diff != "" {
		t.Errorf("due after a transfer (-want +got):\n%s", diff)
	}
	of := read(w, func(ctx context.Context, q sqlite.Querier) (PayoutOf, error) { return PayoutOfTransfer(ctx, q, "tr_1") })
	if of != (PayoutOf{"h1", ann}) {
		t.Errorf("the transfer is of %v", of)
	}
}

func TestRecoverable_UntilAllIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 1000)
	w.settle()
	amount := w.requested("h1", ann)
	w.transfer(TransferObject{ID: "tr_1", Hold: "h1", Payee: ann, Created: *w.moved(-amount, 0)})
	list := func() []PayoutOf {
		return read(w, func(ctx context.Context, q sqlite.Querier) ([]PayoutOf, error) {
			return Recoverable(ctx, q, PayoutOf{}, 10)
		})
	}
	if len(list()) != 0 {
		t.Errorf("recoverable without a chargeback: %v", list())
	}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.l.Chargeback(ctx, tx, DisputeObject{ID: "dp_1", Hold: "h1", Withdrawn: &Transaction{ID: "txn_d", Amount: -1000, Fee: 1500, Currency: "USD"}, State: ChargebackLost})
	})
	if diff := cmp.Diff([]PayoutOf{{"h1", ann}}, list()); diff != "" {
		t.Errorf("recoverable (-want +got):\n%s", diff)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.l.ReverseTransfer(ctx, tx, Reversal{Transfer: "tr_1", Hold: "h1", Payee: ann, Returned: *w.moved(amount, 0)})
	})
	if len(list()) != 0 {
		t.Errorf("recoverable after all is back: %v", list())
	}
}

func TestBookedAs_IsTheNetOfTheMovementAndItsFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("h1", 1000)
	charged := w.charge("h1", 1000)
	topUp, cost := *w.moved(5000, 0), *w.moved(-25, 0)
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Operator(ctx, tx, TopUp, topUp) })
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.l.Operator(ctx, tx, OperatorCost, cost) })
	for _, c := range []struct {
		movement string
		want     Booked
	}{
		{charged.Transaction.ID, Booked{kindCharge, 1000 - fee, fee, "USD"}},
		{topUp.ID, Booked{Kind(TopUp), 5000, 0, "USD"}},
		{cost.ID, Booked{Kind(OperatorCost), -25, 25, "USD"}},
	} {
		got := read(w, func(ctx context.Context, q sqlite.Querier) (b Booked, err error) {
			b, ok, err := BookedAs(ctx, q, c.movement)
			if err == nil && !ok {
				t.Errorf("%s is not known", c.movement)
			}
			return b, err
		})
		if got != c.want {
			t.Errorf("%s was booked as %+v, want %+v", c.movement, got, c.want)
		}
	}
	read(w, func(ctx context.Context, q sqlite.Querier) (b Booked, err error) {
		b, ok, err := BookedAs(ctx, q, "txn_never")
		if ok {
			t.Errorf("a movement that nobody told was booked as %+v", b)
		}
		return b, err
	})
	ids := read(w, func(ctx context.Context, q sqlite.Querier) ([]string, error) {
		return BookedAfter(ctx, q, charged.Transaction.ID, 10)
	})
	if diff := cmp.Diff([]string{topUp.ID, cost.ID}, ids); diff != "" {
		t.Errorf("movements after the charge's (-want +got):\n%s", diff)
	}
	total := read(w, AtProcessor)
	if diff := cmp.Diff([]money.Money{{Amount: 1000 - fee + 5000 - 25, Currency: "USD"}}, total); diff != "" {
		t.Errorf("at the processor (-want +got):\n%s", diff)
	}
}

func TestReadersOfWhatIsDueScanNoTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, query := range []string{
		`SELECT id FROM account WHERE kind = 'refund-due' AND balance < 0 AND id > 0
			AND NOT EXISTS (SELECT 1 FROM refund WHERE state <> 'failed' AND refund.hold = path) ORDER BY id LIMIT 9`,
		`SELECT count(*) FROM account WHERE kind = 'returned' AND balance < 0`,
		`SELECT balance FROM account WHERE kind = 'processor'`,
		`SELECT sum(open.balance) FROM account AS open LEFT JOIN account AS contested ON contested.path = substr(open.path, 9)
			WHERE open.currency = 'USD' AND open.kind = 'chargeback-open' AND open.balance > 0`,
		`SELECT hold, payee FROM payout WHERE (state = 'due' OR state = 'requested') AND (hold, payee) > ('', '') ORDER BY hold, payee LIMIT 9`,
		`SELECT hold, payee FROM payout WHERE recoverable > recovered AND transfer IS NOT NULL AND (hold, payee) > ('', '') ORDER BY hold, payee LIMIT 9`,
	} {
		plan := read(w, func(ctx context.Context, q sqlite.Querier) (string, error) {
			var out strings.Builder
			rows, err := q.QueryContext(ctx, `EXPLAIN QUERY PLAN `+query)
			if err != nil {
				return "", err
			}
			defer rows.Close()
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					return "", err
				}
				out.WriteString(detail + "\n")
			}
			return out.String(), rows.Err()
		})
		// A partial index holds only what is due, so all of it may be read.
		for line := range strings.Lines(plan) {
			if strings.HasPrefix(line, "SCAN") && !strings.Contains(line, "USING") || strings.Contains(line, "TEMP B-TREE") {
				t.Errorf("%s\nis planned as\n%s", query, plan)
			}
		}
	}
}
