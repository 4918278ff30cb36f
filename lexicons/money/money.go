package money

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
)

var (
	// ErrOverflow says that a result does not fit into 64 bits.
	ErrOverflow = errors.New("money: amount overflows")
	// ErrMixed says that two amounts have different currencies.
	ErrMixed = errors.New("money: currencies differ")
)

// Money is an amount in minor units of a currency. The zero value has no currency
// and mixes with nothing but itself.
type Money struct {
	Amount   int64
	Currency Currency
}

// Add returns m + n, or ErrMixed or ErrOverflow.
func (m Money) Add(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, fmt.Errorf("%w: %s and %s", ErrMixed, m.Currency, n.Currency)
	}
	sum := m.Amount + n.Amount
	if (sum > m.Amount) != (n.Amount > 0) {
		return Money{}, fmt.Errorf("%w: %s + %s", ErrOverflow, m, n)
	}
	return Money{sum, m.Currency}, nil
}

// Sub returns m - n, or ErrMixed or ErrOverflow.
func (m Money) Sub(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, fmt.Errorf("%w: %s and %s", ErrMixed, m.Currency, n.Currency)
	}
	difference := m.Amount - n.Amount
	if (difference < m.Amount) != (n.Amount > 0) {
		return Money{}, fmt.Errorf("%w: %s - %s", ErrOverflow, m, n)
	}
	return Money{difference, m.Currency}, nil
}

// Mul returns m * factor, or ErrOverflow.
func (m Money) Mul(factor int64) (Money, error) {
	high, low := bits.Mul64(magnitude(m.Amount), magnitude(factor))
	negative := (m.Amount < 0) != (factor < 0)
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	if high != 0 || low > limit {
		return Money{}, fmt.Errorf("%w: %s times %d", ErrOverflow, m, factor)
	}
	product := int64(low)
	if negative {
		product = -product
	}
	return Money{product, m.Currency}, nil
}

// magnitude is the absolute value, which for the smallest int64 is no int64.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// String shows the amount to people: the code, then major units with all digits of
// the minor unit. "USD 25.00", "JPY 3500", "USD -0.05".
func (m Money) String() string {
	digits := strconv.FormatUint(magnitude(m.Amount), 10)
	if e := m.Currency.Exponent(); e > 0 {
		for len(digits) <= e {
			digits = "0" + digits
		}
		digits = digits[:len(digits)-e] + "." + digits[len(digits)-e:]
	}
	if m.Amount < 0 {
		digits = "-" + digits
	}
	return string(m.Currency) + " " + digits
}
