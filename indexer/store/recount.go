package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// Most of what arrives are estimates, most of them for few proposals, and these have
// the most pledges and receipts. An estimate changes neither stage nor money: where
// sums are kept, the funding is derived from what it was and from the sums, without
// looking at anything else.

// recountFunding derives the funding of those of the proposals again of which only
// estimates changed and sums are kept, and returns the others.
func (tx *tx) recountFunding(ctx context.Context, uris []syntax.ATURI) (others []syntax.ATURI, err error) {
	if len(uris) == 0 {
		return nil, nil
	}
	if err := tx.writeSums(ctx); err != nil {
		return nil, err
	}
	list := listOf(uris)
	created, err := tx.summedUp(ctx, list)
	if err != nil {
		return nil, err
	}
	have, err := tx.fundingRows(ctx, list)
	if err != nil {
		return nil, err
	}
	sums := map[syntax.ATURI][]lifecycle.EstimateSum{}
	found, err := collect(ctx, tx, list.many(sumsOf), scanSum, list.arg)
	if err != nil {
		return nil, fmt.Errorf("read the sums of estimates: %w", err)
	}
	for _, s := range found {
		sums[s.proposal] = append(sums[s.proposal], s.fact)
	}
	for _, uri := range uris {
		rows := have[uri]
		createdAt, ok := created[uri]
		if !ok || len(rows.ranking) == 0 {
			others = append(others, uri)
			continue
		}
		before, err := rows.intervals()
		if err != nil {
			return nil, fmt.Errorf("recount the funding of %s: %w", uri, err)
		}
		var want derivedRows
		want.addFunding(fromMillis(createdAt), lifecycle.Recounted(before, sums[uri], tx.now))
		if err := tx.replaceFunding(ctx, uri, rows.funding, want.funding); err != nil {
			return nil, fmt.Errorf("recount the funding of %s: %w", uri, err)
		}
		if err := tx.replaceRanking(ctx, uri, rows.ranking, want.ranking); err != nil {
			return nil, fmt.Errorf("recount the ranking of %s: %w", uri, err)
		}
	}
	return others, nil
}

// summedUp finds those of the proposals of whose estimates all that exist are in sums,
// and none begins to exist later, with when each was created.
func (tx *tx) summedUp(ctx context.Context, list proposalList) (map[syntax.ATURI]int64, error) {
	created := map[syntax.ATURI]int64{}
	_, err := collect(ctx, tx, list.many(`
		SELECT p.uri, p.created_at FROM proposal p JOIN tallied t ON t.proposal_uri = p.uri
		WHERE NOT EXISTS (SELECT 1 FROM estimate_ahead WHERE proposal_uri = p.uri) AND p.uri = $1`),
		func(rows *sql.Rows) (struct{}, error) {
			var uri syntax.ATURI
			var at int64
			err := rows.Scan(&uri, &at)
			created[uri] = at
			return struct{}{}, err
		}, list.arg)
	if err != nil {
		return nil, fmt.Errorf("look for sums of estimates: %w", err)
	}
	return created, nil
}

var errBrokenFunding = errors.New("the stretches of funding do not follow one another")

// intervals are the funding and ranking rows as lifecycle evaluated them.
func (d derivedRows) intervals() ([]lifecycle.FundingInterval, error) {
	byFrom := map[int64][]lifecycle.Funding{}
	for _, row := range d.funding {
		byFrom[row.from] = append(byFrom[row.from], row.lifecycle())
	}
	ranking := slices.SortedFunc(slices.Values(d.ranking), func(a, b rankingRow) int { return int(min(1, max(-1, a.from-b.from))) })
	var out []lifecycle.FundingInterval
	for _, r := range ranking {
		out = append(out, lifecycle.FundingInterval{Until: fromMillis(r.to), Funding: byFrom[r.from]})
		delete(byFrom, r.from)
	}
	if left := slices.Collect(maps.Keys(byFrom)); len(left) > 0 {
		return nil, fmt.Errorf("%w: nothing ranks what begins at %v", errBrokenFunding, left)
	}
	return out, nil
}
