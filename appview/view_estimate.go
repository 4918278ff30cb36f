package appview

import (
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
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
func distributions(sums []lifecycle.EstimateSum) []stratos.FeatureDefs_Distribution {
	byCurrency := map[money.Currency][]lifecycle.Spread{}
	for _, s := range lifecycle.SpreadOf(sums) {
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
func distribution(currency money.Currency, spread []lifecycle.Spread) stratos.FeatureDefs_Distribution {
	d := stratos.FeatureDefs_Distribution{Currency: string(currency)}
	last := spread[len(spread)-1].Step
	for step := spread[0].Step; step <= last; step++ {
		least, most := lifecycle.StepRange(step)
		b := stratos.FeatureDefs_Bucket{Minimum: least, Maximum: &most}
		if spread[0].Step == step {
			b.Count, b.Total = spread[0].Count, spread[0].Total
			d.Count, d.Total = d.Count+b.Count, min(d.Total+b.Total, lifecycle.MaxTotal)
			spread = spread[1:]
		}
		d.Buckets = append(d.Buckets, b)
	}
	return d
}
