package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// AttemptState is how far the money of an attempt got.
type AttemptState struct {
	// Decision is nil while nothing is decided.
	Decision *Exit
	// Pending holds may still be charged.
	Pending int64
	// Held is the sum of what is held, and Holds its number.
	Held, Holds int64
	// Unfinished is how many accounts of the attempt's holds say that money is owed to a
	// payer, on its way back, or contested, and how many payouts are not settled. What
	// came back is owed until it is claimed. A chargeback that is the operator's risk
	// alone is nobody else's business.
	Unfinished int64
	// Returned is how many of them say that money came back, or could not be sent.
	Returned int64
	// Unpaid is how many payouts of the attempt's holds are not settled.
	Unpaid int64
}

// StateOf reads how far the money of an attempt got.
func StateOf(ctx context.Context, q sqlite.Querier, attempt AttemptKey) (s AttemptState, err error) {
	if s.Decision, err = loadDecision(ctx, q, attempt); err != nil {
		return s, err
	}
	err = q.QueryRowContext(ctx, `
		SELECT coalesce(sum(hold.state = 'pending'), 0),
			coalesce(sum(CASE WHEN account.kind = 'held' THEN -account.balance END), 0),
			coalesce(sum(account.kind = 'held'), 0),
			coalesce(sum(account.kind <> 'held'), 0),
			coalesce(sum(account.kind = 'returned'), 0)
		FROM hold
		LEFT JOIN account ON account.balance <> 0 AND hold.charge IS NOT NULL AND account.path IN (
			hold.currency || '/hold/' || hold.id || '/held', hold.currency || '/hold/' || hold.id || '/refund-due',
			hold.currency || '/hold/' || hold.id || '/refund-in-transit', hold.currency || '/hold/' || hold.id || '/returned',
			hold.currency || '/hold/' || hold.id || '/contested')
		WHERE hold.attempt = $1`, attempt).Scan(&s.Pending, &s.Held, &s.Holds, &s.Unfinished, &s.Returned)
	if err != nil {
		return s, fmt.Errorf("ledger: read how far attempt %s is: %w", attempt, err)
	}
	err = q.QueryRowContext(ctx, `
		SELECT count(*) FROM hold JOIN payout ON payout.hold = hold.id
		WHERE hold.attempt = $1 AND payout.state <> 'settled'`, attempt).Scan(&s.Unpaid)
	if err != nil {
		return s, fmt.Errorf("ledger: read what attempt %s has to pay out: %w", attempt, err)
	}
	s.Unfinished += s.Unpaid
	return s, nil
}

// HeldHold is a hold that is held and has no way out yet.
type HeldHold struct {
	Row    int64 // its place in the list
	ID     HoldID
	Pledge syntax.ATURI
	Amount int64
}

// HeldOf lists what an attempt holds, after a place in the list, and no more than limit.
func HeldOf(ctx context.Context, q sqlite.Querier, attempt AttemptKey, after int64, limit int) ([]HeldHold, error) {
	// In the order of the charges, as the index has them.
	rows, err := sqlite.Collect(ctx, q, `
		SELECT hold.charged, hold.id, hold.pledge, hold.amount FROM hold
		LEFT JOIN exit ON exit.hold = hold.id
		WHERE hold.attempt = $1 AND hold.charged > $2 AND hold.state = 'posted' AND exit.hold IS NULL
		ORDER BY hold.charged LIMIT $3`,
		func(rows *sql.Rows) (h HeldHold, err error) {
			err = rows.Scan(&h.Row, &h.ID, &h.Pledge, &h.Amount)
			return h, err
		}, attempt, after, limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: list what attempt %s holds: %w", attempt, err)
	}
	return rows, nil
}

// Counted are the receipts of one status.
type Counted struct {
	Status        lifecycle.ReceiptStatus
	Count, Amount int64
	Payers        int64 // accounts
	Fee           int64 // the operator's part, of those that were settled
}

// CountReceipts counts the receipts of an attempt by status, in the order of the words.
func CountReceipts(ctx context.Context, q sqlite.Querier, attempt AttemptKey) ([]Counted, error) {
	rows, err := sqlite.Collect(ctx, q, `
		SELECT c.status, count(*), sum(h.amount),
			count(DISTINCT substr(h.pledge, 6, instr(substr(h.pledge, 6), '/') - 1)),
			sum(CASE WHEN x.outcome = 'settlement'
				THEN h.amount - (SELECT coalesce(sum(amount), 0) FROM payout WHERE payout.hold = h.id) ELSE 0 END)
		FROM hold h
		JOIN change c ON c.pledge = h.pledge AND c.n = (SELECT max(n) FROM change WHERE change.pledge = h.pledge)
		LEFT JOIN exit x ON x.hold = h.id
		WHERE h.attempt = $1 AND h.id = (
			SELECT id FROM hold s WHERE s.pledge = h.pledge AND s.charge IS NOT NULL
			ORDER BY s.state = 'posted' DESC, s.charged DESC LIMIT 1)
		GROUP BY c.status ORDER BY c.status`,
		func(rows *sql.Rows) (c Counted, err error) {
			err = rows.Scan(&c.Status, &c.Count, &c.Amount, &c.Payers, &c.Fee)
			return c, err
		}, attempt)
	if err != nil {
		return nil, fmt.Errorf("ledger: count the receipts of attempt %s: %w", attempt, err)
	}
	return rows, nil
}

// TrailEntry is an entry that changed the receipt of a pledge.
type TrailEntry struct {
	Head
	At     time.Time
	Status lifecycle.ReceiptStatus // what the receipt said from then on
	Amount int64
	Pledge syntax.ATURI
}

// Trail lists the last entries that changed receipts of an attempt, oldest first, and
// no more than limit.
func Trail(ctx context.Context, q sqlite.Querier, attempt AttemptKey, limit int) ([]TrailEntry, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT e.sequence, e.hash, e.at, c.status, h.amount, h.pledge
		FROM hold h JOIN change c ON c.pledge = h.pledge JOIN entry e ON e.sequence = c.entry
		WHERE h.attempt = $1 AND h.id = (
			SELECT id FROM hold s WHERE s.pledge = h.pledge AND s.charge IS NOT NULL
			ORDER BY s.state = 'posted' DESC, s.charged DESC LIMIT 1)
		ORDER BY e.sequence DESC, h.pledge DESC LIMIT $2`,
		func(rows *sql.Rows) (t TrailEntry, err error) {
			var hash []byte
			var at int64
			if err := rows.Scan(&t.Sequence, &hash, &at, &t.Status, &t.Amount, &t.Pledge); err != nil {
				return t, err
			}
			t.Hash, t.At = Digest(hash), time.UnixMilli(at).UTC()
			return t, nil
		}, attempt, limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: read the trail of attempt %s: %w", attempt, err)
	}
	slices.Reverse(list)
	return list, nil
}
