package tokens_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/escrow/tokens"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.at.Load()) }

func open(t *testing.T, path string, c *clock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: path, Mode: payments.Simulator}, store.Options{Clock: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUse_OnceAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	c, path := &clock{}, filepath.Join(t.TempDir(), "escrow.db")
	c.at.Store(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	s := open(t, path, c)
	want := func(first bool, issuer syntax.DID, id string) {
		t.Helper()
		if got, err := tokens.New(s).Use(t.Context(), issuer, id, c.now().Add(time.Minute)); err != nil || got != first {
			t.Errorf("%s %s: first %v, %v; want %v", issuer, id, got, err, first)
		}
	}
	want(true, "did:plc:alice", "one")
	want(false, "did:plc:alice", "one")
	want(true, "did:plc:alice", "two")
	want(true, "did:plc:bob", "one")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, c)
	want(false, "did:plc:alice", "two")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUse_OneOfManyIsTheFirst(t *testing.T) {
	t.Parallel()
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "escrow.db"), c)
	var firsts atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if first, err := tokens.New(s).Use(t.Context(), "did:plc:alice", "one", time.UnixMilli(60_000)); err != nil {
				t.Error(err)
			} else if first {
				firsts.Add(1)
			}
		})
	}
	all.Wait()
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d uses were the first", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUse_ExpiredOnesAreForgotten(t *testing.T) {
	t.Parallel()
	c := &clock{}
	s := open(t, filepath.Join(t.TempDir(), "escrow.db"), c)
	for n := range 100 {
		c.at.Add(1000)
		if _, err := tokens.New(s).Use(t.Context(), "did:plc:alice", c.now().String(), c.now().Add(10*time.Second)); err != nil {
			t.Fatal(n, err)
		}
	}
	var kept int
	err := s.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT count(*) FROM used_token`).Scan(&kept)
	})
	if err != nil || kept != 11 {
		t.Errorf("%d are kept, %v; want those of the last ten seconds", kept, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 2)
}
