package indexer

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/firehose"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// queueLength is how many events may be between the wire and the store.
const queueLength = 1024

// verifiersAtOnce is how many events are verified at the same time. That is far
// more than there are processors, because one may wait for its account's key for
// as long as keyTimeout, and those behind it must not.
const verifiersAtOnce = 64

// job is one event on its way from the wire to the store. Its worker fills
// change and closes done; only then the applier reads it.
type job struct {
	seq    int64
	at     string // the event's own time
	change *store.Change
	err    error
	done   chan struct{}
}

// storeError marks damage of ours among errors of the connection.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// session streams from the cursor until the connection ends. Events are parsed
// and verified in parallel and applied in order; when session returns, all that
// was read is applied or will come again.
func (ix *Indexer) session(ctx context.Context, upstream string, cursor int64) error {
	ordered := make(chan *job, queueLength)
	var passed skipped
	unverified := make(chan func(context.Context))
	g, ctx := errgroup.WithContext(ctx)

	for range verifiersAtOnce {
		g.Go(func() error {
			for verify := range unverified {
				verify(ctx)
			}
			return nil
		})
	}
	g.Go(func() error {
		if err := ix.applyAll(ctx, upstream, cursor, ordered, &passed); err != nil {
			return &storeError{err}
		}
		return nil
	})
	g.Go(func() error {
		defer close(ordered)
		defer close(unverified)
		opened := func() {
			ix.connected.Store(true)
			ix.live.set(true)
		}
		return ix.client().Stream(ctx, cursor, opened, func(frame []byte) error {
			if seq, at, foreign := ix.interest.Foreign(frame); foreign {
				ix.foreign.Inc()
				ix.received.Store(seq)
				passed.note(seq, at)
				return nil
			}
			return ix.receive(ctx, frame, ordered, unverified)
		})
	})
	return g.Wait()
}

// receive turns a frame into a job. What is not ours becomes one that only
// moves the cursor.
func (ix *Indexer) receive(ctx context.Context, frame []byte, ordered chan<- *job, unverified chan<- func(context.Context)) error {
	ev, err := firehose.Parse(frame)
	if err != nil {
		if _, ok := errors.AsType[*firehose.StreamError](err); ok {
			return err
		}
		ix.metrics.dropped.WithLabelValues(droppedMalformed).Inc()
		ix.warn("dropped a frame", "reason", droppedMalformed, "err", brief(err))
		return nil
	}
	ix.metrics.frames.WithLabelValues(kindOf(ev)).Inc()
	if ev.Info != nil {
		return ix.info(ctx, ev)
	}
	if ev.Seq == 0 {
		return nil
	}
	ix.received.Store(ev.Seq)
	j := &job{seq: ev.Seq, at: timeOf(ev), done: make(chan struct{})}
	if !ix.concerns(ev) {
		close(j.done)
		return send(ctx, ordered, j)
	}
	if err := ix.crash.At(crashpoint.AfterReceive); err != nil {
		return &storeError{err}
	}
	if err := send(ctx, ordered, j); err != nil {
		return err
	}
	err = send(ctx, unverified, func(ctx context.Context) {
		defer close(j.done)
		began := ix.now()
		defer func() { ix.metrics.verify.Observe(ix.now().Sub(began).Seconds()) }()
		err := ix.turns.Do(ctx, func(ctx context.Context) { j.change, j.err = ix.verify(ctx, ev) })
		if j.err = errors.Join(j.err, err); j.err == nil {
			j.err = ix.crash.At(crashpoint.AfterVerify)
		}
	})
	if err != nil {
		// Nobody will verify it, and the applier waits for it.
		j.err = err
		close(j.done)
	}
	return err
}

func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// concerns reports whether an event can change the index: it touches a
// collection of ours, or an account that we follow.
func (ix *Indexer) concerns(ev firehose.Event) bool {
	if ev.Identity != nil {
		return true // its handle may be shown although its records are not ours
	}
	did := ev.DID()
	return did != "" && (ix.isTracked(did) || ev.Commit != nil && ix.touchesOurs(ev.Commit.Ops))
}

func kindOf(ev firehose.Event) string {
	switch {
	case ev.Commit != nil:
		return "commit"
	case ev.Sync != nil:
		return "sync"
	case ev.Identity != nil:
		return "identity"
	case ev.Account != nil:
		return "account"
	case ev.Info != nil:
		return "info"
	}
	return "unknown"
}

func timeOf(ev firehose.Event) string {
	switch {
	case ev.Commit != nil:
		return ev.Commit.Time
	case ev.Sync != nil:
		return ev.Sync.Time
	case ev.Identity != nil:
		return ev.Identity.Time
	case ev.Account != nil:
		return ev.Account.Time
	}
	return ""
}
