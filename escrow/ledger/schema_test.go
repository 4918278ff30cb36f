package ledger

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 20)
}

func sorted[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	slices.Sort(out)
	return out
}

func TestSchema_ChecksListTheConstants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for column, want := range map[string][]string{
		"account.kind":     sorted(AccountKinds()...),
		"account.bound":    sorted(BoundNone, BoundDebit, BoundCredit),
		"hold.state":       sorted(HoldStates()...),
		"exit.outcome":     sorted(Outcomes()...),
		"decision.outcome": sorted(OutcomeRefund, OutcomeSettlement),
		"refund.outcome":   sorted(OutcomeRefund, OutcomeChargeback),
		"payout.outcome":   sorted(OutcomeSettlement),
		"refund.state":     sorted(RefundStates()...),
		"payout.state":     sorted(PayoutStates()...),
		"chargeback.state": sorted(ChargebackStates()...),
		"change.status": sorted(lifecycle.ReceiptHeld, lifecycle.ReceiptReleasing, lifecycle.ReceiptReleased, lifecycle.ReceiptRefunding,
			lifecycle.ReceiptRefunded, lifecycle.ReceiptRefundFailed, lifecycle.ReceiptChargedBack),
	} {
		table, name, _ := strings.Cut(column, ".")
		var sql string
		w.ok(w.s.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
			return q.QueryRowContext(ctx, `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = $1`, table).Scan(&sql)
		}))
		check := regexp.MustCompile(`(?s)\s` + name + `\s+TEXT\s+NOT NULL CHECK \((.*?'\)?)\)`).FindStringSubmatch(sql)
		if check == nil {
			t.Errorf("%s has no list", column)
			continue
		}
		var got []string
		for _, quoted := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(check[1], -1) {
			got = append(got, quoted[1])
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-constants +schema):\n%s", column, diff)
		}
	}
}

func TestChart_ListsEachKindOnce(t *testing.T) {
	t.Parallel()
	if len(AccountKinds()) != len(chart) || len(slices.Compact(sorted(AccountKinds()...))) != len(chart) {
		t.Error("the list of kinds and the chart differ")
	}
	for _, kind := range AccountKinds() {
		if _, known := chart[kind]; !known {
			t.Errorf("%s is not in the chart", kind)
		}
	}
	if !slices.Equal(sorted(payments.Modes()...), []string{"live", "simulator", "test"}) {
		t.Error(payments.Modes())
	}
}

func TestReasons_AreThoseOfTheLexicon(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "lexicons", "fund", "stratos", "escrow", "receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(raw), "Why the status is what it is")
	list, _, _ = strings.Cut(list, "]")
	var known []string
	for _, quoted := range regexp.MustCompile(`"([a-z-]+)"[,\s]`).FindAllStringSubmatch(list[strings.Index(list, "["):], -1) {
		known = append(known, quoted[1])
	}
	slices.Sort(known)
	if diff := cmp.Diff(known, sorted(Reasons()...)); diff != "" {
		t.Errorf("(-lexicon +ours):\n%s", diff)
	}
}

func TestDonation_NeverWasInTheLedger(t *testing.T) {
	t.Parallel()
	for d, want := range map[Donation]struct {
		status lifecycle.ReceiptStatus
		reason Reason
	}{
		{}:                             {lifecycle.ReceiptPaid, ""},
		{Reversed: true}:               {lifecycle.ReceiptReversed, ""},
		{Reversed: true, ByBank: true}: {lifecycle.ReceiptReversed, ReasonChargeback},
	} {
		if status, reason := d.Status(); status != want.status || reason != want.reason {
			t.Errorf("%+v: %s %s", d, status, reason)
		}
	}
}

func TestReceipt_HasTheFeeAndNoMoreChangesThanItsLexiconAllows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.receipt(pledgeOf("h1")); err == nil {
		t.Error("a receipt without a charge")
	}
	w.open("h1", 2500)
	if _, err := w.receipt(pledgeOf("h1")); err == nil {
		t.Error("a receipt for a reservation")
	}
	w.charge("h1", 2500)
	w.decideRefund("h1", ReasonWithdrawn)
	for range historyLimit { // refunding, refund-failed, and again
		w.n++
		r := RefundObject{ID: fmt.Sprint("re_", w.n), Hold: "h1", Amount: 2500, Status: RefundFailed, Taken: w.moved(-2500, 0), Returned: w.moved(2500, 0)}
		w.refund(r)
		w.retry("h1")
	}
	w.refundSucceeded(w.refundTaken("h1", 2500))
	r, err := w.receipt(pledgeOf("h1"))
	w.ok(err)
	if len(r.History) != historyLimit || r.Status != lifecycle.ReceiptRefunded || r.History[0].Status != lifecycle.ReceiptHeld || r.Fee.Amount != 0 {
		t.Errorf("%+v", r)
	}
	w.verify()

	w = newWorld(t)
	w.held("h1", 2500)
	w.released("h1")
	r, err = w.receipt(pledgeOf("h1"))
	w.ok(err)
	if r.Fee.Amount != 125 || r.Value.Amount != 2500 || r.Hold != "h1" || r.CID != "bafyreia" || r.Attempt != attempt {
		t.Errorf("%+v", r)
	}
}

func TestRule16_WhatIsFreeIsTheOperatorsAndNotAtRisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	position := func() (p Position) {
		w.ok(w.s.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
			p, err = PositionIn(ctx, q, "USD")
			return err
		}))
		return p
	}
	if p := position(); p != (Position{}) {
		t.Errorf("%+v of nothing", p)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.l.Operator(ctx, tx, TopUp, *w.moved(10_000, 0))
	})
	w.held("h1", 2500) // costs 100
	w.held("h2", 1000) // costs 100
	if p := position(); p.Own != 9800 || p.Free() != 9800 {
		t.Errorf("%+v with two pledges held", p)
	}
	w.chargeback("h2", 1000) // its own money is contested; the fee of 1500 is ours
	if p := position(); p.Free() != 8300 {
		t.Errorf("%+v with a pledge contested", p)
	}
	w.held("h3", 2500)
	w.chargeback("h3", 1000) // the other 1500 are contested as well, and stay the payer's
	if p := position(); p.AtRisk != 0 || p.Free() != 6700 {
		t.Errorf("%+v with a pledge contested of which a bank took a part", p)
	}
	w.released("h1") // earns 125
	w.chargeback("h1", 2500)
	if p := position(); p.Own != 5325 || p.AtRisk != 2500 || p.Free() != 2825 {
		t.Errorf("%+v with a release contested", p)
	}
}

// What a bank leaves us of a pledge that is contested is owed: also of one that it gave
// a part of back without a decision.
func TestRule16_WhatIsOwedAndWhatIsFreeAreAllThereIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		happens func(*world)
		owed    int64
		free    int64
	}{
		{"held", func(w *world) { w.held("h1", 2500) }, 2500, 9900},
		{"all is withdrawn", func(w *world) { w.held("h1", 2500); w.chargeback("h1", 2500) }, 0, 8400},
		{"a part is withdrawn", func(w *world) { w.held("h1", 2500); w.chargeback("h1", 1000) }, 1500, 8400},
		{"a part is given back, and not decided", func(w *world) {
			w.held("h1", 2500)
			d := w.chargeback("h1", 2500)
			d.Reinstated = []Transaction{*w.moved(1000, 0)}
			w.dispute(d)
		}, 1000, 8400},
		{"all is given back, and not decided", func(w *world) {
			w.held("h1", 2500)
			d := w.chargeback("h1", 2500)
			d.Reinstated = []Transaction{*w.moved(2500, 0)}
			w.dispute(d)
		}, 2500, 8400},
		{"two parts", func(w *world) {
			w.held("h1", 2500)
			w.chargeback("h1", 1000)
			w.dispute(DisputeObject{ID: "dp2", Hold: "h1", Withdrawn: w.moved(-500, 0), State: ChargebackOpen})
		}, 1000, 8400},
		{"a part beside a refund that left", func(w *world) {
			w.held("h1", 2500)
			w.decideRefund("h1", ReasonWithdrawn)
			w.refundSucceeded(w.refundTaken("h1", 2500))
			w.chargeback("h1", 1000)
		}, 0, 7400},
		{"a part of one, and all of another after its release", func(w *world) {
			w.held("h1", 2500)
			w.held("h2", 2500)
			w.chargeback("h1", 1000)
			w.released("h2") // earns 125
			w.chargeback("h2", 2500)
		}, 1500, 4425},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.do(func(ctx context.Context, tx *store.Tx) error {
				return w.l.Operator(ctx, tx, TopUp, *w.moved(10_000, 0))
			})
			c.happens(w)
			r, err := w.receipt(pledgeOf("h1"))
			w.ok(err)
			if r.Stand.Owed != c.owed {
				t.Errorf("the receipt owes %d, want %d", r.Stand.Owed, c.owed)
			}
			p := read(w, func(ctx context.Context, q sqlite.Querier) (Position, error) { return PositionIn(ctx, q, "USD") })
			if p.Free() != c.free {
				t.Errorf("%+v, of which %d is free, want %d", p, p.Free(), c.free)
			}
			w.equal()
		})
	}
}

// equal insists that what is owed and what is free are what the processor has, and what
// is on its way.
func (w *world) equal() {
	w.t.Helper()
	var owed int64
	for _, m := range read(w, Liabilities) {
		owed += m.Amount
	}
	p := read(w, func(ctx context.Context, q sqlite.Querier) (Position, error) { return PositionIn(ctx, q, "USD") })
	there := read(w, func(ctx context.Context, q sqlite.Querier) (there int64, err error) {
		err = q.QueryRowContext(ctx, `
			SELECT coalesce(sum(balance), 0) FROM account
			WHERE kind = 'processor' OR kind = 'refund-in-transit' OR kind = 'in-transit'`).Scan(&there)
		return there, err
	})
	if owed+p.Free() != there {
		w.t.Fatalf("%d are owed and %d are free, and %d are there or on their way", owed, p.Free(), there)
	}
}
