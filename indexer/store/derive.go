package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// deriveAtOnce is how many stale rows one transaction derives. What is left,
// after a wide fan-out, waits for the transactions that follow.
const deriveAtOnce = 256

// DeriveStale works off a part of what is queued and reports whether more is.
func (s *Store) DeriveStale(ctx context.Context) (more bool, err error) {
	err = s.update(ctx, "derive stale rows", func(ctx context.Context, tx *tx) error {
		more, err = tx.derive(ctx)
		return err
	})
	return more, err
}

// derive works off the queues, standings first, since they make proposals stale.
func (tx *tx) derive(ctx context.Context) (more bool, err error) {
	if err := tx.settleClaims(ctx); err != nil {
		return false, err
	}
	accounts, err := tx.takeStale(ctx, `SELECT did FROM dirty_standing LIMIT $1`,
		`DELETE FROM dirty_standing WHERE did IN (SELECT value FROM json_each($1))`)
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
	proposals, err := tx.takeStale(ctx, `SELECT uri FROM dirty_proposal LIMIT $1`,
		`DELETE FROM dirty_proposal WHERE uri IN (SELECT value FROM json_each($1))`)
	if err != nil {
		return false, err
	}
	for _, uri := range proposals {
		delete(tx.stale, syntax.ATURI(uri)) // it is derived once
	}
	for uri := range tx.stale {
		if len(proposals) == deriveAtOnce {
			break // the rest is queued
		}
		proposals = append(proposals, uri.String())
		delete(tx.stale, uri)
	}
	for _, uri := range proposals {
		if err := tx.deriveProposal(ctx, syntax.ATURI(uri)); err != nil {
			return false, fmt.Errorf("derive %s: %w", uri, err)
		}
	}
	moreWords, err := tx.reindexWords(ctx)
	return moreWords || len(proposals) == deriveAtOnce, err
}

func (tx *tx) takeStale(ctx context.Context, look, take string) ([]string, error) {
	keys, err := collect(ctx, tx, look, scanString, deriveAtOnce)
	if err != nil {
		return nil, fmt.Errorf("look into the queue: %w", err)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	if err := tx.exec(ctx, take, jsonList(keys)); err != nil {
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

// deriveProposal makes the stage intervals, funding, ranking and claiming projects
// of a proposal what they follow to be; one that is gone or hidden has none.
func (tx *tx) deriveProposal(ctx context.Context, uri syntax.ATURI) error {
	var stages []stageRow
	var funding []fundingRow
	var ranking []rankingRow
	var claimed []claimedRow
	facts, err := loadFacts(ctx, tx, tx.policy, uri)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	default:
		for _, iv := range lifecycle.EvaluateClaims(facts) {
			claimed = append(claimed, claimedRow{millis(iv.From), millis(iv.To), iv.Project})
		}
		intervals := lifecycle.Evaluate(facts)
		for _, iv := range intervals {
			stages = append(stages, newStageRow(iv))
		}
		from := lifecycle.Beginning
		for _, f := range lifecycle.EvaluateFunding(facts, intervals, tx.now) {
			for _, one := range f.Funding {
				funding = append(funding, newFundingRow(from, f.Until, one))
			}
			ranking = append(ranking, rankingRow{millis(from), millis(f.Until), lifecycle.Hot(facts.Proposal.CreatedAt, f.Funding)})
			from = f.Until
		}
		if err := tx.noteMoments(ctx, lifecycle.MomentsAfter(facts, tx.now)...); err != nil {
			return err
		}
	}
	if err := tx.replaceStages(ctx, uri, stages); err != nil {
		return fmt.Errorf("replace the stages: %w", err)
	}
	if err := tx.replaceFunding(ctx, uri, funding); err != nil {
		return fmt.Errorf("replace the funding: %w", err)
	}
	if err := tx.replaceRanking(ctx, uri, ranking); err != nil {
		return fmt.Errorf("replace the ranking: %w", err)
	}
	if err := tx.replaceClaimed(ctx, uri, claimed); err != nil {
		return fmt.Errorf("replace the projects by claim: %w", err)
	}
	return nil
}
