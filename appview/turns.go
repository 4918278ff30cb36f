package appview

import (
	"context"
	"errors"
	"sync"
)

// turns let a question be asked by one at a time. Who comes while it is being
// asked waits, and the next asking is for all of them: it begins after each of
// them came, so that none gets an answer from before. However many ask the same,
// it costs no more than asking without a pause.
type turns[K comparable, V any] struct {
	mu    sync.Mutex
	under map[K]*turn[V] // the one that is being asked
}

type turn[V any] struct {
	done  chan struct{}
	value V
	err   error
	next  *turn[V] // of those who came since it began
}

// errNotAsked is what those get who waited for somebody who failed badly.
var errNotAsked = errors.New("appview: who asked for all did not get to an answer")

func newTurns[K comparable, V any]() *turns[K, V] { return &turns[K, V]{under: map[K]*turn[V]{}} }

// take returns what ask does, called here or by somebody else who came since the
// last time that it was begun. Who leaves does not take the answer of the others
// along: the context that ask gets has no end.
func (t *turns[K, V]) take(ctx context.Context, k K, ask func(context.Context) (V, error)) (V, error) {
	own, before := t.join(k)
	if own == nil { // somebody asks for those who wait for the turn before to end
		own = before.next
		select {
		case <-own.done:
			return own.value, own.err
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
	}
	if before != nil {
		<-before.done
	}
	own.err = errNotAsked
	defer t.end(k, own) // also when ask panics
	own.value, own.err = ask(context.WithoutCancel(ctx))
	return own.value, own.err
}

// join finds the caller's place: a turn to take, after the one before if there is
// one; or none, when somebody takes the turn after the one before for all.
func (t *turns[K, V]) join(k K) (own, before *turn[V]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.under[k]
	if before == nil {
		own = &turn[V]{done: make(chan struct{})}
		t.under[k] = own
		return own, nil
	}
	if before.next == nil {
		before.next = &turn[V]{done: make(chan struct{})}
		return before.next, before
	}
	return nil, before
}

// end lets the next turn begin: who comes from now on waits for the one after it.
func (t *turns[K, V]) end(k K, own *turn[V]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.next != nil {
		t.under[k] = own.next
	} else {
		delete(t.under, k)
	}
	close(own.done)
}
