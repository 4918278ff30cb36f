package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// groupSize bounds how many functions share a transaction, and so how long the
// first of them waits for the last.
const groupSize = 256

// group is the queue of those who want to write.
type group struct {
	lead    chan struct{} // whoever holds it runs a transaction
	mu      sync.Mutex
	waiting []*call
	broken  error // why nothing is written any more; belongs to who leads
}

func newGroup() group { return group{lead: make(chan struct{}, 1)} }

// call is one caller of Update.
type call struct {
	ctx   context.Context
	fn    func(context.Context, *Tx) error
	tx    *Tx
	err   error
	panic any
	done  chan struct{}
}

func (g *group) join(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, c)
}

func (g *group) take() []*call {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), groupSize)
	taken := g.waiting[:n:n]
	g.waiting = append([]*call(nil), g.waiting[n:]...)
	return taken
}

// Update runs fn in a transaction that it may share with others, and returns after
// the commit. When fn returns an error, or a statement of it fails, nothing of it
// stays. fn gets a context that does not end, and may run in another goroutine.
//
// An error that wraps ErrSuperseded or ErrBroken, and any error of the commit
// itself, means that the process must stop.
func (s *Store) Update(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if s.writer == nil {
		return ErrReadOnly
	}
	c := &call{ctx: ctx, fn: fn, done: make(chan struct{})}
	s.group.join(c)
	for {
		select {
		case <-c.done:
			if c.panic != nil {
				panic(c.panic)
			}
			return c.err
		case s.group.lead <- struct{}{}:
			s.runGroup()
		}
	}
}

// runGroup runs the functions of those who wait, tells each of them how it ended,
// and lets somebody else lead.
func (s *Store) runGroup() {
	defer func() { <-s.group.lead }()
	calls := s.group.take()
	err := errUnfinished // unless the end is reached
	defer func() {
		for _, c := range calls {
			if err != nil && c.err == nil {
				c.err = err
			}
			close(c.done)
		}
	}()
	if len(calls) > 0 {
		err = s.commitGroup(context.Background(), calls)
	}
}

// commitGroup is one transaction. The error it returns is that of all.
func (s *Store) commitGroup(ctx context.Context, calls []*call) (err error) {
	if s.group.broken != nil {
		return fmt.Errorf("%w: %w", ErrBroken, s.group.broken)
	}
	if _, err := s.writer.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("store: begin: %w", err)
	}
	committed := false
	defer func() {
		if !committed {
			err = errors.Join(err, s.writer.Rollback(ctx))
		}
		if s.group.broken = err; !committed && err == nil {
			s.group.broken = errUnfinished // a function ended its goroutine
		}
	}()
	if err := s.stillOurs(ctx); err != nil {
		return err
	}
	now := s.now().UTC().Truncate(time.Millisecond)
	for _, c := range calls {
		c.tx = &Tx{conn: s.writer, now: now}
		if err := s.runOne(ctx, c, len(calls) == 1); err != nil {
			return err
		}
	}
	if len(calls) == 1 && calls[0].failed() {
		committed = true
		return s.writer.Rollback(ctx)
	}
	if err := s.crash.At(crashpoint.BeforeCommit); err != nil {
		return err
	}
	if _, err := s.writer.ExecContext(ctx, `COMMIT`); err != nil {
		return fmt.Errorf("store: commit: %w", err)
	}
	committed = true
	for _, c := range calls {
		if !c.failed() {
			for _, fn := range c.tx.after {
				fn()
			}
		}
	}
	return s.crash.At(crashpoint.AfterCommit)
}

// failed reports whether nothing of the function is to stay.
func (c *call) failed() bool { return c.err != nil || c.panic != nil }

// runOne runs one function, in a savepoint unless it is alone in the transaction.
// What the function returns is its caller's business; an error of runOne means that
// the transaction is lost.
func (s *Store) runOne(ctx context.Context, c *call, alone bool) error {
	if err := c.ctx.Err(); err != nil {
		c.err = fmt.Errorf("store: wait to write: %w", err)
		return nil
	}
	if alone {
		c.run()
		return nil
	}
	if _, err := s.writer.ExecContext(ctx, `SAVEPOINT one`); err != nil {
		return fmt.Errorf("store: begin a savepoint: %w", err)
	}
	c.run()
	if c.failed() {
		if _, err := s.writer.ExecContext(ctx, `ROLLBACK TO one`); err != nil {
			return fmt.Errorf("store: take back a function's writes: %w", err)
		}
	}
	// Without a transaction, because SQLite has ended it, this fails.
	if _, err := s.writer.ExecContext(ctx, `RELEASE one`); err != nil {
		return fmt.Errorf("store: end a savepoint: %w", err)
	}
	return nil
}

// run calls the function; a panic is kept for its own caller.
func (c *call) run() {
	defer func() { c.panic = recover() }()
	if c.err = c.fn(context.WithoutCancel(c.ctx), c.tx); c.err == nil {
		c.err = c.tx.failed
	}
}
