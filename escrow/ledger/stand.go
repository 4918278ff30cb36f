package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Stand is where the money of a hold is, in minor units of its currency. What a bank has
// taken, and the operator's fee, are in none of the three.
type Stand struct {
	// Owed is what is still owed to the payer or to payees: held, on its way and not
	// settled, come back, or contested beyond what a bank has.
	Owed int64
	// Released is what payees have, less what they gave back, Refunded what the payer has
	// back from us.
	Released, Refunded int64
}

// Stand is where the money of the hold is. Nothing is anywhere before the charge.
func (h *Hold) Stand() (s Stand) {
	if h.Charge == "" {
		return s
	}
	s.Owed = h.Balances[KindHeld] + h.Balances[KindRefundDue] + h.Balances[KindReturned]
	if h.Exit != nil && h.Exit.Outcome == OutcomeSettlement {
		for _, p := range h.Payouts {
			if p.State == PayoutSettled {
				s.Released += p.Due() - p.Recovered
			} else {
				s.Owed += p.Due() - p.Recovered
			}
		}
		return s
	}
	s.Refunded = h.Value.Amount - s.Owed - h.Balances[KindContested]
	for _, c := range h.Chargebacks {
		if c.State == ChargebackLost {
			s.Refunded -= c.Amount - c.Returned - c.Loss // the bank gave it to the payer
		}
	}
	// A bank that took a part, or gave one back, leaves the rest with us: it is owed,
	// to whomever the bank says.
	s.Owed += max(0, h.Balances[KindContested]-h.Balances[KindChargebackOpen])
	return s
}

// Liabilities adds up what is owed to payers and payees, by currency, as the accounts say
// it: also what no receipt speaks of.
func Liabilities(ctx context.Context, q sqlite.Querier) ([]money.Money, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT sum(amount), currency FROM (
			SELECT -balance AS amount, currency FROM account
			WHERE kind = 'held' OR kind = 'refund-due' OR kind = 'returned' OR kind = 'owed'
			UNION ALL
			SELECT max(0, -contested.balance - coalesce(open.balance, 0)), contested.currency FROM account AS contested
			LEFT JOIN account AS open
				ON open.path = substr(contested.path, 1, length(contested.path) - length('contested')) || 'chargeback-open'
			WHERE contested.kind = 'contested' AND contested.balance < 0)
		GROUP BY currency ORDER BY currency`,
		func(rows *sql.Rows) (m money.Money, err error) {
			err = rows.Scan(&m.Amount, &m.Currency)
			return m, err
		})
	if err != nil {
		return nil, fmt.Errorf("ledger: add up what is owed: %w", err)
	}
	return list, nil
}

// CurrencyPosition is the operator's position in one currency.
type CurrencyPosition struct {
	Currency money.Currency
	Position
}

// Positions reads the operator's position in every currency that the ledger has.
func Positions(ctx context.Context, q sqlite.Querier) ([]CurrencyPosition, error) {
	list, err := sqlite.Collect(ctx, q, `SELECT DISTINCT currency FROM account WHERE kind = 'processor' ORDER BY currency`,
		func(rows *sql.Rows) (p CurrencyPosition, err error) {
			err = rows.Scan(&p.Currency)
			return p, err
		})
	if err != nil {
		return nil, fmt.Errorf("ledger: list the currencies: %w", err)
	}
	for i := range list {
		if list[i].Position, err = PositionIn(ctx, q, list[i].Currency); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// LastAt is the moment of the newest entry; zero for an empty ledger.
func LastAt(ctx context.Context, q sqlite.Querier) (time.Time, error) {
	var at int64
	err := q.QueryRowContext(ctx, `SELECT at FROM entry ORDER BY sequence DESC LIMIT 1`).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("ledger: read the moment of the newest entry: %w", err)
	}
	return time.UnixMilli(at).UTC(), nil
}
