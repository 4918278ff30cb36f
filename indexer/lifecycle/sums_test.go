package lifecycle_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// summedUp is the facts with sums in the place of what counts at now.
func summedUp(f lifecycle.Facts, now time.Time) lifecycle.Facts {
	type key struct {
		currency money.Currency
		version  syntax.CID
	}
	sums := map[key]*lifecycle.EstimateSum{}
	later := func(e lifecycle.Estimate) bool {
		return now.Before(e.CreatedAt.Add(-lifecycle.FutureTolerance))
	}
	out := clone(f)
	out.Estimates = slices.DeleteFunc(out.Estimates, func(e lifecycle.Estimate) bool { return !later(e) })
	for _, c := range lifecycle.CountEstimates(f, now) {
		if c.Reason == lifecycle.NotCountedSuperseded || c.Reason == lifecycle.NotCountedAfterOpening {
			continue
		}
		if c.Reason == "" {
			k := key{c.Value.Currency, c.Proposal.CID}
			if sums[k] == nil {
				sums[k] = &lifecycle.EstimateSum{Currency: k.currency, Proposal: k.version}
			}
			sums[k].Add(c)
		}
		if slices.ContainsFunc(out.Estimates, func(e lifecycle.Estimate) bool { return e.Author == c.Author }) {
			out.Summed = append(out.Summed, c.Estimate)
		}
	}
	for _, s := range sums {
		out.Sums = append(out.Sums, *s)
	}
	return out
}

func TestR2_SumsSayWhatTheSingleEstimatesDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		now := t0.Add(drawMoment(rt, "now"))
		if _, lasting := lifecycle.EstimatesCountUntil(f, now); !lasting {
			rt.Skip("the moment until which estimates count is to change")
		}
		want, got := evaluate(f, now), evaluate(summedUp(f, now), now)
		want.Estimates, got.Estimates = nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("(-single +sums):\n%s", diff)
		}
	})
}

// What was added can be taken away again, beyond what a number can hold.
// What was derived long ago, from other estimates, becomes what would be derived now.
func TestR2_RecountedFundingIsWhatIsEvaluatedAnew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		now := t0.Add(drawMoment(rt, "now"))
		earlier := now.Add(-rapid.SampledFrom([]time.Duration{0, time.Hour, 240 * time.Hour}).Draw(rt, "before"))
		old := clone(f)
		old.Estimates = drawFacts(rt, everybody...).Estimates
		for _, facts := range []lifecycle.Facts{f, old} {
			if _, lasting := lifecycle.EstimatesCountUntil(facts, earlier); !lasting {
				rt.Skip("the moment until which estimates count is to change")
			}
		}
		f.Estimates = slices.DeleteFunc(f.Estimates, func(e lifecycle.Estimate) bool {
			return now.Before(e.CreatedAt.Add(-lifecycle.FutureTolerance))
		})
		stages := lifecycle.Evaluate(f)
		want := lifecycle.EvaluateFunding(f, stages, now)
		got := lifecycle.Recounted(lifecycle.EvaluateFunding(old, stages, earlier), summedUp(f, now).Sums, now)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("(-anew +recounted)\n%s", diff)
		}
	})
}

func TestEstimateSum_IsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var s, kept lifecycle.EstimateSum
		amounts := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) lifecycle.Counting {
			amount := rapid.SampledFrom([]int64{1, 2500, lifecycle.MaxTotal - 1, lifecycle.MaxTotal, math.MaxInt64}).Draw(rt, "amount")
			return lifecycle.Counting{Counted: amount, Proven: rapid.Bool().Draw(rt, "proven")}
		}), 1, 50).Draw(rt, "amounts")
		keep := rapid.IntRange(0, len(amounts)).Draw(rt, "keep")
		for i, c := range amounts {
			s.Add(c)
			if i < keep {
				kept.Add(c)
			}
		}
		for _, c := range amounts[keep:] {
			s.Remove(c)
		}
		if diff := cmp.Diff(kept, s); diff != "" {
			rt.Fatalf("(-never added +taken away):\n%s", diff)
		}
		if s.Estimated.Rest < 0 || s.Estimated.Rest >= lifecycle.MaxTotal {
			rt.Fatalf("a rest of %d", s.Estimated.Rest)
		}
	})
}
