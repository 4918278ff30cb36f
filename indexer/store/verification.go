package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putVerification(ctx context.Context, row typedRow, rec *stratos.FeatureVerification) error {
	return tx.exec(ctx, `
		INSERT INTO verification (record_id, uri, author, release_uri, release_cid, development_uri, matches, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		row.id, row.uri, row.author, rec.Release.Uri, rec.Release.Cid, attemptOf(rec.Release.Uri), rec.Matches, row.createdAt)
}

// VerificationRow is a report about a release in a list.
type VerificationRow struct {
	Key
	Matches bool
}

// ListVerifications returns the reports about releases of attempts at a
// proposal, newest first, after the key of the last page. Attempts are those
// whose record is there, and those that a trusted escrow has a campaign for.
// A page sorts the reports about one proposal.
func (r *Reader) ListVerifications(ctx context.Context, proposal syntax.ATURI, after *Key, limit int) ([]VerificationRow, error) {
	var c clauses
	c.add(`SELECT x.created_at, x.uri, x.matches FROM verification x JOIN repo a ON a.did = x.author
		WHERE a.status = 'active' AND x.development_uri IN `)
	r.attempts(&c, proposal)
	r.newestFirst(&c, after, limit)
	rows, err := collect(ctx, r.tx, c.text.String(), func(rows *sql.Rows) (v VerificationRow, err error) {
		err = rows.Scan(&v.Value, &v.URI, &v.Matches)
		return v, err
	}, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list the verifications of %s: %w", proposal, err)
	}
	return rows, nil
}

// attempts adds the list of the attempts at a proposal: those whose record is
// there, and those that an escrow has a campaign for that counts.
func (r *Reader) attempts(c *clauses, proposal syntax.ATURI) {
	c.add(`(SELECT d.uri FROM development d JOIN repo o ON o.did = d.author WHERE d.proposal_uri = ? AND o.status = 'active'
		UNION
		SELECT t.development_uri FROM campaign t WHERE t.proposal_uri = ? AND `, proposal, proposal)
	r.countedOfFew(c)
	c.add(`)`)
}

const verificationsOf = `
	SELECT x.uri, x.author, x.created_at, x.release_uri, x.release_cid, x.matches
	FROM verification x JOIN repo a ON a.did = x.author
	WHERE x.development_uri IN (SELECT uri FROM development WHERE proposal_uri = $1
	                            UNION SELECT development_uri FROM campaign WHERE proposal_uri = $1)
	AND a.status = 'active'`

func scanVerification(rows *sql.Rows) (v lifecycle.Verification, err error) {
	var m metaColumns
	err = rows.Scan(&m.uri, &m.author, &m.createdAt, &v.Release.URI, &v.Release.CID, &v.Matches)
	v.Meta = m.meta()
	return v, err
}

// Verdicts are what people say of a release, the newest word of each.
type Verdicts struct {
	Matching, Differing int64
	Newest              []VerdictRow
}

// VerdictRow is one of them.
type VerdictRow struct {
	URI     syntax.ATURI
	CID     syntax.CID
	Matches bool
}

// verdictsCounted is how many reports about a release are looked at, from the newest one:
// anybody can write any number of them.
const verdictsCounted = 5000

// VerdictsAbout counts what people say of the release of an attempt, and returns the
// newest, no more than limit.
func (r *Reader) VerdictsAbout(ctx context.Context, development syntax.ATURI, limit int) (v Verdicts, err error) {
	_, err = collect(ctx, r.tx, `
		SELECT word.uri, record.cid, word.matches
		FROM (
			SELECT record_id, uri, matches, author, max(created_at) AS at
			FROM (
				SELECT x.record_id, x.uri, x.matches, x.author, x.created_at
				FROM verification x JOIN repo a ON a.did = x.author
				WHERE x.development_uri = $1 AND a.status = 'active' AND x.created_at <= $2
				ORDER BY x.created_at DESC, x.uri DESC LIMIT $3
			) GROUP BY author
		) word JOIN record ON record.id = word.record_id
		ORDER BY word.at DESC, word.uri DESC`,
		func(rows *sql.Rows) (row VerdictRow, err error) {
			if err := rows.Scan(&row.URI, &row.CID, &row.Matches); err != nil {
				return row, err
			}
			if row.Matches {
				v.Matching++
			} else {
				v.Differing++
			}
			if len(v.Newest) < limit {
				v.Newest = append(v.Newest, row)
			}
			return row, nil
		}, development, millis(r.now.Add(lifecycle.FutureTolerance)), verdictsCounted)
	if err != nil {
		return v, fmt.Errorf("store: count what is said of %s: %w", development, err)
	}
	return v, nil
}
