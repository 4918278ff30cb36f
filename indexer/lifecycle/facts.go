package lifecycle

import (
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// AttemptURI is the at-uri of a development record; it names the attempt.
type AttemptURI = syntax.ATURI

// Meta is what every record brings: where it lives, who signed it, and the
// time that it says of itself. Author is the DID of URI.
type Meta struct {
	URI       syntax.ATURI
	Author    syntax.DID
	CreatedAt time.Time
}

// existsFrom is the moment from which the record exists (F3).
func (m Meta) existsFrom() time.Time { return m.CreatedAt.Add(-FutureTolerance) }

func (m Meta) existsAt(t time.Time) bool { return !t.Before(m.existsFrom()) }

// before orders records by createdAt, then by uri (F3).
func (m Meta) before(o Meta) bool { return m.compare(o) < 0 }

func (m Meta) compare(o Meta) int {
	if c := m.CreatedAt.Compare(o.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(string(m.URI), string(o.URI))
}

// Facts are the inputs from which a proposal's state follows. They hold what
// exists now; records of hidden accounts are left out by the caller (F5).
// Their order does not matter, and a record given twice counts once.
type Facts struct {
	Proposal      Proposal
	Project       *Project // the record that the subject names; nil when there is none
	Responses     []Response
	Developments  []Development
	Previews      []Preview
	Releases      []Release
	Cancellations []Cancellation
	Consents      []Consent
	Estimates     []Estimate
	Pledges       []Pledge
}

// Proposal is a feature.proposal record.
type Proposal struct {
	Meta
	Subject Subject
}

// Subject is what a proposal is about: exactly one of its fields is set.
type Subject struct {
	Project syntax.ATURI
	Account syntax.DID
	URI     string
}

// Project is a project.profile record.
type Project struct {
	Meta
	Maintainers []syntax.DID
}

// Answer is what a developer says to a proposal.
type Answer string

// The answers known to the rules. Another one declines nothing, and is an answer
// like any other: when it is the newest, it stands.
const (
	AnswerPlanned   Answer = "planned"
	AnswerDeclined  Answer = "declined"
	AnswerDuplicate Answer = "duplicate"
)

// Response is a work.response record.
type Response struct {
	Meta
	Answer Answer
}

// Development is a work.development record; it opens an attempt.
type Development struct {
	Meta
	Goal *money.Money
}

// Preview is a work.preview record. It belongs to the attempt of the same
// author and record key, which is what Attempt holds.
type Preview struct {
	Meta
	Attempt  AttemptURI
	OpensAt  time.Time
	ClosesAt time.Time
}

// Release is a work.release record; see [Preview] for Attempt.
type Release struct {
	Meta
	Attempt AttemptURI
}

// Cancellation is a work.cancellation record; see [Preview] for Attempt.
type Cancellation struct {
	Meta
	Attempt AttemptURI
}

// Consent is a work.consent record: its author agrees to be a payee of Attempt.
type Consent struct {
	Meta
	Attempt AttemptURI
}

// Estimate is a feature.estimate record. Largest is the author's standing in
// the estimate's currency, as [Standing] gives it; 0 when there is none.
type Estimate struct {
	Meta
	Value   money.Money
	Largest int64
}

// Pledge is a feature.pledge record: a wish, until a receipt says more (rule 9).
type Pledge struct {
	Meta
	Value money.Money
	// Receipted: the escrow that the pledge names has a receipt for it.
	Receipted bool
}
