package reposync

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestTurns_NoMoreThanSoManyRunAtOnce(t *testing.T) {
	t.Parallel()
	turns := NewTurns(2)
	var running, most atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			err := turns.Do(t.Context(), func(ctx context.Context) {
				n := running.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				waiting(ctx, func() {}) // which is over before the turn is another's
				running.Add(-1)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := most.Load(); got < 1 || got > 2 {
		t.Errorf("%d ran at once", got)
	}
}

// However long a directory takes, others have their turns; and whoever waited has
// one again afterwards.
func TestTurns_AreOthersWhileADirectoryIsAwaited(t *testing.T) {
	t.Parallel()
	turns := NewTurns(1)
	answered, mine := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(mine)
		err := turns.Do(t.Context(), func(ctx context.Context) {
			waiting(ctx, func() { <-answered })
			if len(turns.taken) != 1 {
				t.Error("goes on without a turn")
			}
		})
		if err != nil {
			t.Error(err)
		}
	}()
	for range 3 { // each could only run while the first one waits
		if err := turns.Do(t.Context(), func(context.Context) {}); err != nil {
			t.Fatal(err)
		}
	}
	close(answered)
	<-mine
	if len(turns.taken) != 0 {
		t.Errorf("%d turns are never given back", len(turns.taken))
	}
}

func TestTurns_EndWithTheContext(t *testing.T) {
	t.Parallel()
	turns := NewTurns(1)
	ctx, cancel := context.WithCancel(t.Context())
	err := turns.Do(t.Context(), func(context.Context) {
		cancel()
		if err := turns.Do(ctx, func(context.Context) { t.Error("ran out of turn") }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
