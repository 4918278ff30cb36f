package simulator

import (
	"errors"
	"fmt"
	"slices"
)

// Balance is what an account has, by currency. Reserved is of the platform only, for
// connected accounts that are below zero.
type Balance struct {
	Object    string          `json:"object"`
	Available []balanceAmount `json:"available"`
	Reserved  []balanceAmount `json:"connect_reserved,omitempty"`
	Livemode  bool            `json:"livemode"`
	Pending   []balanceAmount `json:"pending"`
}

type balanceAmount struct {
	Amount      int64       `json:"amount"`
	Currency    string      `json:"currency"`
	SourceTypes sourceTypes `json:"source_types"`
}

type sourceTypes struct {
	Card int64 `json:"card"`
}

// getBalance answers GET /v1/balance. An account without a movement has nothing of the
// platform's currency.
func getBalance(t *tx, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	totals, err := t.totals(r.account)
	if err != nil {
		return nil, err
	}
	if len(totals) == 0 {
		totals = []total{{currency: t.server.config.Terms.Currency}}
	}
	b := Balance{Object: "balance", Available: []balanceAmount{}, Pending: []balanceAmount{}}
	for _, sum := range totals {
		b.Available = append(b.Available, balanceAmount{sum.available, sum.currency, sourceTypes{sum.available}})
		b.Pending = append(b.Pending, balanceAmount{sum.pending, sum.currency, sourceTypes{sum.pending}})
	}
	b.Reserved, err = t.reserved(r.account)
	return b, err
}

// reserve moves an amount of the platform's available balance to what is reserved, or back
// when it is below zero.
func (t *tx) reserve(amount int64, currency string) (*BalanceTransaction, error) {
	return t.post(t.server.platform, movement{kind: "reserve_transaction", category: "connect_reserved_funds", amount: -amount, currency: currency, availableOn: t.now})
}

// reserved sums what an account's movements have reserved, by currency.
func (t *tx) reserved(account string) (amounts []balanceAmount, err error) {
	moved, err := selectObjects[BalanceTransaction](t, `kind = ? AND account = ? AND body ->> '$.type' = 'reserve_transaction' ORDER BY seq`,
		string(kindBalanceTransaction), account)
	if err != nil {
		return nil, err
	}
	for _, b := range moved {
		i := slices.IndexFunc(amounts, func(a balanceAmount) bool { return a.Currency == b.Currency })
		if i < 0 {
			amounts = append(amounts, balanceAmount{Currency: b.Currency})
			i = len(amounts) - 1
		}
		amounts[i].Amount -= b.Net
		amounts[i].SourceTypes.Card -= b.Net
	}
	return amounts, nil
}

// total is an account's balance in one currency.
type total struct {
	currency           string
	available, pending int64
}

// totals sums an account's movements by currency.
func (t *tx) totals(account string) ([]total, error) {
	rows, err := t.QueryContext(t.ctx, `SELECT currency,
			coalesce(sum(net) FILTER (WHERE available_on <= ?), 0),
			coalesce(sum(net) FILTER (WHERE available_on > ?), 0)
		FROM movement WHERE account = ? GROUP BY currency ORDER BY currency`, t.now.Unix(), t.now.Unix(), account)
	if err != nil {
		return nil, fmt.Errorf("simulator: balance: %w", err)
	}
	var totals []total
	for rows.Next() {
		var sum total
		if err := rows.Scan(&sum.currency, &sum.available, &sum.pending); err != nil {
			return nil, errors.Join(fmt.Errorf("simulator: balance: %w", err), rows.Close())
		}
		totals = append(totals, sum)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("simulator: balance: %w", err)
	}
	return totals, nil
}

// total is an account's balance in one currency.
func (t *tx) total(account, currency string) (total, error) {
	sum := total{currency: currency}
	err := t.QueryRowContext(t.ctx, `SELECT
			coalesce(sum(net) FILTER (WHERE available_on <= ?), 0),
			coalesce(sum(net) FILTER (WHERE available_on > ?), 0)
		FROM movement WHERE account = ? AND currency = ?`, t.now.Unix(), t.now.Unix(), account, currency).Scan(&sum.available, &sum.pending)
	if err != nil {
		return total{}, fmt.Errorf("simulator: balance: %w", err)
	}
	return sum, nil
}
