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
