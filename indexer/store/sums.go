package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

const sumsOf = `
	SELECT proposal_uri, currency, proposal_cid, step, whole, rest, estimators, proven_whole, proven_rest, estimators_proven
	FROM estimated WHERE proposal_uri = $1`

func scanSum(rows *sql.Rows) (s about[lifecycle.EstimateSum], err error) {
	err = rows.Scan(&s.proposal, &s.fact.Currency, &s.fact.Proposal, &s.fact.Step, &s.fact.Estimated.Whole, &s.fact.Estimated.Rest, &s.fact.Estimators,
		&s.fact.EstimatedProven.Whole, &s.fact.EstimatedProven.Rest, &s.fact.EstimatorsProven)
	return s, err
}

// estimates adds the sums of estimates, and each single one where sums are not
// enough: when it begins to exist later, or when the moment until which they count
// is to change with the clock, or has changed since the sums were made.
func (l *loading) estimates(ctx context.Context, now time.Time) error {
	if !l.has.estimates {
		return nil
	}
	var summed, single []syntax.ATURI
	for uri, f := range l.facts {
		until, lasting := lifecycle.EstimatesCountUntil(*f, now)
		if have, ok := l.tallied[uri]; ok && lasting && have == millis(until) {
			summed = append(summed, uri)
		} else {
			single = append(single, uri)
		}
	}
	slices.Sort(summed)
	slices.Sort(single)
	if len(summed) > 0 {
		if err := l.addSums(ctx, listOf(summed)); err != nil {
			return err
		}
	}
	if len(single) == 0 {
		return nil
	}
	return l.addEstimates(ctx, listOf(single), "")
}

func (l *loading) addSums(ctx context.Context, list proposalList) error {
	sums, err := collect(ctx, l.q, list.many(sumsOf), scanSum, list.arg)
	if err != nil {
		return fmt.Errorf("load the sums of estimates: %w", err)
	}
	for _, s := range sums {
		f := l.facts[s.proposal]
		f.Sums = append(f.Sums, s.fact)
	}
	if !l.has.ahead {
		return nil
	}
	ahead := list.many(`SELECT record_id FROM estimate_ahead WHERE proposal_uri = $1`)
	later, err := collect(ctx, l.q, `SELECT `+estimateColumns+` WHERE e.record_id IN (`+ahead+`) AND a.status = 'active'`, scanEstimate, list.arg)
	if err != nil {
		return fmt.Errorf("load the estimates that are dated ahead: %w", err)
	}
	if len(later) == 0 {
		return nil
	}
	for _, e := range later {
		f := l.facts[e.Proposal.URI]
		f.Estimates = append(f.Estimates, e)
	}
	summed, err := collect(ctx, l.q, `
		SELECT `+estimateColumns+` WHERE a.status = 'active' AND e.record_id IN (
			SELECT x.record_id FROM estimate h
			JOIN estimate x ON x.author = h.author AND x.proposal_uri = h.proposal_uri AND x.stands = 1
			WHERE h.record_id IN (`+ahead+`))`, scanEstimate, list.arg)
	if err != nil {
		return fmt.Errorf("load the estimates that stand until others begin to exist: %w", err)
	}
	for _, e := range summed {
		f := l.facts[e.Proposal.URI]
		f.Summed = append(f.Summed, e)
	}
	return nil
}
