package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putRuling(ctx context.Context, row typedRow, rec *stratos.EscrowRuling) error {
	return tx.exec(ctx, `
		INSERT INTO ruling (record_id, uri, escrow, dispute_uri, dispute_cid, outcome, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		row.id, row.uri, row.author, rec.Dispute.Uri, rec.Dispute.Cid, rec.Outcome, row.createdAt)
}
