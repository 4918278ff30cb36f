package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putResponse(ctx context.Context, row typedRow, rec *stratos.WorkResponse) error {
	return tx.exec(ctx, `
		INSERT INTO response (record_id, uri, author, proposal_uri, proposal_cid, answer, duplicate_of, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Proposal.Cid, rec.Answer, nullString(rec.DuplicateOf), row.createdAt)
}

// Duplicate is a proposal that was declined, and was said to be one of another.
type Duplicate struct {
	Of, Proposal syntax.ATURI
}

// Duplicates returns candidates for what was answered as a duplicate of the
// proposals among uris, of each at most limit, the latest answered first.
// Anybody may answer: whose answer stands is for lifecycle to say. The stage is
// looked up for each, instead of going through all that are declined.
func (r *Reader) Duplicates(ctx context.Context, uris []syntax.ATURI, limit int) ([]Duplicate, error) {
	out, err := collect(ctx, r.tx, `
		SELECT duplicate_of, proposal_uri FROM (
			SELECT r.duplicate_of, r.proposal_uri,
			       row_number() OVER (PARTITION BY r.duplicate_of ORDER BY max(r.created_at) DESC, r.proposal_uri) AS place
			FROM response r
			JOIN repo a ON a.did = r.author
			JOIN stage_interval s ON s.proposal_uri = r.proposal_uri AND s.from_at <= $1 AND s.to_at > $1
			WHERE r.duplicate_of IN (SELECT value FROM json_each($2)) AND r.answer = 'duplicate'
			AND a.status = 'active' AND +s.stage = 'declined'
			GROUP BY r.duplicate_of, r.proposal_uri)
		WHERE place <= $3
		ORDER BY duplicate_of, place`,
		func(rows *sql.Rows) (d Duplicate, err error) {
			err = rows.Scan(&d.Of, &d.Proposal)
			return d, err
		}, millis(r.now), jsonList(uris), limit)
	if err != nil {
		return nil, fmt.Errorf("store: list duplicates: %w", err)
	}
	return out, nil
}
