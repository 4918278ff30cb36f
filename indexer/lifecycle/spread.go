package lifecycle

import (
	"cmp"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// stepEnds are where the ranges end in which counted amounts are put, lowest first: steps of
// 1, 2 and 5 times powers of ten, in minor units. Nothing that is shown is beyond the last.
var stepEnds = func() (ends []int64) {
	for scale := int64(100); scale < MaxTotal; scale *= 10 {
		for _, factor := range []int64{1, 2, 5} {
			ends = append(ends, scale*factor)
		}
	}
	return append(ends, MaxTotal+1)
}()

// StepOf is the number of the range that an amount is in.
func StepOf(amount int64) int {
	step, _ := slices.BinarySearch(stepEnds, min(amount, MaxTotal)+1)
	return step
}

// StepRange is the smallest and the largest amount of a range.
func StepRange(step int) (least, most int64) {
	if step > 0 {
		least = stepEnds[step-1]
	}
	return least, stepEnds[step] - 1
}

// Spread is how many estimates in a currency count for an amount of one range, and what they
// count for together.
type Spread struct {
	Currency     money.Currency
	Step         int
	Count, Total int64
}

// SpreadOf brings the sums of all versions of a proposal together, by currency and step.
func SpreadOf(sums []EstimateSum) []Spread {
	sums = slices.SortedFunc(slices.Values(sums), func(a, b EstimateSum) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Step, b.Step))
	})
	var out []Spread
	for len(sums) > 0 {
		one := sums[0]
		for sums = sums[1:]; len(sums) > 0 && sums[0].Currency == one.Currency && sums[0].Step == one.Step; sums = sums[1:] {
			one.addAll(sums[0])
		}
		out = append(out, Spread{one.Currency, one.Step, one.Estimators, one.Estimated.shown()})
	}
	return out
}

// SumUp sums up what counts of estimates that were counted one by one.
func SumUp(counted []Counting) []EstimateSum {
	type key struct {
		currency money.Currency
		version  syntax.CID
		step     int
	}
	var out []EstimateSum
	at := map[key]int{}
	for _, c := range counted {
		if c.Reason != "" {
			continue
		}
		k := key{c.Value.Currency, c.Proposal.CID, StepOf(c.Counted)}
		i, there := at[k]
		if !there {
			i, at[k] = len(out), len(out)
			out = append(out, EstimateSum{Currency: k.currency, Proposal: k.version, Step: k.step})
		}
		out[i].Add(c)
	}
	return out
}
