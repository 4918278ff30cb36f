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
			coalesce(sum(account.kind <> 'held'), 0)
		FROM hold
		LEFT JOIN account ON account.balance <> 0 AND hold.charge IS NOT NULL AND account.path IN (
			hold.currency || '/hold/' || hold.id || '/held', hold.currency || '/hold/' || hold.id || '/refund-due',
			hold.currency || '/hold/' || hold.id || '/refund-in-transit', hold.currency || '/hold/' || hold.id || '/returned',
			hold.currency || '/hold/' || hold.id || '/contested')
		WHERE hold.attempt = $1`, attempt).Scan(&s.Pending, &s.Held, &s.Holds, &s.Unfinished)
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

// ReceiptFilter narrows a list of receipts; zero fields do not.
type ReceiptFilter struct {
	Attempt AttemptKey
	Payer   syntax.DID
	Status  lifecycle.ReceiptStatus
}

// receiptsScanned is how many receipts one page of a list looks at. Those of a rare
// status may be behind more of them than one request should read.
const receiptsScanned = 1000

// ListedReceipt is a pledge with a receipt, and the entry with which that began.
type ListedReceipt struct {
	Pledge syntax.ATURI
	First  int64
}

// ListReceipts lists pledges with receipts, those that began last first, that began
// before an entry (0: from the newest). Next is where the list goes on, 0 at its end; a
// page may be short, or empty, before that.
func ListReceipts(ctx context.Context, q sqlite.Querier, f ReceiptFilter, before int64, limit int) (list []ListedReceipt, next int64, err error) {
	type row struct {
		ListedReceipt
		status lifecycle.ReceiptStatus
	}
	if before == 0 {
		before = lastEntry
	}
	query, args := listReceipts(f, before)
	rows, err := sqlite.Collect(ctx, q, query, func(rows *sql.Rows) (r row, err error) {
		err = rows.Scan(&r.Pledge, &r.First, &r.status)
		return r, err
	}, append(args, receiptsScanned)...)
	if err != nil {
		return nil, 0, fmt.Errorf("ledger: list receipts: %w", err)
	}
	for _, r := range rows {
		if len(list) == limit {
			return list, next, nil
		}
		next = r.First
		if f.Status == "" || r.status == f.Status {
			list = append(list, r.ListedReceipt)
		}
	}
	if len(rows) < receiptsScanned {
		next = 0
	}
	return list, next, nil
}

// lastEntry is behind every entry.
const lastEntry = 1<<63 - 1

// listReceipts chooses the index by what is asked for.
func listReceipts(f ReceiptFilter, before int64) (query string, args []any) {
	const present = `(SELECT status FROM change WHERE change.pledge = first.pledge ORDER BY n DESC LIMIT 1)`
	switch {
	case f.Attempt != "" && f.Payer != "":
		return `SELECT first.pledge, first.entry, ` + present + `
			FROM hold JOIN change first ON first.pledge = hold.pledge AND first.n = 1 AND first.entry = hold.charged
			WHERE hold.attempt = $1 AND first.entry < $2 AND hold.pledge >= $3 AND hold.pledge < $4
			ORDER BY hold.charged DESC LIMIT $5`, append([]any{f.Attempt, before}, pledgesOf(f.Payer)...)
	case f.Attempt != "":
		return `SELECT first.pledge, first.entry, ` + present + `
			FROM hold JOIN change first ON first.pledge = hold.pledge AND first.n = 1 AND first.entry = hold.charged
			WHERE hold.attempt = $1 AND hold.charged < $2
			ORDER BY hold.charged DESC LIMIT $3`, []any{f.Attempt, before}
	case f.Payer != "":
		return `SELECT first.pledge, first.entry, ` + present + `
			FROM change first
			WHERE first.n = 1 AND first.pledge >= $1 AND first.pledge < $2 AND first.entry < $3
			ORDER BY first.entry DESC LIMIT $4`, append(pledgesOf(f.Payer), before)
	}
	return `SELECT first.pledge, first.entry, ` + present + `
		FROM change first
		WHERE first.n = 1 AND first.entry < $1
		ORDER BY first.entry DESC LIMIT $2`, []any{before}
}

// pledgesOf bounds the uris of an account's records.
func pledgesOf(payer syntax.DID) []any {
	return []any{"at://" + payer.String() + "/", "at://" + payer.String() + "0"} // 0 follows /
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
