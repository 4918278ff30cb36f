package winddown

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Progress is where the money is in one currency, in minor units.
type Progress struct {
	Currency money.Currency
	// Held waits for a decision; Due is to go back and has not left; Sent has left and is
	// not confirmed; Returned came back and is owed until it is claimed; Contested is with
	// banks that have not decided.
	Held, Due, Sent, Returned, Contested int64
	// Payees is what was decided to go to payees and has not arrived.
	Payees int64
}

// Waiting is what will still go back by itself.
func (p Progress) Waiting() int64 { return p.Due + p.Sent }

// ProgressOf reads where the money is.
func ProgressOf(ctx context.Context, q sqlite.Querier) ([]Progress, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT currency,
			sum(CASE WHEN kind = 'held' THEN -balance ELSE 0 END),
			sum(CASE WHEN kind = 'refund-due' OR kind = 'refund-in-transit' THEN -balance ELSE 0 END),
			sum(CASE WHEN kind = 'refund-in-transit' THEN balance ELSE 0 END),
			sum(CASE WHEN kind = 'returned' THEN -balance ELSE 0 END),
			sum(CASE WHEN kind = 'contested' THEN -balance ELSE 0 END),
			sum(CASE WHEN kind = 'owed' THEN -balance ELSE 0 END)
		FROM account GROUP BY currency ORDER BY currency`,
		func(rows *sql.Rows) (p Progress, err error) {
			err = rows.Scan(&p.Currency, &p.Held, &p.Due, &p.Sent, &p.Returned, &p.Contested, &p.Payees)
			return p, err
		})
	if err != nil {
		return nil, fmt.Errorf("winddown: read where the money is: %w", err)
	}
	return list, nil
}

// payoutsUnderWay counts what was settled and will still arrive by itself: transfers that
// are on their way, or not refused so far. One that the processor refuses is tried again
// for days; for that, the end does not wait.
func payoutsUnderWay(ctx context.Context, q sqlite.Querier) (n int64, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT count(*) FROM payout p WHERE p.state = 'sent' OR p.state <> 'settled' AND EXISTS (
			SELECT 1 FROM intent i WHERE i.subject = p.hold || '/' || p.payee AND i.kind = 'transfer' AND i.refused IS NULL)`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("winddown: count what goes to payees: %w", err)
	}
	return n, nil
}
