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

// spoken shows an amount to people.
func spoken(amount int64, currency string) string {
	return money.Money{Amount: amount, Currency: money.Currency(strings.ToUpper(currency))}.String()
}
