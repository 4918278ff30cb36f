package indexer

import (
	"testing"
	"time"

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

func TestGathering_WaitsOnlyWhileManyCome(t *testing.T) {
	t.Parallel()
	var g gathering
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration) { now = now.Add(d) }
	wantWait := func(what string, want time.Duration) {
		t.Helper()
		if got := max(0, g.wait(now)); got != want {
			t.Errorf("%s waits for %s, want %s", what, got, want)
		}
	}
	for range gatherFrom - 1 {
		wantWait("one of a few", 0)
		g.apply(now, 1)
		after(gatherFor)
	}
	for range gatherFrom + 1 { // all in one stretch, which the last of them ends
		wantWait("one of the first of many", 0)
		g.apply(now, 1)
		after(gatherFor / gatherFrom)
	}
	wantWait("one of many", gatherFor-gatherFor/gatherFrom)
	after(gatherFor - gatherFor/gatherFrom)
	wantWait("all of them", 0)
	g.apply(now, gatherFrom)
	wantWait("the next of many", gatherFor)
	if !g.calm(calmChanges) || g.calm(calmChanges+1) {
		t.Error("what can be derived as it comes is not told from what cannot")
	}
	after(time.Hour)
	wantWait("one that comes much later", 0)
	g.apply(now, 1)
	wantWait("the next after that", 0)
	if g.calm(1) {
		t.Error("what was not gathered says nothing about how fast events come")
	}
}
