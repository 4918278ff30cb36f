package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putDispute(ctx context.Context, row typedRow, rec *stratos.FeatureDispute) error {
	return tx.exec(ctx, `
		INSERT INTO dispute (record_id, uri, author, proposal_uri, proposal_cid, release_uri, release_cid,
		                     development_uri, reason, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Proposal.Cid, rec.Release.Uri, rec.Release.Cid,
		attemptOf(rec.Release.Uri), rec.Reason, row.createdAt)
}

// attemptOf is the development that a release belongs to: it has the same
// repository and key.
func attemptOf(release string) syntax.ATURI {
	uri := syntax.ATURI(release)
	return recordURI(syntax.DID(uri.Authority()), lexicons.CollectionDevelopment, uri.RecordKey())
}

// DisputeRow is a dispute in a list, with what decides whether it stands
// (rule 13).
type DisputeRow struct {
	Key
	Author  syntax.DID
	Release syntax.ATURI
	// Held: a receipt that counts says that money of the author is held for the
	// attempt.
	Held bool
	// Repeated: the author disputed the same release before.
	Repeated bool
	// Ruling is the first one of an escrow that is trusted and has a campaign
	// for the attempt; it and Outcome are empty without.
	Ruling  syntax.ATURI
	Outcome string
}

// ListDisputes returns the disputes about releases of attempts at a proposal,
// newest first, after the key of the last page; see [Reader.ListVerifications]
// for what attempts are. A page sorts the disputes about one proposal.
func (r *Reader) ListDisputes(ctx context.Context, proposal syntax.ATURI, after *Key, limit int) ([]DisputeRow, error) {
	var c clauses
	c.add(`SELECT x.created_at, x.uri, x.author, x.release_uri, `)
	r.held(&c)
	c.add(`, EXISTS (SELECT 1 FROM dispute o WHERE o.author = x.author AND o.release_uri = x.release_uri
			AND (o.created_at, o.uri) < (x.created_at, x.uri)),
		g.uri, g.outcome
		FROM dispute x JOIN repo a ON a.did = x.author
		LEFT JOIN ruling g ON g.record_id = (SELECT first.record_id FROM ruling first
			WHERE first.dispute_uri = x.uri AND first.escrow IN (SELECT value FROM json_each(?))
			AND EXISTS (SELECT 1 FROM campaign w WHERE w.development_uri = x.development_uri AND w.escrow = first.escrow)
			AND EXISTS (SELECT 1 FROM repo e WHERE e.did = first.escrow AND e.status = 'active')
			ORDER BY first.created_at, first.uri LIMIT 1)
		WHERE a.status = 'active' AND x.development_uri IN `, jsonList(r.policy.TrustedEscrows))
	r.attempts(&c, proposal)
	r.newestFirst(&c, after, limit)
	rows, err := collect(ctx, r.tx, c.text.String(), func(rows *sql.Rows) (d DisputeRow, err error) {
		var ruling, outcome sql.NullString
		err = rows.Scan(&d.Value, &d.URI, &d.Author, &d.Release, &d.Held, &d.Repeated, &ruling, &outcome)
		d.Ruling, d.Outcome = syntax.ATURI(ruling.String), outcome.String
		return d, err
	}, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list the disputes about %s: %w", proposal, err)
	}
	return rows, nil
}

// held adds an expression: whether money of the author of x is held for the
// attempt that x is about.
func (r *Reader) held(c *clauses) {
	c.add(`EXISTS (SELECT 1 FROM receipt t WHERE t.payer = x.author AND t.development_uri = x.development_uri
		AND t.status = 'held' AND `)
	r.counted(c)
	c.add(`)`)
}

const disputesOf = `
	SELECT x.uri, x.author, x.created_at, x.release_uri, x.release_cid
	FROM dispute x JOIN repo a ON a.did = x.author
	WHERE x.development_uri IN (SELECT uri FROM development WHERE proposal_uri = $1
	                            UNION SELECT development_uri FROM campaign WHERE proposal_uri = $1)
	AND a.status = 'active'`

func scanDispute(rows *sql.Rows) (d lifecycle.Dispute, err error) {
	var m metaColumns
	err = rows.Scan(&m.uri, &m.author, &m.createdAt, &d.Release.URI, &d.Release.CID)
	d.Meta = m.meta()
	return d, err
}
