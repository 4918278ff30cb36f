package campaign

import (
	"slices"
	"time"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// Reason is why the money of a campaign goes back, in the words of
// fund.stratos.escrow.campaign.
type Reason string

// The reasons.
const (
	ReasonCancelled      Reason = "cancelled"
	ReasonNotReleased    Reason = "not-released"
	ReasonDisputeUpheld  Reason = "dispute-upheld"
	ReasonUndecided      Reason = "undecided"
	ReasonPayeeUnpayable Reason = "payee-unpayable"
	ReasonNothingPledged Reason = "nothing-pledged"
	ReasonWindDown       Reason = "wind-down"
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{
		ReasonCancelled, ReasonNotReleased, ReasonDisputeUpheld, ReasonUndecided, ReasonPayeeUnpayable,
		ReasonNothingPledged, ReasonWindDown,
	}
}

// OfRefunds is what the receipts say. Where nothing was pledged there are none, but one
// may come back from its bank.
func (r Reason) OfRefunds() ledger.Reason {
	if r == ReasonNothingPledged {
		return ledger.ReasonNotReleased
	}
	return ledger.Reason(r)
}

// Verdict is what the checks say of the newest version of a release.
type Verdict string

// The verdicts.
const (
	// VerdictNone: there is no release, or its author took it back.
	VerdictNone    Verdict = ""
	VerdictPending Verdict = "pending"
	VerdictFailed  Verdict = "failed"
	VerdictPassed  Verdict = "passed"
)

// Standing are the disputes of a campaign that stop its clock.
type Standing struct {
	Count int64
	// RulingBy is when the first has to be ruled on.
	RulingBy time.Time
	// Stopped is for how long those that are over stood since the clock stopped.
	Stopped time.Duration
	// Upheld: one was ruled to be right. Rejected: one that was ruled to be wrong stopped
	// the clock for the last time.
	Upheld, Rejected bool
}

// Seen is what a step depends on beside the campaign itself.
type Seen struct {
	// Cancelled: the author's cancellation is there.
	Cancelled bool
	// Unseen: the author's release is there in a version that is not noted.
	Unseen bool
	// Verdict is that of the newest version that is noted. Later: its checks do not begin
	// yet, because there were many before.
	Verdict  Verdict
	Later    bool
	Disputes Standing
	// Known is up to when the index knows what happened; zero when it does not.
	Known time.Time
	// Certain: the clock is right, as far as anybody can tell.
	Certain bool
	// Withdrawing pledges were gone in time, and nothing is decided about them.
	Withdrawing int64
	Money       ledger.AttemptState
}

// Act is what a campaign does next.
type Act string

// The acts.
const (
	// ActNone waits.
	ActNone Act = ""
	// ActNoteRelease notes a version of the release, to be checked.
	ActNoteRelease Act = "note-release"
	// ActFinish ends the checkouts that are under way.
	ActFinish Act = "finish"
	// ActClose makes the pot final.
	ActClose Act = "close"
	// ActCheck waits for what the checks say of a release, and ActReopen for another one.
	ActCheck  Act = "check"
	ActReopen Act = "reopen"
	// ActAccept accepts the release that passed, and begins verification.
	ActAccept Act = "accept"
	// ActResume lets the clock go on that a dispute stopped, and ActRule ends disputes that
	// nobody ruled on in time.
	ActResume Act = "resume"
	ActRule   Act = "rule"
	// ActSettle ends verification: from then on nobody can dispute.
	ActSettle Act = "settle"
	// ActPay makes what is held due to the payees, once all of them can be paid.
	ActPay Act = "pay"
	// ActRelease says that the payees have the money.
	ActRelease Act = "release"
	// ActRefund lets no money in any more, and all of it go back, for the reason.
	ActRefund Act = "refund"
	// ActDecide makes what is held due to go back.
	ActDecide Act = "decide"
	// ActEnd says that everything went back.
	ActEnd Act = "end"
)

// Step is an act, and why.
type Step struct {
	Act
	Reason Reason
}

// undecided are the phases in which the money may go either way.
var undecided = []lifecycle.Phase{
	lifecycle.PhaseOpen, lifecycle.PhaseClosed, lifecycle.PhaseChecking, lifecycle.PhaseVerifying, lifecycle.PhaseDisputed,
}

// cancellable are those before a release is accepted (rule 11).
var cancellable = []lifecycle.Phase{lifecycle.PhaseOpen, lifecycle.PhaseClosed, lifecycle.PhaseChecking}

// cancellable tells whether the author may still cancel, release and correct (rule 11).
func (c Campaign) cancellable() bool { return slices.Contains(cancellable, c.Phase) }

// Over tells whether nothing more will happen.
func (c Campaign) Over() bool {
	return c.Phase == lifecycle.PhaseReleased || c.Phase == lifecycle.PhaseRefunded
}

// follows are the phases that may come after each.
var follows = map[lifecycle.Phase][]lifecycle.Phase{
	lifecycle.PhaseOpen:      {lifecycle.PhaseClosed, lifecycle.PhaseRefunding},
	lifecycle.PhaseClosed:    {lifecycle.PhaseChecking, lifecycle.PhaseRefunding},
	lifecycle.PhaseChecking:  {lifecycle.PhaseClosed, lifecycle.PhaseVerifying, lifecycle.PhaseRefunding},
	lifecycle.PhaseVerifying: {lifecycle.PhaseDisputed, lifecycle.PhaseSettling, lifecycle.PhaseRefunding},
	lifecycle.PhaseDisputed:  {lifecycle.PhaseVerifying, lifecycle.PhaseRefunding},
	lifecycle.PhaseSettling:  {lifecycle.PhaseReleased, lifecycle.PhaseRefunding},
	lifecycle.PhaseRefunding: {lifecycle.PhaseRefunded},
	lifecycle.PhaseReleased:  {},
	lifecycle.PhaseRefunded:  {},
}

// Next is what a campaign does at a moment. It depends on its arguments alone, and asked
// again after the step was done it says what comes then.
func Next(c Campaign, s Seen, now time.Time) Step {
	switch {
	case c.Phase == lifecycle.PhaseRefunding:
		return goingBack(s)
	case c.Phase == lifecycle.PhaseSettling:
		return goingOut(c, s, now)
	case s.Cancelled && c.cancellable():
		return Step{ActRefund, ReasonCancelled}
	case slices.Contains(undecided, c.Phase) && final(c, s, now):
		return Step{ActRefund, ReasonUndecided}
	case c.cancellable() && notable(c, s, now):
		return Step{Act: ActNoteRelease}
	}
	switch c.Phase {
	case lifecycle.PhaseOpen:
		return whileOpen(c, s, now)
	case lifecycle.PhaseClosed:
		return whileClosed(c, s, now)
	case lifecycle.PhaseChecking:
		return whileChecking(s)
	case lifecycle.PhaseVerifying:
		return whileVerifying(c, s, now)
	case lifecycle.PhaseDisputed:
		return whileDisputed(s, now)
	}
	return Step{}
}

// final tells whether the final date is past, by a clock that can be believed.
func final(c Campaign, s Seen, now time.Time) bool { return !now.Before(c.FinalAt) && s.Certain }

// passed tells whether a deadline is over, and the index knows what happened until then.
func passed(deadline time.Time, s Seen, now time.Time) bool {
	return !now.Before(deadline) && !s.Known.Before(deadline)
}

// notable tells whether a version of the release counts. The first that is seen does
// whatever the time: whoever finds it when the window is over has not looked before. A
// later one counts as long as a correction does, and what is found behind that as one of
// them; not beside one that was there in time and waits for its verdict.
func notable(c Campaign, s Seen, now time.Time) bool {
	late := passed(c.ReleaseDue(), s, now) && !c.ReleaseSeenAt.IsZero()
	return s.Unseen && !(late && (s.Verdict == VerdictPending || s.Verdict == VerdictPassed || c.Corrections == mostCorrections))
}

// whileOpen makes the pot final when no checkout is under way any more, and everything
// that was taken back in time has left it (rules 9, 10).
func whileOpen(c Campaign, s Seen, now time.Time) Step {
	switch {
	case now.Before(c.ClosesAt):
		return Step{}
	case s.Money.Pending > 0:
		return Step{Act: ActFinish}
	case s.Known.Before(c.ClosesAt) || s.Withdrawing > 0:
		return Step{}
	}
	return Step{Act: ActClose}
}

// whileClosed waits for a release, or for the end of the window (rules 11, 12).
func whileClosed(c Campaign, s Seen, now time.Time) Step {
	switch {
	case *c.Pot == 0 && s.Money.Holds+s.Money.Unfinished == 0:
		return Step{ActRefund, ReasonNothingPledged}
	case s.Verdict == VerdictPending && s.Later:
		return Step{} // in time, and each phase is a record
	case s.Verdict == VerdictPending || s.Verdict == VerdictPassed:
		return Step{Act: ActCheck}
	case passed(c.ReleaseDue(), s, now):
		return Step{ActRefund, ReasonNotReleased}
	}
	return Step{}
}

// whileChecking waits for the verdict, however long that takes (rule 12).
func whileChecking(s Seen) Step {
	switch s.Verdict {
	case VerdictPassed:
		if !s.Certain {
			return Step{} // all that follows counts from the moment of the acceptance
		}
		return Step{Act: ActAccept}
	case VerdictPending:
		return Step{}
	}
	return Step{Act: ActReopen}
}

// whileVerifying lets people look, until time is over (rule 13). A dispute is another phase.
func whileVerifying(c Campaign, s Seen, now time.Time) Step {
	switch {
	case s.Disputes.Upheld:
		return Step{ActRefund, ReasonDisputeUpheld}
	case passed(c.Accepted.EndsAt, s, now):
		return Step{Act: ActSettle}
	}
	return Step{}
}

// whileDisputed waits for a ruling, as long as there may be one (rule 13). That a dispute
// was withdrawn in time the index has to know.
func whileDisputed(s Seen, now time.Time) Step {
	switch {
	case s.Disputes.Upheld:
		return Step{ActRefund, ReasonDisputeUpheld}
	case s.Disputes.Count == 0:
		return Step{Act: ActResume}
	case passed(s.Disputes.RulingBy, s, now):
		return Step{Act: ActRule}
	}
	return Step{}
}

// goingOut pays what is held, once, and waits until the payees have it. As long as nothing
// is decided the final date decides (rules 14, 15).
func goingOut(c Campaign, s Seen, now time.Time) Step {
	switch {
	case s.Money.Decision != nil && s.Money.Unpaid > 0:
		return Step{}
	case s.Money.Decision != nil:
		return Step{Act: ActRelease}
	case s.Money.Pending > 0:
		return Step{Act: ActFinish}
	case s.Money.Holds+s.Money.Unfinished == 0:
		return Step{ActRefund, ReasonNothingPledged} // banks took all of it back
	case s.Money.Holds == 0 && final(c, s, now):
		return Step{ActRefund, ReasonUndecided} // banks have what is left, and have not said whose it is
	case s.Money.Holds == 0:
		return Step{}
	case final(c, s, now):
		return Step{ActRefund, ReasonPayeeUnpayable}
	case !now.Before(c.FinalAt):
		return Step{} // it is too late, if the clock is right
	}
	return Step{Act: ActPay}
}

// goingBack goes on until everybody has the money.
func goingBack(s Seen) Step {
	switch {
	case s.Money.Pending > 0:
		return Step{Act: ActFinish}
	case s.Money.Decision == nil:
		return Step{Act: ActDecide}
	case s.Money.Unfinished > 0 || s.Money.Holds > 0:
		return Step{}
	}
	return Step{Act: ActEnd}
}
