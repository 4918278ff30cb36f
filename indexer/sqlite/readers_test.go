package sqlite

import (
	"context"
	"errors"
	"testing"
)

// What a connection has read is in its own memory: one that just came back knows most.
func TestReaders_TheConnectionThatCameBackLastGoesOutFirst(t *testing.T) {
	t.Parallel()
	path, _ := newLetters(t)
	readers, err := OpenReaders(t.Context(), path, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := readers.Close(); err != nil {
			t.Error(err)
		}
	})
	var outer, inner *Conn
	read := func(fn func(*Conn) error) error {
		return readers.Snapshot(t.Context(), func(s Steady) error { return fn(s.Conn) })
	}
	err = read(func(first *Conn) error {
		outer = first
		return read(func(second *Conn) error {
			inner = second
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if inner == outer {
		t.Fatal("two snapshots on one connection")
	}
	for range 3 {
		if err := read(func(c *Conn) error {
			if c != outer {
				t.Error("another connection than the one that came back last")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReaders_WhoGivesUpWaitingTakesNone(t *testing.T) {
	t.Parallel()
	path, _ := newLetters(t)
	readers, err := OpenReaders(t.Context(), path, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := readers.Close(); err != nil {
			t.Error(err)
		}
	})
	nothing := func(Steady) error { return nil }
	err = readers.Snapshot(t.Context(), func(Steady) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return readers.Snapshot(ctx, nothing)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("read on the only connection twice: %v", err)
	}
	if err := readers.Snapshot(t.Context(), nothing); err != nil {
		t.Errorf("after that: %v", err)
	}
}
