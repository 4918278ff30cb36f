package simulator

import (
	"strings"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// maxAmount is the largest amount of one payment: eight digits.
const maxAmount = 99_999_999

// minimums are the smallest charges, in minor units, of the currencies that the
// simulator takes, from Stripe's documentation. Zero-decimal currencies are in whole
// units, as Stripe counts them.
var minimums = map[string]int64{
	"aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
	"hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "nok": 300, "nzd": 50, "pln": 200,
	"sek": 300, "sgd": 50, "usd": 50,
}

// currency returns a parameter that is a currency of the simulator's.
func (p *params) currency(name string) string {
	code := strings.ToLower(p.need(name))
	if _, ok := minimums[code]; !ok && code != "" {
		p.fail(malformed("", name, "Invalid currency: %s. The simulator knows fewer currencies than Stripe.", code))
	}
	return code
}

// exchangeRate is that of every currency in every other.
const exchangeRate = 0.9

// converted is an amount in another currency.
func converted(amount int64) int64 { return amount * 9 / 10 }

// currencyOf is in what money of a currency lies on an account: a connected one has its
// own currency alone, the platform's has each.
func (t *tx) currencyOf(account, currency string) (string, error) {
	if account == t.server.platform {
		return currency, nil
	}
	a, err := load[Account](t, account)
	if err != nil {
		return "", err
	}
	return a.DefaultCurrency, nil
}

// covers says whether a balance suffices for an amount of a currency, which may be another
// than the balance's.
func (t *tx) covers(account string, amount int64, currency string, of func(total) int64) (bool, error) {
	own, err := t.currencyOf(account, currency)
	if err != nil {
		return false, err
	}
	if own != currency {
		amount = converted(amount)
	}
	sum, err := t.total(account, own)
	return err == nil && of(sum) >= amount, err
}

// spoken shows an amount to people.
func spoken(amount int64, currency string) string {
	return money.Money{Amount: amount, Currency: money.Currency(strings.ToUpper(currency))}.String()
}
