package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putEstimate(ctx context.Context, row typedRow, rec *stratos.FeatureEstimate) error {
	return tx.exec(ctx, `
		INSERT INTO estimate (record_id, uri, author, proposal_uri, proposal_cid, currency, amount, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Proposal.Cid, rec.Value.Currency, rec.Value.Amount, row.createdAt)
}
