package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Truth is everything that the simulator knows, for tests that compare.
type Truth struct {
	Clock    Clock  `json:"clock"`
	Platform string `json:"platform"`
	// Accounts by id, the platform's own among them.
	Accounts map[string]AccountTruth `json:"accounts"`
	// Fired counts the faults that really happened.
	Fired      map[Fault]int64 `json:"fired"`
	Deliveries []Delivery      `json:"deliveries"`
}

// AccountTruth is what belongs to one account.
type AccountTruth struct {
	// Objects by kind ("charge", "refund", ...), oldest first, as the API shows them.
	// They decode into this package's types, or stripe-go's.
	Objects map[string][]json.RawMessage `json:"objects"`
	// Balances by currency.
	Balances map[string]BalanceTruth `json:"balances"`
}

// BalanceTruth sums an account's balance in one currency, twice: as the API says it,
// and from the balance transactions.
type BalanceTruth struct {
	Available int64 `json:"available"`
	Pending   int64 `json:"pending"`

	Net int64 `json:"net"`
	Fee int64 `json:"fee"`
	// Amount by reporting category ("charge", "refund", "transfer", "dispute", ...).
	Amount map[string]int64 `json:"amount"`
}

// truth reads everything.
func (t *tx) truth() (*Truth, error) {
	truth := &Truth{Clock: t.server.clock.show(), Platform: t.server.platform, Accounts: map[string]AccountTruth{}}
	all, err := t.everything()
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if err := truth.add(t, o); err != nil {
			return nil, err
		}
	}
	for id, account := range truth.Accounts {
		totals, err := t.totals(id)
		if err != nil {
			return nil, err
		}
		for _, sum := range totals {
			balance := account.Balances[sum.currency]
			balance.Available, balance.Pending = sum.available, sum.pending
			account.Balances[sum.currency] = balance
		}
	}
	if truth.Fired, err = t.counts(); err != nil {
		return nil, err
	}
	truth.Deliveries, err = t.deliveries(`true ORDER BY seq`)
	return truth, err
}

// everything is all objects, oldest first.
func (t *tx) everything() ([]object, error) {
	rows, err := t.QueryContext(t.ctx, `SELECT kind, account, body FROM object ORDER BY seq`)
	if err != nil {
		return nil, fmt.Errorf("simulator: read everything: %w", err)
	}
	var all []object
	for rows.Next() {
		var k kind
		var account, body string
		if err := rows.Scan(&k, &account, &body); err != nil {
			return nil, errors.Join(fmt.Errorf("simulator: read everything: %w", err), rows.Close())
		}
		o, err := decode(k, account, body)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, o)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("simulator: read everything: %w", err)
	}
	return all, nil
}

// add sorts one object in. An account is found below itself.
func (truth *Truth) add(t *tx, o object) error {
	owner := o.header().account
	if a, ok := o.(*Account); ok {
		owner = a.ID
	}
	account, ok := truth.Accounts[owner]
	if !ok {
		account = AccountTruth{Objects: map[string][]json.RawMessage{}, Balances: map[string]BalanceTruth{}}
		truth.Accounts[owner] = account
	}
	shown, err := t.show(o)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(shown)
	if err != nil {
		return fmt.Errorf("simulator: show %s: %w", o.header().ID, err)
	}
	name := string(o.header().Object)
	account.Objects[name] = append(account.Objects[name], raw)
	if b, ok := o.(*BalanceTransaction); ok {
		balance := account.Balances[b.Currency]
		if balance.Amount == nil {
			balance.Amount = map[string]int64{}
		}
		balance.Net += b.Net
		balance.Fee += b.Fee
		balance.Amount[b.ReportingCategory] += b.Amount
		account.Balances[b.Currency] = balance
	}
	return nil
}

// counts reads how often each fault fired.
func (t *tx) counts() (map[Fault]int64, error) {
	rows, err := t.QueryContext(t.ctx, `SELECT fault, times FROM fired`)
	if err != nil {
		return nil, fmt.Errorf("simulator: count faults: %w", err)
	}
	counts := map[Fault]int64{}
	for rows.Next() {
		var fault Fault
		var times int64
		if err := rows.Scan(&fault, &times); err != nil {
			return nil, errors.Join(fmt.Errorf("simulator: count faults: %w", err), rows.Close())
		}
		counts[fault] = times
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("simulator: count faults: %w", err)
	}
	return counts, nil
}
