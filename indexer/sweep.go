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
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ident, err := ix.keys.Identity(ctx, did)
	if err != nil {
		return ix.sweepFailed(ctx, did, err)
	}
	pds, err := ix.hosts.base(ident.PDSEndpoint())
	if err != nil {
		return ix.sweepFailed(ctx, did, fmt.Errorf("the DID document's PDS: %w", err))
	}
	swept, err := ix.hosts.repoStatus(ctx, pds, did)
	if err != nil {
		return ix.sweepFailed(ctx, did, err)
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

// sweepFailed puts a repository off.
func (ix *Indexer) sweepFailed(ctx context.Context, did syntax.DID, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ix.metrics.sweeps.WithLabelValues(sweepFailed).Inc()
	ix.warn("could not ask where a repository is", "did", did, "err", brief(cause))
	return ix.store.SweepFailed(ctx, did, ix.now().Add(sweepRetry-sweepEvery))
}
