package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putCampaign(ctx context.Context, row typedRow, rec *stratos.EscrowCampaign) error {
	err := tx.exec(ctx, `
		INSERT INTO campaign (record_id, escrow, development_uri, proposal_uri) VALUES ($1, $2, $3, $4)`,
		row.id, row.author, rec.Development.Uri, rec.Proposal.Uri)
	if err != nil {
		return err
	}
	for _, p := range rec.Payees {
		err := tx.exec(ctx, `
			INSERT INTO campaign_payee (record_id, did) VALUES ($1, $2)
			ON CONFLICT DO NOTHING`, row.id, p.Did)
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *tx) putReceipt(ctx context.Context, row typedRow, rec *stratos.EscrowReceipt) error {
	return tx.exec(ctx, `
		INSERT INTO receipt (record_id, uri, escrow, subject_uri, payer, development_uri, currency, amount, status, test, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		row.id, row.uri, row.author, rec.Subject.Uri, rec.Payer, rec.Development.Uri,
		rec.Value.Currency, rec.Value.Amount, rec.Status, rec.Test != nil && *rec.Test, row.createdAt)
}
