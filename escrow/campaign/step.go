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

// ofRefunds is what the receipts say. Where nothing was pledged there are none, but one
// may come back from its bank.
func (r Reason) ofRefunds() ledger.Reason {
	if r == ReasonNothingPledged {
		return ledger.ReasonNotReleased
	}
	return ledger.Reason(r)
}

// Seen is what a step depends on beside the campaign itself.
type Seen struct {
	// Cancelled and Released: the author's records for it are there.
	Cancelled, Released bool
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
	// ActNoteRelease notes that a release was seen.
	ActNoteRelease Act = "note-release"
	// ActFinish ends the checkouts that are under way.
	ActFinish Act = "finish"
	// ActClose makes the pot final.
	ActClose Act = "close"
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
	case s.Cancelled && slices.Contains(cancellable, c.Phase):
		return Step{ActRefund, ReasonCancelled}
	case slices.Contains(undecided, c.Phase) && !now.Before(c.FinalAt) && s.Certain:
		return Step{ActRefund, ReasonUndecided}
	case s.Released && c.ReleaseSeenAt.IsZero() && slices.Contains(cancellable, c.Phase):
		return Step{Act: ActNoteRelease}
	case c.Phase == lifecycle.PhaseOpen && !now.Before(c.ClosesAt):
		return closing(c, s)
	case c.Phase == lifecycle.PhaseClosed && s.Money.Holds+s.Money.Unfinished == 0 && *c.Pot == 0:
		return Step{ActRefund, ReasonNothingPledged}
	case c.Phase == lifecycle.PhaseClosed && passed(c.ReleaseBy, s, now):
		return Step{ActRefund, ReasonNotReleased}
	}
	return Step{}
}

// passed tells whether a deadline is over, and the index knows what happened until then.
func passed(deadline time.Time, s Seen, now time.Time) bool {
	return !now.Before(deadline) && !s.Known.Before(deadline)
}

// closing makes the pot final when no checkout is under way any more, and everything
// that was taken back in time has left it (rules 9, 10).
func closing(c Campaign, s Seen) Step {
	switch {
	case s.Money.Pending > 0:
		return Step{Act: ActFinish}
	case s.Known.Before(c.ClosesAt) || s.Withdrawing > 0:
		return Step{}
	}
	return Step{Act: ActClose}
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
