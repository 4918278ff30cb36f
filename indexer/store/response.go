package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putResponse(ctx context.Context, row typedRow, rec *stratos.WorkResponse) error {
	return tx.exec(ctx, `
		INSERT INTO response (record_id, uri, author, proposal_uri, proposal_cid, answer, duplicate_of, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Proposal.Cid, rec.Answer, nullString(rec.DuplicateOf), row.createdAt)
}
