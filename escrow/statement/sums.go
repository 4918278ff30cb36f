package statement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Liability is what is owed for one attempt in one currency.
type Liability struct {
	Development syntax.ATURI
	Owed        money.Money
	Receipts    int64 // out of which something is owed
}

// Sums are what the leaves of a statement add up to. What is zero is left out.
type Sums struct {
	// Owed is in the order of developments and currencies.
	Owed []Liability
	// Released and Refunded are in the order of currencies.
	Released, Refunded []money.Money
}

// Add adds leaves up. It returns money.ErrOverflow for more than can be counted.
func Add(leaves []Leaf) (Sums, error) {
	type attempt struct {
		development syntax.ATURI
		currency    money.Currency
	}
	owed := make(map[attempt]Liability)
	released, refunded := make(totals), make(totals)
	for _, l := range leaves {
		if l.Owed > 0 {
			of := attempt{l.Development, l.Currency}
			sum, err := cmp.Or(owed[of].Owed, money.Money{Currency: l.Currency}).Add(money.Money{Amount: l.Owed, Currency: l.Currency})
			if err != nil {
				return Sums{}, fmt.Errorf("statement: add up what is owed for %s: %w", l.Development, err)
			}
			owed[of] = Liability{Development: l.Development, Owed: sum, Receipts: owed[of].Receipts + 1}
		}
		if err := released.add(l.Released, l.Currency); err != nil {
			return Sums{}, fmt.Errorf("statement: add up what was released: %w", err)
		}
		if err := refunded.add(l.Refunded, l.Currency); err != nil {
			return Sums{}, fmt.Errorf("statement: add up what was refunded: %w", err)
		}
	}
	return Sums{
		Owed: slices.SortedFunc(maps.Values(owed), func(a, b Liability) int {
			return cmp.Or(cmp.Compare(a.Development, b.Development), cmp.Compare(a.Owed.Currency, b.Owed.Currency))
		}),
		Released: released.list(), Refunded: refunded.list(),
	}, nil
}

type totals map[money.Currency]money.Money

func (t totals) add(amount int64, currency money.Currency) error {
	if amount == 0 {
		return nil
	}
	sum, err := cmp.Or(t[currency], money.Money{Currency: currency}).Add(money.Money{Amount: amount, Currency: currency})
	t[currency] = sum
	return err
}

func (t totals) list() []money.Money {
	return slices.SortedFunc(maps.Values(t), func(a, b money.Money) int { return cmp.Compare(a.Currency, b.Currency) })
}
