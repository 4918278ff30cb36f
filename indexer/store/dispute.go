package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

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

// ListDisputes returns the keys of the disputes about releases of attempts at a
// proposal, newest first, after the key of the last page; see
// [Reader.ListVerifications] for what attempts are. Whether one stands lifecycle
// says. A page sorts the disputes about one proposal.
func (r *Reader) ListDisputes(ctx context.Context, proposal syntax.ATURI, after *Key, limit int) ([]Key, error) {
	var c clauses
	c.add(`SELECT x.created_at, x.uri FROM dispute x JOIN repo a ON a.did = x.author
		WHERE a.status = 'active' AND x.development_uri IN `)
	r.attempts(&c, proposal)
	r.newestFirst(&c, after, limit)
	keys, err := collect(ctx, r.tx, c.text.String(), scanKey, c.args...)
	if err != nil {
		return nil, fmt.Errorf("store: list the disputes about %s: %w", proposal, err)
	}
	return keys, nil
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

// DisputeRow is a dispute as its author signed it.
type DisputeRow struct {
	URI    syntax.ATURI
	CID    syntax.CID
	Author syntax.DID
	Reason string
	// IndexedAt is when the index first saw it; FirstDisputes does not say it.
	IndexedAt time.Time
}

// FirstDisputes returns the earliest dispute of each of the accounts about a release, as
// far as it exists and its account is active.
func (r *Reader) FirstDisputes(ctx context.Context, release syntax.ATURI, authors []syntax.DID) ([]DisputeRow, error) {
	rows, err := collect(ctx, r.tx, `
		SELECT x.uri, record.cid, x.author, x.reason
		FROM json_each($1) j
		JOIN repo a ON a.did = j.value AND a.status = 'active'
		JOIN dispute x ON x.record_id = (
			SELECT first.record_id FROM dispute first
			WHERE first.author = j.value AND first.release_uri = $2 AND first.created_at <= $3
			ORDER BY first.created_at, first.uri LIMIT 1)
		JOIN record ON record.id = x.record_id`,
		func(rows *sql.Rows) (d DisputeRow, err error) {
			err = rows.Scan(&d.URI, &d.CID, &d.Author, &d.Reason)
			return d, err
		}, jsonList(authors), release, millis(r.now.Add(lifecycle.FutureTolerance)))
	if err != nil {
		return nil, fmt.Errorf("store: list the disputes about %s: %w", release, err)
	}
	return rows, nil
}

// DisputesAbout returns the disputes about the release of an attempt, newest first, and no
// more than limit.
func (r *Reader) DisputesAbout(ctx context.Context, development syntax.ATURI, limit int) ([]DisputeRow, error) {
	rows, err := collect(ctx, r.tx, `
		SELECT x.uri, record.cid, x.author, x.reason, record.indexed_at
		FROM dispute x JOIN repo a ON a.did = x.author JOIN record ON record.id = x.record_id
		WHERE x.development_uri = $1 AND a.status = 'active' AND x.created_at <= $2
		ORDER BY x.created_at DESC, x.uri DESC LIMIT $3`,
		func(rows *sql.Rows) (d DisputeRow, err error) {
			var at int64
			err = rows.Scan(&d.URI, &d.CID, &d.Author, &d.Reason, &at)
			d.IndexedAt = fromMillis(at)
			return d, err
		}, development, millis(r.now.Add(lifecycle.FutureTolerance)), limit)
	if err != nil {
		return nil, fmt.Errorf("store: list the disputes about %s: %w", development, err)
	}
	return rows, nil
}
