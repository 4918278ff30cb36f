package stripe

import (
	"errors"
	"math"
	"testing"

	sdk "github.com/stripe/stripe-go/v76"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func TestAmountsAreSaidInStripesUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ours   int64
		code   money.Currency
		theirs int64 // 0: it cannot be said
	}{
		{2500, "USD", 2500}, {1, "EUR", 1}, {3500, "JPY", 3500}, {500, "KRW", 500}, {2500, "HUF", 2500},
		{5, "ISK", 500}, {100, "MGA", 1}, {150, "MGA", 0}, {5120, "KWD", 5120}, {5124, "KWD", 0}, {10, "TND", 10},
		{500, "UGX", 0}, {500, "IQD", 0}, {500, "LYD", 0},
		{math.MaxInt64, "USD", math.MaxInt64}, {math.MaxInt64, "ISK", 0},
	} {
		m := money.Money{Amount: c.ours, Currency: c.code}
		amount, currency, err := toStripe(m)
		if c.theirs == 0 {
			if !errors.Is(err, payments.ErrInvalid) {
				t.Errorf("%s: %v", m, err)
			}
			continue
		}
		if err != nil || *amount != c.theirs {
			t.Errorf("%s: %v, %v", m, amount, err)
			continue
		}
		if back, err := fromStripe(*amount, sdk.Currency(*currency)); err != nil || back != m {
			t.Errorf("%s comes back as %s, %v", m, back, err)
		}
	}
}

func TestAmountsSaidExactlyComeBack(t *testing.T) {
	t.Parallel()
	codes := []money.Currency{"USD", "JPY", "ISK", "MGA", "KWD", "BHD", "CLP", "EUR"}
	rapid.Check(t, func(t *rapid.T) {
		m := money.Money{Amount: rapid.Int64().Draw(t, "amount"), Currency: rapid.SampledFrom(codes).Draw(t, "code")}
		amount, currency, err := toStripe(m)
		if err != nil {
			return
		}
		if back, err := fromStripe(*amount, sdk.Currency(*currency)); err != nil || back != m {
			t.Fatalf("%s comes back as %s, %v", m, back, err)
		}
	})
}

func TestAmountsThatAreNoneAreErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount int64
		code   sdk.Currency
	}{{1, ""}, {1, "usdc"}, {1, "xxx"}, {150, "isk"}, {1, "ugx"}, {math.MaxInt64, "mga"}} {
		if m, err := fromStripe(c.amount, c.code); !errors.Is(err, errAmount) {
			t.Errorf("%d %s: %s, %v", c.amount, c.code, m, err)
		}
	}
}
