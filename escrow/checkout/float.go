package checkout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// wholeBasisPoints are all of an amount.
const wholeBasisPoints = 10_000

// Costs is the most that the processor takes of a charge and keeps when it goes back: a
// part of the amount, and something fixed in each currency. Rule 16 lets the operator pay
// it. Where a processor takes more than is said here, the float may not suffice.
type Costs struct {
	// BasisPoints is the part, in hundredths of a percent.
	BasisPoints int64
	// Fixed is the rest in minor units, by currency; DefaultFixed where it has none.
	Fixed map[money.Currency]int64
}

// DefaultCosts is more than card processors take of a foreign card.
func DefaultCosts() Costs { return Costs{BasisPoints: 600} }

// DefaultFixed is what is fixed in a currency unless an operator says more: a hundred of
// the smallest unit, and a thousand where a unit has three decimals.
func DefaultFixed(c money.Currency) int64 {
	if c.Exponent() > 2 {
		return 1000
	}
	return 100
}

// ParseFixed reads what is fixed, as a list of currencies and minor units: USD=60.
func ParseFixed(list []string) (map[money.Currency]int64, error) {
	fixed := make(map[money.Currency]int64, len(list))
	for _, entry := range list {
		name, number, _ := strings.Cut(entry, "=")
		currency, err := money.ParseCurrency(name)
		if err != nil {
			return nil, fmt.Errorf("checkout: %q: %w", entry, err)
		}
		amount, err := strconv.ParseInt(number, 10, 64)
		if err != nil || amount < 0 {
			return nil, fmt.Errorf("checkout: %q: want a currency and its minor units, as in USD=60", entry)
		}
		fixed[currency] = amount
	}
	return fixed, nil
}

// Validate says what is wrong.
func (c Costs) Validate() error {
	if c.BasisPoints < 0 || c.BasisPoints > wholeBasisPoints {
		return fmt.Errorf("checkout: costs are between 0 and %d basis points, and not %d", wholeBasisPoints, c.BasisPoints)
	}
	for currency, fixed := range c.Fixed {
		if fixed < 0 {
			return fmt.Errorf("checkout: costs of %d %s are no costs", fixed, currency)
		}
	}
	return nil
}

// Of is the most that a payment may cost, rounded up.
func (c Costs) Of(value money.Money) (int64, error) {
	fixed, ok := c.Fixed[value.Currency]
	if !ok {
		fixed = DefaultFixed(value.Currency)
	}
	part, err := value.Mul(c.BasisPoints)
	if err != nil {
		return 0, err
	}
	whole := part.Amount / wholeBasisPoints
	if part.Amount%wholeBasisPoints != 0 {
		whole++
	}
	cost, err := money.Money{Amount: whole, Currency: value.Currency}.Add(money.Money{Amount: fixed, Currency: value.Currency})
	return cost.Amount, err
}

// errFloat says that the float does not cover another payment.
var errFloat = errors.New("checkout: the float does not cover it")

// covered compares what the operator has free with what everything that may still be
// charged could cost, and this payment with it (rule 16). What was charged has taken its
// costs out of the float already, so that all of it can be refunded.
func covered(ctx context.Context, q sqlite.Querier, currency money.Currency, cost int64) error {
	position, err := ledger.PositionIn(ctx, q, currency)
	if err != nil {
		return err
	}
	var promised int64
	err = q.QueryRowContext(ctx, `
		SELECT coalesce(sum(cost), 0) FROM payment WHERE currency = $1 AND (state = 'open' OR state = 'processing')`,
		currency).Scan(&promised)
	if err != nil {
		return fmt.Errorf("checkout: add up what is promised in %s: %w", currency, err)
	}
	if cost > math.MaxInt64-promised || position.Free() < promised+cost {
		return fmt.Errorf("%w: %d %s are free, %d promised, %d needed", errFloat, position.Free(), currency, promised, cost)
	}
	return nil
}
