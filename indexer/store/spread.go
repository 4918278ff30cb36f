package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// NewestEstimates are the newest estimates for a proposal, and how all that count are
// spread.
type NewestEstimates struct {
	// Facts decide what the newest count for; they hold no others.
	Facts  lifecycle.Facts
	Spread []EstimateStep
}

// EstimateStep is how many estimates in a currency count for about as much, and for what
// together. Step is the number of the first of the ends that is more.
type EstimateStep struct {
	Currency money.Currency
	Step     int
	Count    int64
	Sum      int64
}

// NewestEstimates reads the newest estimates, no more than limit, and how those that count
// are spread over steps with these ends, lowest first. It is [Reader.FactsWithEstimates] for
// who needs few of very many; ok is false where only that will do, as the sums of what
// counts are not kept or will not last. [ErrNotFound] is returned as there.
func (r *Reader) NewestEstimates(ctx context.Context, proposal syntax.ATURI, ends []int64, limit int) (out NewestEstimates, ok bool, err error) {
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
	var step strings.Builder
	for i, end := range ends {
		fmt.Fprintf(&step, " WHEN counted < %d THEN %d", end, i)
	}
	out.Facts = *f
	out.Spread, err = collect(ctx, r.tx, `
		SELECT currency, CASE`+step.String()+` END AS step, count(*), sum(counted) FROM estimate
		WHERE proposal_uri = $1 AND stands = 1 AND counted IS NOT NULL AND counted < $2
		GROUP BY currency, step ORDER BY currency, step`,
		func(rows *sql.Rows) (s EstimateStep, err error) {
			return s, rows.Scan(&s.Currency, &s.Step, &s.Count, &s.Sum)
		}, proposal, ends[len(ends)-1])
	if err != nil {
		return out, false, fmt.Errorf("store: how estimates for %s are spread: %w", proposal, err)
	}
	return out, true, nil
}
