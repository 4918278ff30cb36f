package campaign

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Cause is why the record of a paid pledge is gone.
type Cause string

// The causes.
const (
	CauseAccountDeleted Cause = "account-deleted"
	CauseRecordDeleted  Cause = "record-deleted"
)

// Outcome is what became of a withdrawal.
type Outcome string

// The outcomes.
const (
	// OutcomeRefunded: the pledge was taken back in time.
	OutcomeRefunded Outcome = "refunded"
	// OutcomePresent: the record is there all the same. It may be deleted again.
	OutcomePresent Outcome = "present"
	// OutcomeLate: the campaign was closed, or decided, before it was certain.
	OutcomeLate Outcome = "late"
)

const (
	// deletionTwice is how far apart an account's PDS has to say that it is gone (F5).
	deletionTwice = 24 * time.Hour
	// proofPatience is how long a PDS has to prove that a record is gone, until the
	// signed commit that the index saw is enough.
	proofPatience = time.Hour

	firstRetry   = 5 * time.Second
	longestRetry = 10 * time.Minute
)

// withdrawal is a pledge that is paid and whose record is gone.
type withdrawal struct {
	pledge      syntax.ATURI
	hold        ledger.HoldID
	attempt     ledger.AttemptKey
	cause       Cause
	seenAt      time.Time
	confirmedAt time.Time // zero before
	tries       int
}

// noteGone keeps that the record of a held pledge is gone, unless that is known. What
// turned out to be there may be deleted again; but a PDS that has what the index misses
// is not asked at once, and it is not waited for anew: the closing waits for it as well.
func noteGone(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey, h ledger.HeldHold, cause Cause) error {
	now := tx.Now().UnixMilli()
	_, err := tx.ExecContext(ctx, `
		INSERT INTO withdrawal (pledge, hold, attempt, cause, seen_at, due_at) VALUES ($1, $2, $3, $4, $5, $5)
		ON CONFLICT (pledge) DO UPDATE SET hold = excluded.hold, attempt = excluded.attempt, cause = excluded.cause,
			seen_at = iif(withdrawal.cause = excluded.cause, withdrawal.seen_at, excluded.seen_at), due_at = excluded.due_at, confirmed_at = NULL, outcome = NULL
		WHERE withdrawal.outcome = 'present' AND withdrawal.due_at <= excluded.due_at OR withdrawal.outcome IS NULL AND withdrawal.cause <> excluded.cause`,
		h.Pledge, h.ID, attempt, cause, now)
	if err != nil {
		return fmt.Errorf("campaign: note that %s is gone: %w", h.Pledge, err)
	}
	return nil
}

// withdrawing counts deletions of records that were seen and are not decided. Accounts
// are not waited for: that takes a day.
func withdrawing(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (n int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT count(*) FROM withdrawal WHERE attempt = $1 AND outcome IS NULL AND cause = 'record-deleted'`, attempt).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("campaign: count what %s has to give back: %w", attempt, err)
	}
	return n, nil
}

// dueWithdrawals lists those of an attempt that are to be looked at, the longest due
// first, and no more than limit.
func dueWithdrawals(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey, now time.Time, limit int) ([]withdrawal, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT pledge, hold, cause, seen_at, coalesce(confirmed_at, 0), tries FROM withdrawal
		WHERE attempt = $1 AND due_at <= $2 AND outcome IS NULL ORDER BY due_at, pledge LIMIT $3`,
		func(rows *sql.Rows) (w withdrawal, err error) {
			var seenAt, confirmedAt int64
			err = rows.Scan(&w.pledge, &w.hold, &w.cause, &seenAt, &confirmedAt, &w.tries)
			w.attempt, w.seenAt = attempt, moment(seenAt)
			if confirmedAt != 0 {
				w.confirmedAt = moment(confirmedAt)
			}
			return w, err
		}, attempt, now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("campaign: list what %s has to give back: %w", attempt, err)
	}
	return list, nil
}

// conclude keeps what became of a withdrawal, and from when on it may begin again.
func conclude(ctx context.Context, tx *store.Tx, w withdrawal, o Outcome) error {
	_, err := tx.ExecContext(ctx, `UPDATE withdrawal SET outcome = $1, tries = tries + 1, due_at = $2 WHERE pledge = $3`,
		o, tx.Now().Add(w.pause()).UnixMilli(), w.pledge)
	if err != nil {
		return fmt.Errorf("campaign: note what became of %s: %w", w.pledge, err)
	}
	return nil
}

// pause grows with the number of questions that brought nothing.
func (w withdrawal) pause() time.Duration { return min(longestRetry, firstRetry<<min(w.tries, 10)) }

// concludeAll ends what an attempt has not decided when it closes.
func concludeAll(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey, o Outcome) error {
	if _, err := tx.ExecContext(ctx, `UPDATE withdrawal SET outcome = $1 WHERE attempt = $2 AND outcome IS NULL`, o, attempt); err != nil {
		return fmt.Errorf("campaign: end what %s has to give back: %w", attempt, err)
	}
	return nil
}

// confirmOnce keeps that an account is gone for the first time, and asks again when that
// can be the second.
func confirmOnce(ctx context.Context, tx *store.Tx, w withdrawal) error {
	_, err := tx.ExecContext(ctx, `UPDATE withdrawal SET confirmed_at = $1, due_at = $2, tries = 0 WHERE pledge = $3`,
		tx.Now().UnixMilli(), tx.Now().Add(deletionTwice).UnixMilli(), w.pledge)
	if err != nil {
		return fmt.Errorf("campaign: note that the account of %s is gone: %w", w.pledge, err)
	}
	return nil
}

// askLater keeps when to ask again.
func askLater(ctx context.Context, tx *store.Tx, w withdrawal) error {
	_, err := tx.ExecContext(ctx, `UPDATE withdrawal SET tries = tries + 1, due_at = $1 WHERE pledge = $2`,
		tx.Now().Add(w.pause()).UnixMilli(), w.pledge)
	if err != nil {
		return fmt.Errorf("campaign: put %s off: %w", w.pledge, err)
	}
	return nil
}
