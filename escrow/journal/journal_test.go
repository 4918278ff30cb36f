package journal

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

func TestJournal_IsAppendOnlyAndAsksWhy(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "escrow.db"), Mode: payments.Simulator}, store.Options{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	update := func(fn func(context.Context, *store.Tx) error) error { return s.Update(t.Context(), fn) }
	for n := range 3 {
		err := update(func(ctx context.Context, tx *store.Tx) error {
			return Write(ctx, tx, Line{Action: "resume", Subject: strconv.Itoa(n), Because: "looked", Outcome: "Lifted."})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := update(func(ctx context.Context, tx *store.Tx) error {
		return Write(ctx, tx, Line{Action: "resume", Because: " "})
	}); !errors.Is(err, ErrNoReason) {
		t.Errorf("an action without a reason gave %v", err)
	}
	for _, statement := range []string{`UPDATE journal SET because = 'other'`, `DELETE FROM journal`} {
		err := update(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, statement)
			return err
		})
		if err == nil {
			t.Errorf("%s was let through", statement)
		}
	}
	var got []Line
	err = s.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		got, err = Newest(ctx, q, 2)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Line{{now, "resume", "1", "looked", "Lifted."}, {now, "resume", "2", "looked", "Lifted."}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the newest lines (-want +got):\n%s", diff)
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 2)
}
