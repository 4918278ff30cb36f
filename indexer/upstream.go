package indexer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stratosfund/stratosfund/indexer/firehose"
)

const (
	reconnectFirst = 200 * time.Millisecond
	reconnectMost  = 30 * time.Second
	// steady is how long a connection must have lasted for the next failure
	// to count as the first.
	steady = time.Minute
	// takeOverAfter is how many failures in a row make the next upstream take
	// over.
	takeOverAfter = 4
)

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
			// What was before must be looked for.
			cursor = firehose.Live
			if err := ix.lostTrack(ctx); err != nil {
				return err
			}
		}
		ix.cursor.Store(max(cursor, 0))
		ix.received.Store(max(cursor, 0)) // of another upstream's sequence it would say nothing
		began := ix.now()
		if err = ix.meet(ctx, name); err == nil {
			err = ix.session(ctx, name, cursor)
		}
		ix.connected.Store(false)
		ix.live.set(false)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if damage, ok := errors.AsType[*storeError](err); ok {
			return damage.err
		}
		if e, ok := errors.AsType[*firehose.StreamError](err); ok && e.Name == firehose.FutureCursor {
			ix.log.Error("the upstream's sequence began anew", "host", ix.client().Host(), "cursor", cursor)
			if err := ix.store.ForgetCursor(ctx, name); err != nil {
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
			ix.takeOver(at)
			continue // it did not fail
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

// takeOver goes on with the next upstream. Its sequence is another one: it has a
// cursor of its own, or none, and then we lost track.
func (ix *Indexer) takeOver(failed int) {
	next := (failed + 1) % len(ix.clients)
	ix.log.Error("another upstream takes over", "from", ix.clients[failed].Host(), "host", ix.clients[next].Host())
	ix.upstream.Store(int64(next))
}

// lostTrack is what follows when the stream cannot tell what happened: every
// repository's PDS is asked, and everybody who may know new ones.
func (ix *Indexer) lostTrack(ctx context.Context) error {
	if err := ix.store.LostTrack(ctx); err != nil {
		return err
	}
	ix.wakeSweep.wake()
	ix.wakeDiscovery.wake()
	return nil
}

// info reacts to what the upstream says of itself.
func (ix *Indexer) info(ctx context.Context, ev firehose.Event) error {
	if ev.Info.Name != firehose.OutdatedCursor {
		return nil
	}
	ix.log.Error("the upstream no longer has all that we missed", "host", ix.client().Host(), "cursor", ix.cursor.Load())
	if err := ix.lostTrack(ctx); err != nil {
		return &storeError{err}
	}
	return nil
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
