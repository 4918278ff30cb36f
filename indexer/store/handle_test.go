package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
)

func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func mustSetHandle(t *testing.T, s *testStore, did syntax.DID, handle syntax.Handle, due time.Time) {
	t.Helper()
	if err := s.SetHandle(t.Context(), did, handle, due); err != nil {
		t.Fatal(err)
	}
}

func mustDueHandles(t *testing.T, s *testStore) []syntax.DID {
	t.Helper()
	due, _, err := s.DueHandles(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func mustDIDOf(t *testing.T, s *testStore, handle syntax.Handle) syntax.DID {
	t.Helper()
	var did syntax.DID
	mustRead(t, s, func(r *Reader) error {
		var err error
		if did, err = r.DIDOf(t.Context(), handle); errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return did
}

func mustHandles(t *testing.T, s *testStore, dids ...syntax.DID) map[syntax.DID]syntax.Handle {
	t.Helper()
	var out map[syntax.DID]syntax.Handle
	mustRead(t, s, func(r *Reader) error {
		var err error
		out, err = r.Handles(t.Context(), dids)
		return err
	})
	return out
}

func TestDueHandles_LongestDueFirst(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(project(t, alice, "p", bob, carol, dave))
	for i, did := range []syntax.DID{carol, alice, dave} {
		mustSetHandle(t, w.s, did, syntax.HandleInvalid, start.Add(time.Duration(i+1)*time.Hour))
	}
	due, next, err := w.s.DueHandles(t.Context(), 100)
	if err != nil || !slices.Equal(due, []syntax.DID{bob}) || !next.Equal(start.Add(time.Hour)) {
		t.Fatalf("due %v, next %s, %v", due, next, err)
	}
	w.s.clock.advance(2 * time.Hour)
	due, next, err = w.s.DueHandles(t.Context(), 2)
	if err != nil || !slices.Equal(due, []syntax.DID{bob, carol}) || !next.Equal(start.Add(3*time.Hour)) {
		t.Fatalf("due %v, next %s, %v", due, next, err)
	}
	if err := w.s.HandleUnavailable(t.Context(), bob, start.Add(9*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if due := mustDueHandles(t, w.s); !slices.Equal(due, []syntax.DID{carol, alice}) {
		t.Errorf("due %v", due)
	}
}

func TestSetHandle_BelongsToOneAccount(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(project(t, alice, "p", bob))
	later := start.Add(time.Hour)
	mustSetHandle(t, w.s, alice, "Name.Test", later)
	if got := mustDIDOf(t, w.s, "NAME.test"); got != alice {
		t.Fatalf("the handle is of %q", got)
	}
	mustSetHandle(t, w.s, bob, "name.test", later)
	if got := mustDIDOf(t, w.s, "name.test"); got != bob {
		t.Errorf("the handle is of %q", got)
	}
	if due := mustDueHandles(t, w.s); !slices.Equal(due, []syntax.DID{alice}) {
		t.Errorf("due %v", due)
	}
}

func TestHandles_UnprovenOnesAreNobodys(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(project(t, alice, "p", bob, carol))
	later := start.Add(time.Hour)
	mustSetHandle(t, w.s, alice, "alice.test", later)
	mustSetHandle(t, w.s, bob, syntax.HandleInvalid, later)
	want := map[syntax.DID]syntax.Handle{alice: "alice.test"}
	if diff := cmp.Diff(want, mustHandles(t, w.s, alice, bob, carol, dave)); diff != "" {
		t.Errorf("handles (-want +got):\n%s", diff)
	}
	if got := mustDIDOf(t, w.s, syntax.HandleInvalid); got != "" {
		t.Errorf("handle.invalid is taken for %s", got)
	}
	// An account whose handle could not be asked keeps it.
	if err := w.s.HandleUnavailable(t.Context(), alice, later); err != nil {
		t.Fatal(err)
	}
	if got := mustDIDOf(t, w.s, "alice.test"); got != alice {
		t.Errorf("the handle is of %q", got)
	}
}
