package session

import (
	"context"
	"sync"
)

// turns let one call at a time use a session.
type turns struct {
	mu sync.Mutex
	of map[hash]*turn
}

type turn struct {
	free    chan struct{} // holds a value while nobody has the turn
	waiting int           // who has it, included
}

// wait returns when it is the caller's turn, or with the context's error. done ends it.
func (t *turns) wait(ctx context.Context, id hash) (done func(), err error) {
	t.mu.Lock()
	if t.of == nil {
		t.of = map[hash]*turn{}
	}
	mine := t.of[id]
	if mine == nil {
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.of[id] = mine
	}
	mine.waiting++
	t.mu.Unlock()

	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.waiting--; mine.waiting == 0 {
			delete(t.of, id)
		}
	}
	select {
	case <-mine.free:
		return func() { mine.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
