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
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// A proposal's estimates are summed up when it is first derived. From then on
// every change of one estimate, and of its author's status or standing, changes
// the sums by what it changes: recount looks at one account's estimates only.
// What moves the moment until which estimates count makes the sums anew, and there are
// none while the clock is to move it.

// standingEstimate is an estimate that is in the sums of a proposal, as its
// account's.
type standingEstimate struct {
	record   int64
	version  syntax.CID // of the proposal
	currency money.Currency
	counted  sql.NullInt64
	proven   bool
}

func newStandingEstimate(record int64, c lifecycle.Counting) standingEstimate {
	return standingEstimate{
		record: record, version: c.Proposal.CID, currency: c.Value.Currency,
		counted: sql.NullInt64{Int64: c.Counted, Valid: c.Reason != lifecycle.NotCountedCurrency}, proven: c.Proven,
	}
}

func (s standingEstimate) counting() lifecycle.Counting {
	return lifecycle.Counting{Counted: s.counted.Int64, Proven: s.proven}
}

// sumKey is the key of a row of estimated.
type sumKey struct {
	proposal syntax.ATURI
	currency money.Currency
	version  syntax.CID
	step     int
}

// existing is the latest time of creation of what exists at now (F3).
func existing(now time.Time) time.Time { return now.Add(lifecycle.FutureTolerance) }

// recount makes an account's estimates for a proposal count for what they count
// for now. It changes nothing while no sums are kept of the proposal. The index is
// named as in before.
func (tx *tx) recount(ctx context.Context, proposal syntax.ATURI, author syntax.DID) error {
	until, kept, err := tx.countsUntil(ctx, proposal)
	if err != nil || !kept {
		return err
	}
	old, err := collect(ctx, tx, `
		SELECT record_id, proposal_cid, currency, counted, proven FROM estimate
		WHERE author = $1 AND proposal_uri = $2 AND stands = 1`,
		func(rows *sql.Rows) (e standingEstimate, err error) {
			err = rows.Scan(&e.record, &e.version, &e.currency, &e.counted, &e.proven)
			return e, err
		}, author, proposal)
	if err != nil {
		return fmt.Errorf("recount the estimates of %s for %s: %w", author, proposal, err)
	}
	now, err := collect(ctx, tx, `
		SELECT e.record_id, e.proposal_cid, e.currency, e.amount, coalesce(s.largest, 0)
		FROM estimate e INDEXED BY estimate_author
		JOIN repo a ON a.did = e.author
		LEFT JOIN standing s ON s.did = e.author AND s.currency = e.currency
		WHERE e.author = $1 AND e.proposal_uri = $2 AND e.created_at <= $3 AND a.status = 'active'
		ORDER BY e.created_at DESC, e.uri DESC LIMIT 1`,
		func(rows *sql.Rows) (standingEstimate, error) {
			var id int64
			var e lifecycle.Estimate
			err := rows.Scan(&id, &e.Proposal.CID, &e.Value.Currency, &e.Value.Amount, &e.Largest)
			return newStandingEstimate(id, e.Count()), err
		}, author, proposal, min(until, millis(existing(tx.now))))
	if err != nil {
		return fmt.Errorf("recount the estimates of %s for %s: %w", author, proposal, err)
	}
	if slices.Equal(old, now) {
		return nil
	}
	for _, e := range old {
		if err := tx.fall(ctx, proposal, e); err != nil {
			return err
		}
	}
	for _, e := range now {
		if err := tx.stand(ctx, proposal, e); err != nil {
			return err
		}
	}
	return nil
}

// stand puts an estimate into the sums.
func (tx *tx) stand(ctx context.Context, proposal syntax.ATURI, e standingEstimate) error {
	err := tx.exec(ctx, `UPDATE estimate SET stands = 1, counted = $1, proven = $2 WHERE record_id = $3`, e.counted, e.proven, e.record)
	if err != nil {
		return fmt.Errorf("let an estimate for %s count: %w", proposal, err)
	}
	return tx.changeSum(ctx, proposal, e, (*lifecycle.EstimateSum).Add)
}

// fall takes an estimate out of the sums.
func (tx *tx) fall(ctx context.Context, proposal syntax.ATURI, e standingEstimate) error {
	err := tx.exec(ctx, `UPDATE estimate SET stands = 0, counted = NULL, proven = 0 WHERE record_id = $1`, e.record)
	if err != nil {
		return fmt.Errorf("let an estimate for %s count no more: %w", proposal, err)
	}
	return tx.changeSum(ctx, proposal, e, (*lifecycle.EstimateSum).Remove)
}

// countsUntil is the moment until which an estimate must have been created to
// count, in milliseconds; ok is false while no sums are kept of the proposal.
func (tx *tx) countsUntil(ctx context.Context, proposal syntax.ATURI) (until int64, ok bool, err error) {
	if until, ok := tx.untils[proposal]; ok {
		return until, true, nil
	}
	err = tx.QueryRowContext(ctx, `SELECT until FROM tallied WHERE proposal_uri = $1`, proposal).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look up until when estimates for %s count: %w", proposal, err)
	}
	tx.untils[proposal] = until
	return until, true, nil
}

// changeSum changes a sum in memory; writeSums stores it.
func (tx *tx) changeSum(ctx context.Context, proposal syntax.ATURI, e standingEstimate, change func(*lifecycle.EstimateSum, lifecycle.Counting)) error {
	if !e.counted.Valid {
		return nil
	}
	key := sumKey{proposal, e.currency, e.version, lifecycle.StepOf(e.counted.Int64)}
	if tx.sums[key] == nil {
		found, err := collect(ctx, tx, sumsOf+` AND currency = $2 AND proposal_cid = $3 AND step = $4`,
			scanSum, proposal, key.currency, key.version, key.step)
		if err != nil {
			return fmt.Errorf("read the sum of estimates for %s: %w", proposal, err)
		}
		sum := lifecycle.EstimateSum{Currency: key.currency, Proposal: key.version, Step: key.step}
		if len(found) > 0 {
			sum = found[0].fact
		}
		tx.sums[key] = &sum
	}
	change(tx.sums[key], e.counting())
	return nil
}

// writeSums stores the sums that changed.
func (tx *tx) writeSums(ctx context.Context) error {
	for key, s := range tx.sums {
		if err := tx.writeSum(ctx, key, *s); err != nil {
			return fmt.Errorf("store the sum of estimates for %s: %w", key.proposal, err)
		}
	}
	clear(tx.sums)
	return nil
}

func (tx *tx) writeSum(ctx context.Context, key sumKey, s lifecycle.EstimateSum) error {
	if s.Estimators == 0 {
		return tx.exec(ctx, `DELETE FROM estimated WHERE proposal_uri = $1 AND currency = $2 AND proposal_cid = $3 AND step = $4`,
			key.proposal, key.currency, key.version, key.step)
	}
	return tx.exec(ctx, `
		INSERT INTO estimated (proposal_uri, currency, proposal_cid, step, whole, rest, estimators,
		                       proven_whole, proven_rest, estimators_proven)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (proposal_uri, currency, proposal_cid, step) DO UPDATE
		SET whole = excluded.whole, rest = excluded.rest, estimators = excluded.estimators,
		    proven_whole = excluded.proven_whole, proven_rest = excluded.proven_rest, estimators_proven = excluded.estimators_proven`,
		key.proposal, key.currency, key.version, key.step, s.Estimated.Whole, s.Estimated.Rest, s.Estimators,
		s.EstimatedProven.Whole, s.EstimatedProven.Rest, s.EstimatorsProven)
}

// tally sees to it that the sums of the proposals count what counts now, given
// the facts that decide until when.
func (tx *tx) tally(ctx context.Context, l *loading) error {
	if l.has.ahead {
		if err := tx.countArrived(ctx, l.list); err != nil {
			return err
		}
	}
	for uri, f := range l.facts {
		until, lasting := lifecycle.EstimatesCountUntil(*f, tx.now)
		have, kept := l.tallied[uri]
		if !lasting {
			// Whoever finds sums takes them to be enough.
			if err := tx.forgetTally(ctx, uri); err != nil {
				return err
			}
			delete(l.tallied, uri)
			continue
		}
		if kept && have == millis(until) {
			continue
		}
		if err := tx.retally(ctx, uri, *f, millis(until)); err != nil {
			return fmt.Errorf("sum up the estimates for %s: %w", uri, err)
		}
		l.tallied[uri] = millis(until)
	}
	return tx.writeSums(ctx)
}

// countArrived counts the estimates that were dated ahead and exist by now.
func (tx *tx) countArrived(ctx context.Context, list proposalList) error {
	type arrived struct {
		record   int64
		proposal syntax.ATURI
		author   syntax.DID
	}
	rows, err := collect(ctx, tx, list.many(`
		SELECT h.record_id, h.proposal_uri, e.author FROM estimate_ahead h JOIN estimate e ON e.record_id = h.record_id
		WHERE h.proposal_uri = $1`)+` AND e.created_at <= $2`,
		func(rows *sql.Rows) (a arrived, err error) {
			err = rows.Scan(&a.record, &a.proposal, &a.author)
			return a, err
		}, list.arg, millis(existing(tx.now)))
	if err != nil {
		return fmt.Errorf("look for estimates that begin to exist: %w", err)
	}
	for _, a := range rows {
		if err := tx.recount(ctx, a.proposal, a.author); err != nil {
			return err
		}
		if err := tx.exec(ctx, `DELETE FROM estimate_ahead WHERE record_id = $1`, a.record); err != nil {
			return fmt.Errorf("note that an estimate begins to exist: %w", err)
		}
	}
	return nil
}

// retally makes the sums of a proposal from each single estimate.
func (tx *tx) retally(ctx context.Context, proposal syntax.ATURI, f lifecycle.Facts, until int64) error {
	if err := tx.forgetTally(ctx, proposal); err != nil {
		return err
	}
	records := map[syntax.ATURI]int64{}
	var err error
	f.Estimates, err = collect(ctx, tx, `SELECT e.record_id, `+estimateColumns+` WHERE e.proposal_uri = $1 AND a.status = 'active'`,
		func(rows *sql.Rows) (lifecycle.Estimate, error) {
			var id int64
			e, err := scanEstimateAfter(rows, &id)
			records[e.URI] = id
			return e, err
		}, proposal)
	if err != nil {
		return err
	}
	tx.untils[proposal] = until
	for _, c := range lifecycle.CountEstimates(f, tx.now) {
		switch c.Reason {
		case lifecycle.NotCountedSuperseded, lifecycle.NotCountedAfterOpening:
			continue
		}
		if err := tx.stand(ctx, proposal, newStandingEstimate(records[c.URI], c)); err != nil {
			return err
		}
	}
	return tx.exec(ctx, `INSERT INTO tallied (proposal_uri, until) VALUES ($1, $2)`, proposal, until)
}

// forgetTally ends keeping sums of a proposal.
func (tx *tx) forgetTally(ctx context.Context, proposal syntax.ATURI) error {
	if _, kept, err := tx.countsUntil(ctx, proposal); err != nil || !kept {
		return err
	}
	delete(tx.untils, proposal)
	for key := range tx.sums {
		if key.proposal == proposal {
			delete(tx.sums, key)
		}
	}
	for _, query := range []string{
		`DELETE FROM tallied WHERE proposal_uri = $1`,
		`UPDATE estimate SET stands = 0, counted = NULL, proven = 0 WHERE proposal_uri = $1 AND stands = 1`,
		`DELETE FROM estimated WHERE proposal_uri = $1`,
	} {
		if err := tx.exec(ctx, query, proposal); err != nil {
			return fmt.Errorf("forget the sums of estimates for %s: %w", proposal, err)
		}
	}
	return nil
}

// takeEstimates recounts a part of what is queued, and makes the proposals stale.
func (tx *tx) takeEstimates(ctx context.Context) (more bool, err error) {
	type estimates struct {
		author   syntax.DID
		proposal syntax.ATURI
	}
	rows, err := collect(ctx, tx, `SELECT author, proposal_uri FROM dirty_estimate WHERE author <> '' LIMIT $1`,
		func(rows *sql.Rows) (e estimates, err error) {
			err = rows.Scan(&e.author, &e.proposal)
			return e, err
		}, deriveAtOnce)
	if err != nil {
		return false, fmt.Errorf("look into the queue of estimates: %w", err)
	}
	for _, e := range rows {
		if err := tx.exec(ctx, `DELETE FROM dirty_estimate WHERE author = $1 AND proposal_uri = $2`, e.author, e.proposal); err != nil {
			return false, fmt.Errorf("take from the queue of estimates: %w", err)
		}
		if err := tx.recount(ctx, e.proposal, e.author); err != nil {
			return false, err
		}
		tx.makeStale(e.proposal, byEstimates)
	}
	return len(rows) == deriveAtOnce, nil
}
