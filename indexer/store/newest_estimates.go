package store

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// NewestEstimates are the newest estimates for a proposal, and the sums of all that count.
type NewestEstimates struct {
	// Facts decide what the newest count for; they hold no others.
	Facts lifecycle.Facts
	Sums  []lifecycle.EstimateSum
}

// NewestEstimates reads the newest estimates, no more than limit, and the sums of all that
// count. It is [Reader.FactsWithEstimates] for who needs few of very many; ok is false where only that will do, as the sums of what
// counts are not kept or will not last. [ErrNotFound] is returned as there.
func (r *Reader) NewestEstimates(ctx context.Context, proposal syntax.ATURI, limit int) (out NewestEstimates, ok bool, err error) {
	l, err := loadProposals(ctx, r.tx, r.policy, []syntax.ATURI{proposal})
	if err == nil {
		err = l.acting(ctx)
	}
	if err != nil {
		return out, false, fmt.Errorf("store: newest estimates for %s: %w", proposal, err)
	}
	f := l.facts[proposal]
	if f == nil || !existsAt(f, r.now) {
		return out, false, ErrNotFound
	}
	until, lasting := lifecycle.EstimatesCountUntil(*f, r.now)
	if have, tallied := l.tallied[proposal]; !tallied || !lasting || have != millis(until) || l.has.ahead {
		return out, false, nil
	}
	f.Estimates, err = collect(ctx, r.tx, fmt.Sprintf(`
		SELECT `+estimateColumns+` WHERE e.proposal_uri = $1 AND a.status = 'active' AND e.created_at <= $2
		ORDER BY e.created_at DESC, e.uri DESC LIMIT %d`, limit), scanEstimate, proposal, millis(existing(r.now)))
	if err != nil {
		return out, false, fmt.Errorf("store: newest estimates for %s: %w", proposal, err)
	}
	out.Facts = *f
	sums, err := collect(ctx, r.tx, sumsOf, scanSum, proposal)
	if err != nil {
		return out, false, fmt.Errorf("store: sums of the estimates for %s: %w", proposal, err)
	}
	for _, s := range sums {
		out.Sums = append(out.Sums, s.fact)
	}
	return out, true, nil
}
