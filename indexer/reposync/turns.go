package reposync

import (
	"context"
	"time"
)

// Turns bounds how many verifications use a processor at the same time, however
// many wait for a directory. Without a bound, whoever else needs a processor, the
// writer of the index first of all, waits behind all of them.
type Turns struct{ taken chan struct{} }

// NewTurns lets n verifications run at the same time.
func NewTurns(n int) *Turns { return &Turns{make(chan struct{}, n)} }

// patience is how long a turn is kept by one who waits for a directory: what it
// has cached comes sooner.
const patience = time.Millisecond

type turnKey struct{}

// Do runs fn when it is its turn; its error is that of a context that ended
// before. While fn waits for an account's key, the turn is another's.
func (t *Turns) Do(ctx context.Context, fn func(context.Context)) error {
	select {
	case t.taken <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer t.giveBack()
	fn(context.WithValue(ctx, turnKey{}, t))
	return nil
}

func (t *Turns) giveBack() { <-t.taken }

// waiting runs fn, which may wait long, and lets others have the turn meanwhile,
// if there is one in the context.
func waiting(ctx context.Context, fn func()) {
	t, ok := ctx.Value(turnKey{}).(*Turns)
	if !ok {
		fn()
		return
	}
	timer := time.AfterFunc(patience, t.giveBack)
	fn()
	if !timer.Stop() {
		t.taken <- struct{}{} // it was given back, or is just now
	}
}
