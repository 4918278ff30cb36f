package stripe

import (
	"errors"
	"fmt"
	"strings"

	sdk "github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// errAmount says that an amount of Stripe's is none of ours.
var errAmount = errors.New("an amount cannot be read")

// unit is how Stripe counts a currency, where that is not the minor unit of ISO 4217.
type unit struct {
	// ours of our minor units are theirs of Stripe's.
	ours, theirs int64
	// step is what Stripe's amounts have to be divisible by.
	step int64
}

// plain is the unit of nearly all currencies.
var plain = unit{1, 1, 1}

// units are the exceptions that https://docs.stripe.com/currencies lists.
var units = map[money.Currency]unit{
	// Without decimals, but counted as if it had two.
	"ISK": {1, 100, 100},
	// With a minor unit that Stripe does not count.
	"MGA": {100, 1, 1},
	// With three decimals, of which card networks want the last to be zero.
	"BHD": {1, 1, 10}, "JOD": {1, 1, 10}, "KWD": {1, 1, 10}, "OMR": {1, 1, 10}, "TND": {1, 1, 10},
}

// unknown are currencies whose units cannot be told. Stripe lists UGX among those
// without decimals and among those to be sent with two; IQD and LYD have three decimals
// and are not listed at all. A guess would be wrong by a factor of a hundred.
var unknown = map[money.Currency]bool{"UGX": true, "IQD": true, "LYD": true}

func unitOf(c money.Currency) (unit, error) {
	if unknown[c] {
		return unit{}, fmt.Errorf("%w: how the processor counts %s is not certain", payments.ErrInvalid, c)
	}
	if u, ok := units[c]; ok {
		return u, nil
	}
	return plain, nil
}

// toStripe says an amount in Stripe's words, or ErrInvalid if it cannot say it exactly.
func toStripe(m money.Money) (amount *int64, currency *string, err error) {
	u, err := unitOf(m.Currency)
	if err != nil {
		return nil, nil, err
	}
	scaled, err := money.Money{Amount: m.Amount, Currency: m.Currency}.Mul(u.theirs)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", payments.ErrInvalid, err)
	}
	theirs := scaled.Amount / u.ours
	if scaled.Amount%u.ours != 0 || theirs%u.step != 0 {
		return nil, nil, fmt.Errorf("%w: the processor cannot take exactly %s", payments.ErrInvalid, m)
	}
	return sdk.Int64(theirs), sdk.String(strings.ToLower(m.Currency.String())), nil
}

// fromStripe reads an amount of Stripe's.
func fromStripe(amount int64, currency sdk.Currency) (money.Money, error) {
	c, err := money.ParseCurrency(strings.ToUpper(string(currency)))
	if err != nil {
		return money.Money{}, fmt.Errorf("%w: %w", errAmount, err)
	}
	u, err := unitOf(c)
	if err != nil {
		return money.Money{}, fmt.Errorf("%w: %w", errAmount, err)
	}
	scaled, err := money.Money{Amount: amount, Currency: c}.Mul(u.ours)
	if err != nil {
		return money.Money{}, fmt.Errorf("%w: %w", errAmount, err)
	}
	if scaled.Amount%u.theirs != 0 {
		return money.Money{}, fmt.Errorf("%w: %d of %s is no whole amount", errAmount, amount, c)
	}
	return money.Money{Amount: scaled.Amount / u.theirs, Currency: c}, nil
}
