package indexer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/claims"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/store"
)

const (
	// claimsAtOnce bounds the checks, each of which may hold a whole pack.
	claimsAtOnce = 4
	// claimLease is how long a claim is one worker's: more than its check and the
	// wait for a free place among the others may take.
	claimLease = 15 * time.Minute
	// claimHolds is how long a proof counts when nobody can be asked again.
	claimHolds = 7 * 24 * time.Hour
	// recheckEvery is how often a proven claim is checked again.
	recheckEvery = 24 * time.Hour
	// A claim that is not proven is checked less and less often.
	claimFirst = time.Minute
	claimMost  = 24 * time.Hour
)

// checkClaims checks the claims of projects on addresses, the one first that has
// been due for longest.
func (ix *Indexer) checkClaims(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(claimsAtOnce + 1) // and the one that hands out
	g.Go(func() error {
		for {
			due, ok, err := ix.store.NextClaim(ctx)
			if err != nil {
				return err
			}
			if now := ix.now(); !ok || due.After(now) {
				// Another process may have made one due, and cannot wake us.
				next := now.Add(lookAgain)
				if ok && due.Before(next) {
					next = due
				}
				if err := ix.await(ctx, ix.wakeClaims, next); err != nil {
					return err
				}
				continue
			}
			job, ok, err := ix.store.TakeClaim(ctx, claimLease)
			if err != nil {
				return err
			}
			if ok {
				g.Go(func() error { return ix.checkClaim(ctx, job) })
			}
		}
	})
	return g.Wait()
}

// checkClaim asks whoever answers at the address. Its errors are damage of ours.
func (ix *Indexer) checkClaim(ctx context.Context, job store.ClaimJob) error {
	owner, err := job.Project.Authority().AsDID()
	if err != nil {
		return fmt.Errorf("the project %s has no owner: %w", job.Project, err)
	}
	found := ix.claims.Check(ctx, claims.Claim{Owner: owner, URI: job.URI, Repository: job.Repository})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := ix.crash.At(crashpoint.AfterClaimCheck); err != nil {
		return err
	}
	ix.metrics.claims.WithLabelValues(string(found.Outcome)).Inc()
	ix.note("checked a claim", "did", owner, "uri", job.Project, "address", cut(job.URI.String()),
		"outcome", found.Outcome, "reason", cut(found.Reason), "attempts", job.Attempts)
	if err := ix.storeFinding(context.WithoutCancel(ctx), job, found); err != nil {
		return err
	}
	ix.wakeDerive.wake()
	return nil
}

func (ix *Indexer) storeFinding(ctx context.Context, job store.ClaimJob, found claims.Finding) error {
	now := ix.now()
	// Claims that came together need not be checked together again.
	recheck := now.Add(recheckEvery - rand.N(recheckEvery/8))
	later := now.Add(backoff(claimFirst, claimMost, job.Attempts))
	switch found.Outcome {
	case claims.ByRepository:
		return ix.store.ClaimProven(ctx, job, store.ClaimByRepository, now.Add(claimHolds), recheck)
	case claims.ByHost:
		return ix.store.ClaimProven(ctx, job, store.ClaimByHost, now.Add(claimHolds), recheck)
	case claims.Refuted:
		return ix.store.ClaimDisproven(ctx, job, cut(found.Reason), later)
	case claims.Undecided:
		return ix.store.ClaimUndecided(ctx, job, cut(found.Reason), later)
	}
	return fmt.Errorf("the claim of %s on %s came to an unknown end, %q", job.Project, job.URI, found.Outcome)
}
