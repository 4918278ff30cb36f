package lifecycle_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// said is everything that the rules say of a proposal at a moment.
type said struct {
	Stage         lifecycle.Interval
	Exists        bool
	Funding       []lifecycle.Funding
	Attempts      []lifecycle.AttemptState
	Estimates     []lifecycle.Counting
	Answer        lifecycle.Response
	Answered      bool
	Project       lifecycle.Project
	HasProject    bool
	Warnings      []lifecycle.Warning
	Pledges       []lifecycle.Payment
	Donations     []lifecycle.Payment
	Disputes      []lifecycle.DisputeState
	Verifications []lifecycle.VerificationState
	May           map[syntax.DID][]lifecycle.Permission
}

func saidAt(f lifecycle.Facts, t time.Time) (s said) {
	intervals := lifecycle.Evaluate(f)
	s.Stage, s.Exists = lifecycle.StageAt(intervals, t)
	s.Funding = lifecycle.EvaluateFunding(f, intervals, t)[0].Funding
	s.Attempts = lifecycle.AttemptsAt(f, t)
	s.Estimates = lifecycle.CountEstimates(f, t)
	s.Answer, s.Answered = lifecycle.AnswerAt(f, t)
	s.Project, s.HasProject = lifecycle.ProjectAt(f, t)
	s.Warnings = lifecycle.WarningsAt(f, t)
	s.Pledges, s.Donations = lifecycle.PledgesAt(f, t), lifecycle.DonationsAt(f, t)
	s.Disputes, s.Verifications = lifecycle.DisputesAt(f, t), lifecycle.VerificationsAt(f, t)
	s.May = map[syntax.DID][]lifecycle.Permission{}
	for _, who := range everybody {
		s.May[who] = lifecycle.MayAt(f, t, who)
	}
	return s
}

func TestMomentsAfter_BetweenThemNothingChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFacts(rt, everybody...)
		drawRulings(rt, &f)
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

// drawRulings draws what escrows ruled on disputes.
func drawRulings(rt *rapid.T, f *lifecycle.Facts) {
	for i, d := range f.Disputes {
		if rapid.Bool().Draw(rt, "is ruled on") {
			ruling(escrow, fmt.Sprint("ruled", i), drawMoment(rt, "ruled"), d.URI, lifecycle.OutcomeRejected)(f)
		}
	}
}
