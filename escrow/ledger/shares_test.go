package ledger

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// someShares draws up to ten payees, some with tiny shares.
func someShares(t *rapid.T) []Share {
	n := rapid.IntRange(1, 10).Draw(t, "payees")
	left := int64(wholeShare)
	shares := make([]Share, n)
	for i := range shares {
		most := left - int64(n-1-i) // leaves one for each of the others
		part := most
		if i < n-1 {
			part = rapid.OneOf(rapid.Just(int64(1)), rapid.Int64Range(1, most), rapid.Just(max(1, left/int64(n-i)))).Draw(t, "share")
		}
		shares[i] = Share{syntax.DID(fmt.Sprintf("did:plc:%d", i)), part}
		left -= part
	}
	return shares
}

// The properties of a settlement: nothing is lost or made, no part is below zero,
// and after each hold each payee is less than one unit off.
func TestRule14_SharesAreExactAfterEachHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		shares, feePoints := someShares(t), rapid.OneOf(rapid.Int64Range(0, wholeShare), rapid.Int64Range(0, 1000)).Draw(t, "fee")
		largest := rapid.SampledFrom([]int64{1, 2, 3, 10, 2500, 1e12, math.MaxInt64 / 300}).Draw(t, "largest")
		amounts := rapid.OneOf(rapid.SliceOfN(rapid.Int64Range(1, largest), 1, 5), rapid.SliceOfN(rapid.Int64Range(1, largest), 150, 200)).Draw(t, "amounts")
		portions, err := apportion(amounts, shares, feePoints)
		if err != nil {
			t.Fatal(err)
		}
		given := make([]int64, len(shares))
		var net int64
		for i, p := range portions {
			rest := amounts[i] - p.fee
			exactFee := new(big.Int).Mul(big.NewInt(amounts[i]), big.NewInt(feePoints))
			if exactFee.Div(exactFee, big.NewInt(wholeShare)).Int64() != p.fee {
				t.Fatalf("a fee of %d for %d at %d", p.fee, amounts[i], feePoints)
			}
			net += rest
			for j, part := range p.parts {
				if part < 0 {
					t.Fatalf("hold %d takes %d from payee %d", i, part, j)
				}
				rest -= part
				given[j] += part
				// |10000 * given - net * share| < 10000
				off := new(big.Int).Mul(big.NewInt(given[j]), big.NewInt(wholeShare))
				off.Sub(off, new(big.Int).Mul(big.NewInt(net), big.NewInt(shares[j].BasisPoints)))
				if off.CmpAbs(big.NewInt(wholeShare)) >= 0 {
					t.Fatalf("after hold %d of %v payee %d has %d of %d at %d", i, amounts[:i+1], j, given[j], net, shares[j].BasisPoints)
				}
			}
			if rest != 0 {
				t.Fatalf("hold %d: %d are left of %d", i, rest, amounts[i])
			}
		}
	})
}

func TestRule14_OddUnitsGoAround(t *testing.T) {
	t.Parallel()
	thirds := []Share{{"a", 3334}, {"b", 3333}, {"c", 3333}}
	amounts := make([]int64, 300)
	for i := range amounts {
		amounts[i] = 100 // 33 each, and one odd
	}
	portions, err := apportion(amounts, thirds, 0)
	if err != nil {
		t.Fatal(err)
	}
	odd := make([]int, len(thirds))
	for _, p := range portions {
		for j, part := range p.parts {
			odd[j] += int(part) - 33
		}
	}
	for j, n := range odd {
		if n < 99 || n > 102 {
			t.Errorf("payee %d got %d of 300 odd units", j, n)
		}
	}
}

func TestApportion_RefusesWhatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		amounts []int64
		shares  []Share
		fee     int64
	}{
		"nobody":            {[]int64{1}, nil, 0},
		"too little":        {[]int64{1}, []Share{{"a", 9999}}, 0},
		"too much":          {[]int64{1}, []Share{{"a", 9999}, {"b", 2}}, 0},
		"nothing for one":   {[]int64{1}, []Share{{"a", 10000}, {"b", 0}}, 0},
		"less than nothing": {[]int64{1}, []Share{{"a", 10001}, {"b", -1}}, 0},
		"twice":             {[]int64{1}, []Share{{"a", 5000}, {"a", 5000}}, 0},
		"fee":               {[]int64{1}, []Share{{"a", 10000}}, 10001},
		"negative fee":      {[]int64{1}, []Share{{"a", 10000}}, -1},
		"nothing held":      {[]int64{0}, []Share{{"a", 10000}}, 0},
		"overflow":          {[]int64{math.MaxInt64, 1}, []Share{{"a", 10000}}, 0},
	} {
		if _, err := apportion(c.amounts, c.shares, c.fee); !errors.Is(err, ErrShares) {
			t.Errorf("%s: %v", name, err)
		}
	}
	portions, err := apportion([]int64{math.MaxInt64}, []Share{{"a", 1}, {"b", 9999}}, 1)
	if err != nil || portions[0].fee+portions[0].parts[0]+portions[0].parts[1] != math.MaxInt64 {
		t.Errorf("the largest amount: %v, %v", portions, err)
	}
}

func TestFee_IsWhatASettlementTakes(t *testing.T) {
	t.Parallel()
	for _, amount := range []int64{1, 19, 20, 2500, 9_999_999_999} {
		value := money.Money{Amount: amount, Currency: "USD"}
		got, err := Fee(value, 525)
		portions, err2 := apportion([]int64{amount}, []Share{{Payee: "did:plc:one", BasisPoints: wholeShare}}, 525)
		if err != nil || err2 != nil || got != portions[0].fee {
			t.Errorf("of %s: %d, %v; a settlement takes %v, %v", value, got, err, portions, err2)
		}
	}
	for _, bad := range []int64{-1, wholeShare + 1} {
		if got, err := Fee(money.Money{Amount: 1, Currency: "USD"}, bad); err == nil {
			t.Errorf("%d basis points are %d", bad, got)
		}
	}
	if got, err := Fee(money.Money{Currency: "USD"}, 500); err == nil {
		t.Errorf("of nothing: %d", got)
	}
}
