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
func distributions(counted []lifecycle.Counting) []stratos.FeatureDefs_Distribution {
	byCurrency := map[money.Currency][]int64{}
	for _, c := range counted {
		if c.Reason == "" {
			byCurrency[c.Value.Currency] = append(byCurrency[c.Value.Currency], c.Counted)
		}
	}
	out := []stratos.FeatureDefs_Distribution{}
	for _, currency := range lifecycle.CountedCurrencies() {
		if amounts := byCurrency[currency]; len(amounts) > 0 {
			out = append(out, distribution(currency, amounts))
		}
	}
	return out
}

func distribution(currency money.Currency, amounts []int64) stratos.FeatureDefs_Distribution {
	d := stratos.FeatureDefs_Distribution{Currency: string(currency), Count: int64(len(amounts))}
	smallest, largest := amounts[0], amounts[0]
	for _, a := range amounts {
		d.Total = min(d.Total+a, lifecycle.MaxTotal)
		smallest, largest = min(smallest, a), max(largest, a)
	}
	for from, to := range steps() {
		if to <= smallest {
			continue
		}
		if from > largest {
			break
		}
		most := to - 1
		b := stratos.FeatureDefs_Bucket{Minimum: from, Maximum: &most}
		for _, a := range amounts {
			if from <= a && a < to {
				b.Count++
				b.Total = min(b.Total+a, lifecycle.MaxTotal)
			}
		}
		d.Buckets = append(d.Buckets, b)
	}
	return d
}

// steps yields the ranges [from, to) in which amounts are put, lowest first.
func steps() func(yield func(from, to int64) bool) {
	return func(yield func(from, to int64) bool) {
		from := int64(0)
		for scale := int64(100); scale < lifecycle.MaxTotal; scale *= 10 {
			for _, factor := range []int64{1, 2, 5} {
				to := scale * factor
				if !yield(from, to) {
					return
				}
				from = to
			}
		}
		yield(from, lifecycle.MaxTotal+1)
	}
}
