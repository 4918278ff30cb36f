package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// Activity counts what an account did here.
type Activity struct {
	Proposed int64 // visible proposals
	Backed   int64 // proposals that its money is held for or reached the developer of
	Built    int64 // attempts that it led: they were the current one, or a campaign was opened
	// Completed and Refunded count its campaigns that were paid out, and whose
	// pledges went back.
	Completed int64
	Refunded  int64
	// DisputesUpheld counts disputes against its releases.
	DisputesUpheld int64
	// IndexedAt is when the first of its records came; zero without any.
	IndexedAt time.Time
}

// Activity returns what an active account did. [ErrNotFound] is returned for an
// account that is not followed, or hidden. Money and campaigns count when a
// trusted escrow says so.
func (r *Reader) Activity(ctx context.Context, did syntax.DID) (a Activity, err error) {
	first, err := r.firstIndexed(ctx, did)
	if err != nil {
		return a, fmt.Errorf("store: activity of %s: %w", did, err)
	}
	a.IndexedAt = first
	for _, part := range []struct {
		into  *int64
		count func(*clauses, syntax.DID)
	}{
		{&a.Proposed, r.countProposed},
		{&a.Backed, r.countBacked},
		{&a.Built, r.countBuilt},
		{&a.Completed, func(c *clauses, did syntax.DID) { r.countCampaigns(c, did, "released") }},
		{&a.Refunded, func(c *clauses, did syntax.DID) { r.countCampaigns(c, did, "refunded", "refunding") }},
		{&a.DisputesUpheld, r.countUpheld},
	} {
		var c clauses
		part.count(&c, did)
		if err := r.tx.QueryRowContext(ctx, c.text.String(), c.args...).Scan(part.into); err != nil {
			return a, fmt.Errorf("store: activity of %s: %w", did, err)
		}
	}
	return a, nil
}

func (r *Reader) firstIndexed(ctx context.Context, did syntax.DID) (first time.Time, err error) {
	found, err := collect(ctx, r.tx, `
		SELECT min((SELECT min(indexed_at) FROM record WHERE did = a.did AND collection = c.value))
		FROM repo a CROSS JOIN json_each($1) c
		WHERE a.did = $2 AND a.status = 'active' GROUP BY a.did`,
		func(rows *sql.Rows) (at sql.NullInt64, err error) {
			err = rows.Scan(&at)
			return at, err
		}, jsonList(lexicons.Collections()), did)
	switch {
	case err != nil:
		return first, err
	case len(found) == 0:
		return first, ErrNotFound
	case found[0].Valid:
		first = fromMillis(found[0].Int64)
	}
	return first, nil
}

func (r *Reader) countProposed(c *clauses, did syntax.DID) {
	now := millis(r.now)
	c.add(`SELECT count(*) FROM proposal p
		JOIN stage_interval s ON s.proposal_uri = p.uri AND s.from_at <= ? AND s.to_at > ?
		WHERE p.author = ?`, now, now, did)
}

func (r *Reader) countBacked(c *clauses, did syntax.DID) {
	c.add(`SELECT count(DISTINCT `+receiptProposal+`)
		FROM receipt t WHERE t.payer = ? AND t.status IN ('held', 'releasing', 'released', 'paid') AND `, did)
	r.countedOfFew(c)
}

// countBuilt finds the attempts of an account by how their uris begin.
func (r *Reader) countBuilt(c *clauses, did syntax.DID) {
	c.add(`SELECT count(*) FROM (
		SELECT s.attempt_uri FROM stage_interval s WHERE s.attempt_uri >= ? AND s.attempt_uri < ? AND s.from_at <= ?
		UNION
		SELECT t.development_uri FROM campaign t WHERE t.author = ? AND `,
		"at://"+did.String()+"/", "at://"+did.String()+"0", millis(r.now), did)
	r.countedOfFew(c)
	c.add(`)`)
}

func (r *Reader) countCampaigns(c *clauses, did syntax.DID, phases ...string) {
	c.add(`SELECT count(DISTINCT t.development_uri) FROM campaign t
		WHERE t.author = ? AND t.phase IN (SELECT value FROM json_each(?)) AND `, did, jsonList(phases))
	r.countedOfFew(c)
}

// countUpheld goes by the disputes that stopped a campaign's clock: their records
// may be gone.
func (r *Reader) countUpheld(c *clauses, did syntax.DID) {
	c.add(`SELECT count(DISTINCT g.dispute_uri) FROM campaign t, json_each(t.pauses) z
		JOIN ruling g ON g.dispute_uri = z.value ->> 'dispute' AND g.escrow = t.escrow
		WHERE t.author = ? AND g.outcome = 'upheld' AND `, did)
	r.countedOfFew(c)
}
