package indexer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
)

const (
	// resyncsAtOnce is how many repositories are fetched at the same time.
	resyncsAtOnce = 4
	resyncTimeout = 5 * time.Minute
	resyncFirst   = 2 * time.Second
	resyncMost    = time.Hour
	// reportEvery is how often a long backfill says how far it is.
	reportEvery = 10 * time.Second
	lookAgain   = 5 * time.Second
)

// resyncs fetches the repositories that wait for it, the longest waiting first.
func (ix *Indexer) resyncs(ctx context.Context) error {
	reported := ix.now()
	for {
		due, next, err := ix.store.DueResyncs(ctx, 64)
		if err != nil {
			return err
		}
		var g errgroup.Group
		g.SetLimit(resyncsAtOnce)
		for _, r := range due {
			g.Go(func() error { return ix.resync(ctx, r) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if len(due) > 0 && ctx.Err() == nil {
			if ix.now().Sub(reported) >= reportEvery {
				reported = ix.now()
				if err := ix.reportBacklog(ctx); err != nil {
					return err
				}
			}
			continue
		}
		// Another process may have asked for one, and cannot wake us.
		if soon := ix.now().Add(lookAgain); next.IsZero() || next.After(soon) {
			next = soon
		}
		if err := ix.await(ctx, ix.wakeResync, next); err != nil {
			return err
		}
	}
}

func (ix *Indexer) reportBacklog(ctx context.Context) error {
	b, err := ix.store.Backlog(ctx)
	if err != nil || b.Waiting == 0 {
		return err
	}
	eta, _ := b.ETA()
	ix.log.Info("fetching repositories", "waiting", b.Waiting, "failing", b.Failing, "per_minute", b.PerMinute, "eta", eta)
	return nil
}

// await waits for the signal, or for the moment if it is not zero.
func (ix *Indexer) await(ctx context.Context, wake signal, at time.Time) error {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(max(0, at.Sub(ix.now())))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wake:
	case <-timer:
	}
	return nil
}

// resync makes the index hold what the repository holds. Its errors are damage
// of ours; what goes wrong outside is noted and tried again later.
func (ix *Indexer) resync(ctx context.Context, r store.Resync) error {
	began := ix.now()
	snapshot, err := ix.fetchRepo(ctx, r.DID)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// What follows is ours to finish.
	ctx = context.WithoutCancel(ctx)
	if status, gone := unavailable(err); gone {
		ix.metrics.resyncs.WithLabelValues(resyncUnavailable).Inc()
		ix.note("an account is not available at its PDS", "did", r.DID, "reason", status)
		defer ix.wakeSweep.wake()
		return ix.store.SetAccountStatus(ctx, r.DID, status)
	}
	if err != nil {
		return ix.resyncFailed(ctx, r, err)
	}
	if err := ix.crash.At(crashpoint.AfterFetch); err != nil {
		return err
	}
	records := make([]store.Record, 0, len(snapshot.Records))
	for _, rec := range snapshot.Records {
		parsed, err := ix.parse(r.DID, rec)
		if err != nil {
			return err
		}
		records = append(records, parsed)
	}
	synchronized, moreStale, err := ix.store.ReplaceRepo(ctx, store.Replacement{
		DID: r.DID, Rev: snapshot.Rev, Data: snapshot.Data.String(), Records: records, Wanted: r.Wanted,
	})
	if errors.Is(err, store.ErrStale) {
		return ix.resyncFailed(ctx, r, err)
	}
	if err != nil {
		return err
	}
	if moreStale {
		ix.wakeDerive.wake()
	}
	ix.wakeHandles.wake()
	ix.wakeClaims.wake()
	ix.metrics.resyncs.WithLabelValues(resyncDone).Inc()
	ix.note("fetched a repository", "did", r.DID, "rev", snapshot.Rev, "records", len(records),
		"synchronized", synchronized, "dur", ix.now().Sub(began))
	return nil
}

func (ix *Indexer) resyncFailed(ctx context.Context, r store.Resync, cause error) error {
	pause := backoff(resyncFirst, resyncMost, r.Attempts+1)
	ix.metrics.resyncs.WithLabelValues(resyncFailed).Inc()
	ix.warn("could not fetch a repository", "did", r.DID, "attempts", r.Attempts+1, "dur", pause, "err", brief(cause))
	return ix.store.ResyncFailed(ctx, r.DID, errors.New(brief(cause)), ix.now().Add(pause))
}

// fetchRepo gets a repository from the PDS that its DID document names now, and
// proves it.
func (ix *Indexer) fetchRepo(ctx context.Context, did syntax.DID) (*reposync.Snapshot, error) {
	if err := ix.keys.Forget(ctx, did); err != nil {
		return nil, err
	}
	ident, err := ix.keys.Identity(ctx, did)
	if err != nil {
		return nil, err
	}
	pds, err := ix.hosts.base(ident.PDSEndpoint())
	if err != nil {
		return nil, fmt.Errorf("the DID document's PDS: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, resyncTimeout)
	defer cancel()
	spool, err := ix.getRepo(ctx, pds, did)
	if err != nil {
		return nil, err
	}
	snapshot, err := reposync.VerifySnapshot(ctx, ix.keys, did, spool, ix.isWanted, ix.now())
	return snapshot, errors.Join(err, spool.Close())
}

// getRepo spools a whole repository, within a bound.
func (ix *Indexer) getRepo(ctx context.Context, pds *url.URL, did syntax.DID) (spool *reposync.Spool, err error) {
	params := url.Values{"did": {did.String()}}
	err = ix.hosts.get(ctx, pds, "com.atproto.sync.getRepo", params, "application/vnd.ipld.car", func(r io.Reader) error {
		spool, err = reposync.NewSpool("", r, ix.cfg.maxRepo())
		return err
	})
	return spool, err
}
