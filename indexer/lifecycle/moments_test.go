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
		drawApart(rt, &f)
		from := t0.Add(-3 * lapse)
		moments := lifecycle.MomentsAfter(f, from)
		moments = append(moments, t0.Add(6*lapse)) // long after the last of them
		slices.SortFunc(moments, time.Time.Compare)
		for _, next := range slices.CompactFunc(moments, time.Time.Equal) {
			if diff := cmp.Diff(saidAt(f, from), saidAt(f, next.Add(-ms))); diff != "" {
				rt.Fatalf("from %s to before %s (-then +later):\n%s", from, next, diff)
			}
			from = next
		}
	})
}

// drawApart draws what escrows ruled on disputes, and gives records that were drawn
// together times of their own: the moment of one must not stand for another's.
func drawApart(rt *rapid.T, f *lifecycle.Facts) {
	for i, d := range f.Disputes {
		if rapid.Bool().Draw(rt, "is ruled on") {
			ruling(escrow, fmt.Sprint("ruled", i), drawMoment(rt, "ruled"), d.URI, lifecycle.OutcomeRejected)(f)
		}
		f.Disputes[i].CreatedAt = t0.Add(drawMoment(rt, "disputed"))
	}
	for i := range f.Donations {
		f.Donations[i].CreatedAt = t0.Add(drawMoment(rt, "donated"))
	}
	for i := range f.Consents {
		f.Consents[i].CreatedAt = t0.Add(drawMoment(rt, "consented"))
	}
	for i := range f.Verifications {
		f.Verifications[i].CreatedAt = t0.Add(drawMoment(rt, "verified"))
	}
}
