package ledger

import (
	"fmt"
	"math/bits"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// wholeShare is all of something, in basis points.
const wholeShare = 10_000

// Share is a payee's part of what is settled.
type Share struct {
	Payee       syntax.DID
	BasisPoints int64
}

// portion is how one hold is settled.
type portion struct {
	fee   int64
	parts []int64 // one for each payee
}

// apportion divides holds among the operator and the payees, in order. The fee of
// each is rounded down. After each hold every payee has less than one unit more or
// less than the exact share of the nets so far; parts are never below zero.
//
// Whoever takes too many units early could make that impossible later. So what the
// whole units of the exact shares leave over goes, one each, to those whose next
// whole unit falls due soonest; that never fails, because handing out units one by
// one in this order does not (it is the scheduling of fair queues), and choosing
// among all that are eligible by the end of a hold is at least as good.
func apportion(amounts []int64, shares []Share, feeBasisPoints int64) ([]portion, error) {
	if err := checkShares(shares, feeBasisPoints); err != nil {
		return nil, err
	}
	out := make([]portion, len(amounts))
	given := make([]int64, len(shares)) // to each payee so far
	var net int64                       // of all holds so far
	for i, amount := range amounts {
		fee, _ := proportion(amount, feeBasisPoints)
		next := net + amount - fee
		if amount <= 0 || next < net {
			return nil, fmt.Errorf("%w: %d after %d", ErrShares, amount, net)
		}
		net = next
		parts, err := deal(net, shares, given)
		if err != nil {
			return nil, err
		}
		out[i] = portion{fee, parts}
	}
	return out, nil
}

// Fee is the operator's part of a pledge that is settled: rounded down.
func Fee(value money.Money, basisPoints int64) (int64, error) {
	if value.Amount <= 0 || basisPoints < 0 || basisPoints > wholeShare {
		return 0, fmt.Errorf("%w: a fee of %d basis points of %s", ErrShares, basisPoints, value)
	}
	fee, _ := proportion(value.Amount, basisPoints)
	return fee, nil
}

func checkShares(shares []Share, feeBasisPoints int64) error {
	var total int64
	seen := make(map[syntax.DID]bool, len(shares))
	for _, s := range shares {
		if s.BasisPoints <= 0 || s.BasisPoints > wholeShare || s.Payee == "" || seen[s.Payee] {
			return fmt.Errorf("%w: %d basis points for %q", ErrShares, s.BasisPoints, s.Payee)
		}
		seen[s.Payee] = true
		total += s.BasisPoints
	}
	if total != wholeShare || feeBasisPoints < 0 || feeBasisPoints > wholeShare {
		return fmt.Errorf("%w: %d basis points, and a fee of %d", ErrShares, total, feeBasisPoints)
	}
	return nil
}

// proportion is the whole units of amount * basis points / 10000, and whether there
// is a fraction beside them.
func proportion(amount, basisPoints int64) (whole int64, fraction bool) {
	high, low := bits.Mul64(uint64(amount), uint64(basisPoints))
	quotient, remainder := bits.Div64(high, low, wholeShare)
	return int64(quotient), remainder > 0
}

// deal brings what each payee was given up to net altogether, and returns what each
// gets now.
func deal(net int64, shares []Share, given []int64) ([]int64, error) {
	parts := make([]int64, len(shares))
	waiting := make([]bool, len(shares)) // for the unit that the fraction belongs to
	left := net
	for j, s := range shares {
		whole, fraction := proportion(net, s.BasisPoints)
		parts[j] = max(0, whole-given[j])
		given[j] += parts[j]
		waiting[j] = fraction && given[j] == whole
		left -= given[j]
	}
	for ; left > 0; left-- {
		first := -1
		for j := range shares {
			if waiting[j] && (first < 0 || due(given[j]+1, shares[j]) < due(given[first]+1, shares[first])) {
				first = j
			}
		}
		if first < 0 {
			break
		}
		waiting[first] = false
		parts[first]++
		given[first]++
	}
	if left != 0 {
		return nil, fmt.Errorf("%w: %d of %d units cannot be dealt", ErrShares, left, net)
	}
	return parts, nil
}

// due is the net at which a payee's n-th unit is whole.
func due(n int64, s Share) uint64 {
	high, low := bits.Mul64(uint64(n), wholeShare)
	quotient, remainder := bits.Div64(high, low, uint64(s.BasisPoints))
	if remainder > 0 {
		quotient++
	}
	return quotient
}
