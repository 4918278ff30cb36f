package campaign

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const hours = time.Hour

// standing is a campaign of 10 days of pledging, 10 days to release, and an end after 60.
func standing(phase lifecycle.Phase) Campaign {
	c := Campaign{
		Phase: phase, OpensAt: noon, ClosesAt: noon.Add(240 * hours), ReleaseBy: noon.Add(480 * hours), FinalAt: noon.Add(1440 * hours),
		OpenedAt: noon, UpdatedAt: noon,
	}
	if phase != lifecycle.PhaseOpen {
		c.Pot = new(int64(5000))
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
	empty := func(c *Campaign) { c.Pot = new(int64(0)) }
	noted := func(c *Campaign) { c.ReleaseSeenAt = noon.Add(hours) }
	for _, test := range []struct {
		name   string
		phase  lifecycle.Phase
		change func(*Campaign)
		seen   Seen
		now    time.Time
		want   Step
	}{
		{name: "R9 an open campaign waits", phase: "open", now: closes.Add(-1), seen: Seen{Known: closes, Money: held}},
		{name: "R9 a release is noted", phase: "open", now: noon, seen: Seen{Released: true}, want: Step{Act: ActNoteRelease}},
		{name: "R9 it is noted once", phase: "open", change: noted, now: noon, seen: Seen{Released: true}},
		{name: "R9 also after the closing", phase: "closed", now: closes, seen: Seen{Released: true, Money: held}, want: Step{Act: ActNoteRelease}},
		{name: "R10 checkouts are ended at the closing", phase: "open", now: closes, seen: Seen{Known: closes, Money: pending}, want: Step{Act: ActFinish}},
		{name: "R10 also while the index is behind", phase: "open", now: closes, seen: Seen{Money: pending}, want: Step{Act: ActFinish}},
		{name: "R10 the pot becomes final", phase: "open", now: closes, seen: Seen{Known: closes, Money: held}, want: Step{Act: ActClose}},
		{name: "R10 not before the index knows what was taken back", phase: "open", now: closes.Add(hours), seen: Seen{Known: closes.Add(-1), Money: held}},
		{name: "R10 not while something is being taken back", phase: "open", now: closes, seen: Seen{Known: closes, Money: held, Withdrawing: 1}},
		{name: "R11 the author cancels while pledging goes on", phase: "open", now: noon, seen: Seen{Cancelled: true, Money: pending}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 the author cancels at the closing", phase: "open", now: closes, seen: Seen{Cancelled: true, Known: closes, Money: pending}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 the author cancels instead of releasing", phase: "closed", now: closes, seen: Seen{Cancelled: true, Money: held}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 the author cancels after an unaccepted release", phase: "checking", change: noted, now: closes, seen: Seen{Cancelled: true, Released: true, Money: held}, want: Step{ActRefund, ReasonCancelled}},
		{name: "R11 not after a release was accepted", phase: "verifying", change: noted, now: closes, seen: Seen{Cancelled: true, Released: true, Money: held}},
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
		{name: "R15 not what is on its way to the payees", phase: "settling", change: noted, now: final, seen: Seen{Certain: true, Money: owing}},
		{name: "refunds wait for open checkouts", phase: "refunding", now: closes, seen: Seen{Money: pending}, want: Step{Act: ActFinish}},
		{name: "refunds are decided", phase: "refunding", now: closes, seen: Seen{Money: held}, want: Step{Act: ActDecide}},
		{name: "refunds are under way", phase: "refunding", now: final.Add(hours), seen: Seen{Money: owing}},
		{name: "everything went back", phase: "refunding", now: closes, seen: Seen{Money: decided}, want: Step{Act: ActEnd}},
		{name: "the end", phase: "refunded", now: final.Add(hours), seen: Seen{Cancelled: true, Released: true, Money: decided}},
		{name: "a released campaign is over", phase: "released", change: noted, now: final.Add(hours), seen: Seen{Cancelled: true, Released: true}},
	} {
		c := standing(test.phase)
		if test.change != nil {
			test.change(&c)
		}
		if got := Next(c, test.seen, test.now); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// apply is what the driver does with a step, without a database.
func apply(c Campaign, s Seen, step Step) (Campaign, Seen) {
	switch step.Act {
	case ActNoteRelease:
		c.ReleaseSeenAt = noon
	case ActFinish:
		s.Money.Pending = 0
	case ActClose:
		c.Phase, c.Pot = lifecycle.PhaseClosed, new(s.Money.Held)
	case ActRefund:
		c.Phase, c.Reason = lifecycle.PhaseRefunding, step.Reason
	case ActDecide:
		s.Money.Decision = &ledger.Exit{Outcome: ledger.OutcomeRefund}
		s.Money.Unfinished, s.Money.Holds, s.Money.Held = s.Money.Unfinished+s.Money.Holds, 0, 0
	case ActEnd:
		c.Phase = lifecycle.PhaseRefunded
	}
	return c, s
}

// Whatever was seen, and whatever the clock did, time alone ends every campaign that is
// not paid out, and nothing goes back that a rule does not send back.
func TestR15_TimeEndsEveryUndecidedCampaign(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := standing(rapid.SampledFrom(append(slices.Clone(undecided), lifecycle.PhaseRefunding)).Draw(t, "phase"))
		money := func() (m ledger.AttemptState) {
			m.Holds = rapid.Int64Range(0, 3).Draw(t, "holds")
			m.Held = 1000 * m.Holds
			m.Pending = rapid.Int64Range(0, 2).Draw(t, "pending")
			return m
		}
		s := Seen{Money: money()}
		for range rapid.IntRange(0, 40).Draw(t, "looks") {
			now := noon.Add(time.Duration(rapid.Int64Range(-100, 2000).Draw(t, "hour")) * hours) // also backwards
			s.Cancelled, s.Released = rapid.Bool().Draw(t, "cancelled"), rapid.Bool().Draw(t, "released")
			s.Withdrawing = rapid.Int64Range(0, 1).Draw(t, "withdrawing")
			s.Known = noon.Add(time.Duration(rapid.Int64Range(-100, 2000).Draw(t, "known")) * hours)
			s.Certain = rapid.Bool().Draw(t, "certain")
			step := Next(c, s, now)
			if step.Act == ActRefund && step.Reason == ReasonUndecided && (now.Before(c.FinalAt) || !s.Certain) {
				t.Fatalf("refunded before the final date, or by a clock that nobody confirms: %+v at %s", c, now)
			}
			if step.Act == ActRefund && step.Reason == ReasonNotReleased && now.Before(c.ReleaseBy) {
				t.Fatalf("refunded before the window to release had ended: %+v at %s", c, now)
			}
			if step.Act == ActRefund && step.Reason == ReasonCancelled && !s.Cancelled {
				t.Fatal("refunded as cancelled, and nobody did")
			}
			before := c.Phase
			c, s = apply(c, s, step)
			if before != c.Phase && !slices.Contains(follows[before], c.Phase) {
				t.Fatalf("from %s to %s", before, c.Phase)
			}
		}
		// Then nobody acts any more, and nobody knows anything.
		s.Cancelled, s.Released, s.Known, s.Certain, s.Withdrawing = false, false, time.Time{}, true, 0
		for i := 0; ; i++ {
			step := Next(c, s, c.FinalAt)
			if step.Act == ActNone {
				break
			}
			if i > 10 {
				t.Fatalf("it goes round in circles: %+v, %+v", c, s)
			}
			c, s = apply(c, s, step)
		}
		if c.Phase != lifecycle.PhaseRefunding && c.Phase != lifecycle.PhaseRefunded {
			t.Fatalf("at the final date it is still %s", c.Phase)
		}
		s.Money.Unfinished = 0
		if c, _ = apply(c, s, Next(c, s, c.FinalAt)); c.Phase != lifecycle.PhaseRefunded {
			t.Fatalf("with everything paid back it is %s", c.Phase)
		}
	})
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
		if !slices.Contains(ledger.Reasons(), reason.ofRefunds()) {
			t.Errorf("the ledger has no word for %s", reason)
		}
	}
}

func TestUpcoming_IsADeadlineOfThePhase(t *testing.T) {
	t.Parallel()
	for phase, want := range map[lifecycle.Phase]string{
		"open": "preview-closes 240h0m0s", "closed": "release-due 480h0m0s", "refunding": "refund 1440h0m0s",
		"verifying": "final-date 1440h0m0s", "released": "", "refunded": "",
	} {
		got := ""
		if n := standing(phase).Upcoming(); n != nil {
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
