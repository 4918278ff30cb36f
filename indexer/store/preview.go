package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// PreviewRow is a preview that should be open, of a development that names an escrow.
// Whether it may open is for that escrow to say.
type PreviewRow struct {
	Key         // of the preview: when it opens, in milliseconds, and its uri
	CID         syntax.CID
	Development syntax.ATURI
	// DevelopmentCID is the version that the index holds, and Proposal what it names.
	DevelopmentCID syntax.CID
	Proposal       syntax.ATURI
}

// OpenPreviews returns the previews of attempts that name the escrow which should be
// open now and opened after a moment, in the order in which they open, after the key of
// the last page. Previews of hidden accounts are left out.
func (r *Reader) OpenPreviews(ctx context.Context, escrow syntax.DID, opened time.Time, after *Key, limit int) ([]PreviewRow, error) {
	from := Key{Value: millis(opened)}
	if after != nil {
		from = *after
	}
	rows, err := collect(ctx, r.tx, `
		SELECT t.opens_at, t.uri, v.cid, d.uri, w.cid, d.proposal_uri
		FROM attempt_part t
		JOIN record v ON v.id = t.record_id
		JOIN repo a ON a.did = t.author
		JOIN development d ON d.uri = t.development_uri
		JOIN record w ON w.id = d.record_id
		WHERE t.kind = 'preview' AND (t.opens_at, t.uri) > ($1, $2) AND t.opens_at <= $3 AND t.closes_at > $3
		AND d.escrow = $4 AND d.author = t.author AND a.status = 'active'
		ORDER BY t.opens_at, t.uri LIMIT $5`,
		func(rows *sql.Rows) (p PreviewRow, err error) {
			err = rows.Scan(&p.Value, &p.URI, &p.CID, &p.Development, &p.DevelopmentCID, &p.Proposal)
			return p, err
		}, from.Value, from.URI, millis(r.now), escrow, limit)
	if err != nil {
		return nil, fmt.Errorf("store: list the previews that %s is to open: %w", escrow, err)
	}
	return rows, nil
}
