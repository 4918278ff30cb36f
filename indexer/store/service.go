package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putService(ctx context.Context, row typedRow, rec *stratos.EscrowService) error {
	return tx.exec(ctx, `
		INSERT INTO service (record_id, uri, escrow, name, terms_uri, terms_cid, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		row.id, row.uri, row.author, rec.Name, rec.Terms.Uri, rec.Terms.Cid, row.createdAt)
}
