package reposync

import (
	"errors"
	"fmt"
)

// DropReason says why input from outside is not believed. The set is closed: it
// labels metrics.
type DropReason string

// The reasons for which a commit or a repository is dropped.
const (
	DropSyntax        DropReason = "syntax"         // a DID, rev, path or time is malformed
	DropTooLarge      DropReason = "too-large"      // over the protocol's limits
	DropDeprecated    DropReason = "deprecated"     // tooBig or rebase: the frame proves nothing
	DropFutureRev     DropReason = "future-rev"     // a rev from the future
	DropBadCAR        DropReason = "bad-car"        // blocks missing, of a wrong hash, or no tree
	DropRootMismatch  DropReason = "root-mismatch"  // the message names another commit than its CAR
	DropFieldMismatch DropReason = "field-mismatch" // repo or rev differ from the signed commit
	DropSignature     DropReason = "signature"      // not signed by the account
	DropMissingPrev   DropReason = "missing-prev"   // an update or delete without its previous CID
	DropOperation     DropReason = "operation"      // an operation is not what the tree says
	DropNotHosted     DropReason = "not-hosted"     // a PDS speaks of an account that is another's
	DropPrevData      DropReason = "prev-data"      // undoing the operations does not give prevData
)

// DropReasons lists all reasons.
func DropReasons() []DropReason {
	return []DropReason{
		DropSyntax, DropTooLarge, DropDeprecated, DropFutureRev, DropBadCAR, DropRootMismatch,
		DropFieldMismatch, DropSignature, DropMissingPrev, DropOperation, DropPrevData, DropNotHosted,
	}
}

// DropError is returned for input that is not believed.
type DropError struct {
	Reason DropReason
	Err    error
}

func (e *DropError) Error() string { return fmt.Sprintf("reposync: %s: %v", e.Reason, e.Err) }

// Unwrap returns the finding behind the reason.
func (e *DropError) Unwrap() error { return e.Err }

func drop(reason DropReason, format string, args ...any) error {
	return &DropError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// ErrUnverified is returned when the account's key could not be had: nothing is
// proven, nothing disproven.
var ErrUnverified = errors.New("reposync: the account's key is not available")
