package repo

import (
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

var (
	// ErrPinned is returned by PinReceipt for a pledge that was pinned to something
	// else, and for a donation that was paid as such.
	ErrPinned = errors.New("repo: the pledge was pinned to something else")
	// ErrNoTerms is returned while the escrow has announced no terms, and for terms that
	// it never had.
	ErrNoTerms = errors.New("repo: the escrow has no such terms")
	// errUnpinned says that money moved for a pledge that nobody had pinned.
	errUnpinned = errors.New("repo: nothing was pinned for the receipt")
)

// OtherEscrowError says that a database belongs to another escrow. Its receipts are in
// that one's repository.
type OtherEscrowError struct{ Have, Want syntax.DID }

func (e *OtherEscrowError) Error() string {
	return fmt.Sprintf("repo: this database is that of %s and stays so for ever; %s needs one of its own", e.Have, e.Want)
}

// ForeignAccountError says that the app password is that of another account. Nothing
// is written there.
type ForeignAccountError struct{ Have, Want syntax.DID }

func (e *ForeignAccountError) Error() string {
	return fmt.Sprintf("repo: the app password belongs to %s, and the escrow is %s", e.Have, e.Want)
}
