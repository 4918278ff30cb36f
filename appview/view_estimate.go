package appview

import (
	"cmp"
	"slices"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func (f *facts) estimate(c lifecycle.Counting) (view stratos.FeatureDefs_EstimateView, ok bool) {
	rec, found := f.records[c.URI]
	if !found {
		return view, false
	}
	view = stratos.FeatureDefs_EstimateView{
		Uri: c.URI.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Record: rec.json,
		IndexedAt: datetime(rec.IndexedAt),
		Amount:    c.Value.Amount, Currency: string(c.Value.Currency), Counted: c.Counted, Cap: c.Cap, Proven: c.Proven,
	}
	if c.Reason != "" {
		reason := string(c.Reason)
		view.Reason = &reason
	}
	return view, true
}

// distributions shows how counted estimates are spread, by currency. The
// ranges are steps of 1, 2 and 5 times powers of ten, in minor units; only
// those between the smallest and the largest estimate are there.
func distributions(spread []store.EstimateStep) []stratos.FeatureDefs_Distribution {
	byCurrency := map[money.Currency][]store.EstimateStep{}
	for _, s := range spread {
		byCurrency[s.Currency] = append(byCurrency[s.Currency], s)
	}
	out := []stratos.FeatureDefs_Distribution{}
	for _, currency := range lifecycle.CountedCurrencies() {
		if steps := byCurrency[currency]; len(steps) > 0 {
			out = append(out, distribution(currency, steps))
		}
	}
	return out
}

// distribution is that of one currency, whose steps are in order.
func distribution(currency money.Currency, spread []store.EstimateStep) stratos.FeatureDefs_Distribution {
	d := stratos.FeatureDefs_Distribution{Currency: string(currency)}
	last := spread[len(spread)-1].Step
	for i := spread[0].Step; i <= last; i++ {
		most := stepEnds[i] - 1
		b := stratos.FeatureDefs_Bucket{Maximum: &most}
		if i > 0 {
			b.Minimum = stepEnds[i-1]
		}
		if spread[0].Step == i {
			b.Count, b.Total = spread[0].Count, min(spread[0].Sum, lifecycle.MaxTotal)
			d.Count, d.Total = d.Count+b.Count, min(d.Total+b.Total, lifecycle.MaxTotal)
			spread = spread[1:]
		}
		d.Buckets = append(d.Buckets, b)
	}
	return d
}

// spreadOf sorts what counts into steps, currency by currency.
func spreadOf(counted []lifecycle.Counting) []store.EstimateStep {
	var out []store.EstimateStep
	for _, c := range counted {
		if c.Reason != "" {
			continue
		}
		one := store.EstimateStep{Currency: c.Value.Currency, Step: slices.IndexFunc(stepEnds, func(end int64) bool { return c.Counted < end })}
		i, there := slices.BinarySearchFunc(out, one, func(a, b store.EstimateStep) int {
			return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Step, b.Step))
		})
		if !there {
			out = slices.Insert(out, i, one)
		}
		out[i].Count++
		out[i].Sum = min(out[i].Sum+c.Counted, lifecycle.MaxTotal)
	}
	return out
}

// stepEnds are where the ranges end in which amounts are put, lowest first.
var stepEnds = func() (ends []int64) {
	for scale := int64(100); scale < lifecycle.MaxTotal; scale *= 10 {
		for _, factor := range []int64{1, 2, 5} {
			ends = append(ends, scale*factor)
		}
	}
	return append(ends, lifecycle.MaxTotal+1)
}()
