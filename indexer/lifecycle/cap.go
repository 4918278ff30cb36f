package lifecycle

import (
	"cmp"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// baseCaps is what an account without a successful contribution may estimate,
// in minor units (rule 2). A currency that is not here is listed, not counted.
var baseCaps = map[money.Currency]int64{"USD": 2500, "EUR": 2500, "GBP": 2000, "JPY": 3500}

// CountedCurrencies lists the currencies in which estimates count, sorted.
func CountedCurrencies() []money.Currency {
	out := make([]money.Currency, 0, len(baseCaps))
	for c := range baseCaps {
		out = append(out, c)
	}
	slices.Sort(out)
	return out
}

// Cap is the most that one estimate of an account counts for, in minor units,
// when largest is its largest successful contribution in that currency
// (rule 2). ok is false for a currency in which nothing counts.
func Cap(currency money.Currency, largest int64) (limit int64, ok bool) {
	base, ok := baseCaps[currency]
	if !ok {
		return 0, false
	}
	if largest > MaxTotal/2 {
		return MaxTotal, true
	}
	return max(base, 2*largest), true
}

// Standing is an account's largest successful contribution in one currency,
// and the receipt that shows it.
type Standing struct {
	Currency money.Currency
	Largest  int64
	Receipt  syntax.ATURI
}

// Standings derives an account's standings from the receipts that name it as
// payer (rule 2). A contribution counts when its receipt is of a trusted
// escrow, released or paid, not test money unless the policy says so, and not
// for the payer's own work. The result is sorted by currency.
func Standings(payer syntax.DID, receipts []Receipt, policy Policy) []Standing {
	best := map[money.Currency]Standing{}
	for _, r := range receipts {
		if r.Payer != payer || !successful(r, policy) {
			continue
		}
		c := r.Value.Currency
		have, found := best[c]
		if !found || r.Value.Amount > have.Largest || r.Value.Amount == have.Largest && r.URI < have.Receipt {
			best[c] = Standing{Currency: c, Largest: r.Value.Amount, Receipt: r.URI}
		}
	}
	out := make([]Standing, 0, len(best))
	for _, s := range best {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Standing) int { return cmp.Compare(a.Currency, b.Currency) })
	return out
}

func successful(r Receipt, policy Policy) bool {
	return policy.counts(r.Author, r.Test) &&
		(r.Status == ReceiptReleased || r.Status == ReceiptPaid) &&
		!slices.Contains(r.Team, r.Payer)
}
