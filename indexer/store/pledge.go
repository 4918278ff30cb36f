package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putPledge(ctx context.Context, row typedRow, rec *stratos.FeaturePledge) error {
	return tx.exec(ctx, `
		INSERT INTO pledge (record_id, uri, author, proposal_uri, escrow, currency, amount, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Escrow, rec.Value.Currency, rec.Value.Amount, row.createdAt)
}
