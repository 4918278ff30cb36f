package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// said is everything that the rules say of a proposal at a moment.
type said struct {
	Stage     lifecycle.Interval
	Exists    bool
	Funding   []lifecycle.Funding
	Attempts  []lifecycle.AttemptState
	Estimates []lifecycle.Counting
	Answer    lifecycle.Response
	Answered  bool
}

func saidAt(f lifecycle.Facts, t time.Time) (s said) {
	intervals := lifecycle.Evaluate(f)
	s.Stage, s.Exists = lifecycle.StageAt(intervals, t)
	s.Funding = lifecycle.EvaluateFunding(f, intervals, t)[0].Funding
	s.Attempts = lifecycle.AttemptsAt(f, t)
	s.Estimates = lifecycle.CountEstimates(f.Estimates, t)
	s.Answer, s.Answered = lifecycle.AnswerAt(f, t)
	return s
}

func TestMomentsAfter_BetweenThemNothingChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		now := t0.Add(drawMoment(rt, "now"))
		last := now.Add(3 * lapse)
		if ahead := lifecycle.MomentsAfter(f, now); len(ahead) > 0 {
			last = slices.MinFunc(ahead, time.Time.Compare).Add(-ms)
		}
		if diff := cmp.Diff(saidAt(f, now), saidAt(f, last)); diff != "" {
			rt.Fatalf("from %s to %s (-then +later):\n%s", now, last, diff)
		}
	})
}
