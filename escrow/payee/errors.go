package payee

import (
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

var (
	// ErrNotFound is returned for somebody who has not begun onboarding.
	ErrNotFound = errors.New("payee: no payout account")
	// ErrCountry is returned by Begin when the country is missing and needed, or is none.
	ErrCountry = errors.New("payee: the country is needed the first time: two upper-case letters")
	// ErrUnsupported is returned by Begin when the processor opens no account in that
	// country. Another one may be tried.
	ErrUnsupported = errors.New("payee: the processor opens no account there")
	// ErrReturn is returned by Begin for an address that people are not sent to.
	ErrReturn = errors.New("payee: not an address that people are sent to")
	// ErrTooLong is returned by Begin for a DID so long that no transfer to it could be
	// named at the processor.
	ErrTooLong = errors.New("payee: the DID is too long to be paid")
	// ErrVisit is returned for a visit that nobody began, or that is over.
	ErrVisit = errors.New("payee: the visit is over")
	// ErrStranger is returned by Observe for an account that is not of this escrow.
	ErrStranger = errors.New("payee: the account is not one of ours")
)

// UnpayableError says that a payee cannot be paid, or charged for, now.
type UnpayableError struct {
	Payee   syntax.DID
	Against []payments.Obstacle
}

func (e *UnpayableError) Error() string {
	return fmt.Sprintf("payee: the processor does not let %s be paid: %v", e.Payee, e.Against)
}
