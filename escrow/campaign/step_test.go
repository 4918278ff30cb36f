package campaign

import (
	"fmt"
	"slices"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const hours = time.Hour

// someCampaign is one of 10 days of pledging, 10 days to release, and an end after 60.
func someCampaign(phase lifecycle.Phase) Campaign {
	c := Campaign{
		Phase: phase, OpensAt: noon, ClosesAt: noon.Add(240 * hours), ReleaseBy: noon.Add(480 * hours), FinalAt: noon.Add(1440 * hours),
		OpenedAt: noon, UpdatedAt: noon,
	}
	if phase != lifecycle.PhaseOpen {
		c.Pot = new(int64(5000))
	}
	c.Verification, c.Ruling, c.Reserve = 336*hours, 240*hours, 336*hours
	switch phase {
	case lifecycle.PhaseVerifying, lifecycle.PhaseDisputed, lifecycle.PhaseSettling, lifecycle.PhaseReleased:
		c = c.accept(comatproto.RepoStrongRef{Uri: "at://did:plc:ann/fund.stratos.work.release/1"}, "https://escrow.example.org/git/x", noon.Add(300*hours))
	}
	if phase == lifecycle.PhaseDisputed {
		c = c.pause(noon.Add(400 * hours))
	}
	if phase == lifecycle.PhaseRefunding || phase == lifecycle.PhaseRefunded {
		c.Reason = ReasonNotReleased
	}
	return c
}

func TestNext_DoesWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	closes, release, final := noon.Add(240*hours), noon.Add(480*hours), noon.Add(1440*hours)
	held := ledger.AttemptState{Held: 5000, Holds: 2}
	pending := ledger.AttemptState{Held: 5000, Holds: 2, Pending: 1}
	decided := ledger.AttemptState{Decision: &ledger.Exit{Outcome: ledger.OutcomeRefund}}
	owing := decided
	owing.Unfinished = 1
	paying := ledger.AttemptState{Decision: &ledger.Exit{Outcome: ledger.OutcomeSettlement}, Unpaid: 1, Unfinished: 1}
	paid := ledger.AttemptState{Decision: &ledger.Exit{Outcome: ledger.OutcomeSettlement}, Unfinished: 1} // a refund that came back
	ends := noon.Add(636 * hours)
	empty := func(c *Campaign) { c.Pot = new(int64(0)) }
	noted := func(c *Campaign) { c.ReleaseSeenAt = noon.Add(hours) }
	corrected := func(c *Campaign) { c.ReleaseSeenAt, c.Corrections = noon.Add(hours), mostCorrections }
	correcting := func(c *Campaign) { *c = c.noted(noon, false).failed(release) }
	for _, test := range []struct {
		name   string
		phase  lifecycle.Phase
		change func(*Campaign)
		seen   Seen
		now    time.Time
		want   Step
	}{
		{name: "R9 an open campaign waits", phase: "open", now: closes.Add(-1), seen: Seen{Known: closes, Money: held}},
		{name: "R9 a release is noted", phase: "open", now: noon, seen: Seen{Unseen: true}, want: Step{Act: ActNoteRelease}},
		{name: "R9 it is noted once", phase: "open", change: noted, now: noon, seen: Seen{Verdict: VerdictPending}},
		{name: "R9 also after the closing", phase: "closed", now: closes, seen: Seen{Unseen: true, Money: held}, want: Step{Act: ActNoteRelease}},
		{name: "R12 a release is checked once the pot is final", phase: "closed", change: noted, now: closes, seen: Seen{Verdict: VerdictPending, Money: held}, want: Step{Act: ActCheck}},
		{name: "R12 not all the time, when there were many", phase: "closed", change: noted, now: release.Add(hours), seen: Seen{Verdict: VerdictPending, Later: true, Known: release.Add(hours), Money: held}},
		{name: "R12 also one that passed before", phase: "closed", change: noted, now: closes, seen: Seen{Verdict: VerdictPassed, Money: held}, want: Step{Act: ActCheck}},
		{name: "R12 one seen in time counts however long its checks take", phase: "checking", change: noted, now: final.Add(-1), seen: Seen{Verdict: VerdictPending, Known: final, Money: held}},
		{name: "R12 and is accepted when it passed", phase: "checking", change: noted, now: final.Add(-1), seen: Seen{Certain: true, Verdict: VerdictPassed, Known: final, Money: held}, want: Step{Act: ActAccept}},
		{name: "R13 not by a clock that nobody confirms", phase: "checking", change: noted, now: final.Add(-1), seen: Seen{Verdict: VerdictPassed, Known: final, Money: held}},
		{name: "R12 one that failed waits for another", phase: "checking", change: noted, now: closes, seen: Seen{Verdict: VerdictFailed, Money: held}, want: Step{Act: ActReopen}},
		{name: "R12 as does one that was taken back", phase: "checking", change: noted, now: closes, seen: Seen{Money: held}, want: Step{Act: ActReopen}},
		{name: "R12 a correction counts in the window", phase: "closed", change: noted, now: release.Add(-1), seen: Seen{Unseen: true, Verdict: VerdictFailed, Known: release, Money: held}, want: Step{Act: ActNoteRelease}},
		{name: "R12 the first release counts also when nobody had looked in time", phase: "closed", now: release.Add(hours), seen: Seen{Unseen: true, Known: release.Add(hours), Money: held}, want: Step{Act: ActNoteRelease}},
		{name: "R12 and so does a correction", phase: "closed", change: noted, now: release.Add(hours), seen: Seen{Unseen: true, Verdict: VerdictFailed, Known: release.Add(hours), Money: held}, want: Step{Act: ActNoteRelease}},
		{name: "R12 but three times at most", phase: "closed", change: corrected, now: release.Add(hours), seen: Seen{Unseen: true, Verdict: VerdictFailed, Known: release.Add(hours), Money: held}, want: Step{ActRefund, ReasonNotReleased}},
		{name: "R12 and not beside one that was there in time", phase: "checking", change: noted, now: release.Add(hours), seen: Seen{Unseen: true, Verdict: VerdictPending, Known: release.Add(hours), Money: held}},
		{name: "R12 there is time to correct after the window", phase: "closed", change: correcting, now: release.Add(hours), seen: Seen{Verdict: VerdictFailed, Known: release.Add(hours), Money: held}},
		{name: "R12 which ends", phase: "closed", change: correcting, now: release.Add(72 * hours), seen: Seen{Verdict: VerdictFailed, Known: release.Add(72 * hours), Money: held}, want: Step{ActRefund, ReasonNotReleased}},
		{name: "R13 people look", phase: "verifying", change: noted, now: ends.Add(-1), seen: Seen{Known: ends, Money: held}},
		{name: "R13 until time is over", phase: "verifying", change: noted, now: ends, seen: Seen{Known: ends, Money: held}, want: Step{Act: ActSettle}},
		{name: "R13 not while the index may not know of a dispute", phase: "verifying", change: noted, now: ends.Add(hours), seen: Seen{Known: ends.Add(-1), Money: held}},
		{name: "R13 a dispute stops the payout", phase: "disputed", change: noted, now: ends, seen: Seen{Known: ends, Disputes: Standing{Count: 1, RulingBy: ends.Add(1)}, Money: held}},
		{name: "R13 one that is withdrawn or rejected lets it go on", phase: "disputed", change: noted, now: ends, seen: Seen{Known: ends, Money: held}, want: Step{Act: ActResume}},
		{name: "R13 one that is upheld refunds everybody", phase: "disputed", change: noted, now: ends, seen: Seen{Disputes: Standing{Upheld: true}, Money: held}, want: Step{ActRefund, ReasonDisputeUpheld}},
		{name: "R13 also before the clock had stopped", phase: "verifying", change: noted, now: ends, seen: Seen{Known: ends, Disputes: Standing{Upheld: true}, Money: held}, want: Step{ActRefund, ReasonDisputeUpheld}},
		{name: "R13 nobody ruled in time", phase: "disputed", change: noted, now: ends, seen: Seen{Known: ends, Disputes: Standing{Count: 1, RulingBy: ends}, Money: held}, want: Step{Act: ActRule}},
		{name: "R13 perhaps it was withdrawn, and the index is behind", phase: "disputed", change: noted, now: ends, seen: Seen{Known: ends.Add(-1), Disputes: Standing{Count: 1, RulingBy: ends}, Money: held}},
		{name: "R14 payees are paid", phase: "settling", change: noted, now: ends, seen: Seen{Money: held}, want: Step{Act: ActPay}},
		{name: "R14 not before late charges have found their way", phase: "settling", change: noted, now: ends, seen: Seen{Money: pending}, want: Step{Act: ActFinish}},
		{name: "R14 one who cannot be paid is waited for until the final date", phase: "settling", change: noted, now: final, seen: Seen{Certain: true, Money: held}, want: Step{ActRefund, ReasonPayeeUnpayable}},
		{name: "R14 nor paid after it by a clock that nobody confirms", phase: "settling", change: noted, now: final, seen: Seen{Known: final, Money: held}},
		{name: "R14 banks have taken all of it", phase: "settling", change: noted, now: ends, want: Step{ActRefund, ReasonNothingPledged}},
		{name: "R14 banks may give something back", phase: "settling", change: noted, now: ends, seen: Seen{Money: ledger.AttemptState{Unfinished: 1}}},
		{name: "R15 not after the final date", phase: "settling", change: noted, now: final, seen: Seen{Certain: true, Money: ledger.AttemptState{Unfinished: 1}}, want: Step{ActRefund, ReasonUndecided}},
		{name: "R14 released is said when the payees have it", phase: "settling", change: noted, now: ends, seen: Seen{Money: paid}, want: Step{Act: ActRelease}},
		{name: "R10 checkouts are ended at the closing", phase: "open", now: closes, seen: Seen{Known: closes, Money: pending}, want: Step{Act: ActFinish}},
		{name: "R10 also while the index is behind", phase: "open", now: closes, seen: Seen{Money: pending}, want: Step{Act: ActFinish}},
		{name: "R10 the pot becomes final", phase: "open", now: closes, seen: Seen{Known: closes, Money: held}, want: Step{Act: ActClose}},
		{name: "R10 not before the index knows what was taken back", phase: "open", now: closes.Add(hours), seen: Seen{Known: closes.Add(-1), Money: held}},
		{name: "R10 not while something is being taken back", phase: "open", now: closes, seen: Seen{Known: closes, Money: held, Withdrawing: 1}},
		{name: "R11 the author cancels while pledging goes on", phase: "open", now: noon, seen: Seen{Cancelled: true, Money: pending}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 the author cancels at the closing", phase: "open", now: closes, seen: Seen{Cancelled: true, Known: closes, Money: pending}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 the author cancels instead of releasing", phase: "closed", now: closes, seen: Seen{Cancelled: true, Money: held}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 the author cancels after an unaccepted release", phase: "checking", change: noted, now: closes, seen: Seen{Cancelled: true, Verdict: VerdictPending, Money: held}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 not after a release was accepted", phase: "verifying", change: noted, now: closes, seen: Seen{Cancelled: true, Verdict: VerdictPending, Money: held}},
		{name: "R15 nothing was pledged", phase: "closed", change: empty, now: closes, want: Step{ActRefund, ReasonNothingPledged}},
		{name: "R15 something comes back from a bank", phase: "closed", change: empty, now: closes, seen: Seen{Money: held}},
		{name: "R15 the window to release stays open", phase: "closed", now: release.Add(-1), seen: Seen{Known: release, Money: held}},
		{name: "R15 not released", phase: "closed", now: release, seen: Seen{Known: release, Money: held}, want: Step{ActRefund, ReasonNotReleased}},
		{name: "R15 perhaps released, and the index is behind", phase: "closed", now: release.Add(24 * hours), seen: Seen{Known: release.Add(-1), Money: held}},
		{name: "R15 perhaps released, and the index knows nothing", phase: "closed", now: release.Add(24 * hours), seen: Seen{Money: held}},
		{name: "R15 the final date waits for nobody", phase: "closed", now: final, seen: Seen{Certain: true, Money: held}, want: Step{ActRefund, ReasonUndecided}},
		{name: "R15 but for a clock that nobody confirms", phase: "closed", now: final, seen: Seen{Money: held}},
		{name: "R15 also when the escrow was down since the opening", phase: "open", now: final, seen: Seen{Certain: true, Money: pending}, want: Step{ActRefund, ReasonUndecided}},
		{name: "R15 in a dispute", phase: "disputed", change: noted, now: final, seen: Seen{Certain: true, Money: held}, want: Step{ActRefund, ReasonUndecided}},
		{name: "R15 not what is on its way to the payees", phase: "settling", change: noted, now: final, seen: Seen{Certain: true, Money: paying}},
		{name: "refunds wait for open checkouts", phase: "refunding", now: closes, seen: Seen{Money: pending}, want: Step{Act: ActFinish}},
		{name: "refunds are decided", phase: "refunding", now: closes, seen: Seen{Money: held}, want: Step{Act: ActDecide}},
		{name: "refunds are under way", phase: "refunding", now: final.Add(hours), seen: Seen{Money: owing}},
		{name: "everything went back", phase: "refunding", now: closes, seen: Seen{Money: decided}, want: Step{Act: ActEnd}},
		{name: "the end", phase: "refunded", now: final.Add(hours), seen: Seen{Cancelled: true, Unseen: true, Money: decided}},
		{name: "a released campaign is over", phase: "released", change: noted, now: final.Add(hours), seen: Seen{Cancelled: true, Unseen: true}},
	} {
		c := someCampaign(test.phase)
		if test.change != nil {
			test.change(&c)
		}
		if got := Next(c, test.seen, test.now); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestPhases_EachIsKnownAndHasItsFollowers(t *testing.T) {
	t.Parallel()
	for _, phase := range lifecycle.Phases() {
		next, ok := follows[phase]
		if !ok {
			t.Errorf("nobody says what follows %s", phase)
		}
		for _, p := range next {
			if !slices.Contains(lifecycle.Phases(), p) {
				t.Errorf("%s is followed by %s, which is no phase", phase, p)
			}
		}
	}
	for _, reason := range Reasons() {
		if !slices.Contains(ledger.Reasons(), reason.OfRefunds()) {
			t.Errorf("the ledger has no word for %s", reason)
		}
	}
}

func TestUpcoming_IsADeadlineOfThePhase(t *testing.T) {
	t.Parallel()
	for phase, want := range map[lifecycle.Phase]string{
		"open": "preview-closes 240h0m0s", "closed": "release-due 480h0m0s", "checking": "checks-finish 480h0m0s",
		"verifying": "verification-ends 636h0m0s", "disputed": "ruling-due 500h0m0s", "settling": "payout 1440h0m0s", "refunding": "refund 1440h0m0s", "released": "", "refunded": "",
	} {
		got := ""
		if n := someCampaign(phase).Upcoming(noon.Add(500 * hours)); n != nil {
			got = fmt.Sprintf("%s %s", n.Event, n.At.Sub(noon))
		}
		if got != want {
			t.Errorf("%s brings %q, want %q", phase, got, want)
		}
	}
}

func TestObstacles_EachHasASentence(t *testing.T) {
	t.Parallel()
	for _, kind := range ObstacleKinds() {
		o := Obstacle{Kind: kind, Subject: "did:plc:ann", Why: []payments.Obstacle{payments.ObstacleReview}}
		if got := o.Sentence(); len(got) < 20 {
			t.Errorf("of %s nobody learns more than %q", kind, got)
		}
	}
}
