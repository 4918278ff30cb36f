package lifecycle

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Phase is where an escrow's campaign stands.
type Phase string

// The phases that the rules know. A campaign in another one decides nothing.
const (
	PhaseOpen      Phase = "open"
	PhaseClosed    Phase = "closed"
	PhaseChecking  Phase = "checking"
	PhaseVerifying Phase = "verifying"
	PhaseDisputed  Phase = "disputed"
	PhaseSettling  Phase = "settling"
	PhaseReleased  Phase = "released"
	PhaseRefunding Phase = "refunding"
	PhaseRefunded  Phase = "refunded"
)

// Campaign is an escrow.campaign record: what the escrow froze when a preview
// opened (rule 8), and what became of it. Meta.Author is the escrow.
type Campaign struct {
	Meta
	Development, Preview, Proposal Ref // as frozen
	Developer                      syntax.DID
	Payees                         []syntax.DID
	Currency                       money.Currency
	OpensAt, ClosesAt              time.Time
	ReleaseBy, FinalAt             time.Time
	CheckoutsUntil                 *time.Time // where test terms have another margin
	Phase                          Phase
	Pot                            *money.Money
	Release                        *Ref // the one that was accepted
	AcceptedAt                     *time.Time
	VerificationEndsAt             *time.Time
	Pauses                         []Pause
	Checks                         []Check
	Test                           bool
}

// Pause is a time in which a dispute stopped a campaign's clock.
type Pause struct {
	Dispute Ref
	From    time.Time
	To      *time.Time // nil while it stands
	// RulingBy is when the escrow must have ruled, where it says so.
	RulingBy *time.Time
}

// CheckPreviewReachable is the name of the check whether a preview can be
// reached (rule 7).
const CheckPreviewReachable = "preview-reachable"

// Check is something that the escrow looked at.
type Check struct {
	Name      string
	Passed    bool
	CheckedAt time.Time
}

const (
	// RulingTime is how long an escrow has to rule on a dispute (rule 13), where
	// its campaign does not say until when.
	RulingTime = 10 * 24 * time.Hour
	// CorrectionTime is how long a developer may correct a release after a
	// failed check, also when the window ends before (rule 12).
	CorrectionTime = 72 * time.Hour
	// CheckoutMargin is how long before the closing the last checkout starts
	// (rule 10), where no test terms say another time.
	CheckoutMargin = 35 * time.Minute
	// OverdueTolerance is how long after a deadline an escrow's word of what it
	// did may still be on its way.
	OverdueTolerance = time.Hour
)

// Phases lists every phase in the order of a campaign's life.
func Phases() []Phase {
	return []Phase{
		PhaseOpen, PhaseClosed, PhaseChecking, PhaseVerifying, PhaseDisputed,
		PhaseSettling, PhaseReleased, PhaseRefunding, PhaseRefunded,
	}
}

// stage is the stage that an attempt is in while its campaign is in the phase;
// ok is false for one that we do not know.
func (p Phase) stage() (s Stage, ok bool) {
	switch p {
	case PhaseOpen:
		return StagePreview, true
	case PhaseClosed, PhaseChecking:
		return StageReleasing, true
	case PhaseVerifying:
		return StageVerification, true
	case PhaseDisputed:
		return StageDisputed, true
	case PhaseSettling:
		return StageSettling, true
	case PhaseReleased:
		return StageCompleted, true
	case PhaseRefunding, PhaseRefunded:
		return StageCancelled, true
	}
	return "", false
}

// live: the attempt is under way, from the opening to the decision.
func (p Phase) live() bool {
	switch p {
	case PhaseOpen, PhaseClosed, PhaseChecking, PhaseVerifying, PhaseDisputed, PhaseSettling:
		return true
	}
	return false
}

// over: nothing more will happen.
func (p Phase) over() bool { return p == PhaseReleased || p == PhaseRefunded }

// refunds: the attempt ends in refunds.
func (p Phase) refunds() bool { return p == PhaseRefunding || p == PhaseRefunded }

// accepted: a release passed its checks, and the developer has nothing more to
// decide (rule 11).
func (p Phase) accepted() bool {
	switch p {
	case PhaseVerifying, PhaseDisputed, PhaseSettling, PhaseReleased:
		return true
	}
	return false
}

// deadline is until when the phase must have moved on, and by what; ok is false
// when it is the last one. No deadline is after the final date (rule 15).
func (c *Campaign) deadline() (n Next, ok bool) {
	final := Next{NextFinalDate, c.FinalAt}
	switch c.Phase {
	case PhaseOpen:
		n = Next{NextPreviewCloses, c.ClosesAt}
	case PhaseClosed:
		n = Next{NextReleaseDue, c.releaseDue()}
	case PhaseChecking:
		n = Next{NextChecksFinish, c.releaseDue()}
	case PhaseVerifying:
		n = final
		if c.VerificationEndsAt != nil {
			n = Next{NextVerificationEnds, *c.VerificationEndsAt}
		}
	case PhaseDisputed:
		n = final
		if due, stands := c.rulingDue(); stands {
			n = Next{NextRulingDue, due}
		}
	case PhaseSettling:
		n = Next{NextPayout, c.FinalAt}
	case PhaseRefunding:
		n = Next{NextRefund, c.FinalAt}
	default:
		return Next{}, false
	}
	if n.At.After(c.FinalAt) {
		n = final
	}
	return n, true
}

// releaseDue is the end of the release window; after a failed check there is
// some time to correct what it found.
func (c *Campaign) releaseDue() time.Time {
	due := c.ReleaseBy
	for _, check := range c.Checks {
		if end := check.CheckedAt.Add(CorrectionTime); !check.Passed && check.Name != CheckPreviewReachable && end.After(due) {
			due = end
		}
	}
	return due
}

// rulingDue is when the first of the disputes that stand must be ruled on.
func (c *Campaign) rulingDue() (due time.Time, stands bool) {
	for _, p := range c.Pauses {
		if p.To != nil {
			continue
		}
		by := p.From.Add(RulingTime)
		if p.RulingBy != nil {
			by = *p.RulingBy
		}
		if !stands || by.Before(due) {
			due, stands = by, true
		}
	}
	return due, stands
}

// next is what the clock brings for the campaign after t. A deadline that passed
// leaves the final date.
func (c *Campaign) next(t time.Time) *Next {
	n, ok := c.deadline()
	if ok && !n.At.After(t) {
		n = Next{NextFinalDate, c.FinalAt}
	}
	if !ok || !n.At.After(t) {
		return nil
	}
	return &n
}

// breakpoints are the moments at which the campaign may change the stage.
func (c *Campaign) breakpoints() []time.Time {
	out := []time.Time{c.existsFrom(), c.FinalAt}
	if n, ok := c.deadline(); ok {
		out = append(out, n.At)
	}
	return out
}

// overdueAt: the phase should have moved on by now (rule 15).
func (c *Campaign) overdueAt(t time.Time) bool {
	n, ok := c.deadline()
	return ok && !t.Before(overdueFrom(n.At))
}

// overdueFrom is the first moment at which what was due is overdue: time goes by
// milliseconds here.
func overdueFrom(due time.Time) time.Time { return due.Add(OverdueTolerance + time.Millisecond) }

// moments are those at which anything may change that is said of the campaign:
// beside the stage, what is overdue and who may do what.
func (c *Campaign) moments() []time.Time {
	out := append(c.breakpoints(), overdueFrom(c.FinalAt), c.lastCheckout(), c.ClosesAt, c.releaseDue())
	if n, ok := c.deadline(); ok {
		out = append(out, overdueFrom(n.At))
	}
	if c.VerificationEndsAt != nil {
		out = append(out, *c.VerificationEndsAt)
	}
	return out
}

// lastCheckout is the moment from which no checkout starts (rule 10).
func (c *Campaign) lastCheckout() time.Time {
	if c.CheckoutsUntil != nil {
		return *c.CheckoutsUntil
	}
	return c.ClosesAt.Add(-CheckoutMargin)
}

// unreachable: the newest check whether the preview can be reached failed.
func (c *Campaign) unreachable() bool {
	var newest *Check
	for i := range c.Checks {
		check := &c.Checks[i]
		if check.Name != CheckPreviewReachable {
			continue
		}
		// Of two at the same time the bad news counts.
		if newest == nil || check.CheckedAt.After(newest.CheckedAt) || check.CheckedAt.Equal(newest.CheckedAt) && !check.Passed {
			newest = check
		}
	}
	return newest != nil && !newest.Passed
}
