package appview

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever comes gets an answer that was begun after they came, and all who wait
// share one.
func TestTurns_NobodyGetsAnAnswerFromBeforeTheyCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns[string, time.Time]()
		var asked atomic.Int64
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(n) * 10 * time.Millisecond)
				came := time.Now()
				begun, err := turns.take(t.Context(), "q", func(context.Context) (time.Time, error) {
					asked.Add(1)
					began := time.Now()
					time.Sleep(105 * time.Millisecond)
					return began, nil
				})
				if err != nil || begun.Before(came) {
					t.Errorf("came at %s, was given what was begun at %s: %v", came, begun, err)
				}
				if took := time.Since(came); took > 210*time.Millisecond {
					t.Errorf("waited for %s", took)
				}
			})
		}
		wg.Wait()
		if n := asked.Load(); n > 12 {
			t.Errorf("asked %d times", n)
		}
		if len(turns.under) != 0 {
			t.Error("something is left of questions that nobody asks")
		}
	})
}

func TestTurns_OneWhoLeavesOrPanicsTakesNobodyAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns[string, int]()
		var wg sync.WaitGroup
		ask := func(ctx context.Context, answer func(context.Context) (int, error), want int, wantErr error) {
			wg.Go(func() {
				defer func() { _ = recover() }()
				got, err := turns.take(ctx, "q", answer)
				if got != want || !errors.Is(err, wantErr) {
					t.Errorf("got %d, %v; want %d, %v", got, err, want, wantErr)
				}
			})
			synctest.Wait()
		}
		slow := func(v int) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) { time.Sleep(time.Second); return v, ctx.Err() }
		}
		leaver, leave := context.WithCancel(t.Context())
		ask(leaver, slow(1), 1, nil)                                               // asks
		ask(leaver, func(context.Context) (int, error) { panic("a bug") }, 0, nil) // asks next, for all who wait
		ask(t.Context(), slow(3), 0, errNotAsked)                                  // waits for who panics
		ask(leaver, slow(4), 0, context.Canceled)                                  // waits, and leaves
		leave()
		wg.Wait()
		ask(t.Context(), slow(5), 5, nil)
		wg.Wait()
	})
}
