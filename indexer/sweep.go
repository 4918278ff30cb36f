package indexer

import (
	"context"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/store"
)

const (
	// sweepEvery is how often each PDS is asked where its repositories are:
	// frames that an upstream withholds cannot be seen in the stream.
	sweepEvery = 24 * time.Hour
	// sweepRetry is when a PDS that did not answer is asked again.
	sweepRetry   = 15 * time.Minute
	sweepsAtOnce = 8
)

// sweeps asks the PDS of every repository, once a day and when asked to, where
// it is.
func (ix *Indexer) sweeps(ctx context.Context) error {
	for {
		// What happens after a PDS answered is seen in the stream, if that is
		// open by then.
		if err := ix.live.pass(ctx); err != nil {
			return err
		}
		due, err := ix.store.DueSweeps(ctx, ix.now().Add(-sweepEvery), 256)
		if err != nil {
			return err
		}
		var g errgroup.Group
		g.SetLimit(sweepsAtOnce)
		for _, d := range due {
			g.Go(func() error { return ix.sweep(ctx, d) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if len(due) > 0 && ctx.Err() == nil {
			continue
		}
		next := ix.now().Add(sweepEvery)
		if oldest, ok, err := ix.store.NextSweep(ctx); err != nil {
			return err
		} else if ok {
			next = oldest.Add(sweepEvery)
		}
		if err := ix.await(ctx, ix.wakeSweep, next); err != nil {
			return err
		}
	}
}

func (ix *Indexer) sweep(ctx context.Context, due store.DueSweep) error {
	did := due.DID
	swept, err := ix.askPDS(ctx, did)
	if err != nil || swept.Status != store.AccountActive {
		// The account may have moved without a word of the stream, and the PDS
		// that it left knows nothing.
		if err := ix.keys.Forget(ctx, did); err != nil {
			return err
		}
		swept, err = ix.askPDS(ctx, did)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		ix.metrics.sweeps.WithLabelValues(sweepFailed).Inc()
		ix.warn("could not ask where a repository is", "did", did, "err", brief(err))
		return ix.store.SweepFailed(ctx, due, ix.now().Add(sweepRetry-sweepEvery))
	}
	if err := ix.crash.At(crashpoint.AfterSweepAnswer); err != nil {
		return err
	}
	missed, err := ix.store.Sweep(ctx, due, swept)
	if err != nil {
		return err
	}
	if missed {
		ix.metrics.sweeps.WithLabelValues(sweepMissed).Inc()
		ix.note("the stream had not told about a repository", "did", did, "rev", swept.Rev, "status", swept.Status)
		ix.wakeResync.wake()
		ix.wakeDerive.wake()
		return nil
	}
	ix.metrics.sweeps.WithLabelValues(sweepSame).Inc()
	return nil
}

// AskPDS asks the PDS that the account's DID document names now what became of the
// account. The answer is unsigned, and is for whoever has to be sure before they act on
// a deletion (F5).
func (ix *Indexer) AskPDS(ctx context.Context, did syntax.DID) (store.AccountStatus, error) {
	if err := ix.keys.Forget(ctx, did); err != nil {
		return "", err
	}
	swept, err := ix.askPDS(ctx, did)
	return swept.Status, err
}

// askPDS asks the PDS that the account's DID document names where it is.
func (ix *Indexer) askPDS(ctx context.Context, did syntax.DID) (store.Swept, error) {
	ident, err := ix.keys.Identity(ctx, did)
	if err != nil {
		return store.Swept{}, err
	}
	pds, err := ix.hosts.base(ident.PDSEndpoint())
	if err != nil {
		return store.Swept{}, fmt.Errorf("the DID document's PDS: %w", err)
	}
	return ix.hosts.repoStatus(ctx, pds, did)
}
