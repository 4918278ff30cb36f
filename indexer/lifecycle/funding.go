package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Funding is what a community put behind a proposal in one currency, in minor
// units, with counts of accounts. Goal is the current attempt's; nil when it
// has none in this currency.
type Funding struct {
	Currency         money.Currency
	Estimated        int64
	Estimators       int64
	EstimatedProven  int64
	EstimatorsProven int64
	// Pending counts pledges without a receipt; their amounts are never summed.
	Pending int64
	Goal    *int64
}

// FundingInterval is the funding that holds until Until (exclusive), beginning
// where the one before it ends, the first at the moment of evaluation.
type FundingInterval struct {
	Until   time.Time
	Funding []Funding // sorted by currency; a currency without anything is absent
}

// EvaluateFunding returns the funding of a proposal from now on. There is more
// than one interval only where a record is dated ahead or the goal of an
// attempt comes or goes with the clock.
func EvaluateFunding(f Facts, intervals []Interval, now time.Time) []FundingInterval {
	points := []time.Time{now}
	for _, e := range f.Estimates {
		if from := e.existsFrom(); from.After(now) {
			points = append(points, from)
		}
	}
	for _, p := range f.Pledges {
		if from := p.existsFrom(); from.After(now) {
			points = append(points, from)
		}
	}
	for _, iv := range intervals {
		if iv.From.After(now) {
			points = append(points, iv.From)
		}
	}
	slices.SortFunc(points, time.Time.Compare)
	points = slices.CompactFunc(points, time.Time.Equal)

	var out []FundingInterval
	for i, t := range points {
		until := End
		if i+1 < len(points) {
			until = points[i+1]
		}
		funding := f.fundingAt(intervals, t)
		if n := len(out); n > 0 && slices.EqualFunc(out[n-1].Funding, funding, Funding.equal) {
			out[n-1].Until = until
			continue
		}
		out = append(out, FundingInterval{Until: until, Funding: funding})
	}
	return out
}

func (f *Facts) fundingAt(intervals []Interval, t time.Time) []Funding {
	byCurrency := map[money.Currency]*Funding{}
	in := func(c money.Currency) *Funding {
		if byCurrency[c] == nil {
			byCurrency[c] = &Funding{Currency: c}
		}
		return byCurrency[c]
	}
	for _, c := range CountEstimates(f.Estimates, t) {
		if c.Reason != "" {
			continue
		}
		fund := in(c.Value.Currency)
		fund.Estimated = saturatingAdd(fund.Estimated, c.Counted)
		fund.Estimators++
		if c.Proven {
			fund.EstimatedProven = saturatingAdd(fund.EstimatedProven, c.Counted)
			fund.EstimatorsProven++
		}
	}
	counted := map[syntax.ATURI]bool{}
	for _, p := range f.Pledges {
		if !p.Receipted && p.existsAt(t) && !counted[p.URI] {
			counted[p.URI] = true
			in(p.Value.Currency).Pending++
		}
	}
	if iv, ok := StageAt(intervals, t); ok && iv.Attempt != "" {
		for _, d := range f.Developments {
			if d.URI == iv.Attempt && d.Goal != nil {
				goal := d.Goal.Amount
				in(d.Goal.Currency).Goal = &goal
			}
		}
	}
	out := make([]Funding, 0, len(byCurrency))
	for _, fund := range byCurrency {
		out = append(out, *fund)
	}
	slices.SortFunc(out, func(a, b Funding) int { return cmp.Compare(a.Currency, b.Currency) })
	return out
}

// MaxTotal bounds every sum; the lexicon's totals end there too.
const MaxTotal = 1_000_000_000_000_000

// saturatingAdd keeps a sum of strangers' wishes within bounds.
func saturatingAdd(a, b int64) int64 { return min(a+b, MaxTotal) }

func (a Funding) equal(b Funding) bool {
	if (a.Goal == nil) != (b.Goal == nil) || a.Goal != nil && *a.Goal != *b.Goal {
		return false
	}
	a.Goal, b.Goal = nil, nil
	return a == b
}
