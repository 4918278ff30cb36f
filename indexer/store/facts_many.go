package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// FactsOf returns what lifecycle knows of the proposals among uris that are
// indexed, visible, and exist now, in a number of statements that does not
// depend on theirs. Estimates are summed up.
func (r *Reader) FactsOf(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]lifecycle.Facts, error) {
	out, err := r.factsOf(ctx, uris, func(l *loading, ctx context.Context) error { return l.estimates(ctx, r.now) })
	if err != nil {
		return nil, fmt.Errorf("store: facts of proposals: %w", err)
	}
	return out, nil
}

// Facts is FactsOf for one proposal; [ErrNotFound] when it is not indexed, hidden,
// or does not exist yet.
func (r *Reader) Facts(ctx context.Context, proposal syntax.ATURI) (lifecycle.Facts, error) {
	return r.factsOfOne(ctx, proposal, func(l *loading, ctx context.Context) error { return l.estimates(ctx, r.now) })
}

// FactsWithEstimates is Facts with each single estimate, of which there may be
// very many.
func (r *Reader) FactsWithEstimates(ctx context.Context, proposal syntax.ATURI) (lifecycle.Facts, error) {
	return r.factsOfOne(ctx, proposal, (*loading).everyEstimate)
}

func (r *Reader) factsOfOne(ctx context.Context, proposal syntax.ATURI, estimates func(*loading, context.Context) error) (lifecycle.Facts, error) {
	found, err := r.factsOf(ctx, []syntax.ATURI{proposal}, estimates)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return lifecycle.Facts{}, fmt.Errorf("store: facts of %s: %w", proposal, err)
	}
	return found[proposal], nil
}

// FactsShown is FactsOf for what anybody is shown of the proposals themselves: stage,
// project, attempts, answer and warnings. Of payments, of which there may be very many,
// it holds only those that somebody must be warned of.
func (r *Reader) FactsShown(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]lifecycle.Facts, error) {
	l, err := loadProposals(ctx, r.tx, r.policy, uris)
	if err == nil {
		err = l.acting(ctx)
	}
	if err == nil && (l.attempted() || l.has.receipts) {
		err = l.overdue(ctx, r.now)
	}
	if err == nil {
		l.keep(func(f *lifecycle.Facts) bool { return existsAt(f, r.now) })
		err = l.estimates(ctx, r.now)
	}
	if err != nil {
		return nil, fmt.Errorf("store: facts of proposals: %w", err)
	}
	return l.result(), nil
}

func (r *Reader) factsOf(ctx context.Context, uris []syntax.ATURI, estimates func(*loading, context.Context) error) (map[syntax.ATURI]lifecycle.Facts, error) {
	l, err := loadProposals(ctx, r.tx, r.policy, uris)
	if err != nil {
		return nil, err
	}
	if err := l.deciding(ctx); err != nil {
		return nil, err
	}
	l.keep(func(f *lifecycle.Facts) bool { return existsAt(f, r.now) })
	if err := estimates(l, ctx); err != nil {
		return nil, err
	}
	if len(l.attempts) == 0 {
		return l.result(), nil
	}
	for _, load := range []func(context.Context) error{l.disputes, l.rulings, l.verifications} {
		if err := load(ctx); err != nil {
			return nil, err
		}
	}
	return l.result(), nil
}

// existsAt: a proposal that is dated ahead exists already when a campaign is about
// it.
func existsAt(f *lifecycle.Facts, now time.Time) bool {
	if written(f, now) {
		return true
	}
	_, exists := lifecycle.StageAt(lifecycle.Evaluate(*f), now)
	return exists
}

// written: the proposal is not dated ahead.
func written(f *lifecycle.Facts, now time.Time) bool {
	return !f.Proposal.CreatedAt.Add(-lifecycle.FutureTolerance).After(now)
}

// AnswersTo returns of the proposals among uris only the facts that decide about
// answers: subject, who acts for it, and responses.
func (r *Reader) AnswersTo(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]lifecycle.Facts, error) {
	l, err := r.proposals(ctx, uris)
	if err != nil {
		return nil, fmt.Errorf("store: answers to proposals: %w", err)
	}
	for _, load := range []func(context.Context) error{l.authority, l.responses} {
		if err := load(ctx); err != nil {
			return nil, fmt.Errorf("store: answers to proposals: %w", err)
		}
	}
	return l.result(), nil
}

// FactsOfBacker returns of the proposals among uris only the facts that decide
// where an account's own estimates and pledges stand: these, its receipts, the
// campaigns of trusted escrows, and of attempts that its receipts are for, where
// these say no more, whether they are the proposal's.
func (r *Reader) FactsOfBacker(ctx context.Context, did syntax.DID, uris []syntax.ATURI) (map[syntax.ATURI]lifecycle.Facts, error) {
	l, err := loadProposals(ctx, r.tx, r.policy, uris)
	if err != nil {
		return nil, fmt.Errorf("store: facts of proposals and %s: %w", did, err)
	}
	trusted := jsonList(r.policy.TrustedEscrows)
	for _, load := range []func() error{
		func() error { return l.addEstimates(ctx, l.list, ` AND e.author = $2`, did) },
		func() error { return l.addPledges(ctx, ` AND x.author = $2`, did) },
		func() error { return l.paidAttempts(ctx, did) },
		func() error {
			return l.addCampaigns(ctx, ` AND c.escrow IN (SELECT value FROM json_each($2))`, trusted)
		},
		func() error { return l.addReceipts(ctx, receiptsOf, ` AND t.payer = $2`, did) },
	} {
		if err := load(); err != nil {
			return nil, fmt.Errorf("store: facts of proposals and %s: %w", did, err)
		}
	}
	l.keep(func(f *lifecycle.Facts) bool { return existsAt(f, r.now) }) // by a campaign, perhaps
	return l.result(), nil
}

// WithEstimatesOf returns known facts with each single estimate of an account in the
// place of the sums of all.
func (r *Reader) WithEstimatesOf(ctx context.Context, did syntax.DID, known map[syntax.ATURI]lifecycle.Facts) (map[syntax.ATURI]lifecycle.Facts, error) {
	l := &loading{q: r.tx, facts: make(map[syntax.ATURI]*lifecycle.Facts, len(known))}
	for uri, f := range known {
		f.Estimates, f.Sums, f.Summed = nil, nil, nil
		l.facts[uri] = &f
	}
	list := listOf(slices.Sorted(maps.Keys(known)))
	if err := l.addEstimates(ctx, list, ` AND e.author = $2`, did); err != nil {
		return nil, fmt.Errorf("store: estimates of %s: %w", did, err)
	}
	return l.result(), nil
}

// ProjectsOf returns the projects that proved the addresses to be their own that the
// proposals among uris are about, as far as one did that counts now.
func (r *Reader) ProjectsOf(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]syntax.ATURI, error) {
	out := make(map[syntax.ATURI]syntax.ATURI, len(uris))
	_, err := collect(ctx, r.tx, `
		SELECT proposal_uri, project FROM claimed
		WHERE proposal_uri IN (SELECT value FROM json_each($1)) AND from_at <= $2 AND to_at > $2`,
		func(rows *sql.Rows) (struct{}, error) {
			var uri, project syntax.ATURI
			err := rows.Scan(&uri, &project)
			out[uri] = project
			return struct{}{}, err
		}, jsonList(uris), millis(r.now))
	if err != nil {
		return nil, fmt.Errorf("store: projects of proposals: %w", err)
	}
	return out, nil
}

// proposals loads the proposals themselves; those that do not exist yet are left
// out.
func (r *Reader) proposals(ctx context.Context, uris []syntax.ATURI) (*loading, error) {
	l, err := loadProposals(ctx, r.tx, r.policy, uris)
	if err == nil {
		l.keep(func(f *lifecycle.Facts) bool { return written(f, r.now) })
	}
	return l, err
}
