package halt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

type world struct {
	t     *testing.T
	store *store.Store
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "escrow.db"), Mode: payments.Simulator}, store.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &world{t, s}
}

func (w *world) do(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stop(reason Reason, detail string) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error { return Stop(ctx, tx, reason, detail) })
}

func (w *world) lift() (lifted []Halt) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) (err error) {
		lifted, err = Lift(ctx, tx, "looked at it")
		return err
	})
	return lifted
}

// want compares what stands still, and what that means for checkouts and for money.
func (w *world) want(checkouts, money bool, details ...string) {
	w.t.Helper()
	err := w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		standing, err := Standing(ctx, q)
		if err != nil {
			return err
		}
		var got []string
		for _, h := range standing {
			got = append(got, h.Detail)
		}
		if !slices.Equal(got, details) {
			w.t.Errorf("standing: %q, want %q", got, details)
		}
		var stopped *Error
		if err := Checkouts(ctx, q); errors.As(err, &stopped) != checkouts {
			w.t.Errorf("checkouts: %v", err)
		}
		if err := Money(ctx, q); errors.As(err, &stopped) != money {
			w.t.Errorf("money: %v", err)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestStop_TheSameDetailStandsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(false, false)
	w.stop(UnknownMoney, "txn_1")
	w.stop(UnknownMoney, "txn_1")
	w.stop(Conflict, "txn_1")
	w.want(true, true, "txn_1", "txn_1")
}

func TestStop_SomeReasonsStopOnlyCheckouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stop(PayoutSchedule, "daily")
	w.stop(Strangers, "ch_1")
	w.want(true, false, "daily", "ch_1")
}

func TestLift_WhatAPersonLookedAtDoesNotStopAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stop(Strangers, "ch_1")
	if lifted := w.lift(); len(lifted) != 1 {
		t.Errorf("lifted %v", lifted)
	}
	w.stop(Strangers, "ch_1")
	w.want(false, false)
	w.stop(Strangers, "ch_2")
	w.want(true, false, "ch_2")
}

func TestClear_WhatHealedStopsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stop(PayoutSchedule, "daily")
	w.stop(Unreconciled, "txn_1")
	w.do(func(ctx context.Context, tx *store.Tx) error { return Clear(ctx, tx, PayoutSchedule, "manual again") })
	w.want(true, true, "txn_1")
	w.stop(PayoutSchedule, "daily")
	w.want(true, true, "txn_1", "daily")
}

func TestLift_NobodyLiftsALedgerThatIsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stop(Behind, "not compared")
	if lifted := w.lift(); len(lifted) != 0 {
		t.Errorf("lifted %v", lifted)
	}
	w.want(true, true, "not compared")
}

// A schedule that empties the balance carries held money away, whoever has looked at it.
func TestLift_NobodyLiftsAPayoutSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stop(PayoutSchedule, "daily")
	w.stop(UnknownMoney, "txn_1")
	if lifted := w.lift(); len(lifted) != 1 || lifted[0].Reason != UnknownMoney {
		t.Errorf("lifted %v", lifted)
	}
	w.want(true, false, "daily")
}

func TestRegister_ShowsWhatStandsStillNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registry := prometheus.NewRegistry()
	Register(registry, w.store)
	shown := func() map[string]float64 {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for _, m := range families[0].GetMetric() {
			if n := m.GetGauge().GetValue(); n != 0 {
				out[m.GetLabel()[0].GetValue()] = n
			}
		}
		return out
	}
	if got := shown(); len(got) != 0 {
		t.Errorf("nothing stands still, and it shows %v", got)
	}
	w.stop(Behind, "not compared")
	w.stop(UnknownMoney, "txn_1")
	w.stop(UnknownMoney, "txn_2")
	if got, want := shown(), map[string]float64{"behind": 1, "unknown-money": 2}; !maps.Equal(got, want) {
		t.Errorf("it shows %v, want %v", got, want)
	}
	w.lift()
	if got, want := shown(), map[string]float64{"behind": 1}; !maps.Equal(got, want) {
		t.Errorf("after a person looked, it shows %v, want %v", got, want)
	}
}

func TestFor_StopsForMoneyThatIsNotWhereItShouldBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want Reason
	}{
		{fmt.Errorf("post: %w", ledger.ErrUnknown), UnknownMoney},
		{fmt.Errorf("post: %w", payments.ErrDoubled), UnknownMoney},
		{fmt.Errorf("post: %w", &ledger.ConflictError{Reference: "r"}), Conflict},
		{&payments.Failure{Kind: payments.ErrMismatch}, Conflict},
		{&payments.Failure{Kind: payments.ErrUncertain}, ""},
		{ledger.ErrNotYet, ""},
	} {
		if got, _ := ReasonOf(c.err); got != c.want {
			t.Errorf("%v stops for %q, want %q", c.err, got, c.want)
		}
	}
	w := newWorld(t)
	if stopped, err := For(t.Context(), w.store, ledger.ErrNotYet); stopped || err != nil {
		t.Errorf("it stopped for what only comes later: %v", err)
	}
	if stopped, err := For(t.Context(), w.store, ledger.ErrUnknown); !stopped || err != nil {
		t.Errorf("it did not stop: %v", err)
	}
	w.want(true, true, ledger.ErrUnknown.Error())
}

func TestReasons_AreThoseOfTheSchemaAndHaveASentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, reason := range Reasons() {
		w.stop(reason, "x")
		if reason.Remedy() == "" {
			t.Errorf("nothing says to the operator what to do about %s", reason)
		}
		if sentences[reason] == "" {
			t.Errorf("%s has no sentence", reason)
		}
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 4)
}
