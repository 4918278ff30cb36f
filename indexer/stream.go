package indexer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/firehose"
	"github.com/stratosfund/stratosfund/indexer/store"
)

const (
	// queueLength is how many events may be between the wire and the store.
	queueLength = 1024
	// batchLength is how many of them one transaction applies at most.
	batchLength = 256
	// cursorEvery is how often the cursor is saved while nothing of ours
	// passes; the events since then would come again, and change nothing.
	cursorEvery = time.Second

	reconnectFirst = 200 * time.Millisecond
	reconnectMost  = 30 * time.Second
	// steady is how long a connection must have lasted for the next failure
	// to count as the first.
	steady = time.Minute
	// takeOverAfter is how many failures in a row make the next upstream take
	// over.
	takeOverAfter = 4
)

// job is one event on its way from the wire to the store. Its worker fills
// change and closes done; only then the applier reads it.
type job struct {
	seq    int64
	at     string // the event's own time
	change *store.Change
	err    error
	done   chan struct{}
}

// follow keeps a session with an upstream, again and again, from its cursor.
// When the upstream fails for good, the next one takes over.
func (ix *Indexer) follow(ctx context.Context) error {
	failures := 0
	for {
		at := int(ix.upstream.Load())
		name := ix.cfg.RelayURLs[at]
		cursor, known, err := ix.store.Cursor(ctx, name)
		if err != nil {
			return err
		}
		if !known {
			// What was before is found by discovery, and fetched.
			cursor = firehose.Live
		}
		ix.cursor.Store(max(cursor, 0))
		began := ix.now()
		if err = ix.meet(ctx, name); err == nil {
			err = ix.session(ctx, name, cursor)
		}
		ix.connected.Store(false)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if damage, ok := errors.AsType[*storeError](err); ok {
			return damage.err
		}
		if e, ok := errors.AsType[*firehose.StreamError](err); ok && e.Name == firehose.FutureCursor {
			ix.log.Error("the upstream's sequence began anew", "host", ix.client().Host(), "cursor", cursor)
			if err := ix.lostTrack(ctx, name); err != nil {
				return err
			}
		}
		if ix.now().Sub(began) > steady {
			failures = 0
		}
		failures++
		pause := backoff(reconnectFirst, reconnectMost, failures)
		ix.warn("the connection to the upstream ended", "host", ix.client().Host(), "err", brief(err), "attempts", failures, "dur", pause)
		if failures >= takeOverAfter && len(ix.clients) > 1 {
			failures = 0
			if err := ix.takeOver(ctx, at); err != nil {
				return err
			}
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// meet finds out what kind of upstream it is. One that cannot be asked for that
// is not followed yet.
func (ix *Indexer) meet(ctx context.Context, name string) error {
	base, err := ix.hosts.base(name)
	if err != nil {
		return err
	}
	isPDS, err := ix.isPDS(ctx, base)
	if err != nil {
		return fmt.Errorf("ask %s what it is: %w", base.Host, err)
	}
	ix.atPDS.Store(isPDS)
	return nil
}

// takeOver goes on with the next upstream. Its sequence is another one, so what
// was missed in between is found by a sweep.
func (ix *Indexer) takeOver(ctx context.Context, failed int) error {
	next := (failed + 1) % len(ix.clients)
	ix.log.Error("another upstream takes over", "from", ix.clients[failed].Host(), "host", ix.clients[next].Host())
	ix.upstream.Store(int64(next))
	if err := ix.store.RequestSweep(ctx); err != nil {
		return err
	}
	ix.wakeSweep.wake()
	return nil
}

// lostTrack is what follows when the stream cannot tell what happened: every
// repository's PDS is asked, and everybody who may know new ones. A name given
// is that of an upstream whose cursor means nothing any more.
func (ix *Indexer) lostTrack(ctx context.Context, forget string) error {
	if err := ix.store.LostTrack(ctx, forget); err != nil {
		return err
	}
	ix.wakeSweep.wake()
	ix.wakeDiscovery.wake()
	return nil
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

	for range runtime.GOMAXPROCS(0) + 2 { // more than processors: some wait for keys
		g.Go(func() error {
			for verify := range unverified {
				verify(ctx)
			}
			return nil
		})
	}
	g.Go(func() error {
		if err := ix.applyAll(ctx, upstream, ordered, &passed); err != nil {
			return &storeError{err}
		}
		return nil
	})
	g.Go(func() error {
		defer close(ordered)
		defer close(unverified)
		opened := func() {
			ix.connected.Store(true)
			ix.opened.open()
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

// skipped is how far the frames reach that concern nobody here. They make no
// job, since nearly all are such; the cursor passes them once every job before
// them is applied.
type skipped struct {
	mu  sync.Mutex
	seq int64
	at  []byte
}

// note is called in the order of the stream, after the jobs before it are sent.
func (s *skipped) note(seq int64, at []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq, s.at = seq, append(s.at[:0], at...)
}

// pass moves an empty batch on to the last frame that was skipped, unless a job
// waits: then that frame may lie behind it.
func (s *skipped) pass(b *batch, ordered <-chan *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b.changes) == 0 && len(ordered) == 0 && s.seq > b.seq {
		b.seq, b.at = s.seq, string(s.at)
	}
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
	return send(ctx, unverified, func(ctx context.Context) {
		defer close(j.done)
		began := ix.now()
		defer func() { ix.metrics.verify.Observe(ix.now().Sub(began).Seconds()) }()
		if j.change, j.err = ix.verify(ctx, ev); j.err == nil {
			j.err = ix.crash.At(crashpoint.AfterVerify)
		}
	})
}

func send[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// info reacts to what the upstream says of itself.
func (ix *Indexer) info(ctx context.Context, ev firehose.Event) error {
	if ev.Info.Name != firehose.OutdatedCursor {
		return nil
	}
	ix.log.Error("the upstream no longer has all that we missed", "host", ix.client().Host(), "cursor", ix.cursor.Load())
	if err := ix.lostTrack(ctx, ""); err != nil {
		return &storeError{err}
	}
	return nil
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

// applyAll applies jobs in order, as many in one transaction as are ready.
func (ix *Indexer) applyAll(ctx context.Context, upstream string, ordered <-chan *job, passed *skipped) error {
	// What was received is applied although the process is asked to stop: a
	// transaction is short, and one that is under way ends whole.
	ctx = context.WithoutCancel(ctx)
	flush := time.NewTicker(cursorEvery)
	defer flush.Stop()
	var b batch
	for {
		select {
		case j, ok := <-ordered:
			if !ok {
				if err := ix.apply(ctx, upstream, &b); err != nil {
					return err
				}
				passed.pass(&b, ordered)
				return ix.apply(ctx, upstream, &b)
			}
			ix.metrics.queue.Set(float64(len(ordered)))
			<-j.done
			if err := b.add(j); err != nil {
				return err
			}
			if b.full() || len(b.changes) > 0 && !nextReady(ordered) {
				if err := ix.apply(ctx, upstream, &b); err != nil {
					return err
				}
			}
		case <-flush.C:
			passed.pass(&b, ordered)
			if err := ix.apply(ctx, upstream, &b); err != nil {
				return err
			}
		}
	}
}

// nextReady reports whether waiting for another event would not delay this one.
func nextReady(ordered <-chan *job) bool { return len(ordered) > 0 }

// batch is what the next transaction will apply.
type batch struct {
	seq     int64
	at      string
	changes []store.Change
}

func (b *batch) add(j *job) error {
	if j.err != nil {
		return j.err
	}
	b.seq, b.at = j.seq, j.at
	if j.change != nil {
		b.changes = append(b.changes, *j.change)
	}
	return nil
}

func (b *batch) full() bool { return len(b.changes) >= batchLength }

// apply writes the batch and the cursor in one transaction, and tells the
// other workers what it left for them.
func (ix *Indexer) apply(ctx context.Context, upstream string, b *batch) error {
	if b.seq == 0 {
		return nil
	}
	began := ix.now()
	defer func() { ix.metrics.apply.Observe(ix.now().Sub(began).Seconds()) }()
	done, err := ix.store.Apply(ctx, upstream, b.seq, b.changes)
	if err != nil {
		return err
	}
	for i, outcome := range done.Outcomes {
		c := b.changes[i]
		ix.metrics.changes.WithLabelValues(string(c.Kind), string(outcome)).Inc()
		switch outcome {
		case store.OutcomeTracked:
			ix.track(c.DID)
			ix.wakeHandles.wake()
		case store.OutcomeDesynchronized:
			ix.log.Info("a repository went out of step", "did", c.DID, "rev", c.Rev, "reason", c.Kind)
		}
		if c.Kind == store.ChangeIdentity {
			ix.wakeHandles.wake()
		}
	}
	if done.MoreStale {
		ix.wakeDerive.wake()
	}
	if done.MoreResyncs {
		ix.wakeResync.wake()
	}
	ix.cursor.Store(b.seq)
	ix.metrics.cursor.Set(float64(b.seq))
	ix.metrics.behind.Set(float64(max(0, ix.received.Load()-b.seq)))
	if at, err := syntax.ParseDatetimeTime(b.at); err == nil {
		lag := max(0, ix.now().Sub(at))
		ix.lag.Store(int64(lag))
		ix.metrics.lag.Set(lag.Seconds())
	}
	*b = batch{}
	return nil
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

// backoff doubles from first to most, with jitter, by the number of failures.
func backoff(first, most time.Duration, failures int) time.Duration {
	d := first << min(max(failures-1, 0), 20)
	if d <= 0 || d > most {
		d = most
	}
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
