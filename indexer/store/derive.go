package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// deriveAtOnce is how many stale rows one transaction derives. What is left,
// after a wide fan-out, waits for the transactions that follow.
const deriveAtOnce = 256

// queuedAtOnce is how many proposals that were queued are derived as a whole in one
// transaction. The popular among them take milliseconds each, and who writes next waits
// for all: more would pile up meanwhile than can be derived as it comes.
const queuedAtOnce = 32

// loadAtOnce is of how many proposals the facts are loaded together. One of them
// may have very many, and they are in memory at once.
const loadAtOnce = 32

// DeriveStale works off a part of what is queued and reports whether more is.
func (s *Store) DeriveStale(ctx context.Context) (more bool, err error) {
	err = s.update(ctx, "derive stale rows", func(ctx context.Context, tx *tx) error {
		tx.unseen, err = tx.writesNothing(ctx, func() error {
			more, err = tx.derive(ctx)
			return err
		})
		return err
	})
	return more, err
}

// StaleTransactions is how many calls of DeriveStale it takes to work off what is
// queued now.
func (s *Store) StaleTransactions(ctx context.Context) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, `
		SELECT max((SELECT count(*) FROM dirty_proposal) * $1, (SELECT count(*) FROM dirty_words))
		       + (SELECT count(*) FROM dirty_standing) + (SELECT count(*) FROM dirty_estimate)`, deriveAtOnce/queuedAtOnce).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: count what is stale: %w", err)
	}
	return (n + deriveAtOnce - 1) / deriveAtOnce, nil
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
	if more, err := tx.takeEstimates(ctx); err != nil || more {
		return more, err
	}
	proposals, counted, more, err := tx.takeProposals(ctx)
	if err != nil {
		return false, err
	}
	for together := range slices.Chunk(counted, loadAtOnce) {
		others, err := tx.recountFunding(ctx, together)
		if err != nil {
			return false, err
		}
		proposals = append(proposals, others...)
	}
	for together := range slices.Chunk(proposals, loadAtOnce) {
		if err := tx.deriveProposals(ctx, together); err != nil {
			return false, err
		}
	}
	moreWords, err := tx.reindexWords(ctx)
	return moreWords || more, err
}

// takeProposals takes those to derive from the queues and from what the transaction
// itself made stale: apart those of which only estimates changed.
func (tx *tx) takeProposals(ctx context.Context) (whole, counted []syntax.ATURI, more bool, err error) {
	queued, err := tx.takeSome(ctx, `SELECT uri FROM dirty_proposal LIMIT $1`,
		`DELETE FROM dirty_proposal WHERE uri IN (SELECT value FROM json_each($1))`, queuedAtOnce)
	if err != nil {
		return nil, nil, false, err
	}
	for _, uri := range queued {
		whole = append(whole, syntax.ATURI(uri))
		delete(tx.stale, syntax.ATURI(uri)) // it is derived once
	}
	recounted, err := tx.takeSome(ctx, `SELECT proposal_uri FROM dirty_estimate WHERE author = '' LIMIT $1`,
		`DELETE FROM dirty_estimate WHERE author = '' AND proposal_uri IN (SELECT value FROM json_each($1))`, deriveAtOnce-len(queued))
	if err != nil {
		return nil, nil, false, err
	}
	for _, uri := range recounted {
		tx.makeStale(syntax.ATURI(uri), byEstimates)
	}
	for uri, how := range tx.stale {
		if len(whole)+len(counted) == deriveAtOnce {
			break // the rest is queued
		}
		if how == byEstimates {
			counted = append(counted, uri)
		} else {
			whole = append(whole, uri)
		}
		delete(tx.stale, uri)
	}
	return whole, counted, len(queued) == queuedAtOnce || len(whole)+len(counted) == deriveAtOnce, nil
}

func (tx *tx) takeStale(ctx context.Context, look, take string) ([]string, error) {
	return tx.takeSome(ctx, look, take, deriveAtOnce)
}

// takeSome takes as many from a queue as there are, up to most.
func (tx *tx) takeSome(ctx context.Context, look, take string, most int) ([]string, error) {
	keys, err := collect(ctx, tx, look, scanString, most)
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
	return tx.exec(ctx, staleEstimates, did)
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

// deriveProposals makes the stage intervals, funding, ranking and claiming projects
// of proposals what they follow to be; one that is gone or hidden has none.
func (tx *tx) deriveProposals(ctx context.Context, uris []syntax.ATURI) error {
	l, err := loadProposals(ctx, tx, tx.policy, uris)
	if err != nil {
		return err
	}
	if err := l.deciding(ctx); err != nil {
		return err
	}
	if err := tx.tally(ctx, l); err != nil {
		return err
	}
	if err := l.estimates(ctx, tx.now); err != nil {
		return err
	}
	have, err := tx.derivedRows(ctx, l.list)
	if err != nil {
		return err
	}
	for _, uri := range uris {
		var want derivedRows
		if f := l.facts[uri]; f == nil {
			err = tx.forgetTally(ctx, uri)
		} else {
			want, err = tx.deriveProposal(ctx, *f)
		}
		if err != nil {
			return fmt.Errorf("derive %s: %w", uri, err)
		}
		if err := tx.replaceDerived(ctx, uri, have[uri], want); err != nil {
			return fmt.Errorf("derive %s: %w", uri, err)
		}
	}
	return nil
}

func (tx *tx) deriveProposal(ctx context.Context, facts lifecycle.Facts) (out derivedRows, err error) {
	for _, iv := range lifecycle.EvaluateClaims(facts) {
		out.claimed = append(out.claimed, claimedRow{millis(iv.From), millis(iv.To), iv.Project})
	}
	intervals := lifecycle.Evaluate(facts)
	for _, iv := range intervals {
		out.stages = append(out.stages, newStageRow(iv))
	}
	out.addFunding(facts.Proposal.CreatedAt, lifecycle.EvaluateFunding(facts, intervals, tx.now))
	return out, tx.noteMoments(ctx, lifecycle.MomentsAfter(facts, tx.now)...)
}
