package indexer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

const (
	// batchLength is how many events one transaction applies at most.
	batchLength = 1024
	// manyChanges are so many in one batch that more must be expected: they piled
	// up while the batch before was applied.
	manyChanges = batchLength / 4
	// calmChanges so few in a stretch of gatherFor can be derived as they come.
	calmChanges = manyChanges / 4
	// calmAfter is how long no event may have waited until what many left stale is
	// derived, and what few changed long ago is applied.
	calmAfter = 5 * time.Millisecond
	// lateAfter is how old an event is, by its own account, from which one must
	// expect that very many follow: the upstream tells the past.
	lateAfter = 10 * time.Second
	// deriveWithin is how long derived rows may stay stale, while events come
	// faster than they are applied, before the deriver is asked to help.
	deriveWithin = 3 * time.Second
	// gatherFor is how long events are gathered for one transaction while many come.
	// Each ends what readers know of the index, and costs as much as some events.
	gatherFor = 25 * time.Millisecond
	// gatherFrom so many in that time on, many come.
	gatherFrom = 8
	// cursorEvery is how often the cursor is saved while nothing of ours
	// passes; the events since then would come again, and change nothing.
	cursorEvery = time.Second
)

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
	if len(b.changes) == 0 && len(ordered) == 0 {
		b.reach(s.seq, string(s.at))
	}
}

// applyAll applies jobs in order, as many in one transaction as are ready.
func (ix *Indexer) applyAll(ctx context.Context, upstream string, cursor int64, ordered <-chan *job, passed *skipped) error {
	// What was received is applied although the process is asked to stop: a
	// transaction is short, and one that is under way ends whole.
	ctx = context.WithoutCancel(ctx)
	flush := time.NewTicker(cursorEvery)
	defer flush.Stop()
	calm := time.NewTimer(calmAfter)
	defer calm.Stop()
	gathered := time.NewTimer(gatherFor)
	defer gathered.Stop()
	b := batch{saved: max(cursor, 0)}
	var crowd gathering
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
			if b.full() || b.waiting() && !nextReady(ordered) {
				late, wait := ix.isLate(b.at), crowd.wait(time.Now())
				switch {
				case !b.full() && late && len(b.changes) < manyChanges:
					// A few changes of long ago wait for more, or for calm: many in one
					// transaction cost less.
				case !b.full() && !late && wait > 0:
					gathered.Reset(wait)
				default:
					if err := ix.applyReady(ctx, upstream, &b, &crowd, len(ordered)); err != nil {
						return err
					}
				}
			}
			if b.waiting() {
				calm.Reset(calmAfter)
			}
		case <-gathered.C:
			if len(b.changes) > 0 && !nextReady(ordered) {
				if err := ix.applyReady(ctx, upstream, &b, &crowd, 0); err != nil {
					return err
				}
			}
		case <-calm.C:
			if (b.stale || len(b.changes) > 0 && ix.isLate(b.at)) && !nextReady(ordered) {
				b.behind = false
				if err := ix.apply(ctx, upstream, &b); err != nil {
					return err
				}
			}
		case <-flush.C:
			passed.pass(&b, ordered)
			b.behind = b.stale && nextReady(ordered)
			if err := ix.apply(ctx, upstream, &b); err != nil {
				return err
			}
		}
	}
}

// applyReady applies a batch while so many events wait.
func (ix *Indexer) applyReady(ctx context.Context, upstream string, b *batch, crowd *gathering, waiting int) error {
	calm := crowd.calm(len(b.changes)) && waiting == 0
	crowd.apply(time.Now(), len(b.changes))
	// After a crowd, a few are no calm unless they took their time: they were fast, and
	// more follow.
	b.behind = max(waiting, len(b.changes)) > manyChanges || b.stale && !calm || ix.isLate(b.at)
	return ix.apply(ctx, upstream, b)
}

// gathering decides whether what is ready waits for more: in stretches of gatherFor,
// when the one before brought many. An event that comes alone never waits.
type gathering struct {
	until   time.Time // the end of the stretch
	came    int       // changes that were applied in it
	crowded bool      // many came in the one before
}

// wait is how long a batch that is ready at the moment has to.
func (g *gathering) wait(now time.Time) time.Duration {
	if !g.crowded {
		return 0
	}
	return g.until.Sub(now)
}

// calm reports whether a batch of so many changes is all that came in a stretch, and
// few enough to follow them.
func (g *gathering) calm(changes int) bool { return g.crowded && changes <= calmChanges }

// apply counts changes that are applied at the moment.
func (g *gathering) apply(now time.Time, changes int) {
	g.came += changes
	if now.Before(g.until) {
		return
	}
	*g = gathering{until: now.Add(gatherFor), crowded: g.came >= gatherFrom}
}

// nextReady reports whether waiting for another event would not delay this one.
func nextReady(ordered <-chan *job) bool { return len(ordered) > 0 }

// batch is what the next transaction will apply.
type batch struct {
	saved   int64 // the cursor in the store; it never goes back within a session
	seq     int64 // how far this batch reaches
	at      string
	changes []store.Change
	// behind: very many events wait, or will in a moment.
	behind bool
	// stale: batches before this one left derived rows for later.
	stale bool
}

// reach moves the batch on to an event. Upstreams repeat themselves: an event
// that was passed before does not move it back.
func (b *batch) reach(seq int64, at string) {
	if seq > max(b.seq, b.saved) {
		b.seq, b.at = seq, at
	}
}

// empty reports whether there is nothing to write, not even a cursor.
func (b *batch) empty() bool { return b.seq <= b.saved && len(b.changes) == 0 && !b.stale }

func (b *batch) add(j *job) error {
	if j.err != nil {
		return j.err
	}
	b.reach(j.seq, j.at)
	if j.change != nil {
		b.changes = append(b.changes, *j.change)
	}
	return nil
}

func (b *batch) full() bool { return len(b.changes) >= batchLength }

// waiting reports whether somebody could look for what the batch brings.
func (b *batch) waiting() bool { return len(b.changes) > 0 || b.stale }

// isLate reports whether an event is from longer ago than it takes to tell. Its
// time is unsigned; one that is wrong delays what is derived, and nothing else.
func (ix *Indexer) isLate(at string) bool {
	told, err := syntax.ParseDatetimeTime(at)
	return err == nil && ix.now().Sub(told) > lateAfter
}

// apply writes the batch and the cursor in one transaction, and tells the
// other workers what it left for them.
func (ix *Indexer) apply(ctx context.Context, upstream string, b *batch) error {
	if b.empty() {
		return nil
	}
	b.seq = max(b.seq, b.saved)
	began := ix.now()
	defer func() { ix.metrics.apply.Observe(ix.now().Sub(began).Seconds()) }()
	for _, c := range b.changes {
		if c.Track {
			// Before it is written: a resync may begin at once, and what the
			// stream tells from then on must not be passed over.
			ix.track(c.DID)
		}
	}
	write := ix.store.Apply
	if b.behind {
		write = ix.store.ApplyBehind
	}
	done, err := write(ctx, upstream, b.seq, b.changes)
	if err != nil {
		return err
	}
	for i, outcome := range done.Outcomes {
		c := b.changes[i]
		ix.metrics.changes.WithLabelValues(string(c.Kind), string(outcome)).Inc()
		switch outcome {
		case store.OutcomeTracked:
			ix.wakeHandles.wake()
		case store.OutcomeDesynchronized:
			ix.note("a repository went out of step", "did", c.DID, "rev", c.Rev, "reason", c.Kind)
		}
		switch c.Kind {
		case store.ChangeIdentity:
			ix.wakeHandles.wake()
		case store.ChangeAccount:
			ix.wakeSweep.wake()
		case store.ChangeCommit:
			if slices.ContainsFunc(c.Puts, func(r store.Record) bool { return r.Collection == lexicons.CollectionProject }) {
				ix.wakeClaims.wake()
			}
		}
	}
	ix.behind.Store(b.behind)
	switch {
	case b.behind:
		ix.deriveLater()
	case done.MoreStale:
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
		ix.eventAt.Store(at.UnixMilli())
		ix.metrics.lag.Set(lag.Seconds())
	}
	*b = batch{saved: b.seq, seq: b.seq, stale: b.behind}
	return nil
}
