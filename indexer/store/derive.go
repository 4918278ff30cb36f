package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// deriveAtOnce is how many stale rows one transaction derives. What is left,
// after a wide fan-out, waits for the transactions that follow.
const deriveAtOnce = 256

// DeriveStale works off a part of what is queued and reports whether more is.
func (s *Store) DeriveStale(ctx context.Context) (more bool, err error) {
	err = s.update(ctx, "derive stale rows", func(tx *tx) error {
		more, err = tx.derive(ctx)
		return err
	})
	return more, err
}

// derive works off the queues, standings first, since they make proposals stale.
func (tx *tx) derive(ctx context.Context) (more bool, err error) {
	accounts, err := tx.takeStale(ctx, `DELETE FROM dirty_standing WHERE did IN (SELECT did FROM dirty_standing LIMIT $1) RETURNING did`)
	if err != nil {
		return false, err
	}
	for _, did := range accounts {
		if err := tx.deriveStanding(ctx, syntax.DID(did)); err != nil {
			return false, fmt.Errorf("derive the standing of %s: %w", did, err)
		}
	}
	if len(accounts) == deriveAtOnce {
		return true, nil
	}
	proposals, err := tx.takeStale(ctx, `DELETE FROM dirty_proposal WHERE uri IN (SELECT uri FROM dirty_proposal LIMIT $1) RETURNING uri`)
	if err != nil {
		return false, err
	}
	for _, uri := range proposals {
		if err := tx.deriveProposal(ctx, syntax.ATURI(uri)); err != nil {
			return false, fmt.Errorf("derive %s: %w", uri, err)
		}
	}
	return len(proposals) == deriveAtOnce, nil
}

func (tx *tx) takeStale(ctx context.Context, query string) ([]string, error) {
	keys, err := collect(ctx, tx, query, scanString, deriveAtOnce)
	if err != nil {
		return nil, fmt.Errorf("take from the queue: %w", err)
	}
	return keys, nil
}

func scanString(rows *sql.Rows) (string, error) {
	var v string
	err := rows.Scan(&v)
	return v, err
}

// deriveStanding replaces an account's standings, and queues what it estimated
// when they really changed.
func (tx *tx) deriveStanding(ctx context.Context, did syntax.DID) error {
	receipts, err := loadReceipts(ctx, tx, did)
	if err != nil {
		return err
	}
	old, err := loadStandings(ctx, tx, did)
	if err != nil {
		return err
	}
	standings := lifecycle.Standings(did, receipts, tx.policy)
	if slices.Equal(old, standings) {
		return nil
	}
	if err := tx.exec(ctx, `DELETE FROM standing WHERE did = $1`, did); err != nil {
		return err
	}
	for _, s := range standings {
		err := tx.exec(ctx, `
			INSERT INTO standing (did, currency, largest, receipt_uri) VALUES ($1, $2, $3, $4)`,
			did, s.Currency, s.Largest, s.Receipt)
		if err != nil {
			return err
		}
	}
	return tx.exec(ctx, `
		INSERT INTO dirty_proposal (uri) SELECT DISTINCT proposal_uri FROM estimate WHERE author = $1
		ON CONFLICT DO NOTHING`, did)
}

// hide deletes what was derived of an account's proposals at once: their turn
// in the queue may come only after a wide fan-out.
func (tx *tx) hide(ctx context.Context, did syntax.DID) error {
	for _, query := range []string{
		`DELETE FROM stage_interval WHERE proposal_uri IN (SELECT uri FROM proposal WHERE author = $1)`,
		`DELETE FROM funding WHERE proposal_uri IN (SELECT uri FROM proposal WHERE author = $1)`,
		`DELETE FROM ranking WHERE proposal_uri IN (SELECT uri FROM proposal WHERE author = $1)`,
	} {
		if err := tx.exec(ctx, query, did); err != nil {
			return fmt.Errorf("hide the proposals of %s: %w", did, err)
		}
	}
	return nil
}

// deriveProposal replaces the stage intervals, funding and ranking of a
// proposal; one that is gone or hidden has none.
func (tx *tx) deriveProposal(ctx context.Context, uri syntax.ATURI) error {
	for _, query := range []string{
		`DELETE FROM stage_interval WHERE proposal_uri = $1`,
		`DELETE FROM funding WHERE proposal_uri = $1`,
		`DELETE FROM ranking WHERE proposal_uri = $1`,
	} {
		if err := tx.exec(ctx, query, uri); err != nil {
			return err
		}
	}
	facts, err := loadFacts(ctx, tx, uri)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	intervals := lifecycle.Evaluate(facts)
	for _, iv := range intervals {
		if err := tx.putInterval(ctx, uri, iv); err != nil {
			return err
		}
	}
	from := lifecycle.Beginning
	for _, f := range lifecycle.EvaluateFunding(facts, intervals, tx.now) {
		if err := tx.putFunding(ctx, facts.Proposal, from, f); err != nil {
			return err
		}
		from = f.Until
	}
	return nil
}

func (tx *tx) putFunding(ctx context.Context, p lifecycle.Proposal, from time.Time, f lifecycle.FundingInterval) error {
	for _, funding := range f.Funding {
		err := tx.exec(ctx, `
			INSERT INTO funding (proposal_uri, currency, from_at, to_at,
			                     estimated, estimators, estimated_proven, estimators_proven, pending, goal)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			p.URI, funding.Currency, millis(from), millis(f.Until),
			funding.Estimated, funding.Estimators, funding.EstimatedProven, funding.EstimatorsProven,
			funding.Pending, funding.Goal)
		if err != nil {
			return err
		}
	}
	return tx.exec(ctx, `
		INSERT INTO ranking (proposal_uri, from_at, to_at, hot) VALUES ($1, $2, $3, $4)`,
		p.URI, millis(from), millis(f.Until), lifecycle.Hot(p.CreatedAt, f.Funding))
}

func (tx *tx) putInterval(ctx context.Context, uri syntax.ATURI, iv lifecycle.Interval) error {
	var attempt, event sql.NullString
	var at sql.NullInt64
	if iv.Attempt != "" {
		attempt = sql.NullString{String: iv.Attempt.String(), Valid: true}
	}
	if iv.Next != nil {
		event = sql.NullString{String: string(iv.Next.Event), Valid: true}
		at = sql.NullInt64{Int64: millis(iv.Next.At), Valid: true}
	}
	return tx.exec(ctx, `
		INSERT INTO stage_interval (proposal_uri, from_at, to_at, stage, attempt_uri, next_event, next_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		uri, millis(iv.From), millis(iv.To), iv.Stage, attempt, event, at)
}
