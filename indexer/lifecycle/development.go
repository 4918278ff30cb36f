package lifecycle

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Development is a work.development record; it opens an attempt.
type Development struct {
	Meta
	Proposal Ref
	Currency money.Currency
	Goal     *money.Money
	Escrow   syntax.DID
	// Payees are the accounts that get the money; none means the author.
	Payees []syntax.DID
	// Donations is the account whose own payment account gets donations; empty
	// means the author.
	Donations  syntax.DID
	ExpectedAt *time.Time
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
