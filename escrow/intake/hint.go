package intake

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Outcome is how a hint ended.
type Outcome string

// The outcomes.
const (
	// OutcomeDone: the object was looked at, and what follows is in the ledger.
	OutcomeDone Outcome = "done"
	// OutcomeIgnored: nothing ever follows from such an object.
	OutcomeIgnored Outcome = "ignored"
	// OutcomeStopped: the object does not fit, and money stands still for it.
	OutcomeStopped Outcome = "stopped"
	// OutcomeStranger: the object is none of this escrow's.
	OutcomeStranger Outcome = "stranger"
)

// object is something at the processor.
type object struct {
	kind    string
	id      string
	account payments.AccountID
}

// The kinds that somebody looks at, in the processor's words.
const (
	kindSession  = "checkout.session"
	kindPayment  = "payment_intent"
	kindCharge   = "charge"
	kindRefund   = "refund"
	kindDispute  = "dispute"
	kindWarning  = "radar.early_fraud_warning"
	kindTransfer = "transfer"
	kindTopup    = "topup"
	kindPayout   = "payout"
	kindAccount  = "account"
	kindMovement = "balance_transaction"
)

// keep notes what an event told, once.
func keep(ctx context.Context, tx *store.Tx, h payments.Hint) (fresh bool, err error) {
	result, err := tx.ExecContext(ctx, `
		INSERT INTO hint (id, account, kind, object, received_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		h.ID, h.Account, h.Kind, h.Object, tx.Now().UnixMilli())
	if err != nil {
		return false, fmt.Errorf("intake: keep event %s: %w", h.ID, err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// note notes an object that was found in a list, again if it was looked at before.
func note(ctx context.Context, tx *store.Tx, o object) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO hint (id, account, kind, object, received_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET received_at = excluded.received_at, done_at = NULL, outcome = NULL, tries = 0, due_at = 0
		WHERE done_at IS NOT NULL`,
		listed(o), o.account, o.kind, o.id, tx.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("intake: note %s %s: %w", o.kind, o.id, err)
	}
	return nil
}

// listed is the id of the hint about an object of a list.
func listed(o object) string { return "list/" + o.kind + "/" + o.id }

// workedOff tells whether an object of a list was looked at, and is remembered to be.
func workedOff(ctx context.Context, q sqlite.Querier, o object) (done bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM hint WHERE id = $1 AND done_at IS NOT NULL)`, listed(o)).Scan(&done)
	if err != nil {
		return false, fmt.Errorf("intake: look for %s %s: %w", o.kind, o.id, err)
	}
	return done, nil
}

// waiting is an object with the hints about it.
type waiting struct {
	object
	tries int // of the hint that was tried most
	hints []string
}

// What is due, in all or of the platform's own. Nothing is put off for longer than an hour: a
// date beyond that is of a clock that was ahead.
const (
	allDue = `
		SELECT id, account, kind, object, tries FROM hint
		WHERE done_at IS NULL AND (due_at <= $1 OR due_at > $2) ORDER BY due_at, received_at, id LIMIT $3`
	platformDue = `
		SELECT id, account, kind, object, tries FROM hint
		WHERE done_at IS NULL AND account = '' AND (due_at <= $1 OR due_at > $2) ORDER BY due_at, received_at, id LIMIT $3`
)

// due lists objects to be looked at, all or the platform's own, those first that wait
// longest, out of no more hints than limit.
func due(ctx context.Context, q sqlite.Querier, which string, now time.Time, limit int) ([]*waiting, error) {
	var list []*waiting
	known := map[object]*waiting{}
	rows, err := q.QueryContext(ctx, which, now.UnixMilli(), now.Add(longest).UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("intake: list what is due: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var o object
		var tries int
		if err := rows.Scan(&id, &o.account, &o.kind, &o.id, &tries); err != nil {
			return nil, fmt.Errorf("intake: read what is due: %w", err)
		}
		w := known[o]
		if w == nil {
			w = &waiting{object: o}
			known[o] = w
			list = append(list, w)
		}
		w.tries = max(w.tries, tries)
		w.hints = append(w.hints, id)
	}
	return list, rows.Err()
}

// end notes that hints are worked off.
func end(ctx context.Context, tx *store.Tx, w *waiting, outcome Outcome) error {
	for _, id := range w.hints {
		_, err := tx.ExecContext(ctx, `UPDATE hint SET done_at = $1, outcome = $2 WHERE id = $3 AND done_at IS NULL`, tx.Now().UnixMilli(), outcome, id)
		if err != nil {
			return fmt.Errorf("intake: note that %s is worked off: %w", id, err)
		}
	}
	return nil
}

// The first try again is after a second, the later ones after up to an hour.
const (
	firstPause = time.Second
	doublings  = 12
	longest    = time.Hour
)

// later puts hints off.
func later(ctx context.Context, tx *store.Tx, w *waiting) error {
	next := tx.Now().Add(min(longest, firstPause<<min(w.tries, doublings)))
	for _, id := range w.hints {
		_, err := tx.ExecContext(ctx, `UPDATE hint SET tries = tries + 1, due_at = $1 WHERE id = $2`, next.UnixMilli(), id)
		if err != nil {
			return fmt.Errorf("intake: put %s off: %w", id, err)
		}
	}
	return nil
}

// keptFor is longer than the processor keeps events, which is 30 days.
const keptFor = 35 * 24 * time.Hour

// forget drops what was worked off long ago.
func forget(ctx context.Context, tx *store.Tx) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM hint WHERE done_at < $1`, tx.Now().Add(-keptFor).UnixMilli()); err != nil {
		return fmt.Errorf("intake: forget what was worked off: %w", err)
	}
	return nil
}

// Waiting is what was not worked off yet.
type Waiting struct {
	Hints int64
	// Failing are those of them that were tried.
	Failing int64
	Oldest  time.Time // zero for none
}

// CountWaiting counts what was not worked off yet.
func CountWaiting(ctx context.Context, q sqlite.Querier) (w Waiting, err error) {
	var oldest sql.NullInt64
	err = q.QueryRowContext(ctx, `
		SELECT count(*), coalesce(sum(tries > 0), 0), min(received_at) FROM hint INDEXED BY hint_waiting WHERE done_at IS NULL`).
		Scan(&w.Hints, &w.Failing, &oldest)
	if err != nil {
		return Waiting{}, fmt.Errorf("intake: count what waits: %w", err)
	}
	if oldest.Valid {
		w.Oldest = time.UnixMilli(oldest.Int64).UTC()
	}
	return w, nil
}

// clockStep is how far a clock is set back at times, and nothing is wrong with it. A place
// that is further ahead is of a clock that had leapt, and says nothing.
const clockStep = time.Minute

// placeOf reads up to when a list was read; zero for never, or nobody knows.
func placeOf(ctx context.Context, q sqlite.Querier, list string, now time.Time) (time.Time, error) {
	var since int64
	err := q.QueryRowContext(ctx, `SELECT coalesce(max(since), 0) FROM place WHERE list = $1 AND since <= $2`,
		list, now.Add(clockStep).UnixMilli()).Scan(&since)
	if err != nil {
		return time.Time{}, fmt.Errorf("intake: look how far %s were read: %w", list, err)
	}
	if since == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(since).UTC(), nil
}

// savePlace notes how far a list was read.
func savePlace(ctx context.Context, tx *store.Tx, list string, since time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO place (list, since) VALUES ($1, $2)
		ON CONFLICT (list) DO UPDATE SET since = iif(since > $3, excluded.since, max(since, excluded.since))`,
		list, since.UnixMilli(), tx.Now().Add(clockStep).UnixMilli())
	if err != nil {
		return fmt.Errorf("intake: note how far %s were read: %w", list, err)
	}
	return nil
}
