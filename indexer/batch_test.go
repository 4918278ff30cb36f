package indexer

import (
	"testing"

	"github.com/stratosfund/stratosfund/indexer/store"
)

func TestTheCursorNeverGoesBack(t *testing.T) {
	t.Parallel()
	ordered := make(chan *job, 1)
	var passed skipped
	b := batch{saved: 10}

	passed.note(12, []byte("at 12"))
	passed.pass(&b, ordered)
	if b.seq != 12 || b.at != "at 12" {
		t.Fatalf("a skipped frame moves to %d, want 12", b.seq)
	}
	b = batch{saved: 12, seq: 12}
	if err := b.add(&job{seq: 15, change: &store.Change{}}); err != nil || b.seq != 15 {
		t.Fatalf("a job moves to %d (%v), want 15", b.seq, err)
	}
	b = batch{saved: 15, seq: 15}
	if passed.pass(&b, ordered); !b.empty() {
		t.Errorf("the skipped frame of long ago moves back to %d", b.seq)
	}
	if err := b.add(&job{seq: 11}); err != nil || !b.empty() {
		t.Errorf("a repeated frame moves back to %d", b.seq)
	}
	passed.note(17, nil)
	ordered <- &job{seq: 16}
	if passed.pass(&b, ordered); !b.empty() {
		t.Errorf("a skipped frame overtook a job that waits")
	}
}
