package lifecycle_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func TestStepOf_RangesLeaveNothingOut(t *testing.T) {
	t.Parallel()
	next := int64(0)
	for step := 0; ; step++ {
		least, most := lifecycle.StepRange(step)
		if least != next || lifecycle.StepOf(least) != step || lifecycle.StepOf(most) != step {
			t.Fatalf("step %d is from %d to %d behind %d, and these are in %d and %d", step, least, most, next-1, lifecycle.StepOf(least), lifecycle.StepOf(most))
		}
		if next = most + 1; most == lifecycle.MaxTotal {
			if got := lifecycle.StepOf(math.MaxInt64); got != step {
				t.Errorf("what nobody can show is in step %d, not in the last, %d", got, step)
			}
			return
		}
	}
}

// However estimates were summed up, by versions or one by one, they are spread alike.
func TestSpreadOf_IsThatOfTheSingleEstimates(t *testing.T) {
	t.Parallel()
	type key struct {
		currency money.Currency
		step     int
	}
	rapid.Check(t, func(rt *rapid.T) {
		counted := lifecycle.CountEstimates(drawFacts(rt, everybody...), t0.Add(drawMoment(rt, "now")))
		want := map[key]lifecycle.Spread{}
		for _, c := range counted {
			if c.Reason != "" {
				continue
			}
			k := key{c.Value.Currency, lifecycle.StepOf(c.Counted)}
			s := want[k]
			want[k] = lifecycle.Spread{Currency: k.currency, Step: k.step, Count: s.Count + 1, Total: s.Total + c.Counted}
		}
		got := map[key]lifecycle.Spread{}
		for _, s := range lifecycle.SpreadOf(lifecycle.SumUp(counted)) {
			k := key{s.Currency, s.Step}
			if _, there := got[k]; there {
				rt.Fatalf("two rows for %+v", k)
			}
			got[k] = s
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("(-single +sums):\n%s", diff)
		}
	})
}
