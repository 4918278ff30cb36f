package ledger

import (
	"errors"
	"fmt"
)

var (
	// ErrEntry says that an entry is not one: it has no lines, amounts below one,
	// accounts that the chart does not have, or currencies that differ within a
	// line. A mistake of ours.
	ErrEntry = errors.New("ledger: not an entry")
	// ErrNotFound is returned for a hold, payout, refund or chargeback that the
	// ledger does not have.
	ErrNotFound = errors.New("ledger: not found")
	// ErrTaken is returned by OpenHold for a pledge that has a hold which is pending
	// or was charged. The caller sends the payer to that one, or says that the
	// pledge was paid.
	ErrTaken = errors.New("ledger: the pledge has a hold")
	// ErrPosted is returned by VoidHold for a hold whose charge is there.
	ErrPosted = errors.New("ledger: the hold is posted")
	// ErrDecided is returned where the attempt must be undecided, or the hold must
	// have no other way out.
	ErrDecided = errors.New("ledger: decided otherwise")
	// ErrPending is returned by a decision about an attempt of which a hold is
	// pending: its session must be finished or expired first.
	ErrPending = errors.New("ledger: a hold of the attempt is pending")
	// ErrNothingHeld is returned by Settle when there is nothing to settle.
	ErrNothingHeld = errors.New("ledger: nothing is held")
	// ErrNotHeld is returned for a hold out of which nothing can go back (again).
	ErrNotHeld = errors.New("ledger: the hold is not held")
	// ErrNotDue is returned for a refund or transfer that is not due, or not as much.
	ErrNotDue = errors.New("ledger: not due")
	// ErrNotYet is returned for a fact that presupposes another one that was not
	// told: a refund that succeeded and was not taken from the balance. The caller
	// fetches the object again.
	ErrNotYet = errors.New("ledger: something before it is not known yet")
	// ErrUnknown says that money moved and that no rule says whose it is. Nothing is
	// posted, and whoever sees it stops outgoing money until a person has looked.
	ErrUnknown = errors.New("ledger: unknown money")
	// ErrShares says that payees or a fee do not add up.
	ErrShares = errors.New("ledger: shares do not add up")
)

// ConflictError says that a reference was posted before with other facts. One of
// the two is not true, so whoever sees it stops.
type ConflictError struct{ Reference string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("ledger: %s was posted before with other facts", e.Reference)
}

// BoundError says that a line would take more out of an account than there is.
type BoundError struct {
	Account Account
	Amount  int64 // of the line
	err     error
}

func (e *BoundError) Error() string {
	return fmt.Sprintf("ledger: %d is more than there is in %s", e.Amount, e.Account)
}

func (e *BoundError) Unwrap() error { return e.err }
