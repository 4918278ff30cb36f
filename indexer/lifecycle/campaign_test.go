package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

const (
	open      = lifecycle.PhaseOpen
	closed    = lifecycle.PhaseClosed
	checking  = lifecycle.PhaseChecking
	verifying = lifecycle.PhaseVerifying
	disputed  = lifecycle.PhaseDisputed
	settling  = lifecycle.PhaseSettling
	released  = lifecycle.PhaseReleased
	refunding = lifecycle.PhaseRefunding
	refunded  = lifecycle.PhaseRefunded
)

// in is a stage that a campaign of the owner's attempt decides.
func in(stage lifecycle.Stage, rkey string, next lifecycle.NextEvent, when time.Duration) at {
	return at{stage, attemptURI(owner, rkey), next, when}
}

func verifiedUntil(when time.Duration) func(*lifecycle.Campaign) {
	return func(c *lifecycle.Campaign) { c.VerificationEndsAt = ptr(t0.Add(when)) }
}

func TestR8_FromTheOpeningOnTheCampaignDecides(t *testing.T) {
	t.Parallel()
	d := develop(owner, "d", 0)
	c := func(phase lifecycle.Phase, changes ...func(*lifecycle.Campaign)) part {
		return campaignOf(owner, "d", 10*day, phase, changes...)
	}
	closes, due, final := 24*day, 38*day, 90*day
	opened := in(lifecycle.StagePreview, "d", lifecycle.NextPreviewCloses, closes)
	runStages(t, []stageCase{
		{"before it opens", facts(byAccount, d, c(open)), 9 * day, lapsing(owner, "d", lapse)},
		{"open", facts(byAccount, d, c(open)), 11 * day, opened},
		{"closed", facts(byAccount, d, c(closed)), 25 * day, in(lifecycle.StageReleasing, "d", lifecycle.NextReleaseDue, due)},
		{"checking", facts(byAccount, d, c(checking)), 25 * day, in(lifecycle.StageReleasing, "d", lifecycle.NextChecksFinish, due)},
		{"verifying", facts(byAccount, d, c(verifying, verifiedUntil(45*day))), 40 * day, in(lifecycle.StageVerification, "d", lifecycle.NextVerificationEnds, 45*day)},
		{"verifying until nobody says when", facts(byAccount, d, c(verifying)), 40 * day, in(lifecycle.StageVerification, "d", lifecycle.NextFinalDate, final)},
		{"settling", facts(byAccount, d, c(settling)), 60 * day, in(lifecycle.StageSettling, "d", lifecycle.NextPayout, final)},
		{"released", facts(byAccount, d, c(released)), 60 * day, at{Stage: lifecycle.StageCompleted, Attempt: attemptURI(owner, "d")}},
		{"refunding", facts(byAccount, d, c(refunding)), 60 * day, in(lifecycle.StageCancelled, "d", lifecycle.NextRefund, final)},
		{"refunded", facts(byAccount, d, c(refunded)), 60 * day, at{Stage: lifecycle.StageCancelled, Attempt: attemptURI(owner, "d")}},
		{"in a phase that we do not know", facts(byAccount, d, c("frozen")), 11 * day, lapsing(owner, "d", lapse)},

		{"the developer is not listed any more", facts(byProject, d, develop(maintainer, "m", 0), campaignOf(maintainer, "m", 10*day, open)), 11 * day,
			at{lifecycle.StagePreview, attemptURI(maintainer, "m"), lifecycle.NextPreviewCloses, closes}},
		{"the development is gone", facts(byAccount, c(open)), 11 * day, opened},
		{"the development names another proposal now, this one does not get it", facts(byAccount, d, c(open, func(c *lifecycle.Campaign) {
			c.Proposal.URI = meta(backer, "feature.proposal", "another", 0).URI
		})), 11 * day, at{Stage: proposed}},
		{"the cancellation is a request", facts(byAccount, d, c(open), cancel(owner, "d", 11*day)), 12 * day, opened},
		{"it does not lapse", facts(byAccount, d, c(open)), 500 * day, at{Stage: lifecycle.StagePreview, Attempt: attemptURI(owner, "d")}},
		{"an answer says nothing to it", facts(byAccount, d, c(open), answer(owner, "a", 11*day, lifecycle.AnswerDeclined)), 12 * day, opened},
		{"its proposal is dated ahead", facts(byAccount, d, c(open), func(f *lifecycle.Facts) { f.Proposal.CreatedAt = t0.Add(900 * day) }), 11 * day, opened},
	})
}

func TestR8_OnlyTrustedEscrowsDecide(t *testing.T) {
	t.Parallel()
	d := develop(owner, "d", 0)
	stays := lapsing(owner, "d", lapse)
	opened := in(lifecycle.StagePreview, "d", lifecycle.NextPreviewCloses, 24*day)
	runStages(t, []stageCase{
		{"another escrow", facts(byAccount, d, campaignOf(owner, "d", 10*day, released, by(shady))), 11 * day, stays},
		{"beside a trusted one", facts(byAccount, d, campaignOf(owner, "d", 5*day, refunded, by(shady)), campaignOf(owner, "d", 10*day, open)), 11 * day, opened},
		{"test money", facts(byAccount, d, campaignOf(owner, "d", 10*day, open, inTest)), 11 * day, stays},
		{"test money where it counts", facts(byAccount, counting, d, campaignOf(owner, "d", 10*day, open, inTest)), 11 * day, opened},
		{"the earliest of two trusted ones", facts(byAccount, d, campaignOf(owner, "d", 10*day, open), campaignOf(owner, "d", 11*day, released, by(second))), 12 * day, opened},
	})
}

func TestR8_TheCampaignThatIsUnderWayIsCurrent(t *testing.T) {
	t.Parallel()
	two := []part{develop(owner, "a", 0), develop(owner, "b", day)}
	with := func(parts ...part) lifecycle.Facts { return facts(byAccount, append(slices.Clone(two), parts...)...) }
	runStages(t, []stageCase{
		{"not the earlier attempt", with(campaignOf(owner, "b", 10*day, open)), 11 * day, in(lifecycle.StagePreview, "b", lifecycle.NextPreviewCloses, 24*day)},
		{"the earlier of two campaigns", with(campaignOf(owner, "b", 10*day, open), campaignOf(owner, "a", 11*day, settling)), 12 * day, in(lifecycle.StagePreview, "b", lifecycle.NextPreviewCloses, 24*day)},
		{"a completed proposal stays so", with(campaignOf(owner, "b", 10*day, released), campaignOf(owner, "a", 5*day, open)), 12 * day, at{Stage: lifecycle.StageCompleted, Attempt: attemptURI(owner, "b")}},
		{"completed by the first", with(campaignOf(owner, "b", 10*day, released), campaignOf(owner, "a", 11*day, released)), 12 * day, at{Stage: lifecycle.StageCompleted, Attempt: attemptURI(owner, "b")}},
		{"refunds run before another attempt develops", with(campaignOf(owner, "a", 10*day, refunding)), 12 * day, in(lifecycle.StageCancelled, "a", lifecycle.NextRefund, 90*day)},
		{"after refunds the other attempt goes on", with(campaignOf(owner, "a", 10*day, refunded)), 12 * day, lapsing(owner, "b", day+lapse)},
		{"after refunds and the lapse it is cancelled again", with(campaignOf(owner, "a", 10*day, refunded)), day + lapse, at{Stage: lifecycle.StageCancelled, Attempt: attemptURI(owner, "a")}},
		{"cancelled stands above declined", with(campaignOf(owner, "a", 10*day, refunded), answer(owner, "no", 11*day, lifecycle.AnswerDeclined)), day + lapse, at{Stage: lifecycle.StageCancelled, Attempt: attemptURI(owner, "a")}},
		{"the last of two that were refunded", with(campaignOf(owner, "a", 30*day, refunded), campaignOf(owner, "b", 10*day, refunded)), 40 * day, at{Stage: lifecycle.StageCancelled, Attempt: attemptURI(owner, "a")}},
		{"open while another is refunded", with(campaignOf(owner, "a", 10*day, refunding), campaignOf(owner, "b", 20*day, open)), 21 * day, in(lifecycle.StagePreview, "b", lifecycle.NextPreviewCloses, 34*day)},
	})
}

func TestR11_AReleaseOrCancellationAloneDecidesNothing(t *testing.T) {
	t.Parallel()
	d := develop(owner, "d", 0)
	c := campaignOf(owner, "d", 10*day, closed)
	want := in(lifecycle.StageReleasing, "d", lifecycle.NextReleaseDue, 38*day)
	runStages(t, []stageCase{
		{"a release", facts(byAccount, d, c, release(owner, "d", 25*day)), 26 * day, want},
		{"a cancellation", facts(byAccount, d, c, cancel(owner, "d", 25*day)), 26 * day, want},
		{"a stranger's cancellation", facts(byAccount, d, c, cancelOf(stranger, owner, "d", 25*day)), 26 * day, want},
	})
}

func TestR12_AFailedCheckLeavesTimeToCorrect(t *testing.T) {
	t.Parallel()
	check := func(name string, passed bool, when time.Duration) func(*lifecycle.Campaign) {
		return func(c *lifecycle.Campaign) {
			c.Checks = append(c.Checks, lifecycle.Check{Name: name, Passed: passed, CheckedAt: t0.Add(when)})
		}
	}
	due := func(name string, want time.Duration, checks ...func(*lifecycle.Campaign)) stageCase {
		f := facts(byAccount, develop(owner, "d", 0), campaignOf(owner, "d", 10*day, checking, checks...))
		return stageCase{name, f, 30 * day, in(lifecycle.StageReleasing, "d", lifecycle.NextChecksFinish, want)}
	}
	runStages(t, []stageCase{
		due("no check", 38*day),
		due("passed at the end of the window", 38*day, check("commit-present", true, 38*day)),
		due("failed long before its end", 38*day, check("commit-present", false, 34*day)),
		due("failed 72 hours before", 38*day, check("commit-present", false, 35*day)),
		due("failed a bit later", 38*day+ms, check("commit-present", false, 35*day+ms)),
		due("failed twice", 40*day, check("commit-present", false, 37*day), check("license-open", false, 36*day)),
		due("the preview is no part of the release", 38*day, check(lifecycle.CheckPreviewReachable, false, 37*day)),
	})
}

func TestR13_ADisputeStopsTheClock(t *testing.T) {
	t.Parallel()
	pause := func(from time.Duration, changes ...func(*lifecycle.Pause)) func(*lifecycle.Campaign) {
		return func(c *lifecycle.Campaign) {
			p := lifecycle.Pause{From: t0.Add(from), Dispute: lifecycle.Ref{URI: meta(backer, "feature.dispute", "x", 0).URI}}
			for _, change := range changes {
				change(&p)
			}
			c.Pauses = append(c.Pauses, p)
		}
	}
	ended := func(p *lifecycle.Pause) { p.To = ptr(p.From.Add(day)) }
	rulingBy := func(when time.Duration) func(*lifecycle.Pause) {
		return func(p *lifecycle.Pause) { p.RulingBy = ptr(t0.Add(when)) }
	}
	due := func(name string, event lifecycle.NextEvent, want time.Duration, pauses ...func(*lifecycle.Campaign)) stageCase {
		f := facts(byAccount, develop(owner, "d", 0), campaignOf(owner, "d", 10*day, disputed, append(pauses, verifiedUntil(45*day))...))
		return stageCase{name, f, 41 * day, in(lifecycle.StageDisputed, "d", event, want)}
	}
	runStages(t, []stageCase{
		due("ten days to rule", lifecycle.NextRulingDue, 50*day, pause(40*day)),
		due("until when the escrow says", lifecycle.NextRulingDue, 43*day, pause(40*day, rulingBy(43*day))),
		due("the first of two", lifecycle.NextRulingDue, 50*day, pause(41*day), pause(40*day)),
		due("a pause that ended does not ask", lifecycle.NextRulingDue, 51*day, pause(38*day, ended), pause(41*day)),
		due("never beyond the final date", lifecycle.NextFinalDate, 90*day, pause(85*day)),
		due("the final date when no pause stands", lifecycle.NextFinalDate, 90*day, pause(38*day, ended)),
	})
}

func TestR15_ADeadlineThatPassedLeavesTheFinalDate(t *testing.T) {
	t.Parallel()
	f := facts(byAccount, develop(owner, "d", 0), campaignOf(owner, "d", 10*day, open))
	after := in(lifecycle.StagePreview, "d", lifecycle.NextFinalDate, 90*day)
	runStages(t, []stageCase{
		{"just before the closing", f, 24*day - ms, in(lifecycle.StagePreview, "d", lifecycle.NextPreviewCloses, 24*day)},
		{"at the closing the stage is still the escrow's to say", f, 24 * day, after},
		{"just before the final date", f, 90*day - ms, after},
		{"nothing more is to come", f, 90 * day, at{Stage: lifecycle.StagePreview, Attempt: attemptURI(owner, "d")}},
	})
}

func TestPhases_AreThoseOfTheLexicon(t *testing.T) {
	t.Parallel()
	var want []string
	for _, p := range lifecycle.Phases() {
		want = append(want, string(p))
	}
	if diff := cmp.Diff(want, knownValues(t, "attemptView", "phase")); diff != "" {
		t.Errorf("(-phases +lexicon):\n%s", diff)
	}
}
