package store

import (
	"context"
	"database/sql"

	comatproto "github.com/bluesky-social/indigo/api/atproto"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putDevelopment(ctx context.Context, row typedRow, rec *stratos.WorkDevelopment) error {
	var currency sql.NullString
	var amount sql.NullInt64
	if rec.Goal != nil {
		currency = sql.NullString{String: rec.Goal.Currency, Valid: true}
		amount = sql.NullInt64{Int64: rec.Goal.Amount, Valid: true}
	}
	expected, err := optionalMillis("expectedAt", rec.ExpectedAt)
	if err != nil {
		return err
	}
	err = tx.exec(ctx, `
		INSERT INTO development (record_id, uri, author, proposal_uri, proposal_cid, escrow, currency,
		                         goal_currency, goal_amount, donations, expected_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, rec.Proposal.Cid, rec.Escrow, rec.Currency,
		currency, amount, nullString(rec.Donations), expected, row.createdAt)
	if err != nil {
		return err
	}
	for _, p := range rec.Payees {
		err := tx.exec(ctx, `
			INSERT INTO development_payee (record_id, did) VALUES ($1, $2)
			ON CONFLICT DO NOTHING`, row.id, p.Did)
		if err != nil {
			return err
		}
		if err := tx.mention(ctx, p.Did); err != nil {
			return err
		}
	}
	return nil
}

// The kinds of attempt_part rows.
const (
	partPreview      = "preview"
	partRelease      = "release"
	partCancellation = "cancellation"
	partConsent      = "consent"
)

func (tx *tx) putPreview(ctx context.Context, row typedRow, rec *stratos.WorkPreview) error {
	opens, err := parseMillis("opensAt", rec.OpensAt)
	if err != nil {
		return err
	}
	closes, err := parseMillis("closesAt", rec.ClosesAt)
	if err != nil {
		return err
	}
	return tx.exec(ctx, `
		INSERT INTO attempt_part (record_id, uri, author, development_uri, development_cid, kind, opens_at, closes_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		row.id, row.uri, row.author, rec.Development.Uri, rec.Development.Cid, partPreview, opens, closes, row.createdAt)
}

func (tx *tx) putAttemptPart(ctx context.Context, row typedRow, development comatproto.RepoStrongRef, kind string) error {
	return tx.exec(ctx, `
		INSERT INTO attempt_part (record_id, uri, author, development_uri, development_cid, kind, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		row.id, row.uri, row.author, development.Uri, development.Cid, kind, row.createdAt)
}
