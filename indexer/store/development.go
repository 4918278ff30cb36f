package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func (tx *tx) putDevelopment(ctx context.Context, row typedRow, rec *stratos.WorkDevelopment) error {
	var currency sql.NullString
	var amount sql.NullInt64
	if rec.Goal != nil {
		currency = sql.NullString{String: rec.Goal.Currency, Valid: true}
		amount = sql.NullInt64{Int64: rec.Goal.Amount, Valid: true}
	}
	err := tx.exec(ctx, `
		INSERT INTO development (record_id, uri, author, proposal_uri, goal_currency, goal_amount, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		row.id, row.uri, row.author, rec.Proposal.Uri, currency, amount, row.createdAt)
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
	opens, err := syntax.ParseDatetimeTime(rec.OpensAt)
	if err != nil {
		return fmt.Errorf("opensAt: %w", err)
	}
	closes, err := syntax.ParseDatetimeTime(rec.ClosesAt)
	if err != nil {
		return fmt.Errorf("closesAt: %w", err)
	}
	return tx.exec(ctx, `
		INSERT INTO attempt_part (record_id, uri, author, development_uri, kind, opens_at, closes_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		row.id, row.uri, row.author, rec.Development.Uri, partPreview, millis(opens), millis(closes), row.createdAt)
}

func (tx *tx) putAttemptPart(ctx context.Context, row typedRow, development, kind string) error {
	return tx.exec(ctx, `
		INSERT INTO attempt_part (record_id, uri, author, development_uri, kind, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		row.id, row.uri, row.author, development, kind, row.createdAt)
}
