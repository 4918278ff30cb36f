package money

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestCurrencyIsUpperCaseAndInUse(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"USD", "EUR", "GBP", "JPY", "CHF", "KWD", "BRL", "INR"} {
		if c, err := ParseCurrency(code); err != nil || c != Currency(code) {
			t.Errorf("%s: %v", code, err)
		}
	}
	for _, code := range []string{"", "usd", "Usd", "US", "USDC", "QQQ", "XAU", "XXX", "XTS", "DEM", "$", "USD ", "ＵＳＤ"} {
		if _, err := ParseCurrency(code); !errors.Is(err, ErrCurrency) {
			t.Errorf("%q: %v", code, err)
		}
	}
}

func TestEachExponentIsOfACurrencyInUse(t *testing.T) {
	t.Parallel()
	for c, e := range exponents {
		if _, err := ParseCurrency(c.String()); err != nil {
			t.Error(err)
		}
		if e == 2 {
			t.Errorf("%s has the usual exponent", c)
		}
	}
}

func TestMoneyIsShownInMajorUnits(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]Money{
		"USD 25.00":                 {2500, "USD"},
		"USD 0.00":                  {0, "USD"},
		"USD -0.05":                 {-5, "USD"},
		"USD -12.34":                {-1234, "USD"},
		"JPY 3500":                  {3500, "JPY"},
		"JPY 0":                     {0, "JPY"},
		"KWD 0.001":                 {1, "KWD"},
		"PKR 25.00":                 {2500, "PKR"},
		"USD -92233720368547758.08": {math.MinInt64, "USD"},
		"KWD 9223372036854775.807":  {math.MaxInt64, "KWD"},
	} {
		if got := m.String(); got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
}

func TestCurrenciesDoNotMix(t *testing.T) {
	t.Parallel()
	if _, err := (Money{1, "USD"}).Add(Money{1, "EUR"}); !errors.Is(err, ErrMixed) {
		t.Error(err)
	}
	if _, err := (Money{1, "USD"}).Sub(Money{1, "EUR"}); !errors.Is(err, ErrMixed) {
		t.Error(err)
	}
}

// amounts prefers the edges, where arithmetic goes wrong.
var amounts = rapid.OneOf(
	rapid.Int64(),
	rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}),
)

func TestArithmeticIsExactOrAnError(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts.Draw(t, "a"), amounts.Draw(t, "b")
		x, y := big.NewInt(a), big.NewInt(b)
		for name, op := range map[string]struct {
			exact *big.Int
			run   func() (Money, error)
		}{
			"add": {new(big.Int).Add(x, y), func() (Money, error) { return Money{a, "USD"}.Add(Money{b, "USD"}) }},
			"sub": {new(big.Int).Sub(x, y), func() (Money, error) { return Money{a, "USD"}.Sub(Money{b, "USD"}) }},
			"mul": {new(big.Int).Mul(x, y), func() (Money, error) { return Money{a, "USD"}.Mul(b) }},
		} {
			got, err := op.run()
			switch {
			case !op.exact.IsInt64():
				if !errors.Is(err, ErrOverflow) {
					t.Fatalf("%s %d %d = %v, %v", name, a, b, got, err)
				}
			case err != nil || got != Money{op.exact.Int64(), "USD"}:
				t.Fatalf("%s %d %d = %v, %v", name, a, b, got, err)
			}
		}
	})
}

func TestSplitPartsSumToTheWholeAndAreFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := Money{rapid.Int64Min(0).Draw(t, "whole"), "USD"}
		shares := rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64/20), 1, 20).Draw(t, "shares")
		total := new(big.Int)
		for _, s := range shares {
			total.Add(total, big.NewInt(s))
		}
		parts, err := whole.Split(shares)
		if total.Sign() == 0 {
			if !errors.Is(err, ErrShares) {
				t.Fatal(err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := Money{0, "USD"}
		for i, part := range parts {
			if sum, err = sum.Add(part); err != nil {
				t.Fatal(err)
			}
			// |part * total - whole * share| < total: less than a unit from exact.
			off := new(big.Int).Mul(big.NewInt(part.Amount), total)
			off.Sub(off, new(big.Int).Mul(big.NewInt(whole.Amount), big.NewInt(shares[i])))
			if off.CmpAbs(total) >= 0 {
				t.Fatalf("part %d is %s of %s by %d", i, part, whole, shares[i])
			}
		}
		if sum != whole {
			t.Fatalf("parts sum to %s instead of %s", sum, whole)
		}
	})
}

func TestSplitGivesLastUnitsByFractionThenByOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		whole        int64
		shares, want []int64
	}{
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{101, []int64{1, 1, 1}, []int64{34, 34, 33}},
		{10, []int64{3333, 6667}, []int64{3, 7}},
		{5, []int64{5000, 5000}, []int64{3, 2}},
		{1, []int64{1, 9999}, []int64{0, 1}},
		{0, []int64{1, 2}, []int64{0, 0}},
		{7, []int64{0, 10000}, []int64{0, 7}},
	} {
		parts, err := Money{c.whole, "USD"}.Split(c.shares)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range parts {
			if part != (Money{c.want[i], "USD"}) {
				t.Errorf("%d by %v: part %d is %s", c.whole, c.shares, i, part)
			}
		}
	}
}

func TestSplitRefusesWhatHasNoAnswer(t *testing.T) {
	t.Parallel()
	for name, split := range map[string]func() ([]Money, error){
		"no shares":      func() ([]Money, error) { return Money{1, "USD"}.Split(nil) },
		"zero shares":    func() ([]Money, error) { return Money{1, "USD"}.Split([]int64{0, 0}) },
		"negative share": func() ([]Money, error) { return Money{1, "USD"}.Split([]int64{2, -1}) },
		"shares overflow": func() ([]Money, error) {
			return Money{1, "USD"}.Split([]int64{math.MaxInt64, 1})
		},
		"negative whole": func() ([]Money, error) { return Money{-1, "USD"}.Split([]int64{1}) },
	} {
		if parts, err := split(); !errors.Is(err, ErrShares) {
			t.Errorf("%s: %v, %v", name, parts, err)
		}
	}
}
