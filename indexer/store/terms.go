package store

import (
	"context"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putTerms(ctx context.Context, row typedRow, rec *stratos.EscrowTerms) error {
	return tx.exec(ctx, `
		INSERT INTO terms (record_id, uri, escrow, currencies, fee_basis_points,
		                   preview_seconds_minimum, preview_seconds_maximum, release_seconds, verification_seconds,
		                   ruling_seconds, dispute_reserve_seconds, maximum_hold_seconds, test, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		row.id, row.uri, row.author, jsonText(rec.Currencies), rec.FeeBasisPoints,
		rec.PreviewSeconds.Minimum, rec.PreviewSeconds.Maximum, rec.ReleaseSeconds, rec.VerificationSeconds,
		rec.RulingSeconds, rec.DisputeReserveSeconds, rec.MaximumHoldSeconds, isTrue(rec.Test), row.createdAt)
}
