package indexer

import (
	"context"
	"time"
)

// derive works off what batches and wide fan-outs left stale.
func (ix *Indexer) derive(ctx context.Context) error {
	for {
		more, err := ix.deriveQueued(ctx)
		if err != nil {
			return err
		}
		switch {
		case more && ix.behind.Load():
			ix.deriveLater()
		case more:
			ix.wakeDerive.wake()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ix.wakeDerive:
		}
	}
}

// deriveQueued derives as many rows as are stale now, and reports whether more
// are by then. While events wait these come again and again, so that each is
// derived once in a while and not as often as it is touched.
func (ix *Indexer) deriveQueued(ctx context.Context) (more bool, err error) {
	// A transaction that is under way ends whole.
	whole := context.WithoutCancel(ctx)
	transactions, err := ix.store.StaleTransactions(whole)
	if err != nil {
		return false, err
	}
	more = transactions > 0
	for ; transactions > 0 && more; transactions-- {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if more, err = ix.store.DeriveStale(whole); err != nil {
			return false, err
		}
	}
	return more, nil
}

// deriveLater wakes the deriver in a while. The first batch that has caught up
// derives before that, as a rule; but the stream may stay behind for hours, the
// next event wait for a key, or the session end.
func (ix *Indexer) deriveLater() {
	if !ix.later.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(deriveWithin, func() {
		ix.later.Store(false) // first: what is left from now on arms it again
		ix.wakeDerive.wake()
	})
}
