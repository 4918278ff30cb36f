package money

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// ErrShares says that a whole cannot be divided by these shares: there are none, one
// is negative, all are zero, their sum overflows, or the whole is below zero.
var ErrShares = errors.New("money: cannot split")

// Split divides m in proportion to the shares and returns one part for each, in their
// order. Each part is first rounded down; the units that are left go one each to the
// parts that lost the largest fraction, the earlier first when two lost the same. So
// the parts sum to m, and none is more than one unit from its exact value.
func (m Money) Split(shares []int64) ([]Money, error) {
	total, err := sum(shares)
	if err != nil {
		return nil, err
	}
	if m.Amount < 0 {
		return nil, fmt.Errorf("%w: %s is below zero", ErrShares, m)
	}

	parts := make([]Money, len(shares))
	lost := make([]uint64, len(shares))
	order := make([]int, len(shares))
	left := m.Amount
	for i, share := range shares {
		// The product may need 128 bits; the quotient is at most the amount, because
		// a share is at most the total.
		high, low := bits.Mul64(uint64(m.Amount), uint64(share))
		part, fraction := bits.Div64(high, low, total)
		parts[i] = Money{int64(part), m.Currency}
		lost[i], order[i] = fraction, i
		left -= int64(part)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case lost[a] > lost[b]:
			return -1
		case lost[a] < lost[b]:
			return 1
		}
		return 0
	})
	for _, i := range order[:left] {
		parts[i].Amount++
	}
	return parts, nil
}

func sum(shares []int64) (uint64, error) {
	var total int64
	for _, share := range shares {
		if share < 0 || total+share < total {
			return 0, fmt.Errorf("%w: shares %v", ErrShares, shares)
		}
		total += share
	}
	if total == 0 {
		return 0, fmt.Errorf("%w: no shares", ErrShares)
	}
	return uint64(total), nil
}
