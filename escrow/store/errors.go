package store

import (
	"errors"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

var (
	// ErrSuperseded is returned by Update once another process has opened the
	// database for writing. This process must stop at once.
	ErrSuperseded = errors.New("store: another process has taken over this database")
	// ErrBroken is returned by Update after a commit failed: what the disk holds is
	// not known. The process must stop, and look when it starts again.
	ErrBroken = errors.New("store: a commit failed, and nothing is written until the database is opened anew")
	// ErrReadOnly is returned by Update of a store that was opened to be read.
	ErrReadOnly = errors.New("store: opened to be read only")
	// errUnfinished is what callers are told whose group never came to its end.
	errUnfinished = errors.New("store: the transaction was abandoned")
)

// ModeError is returned by Open for a database of another mode.
type ModeError struct {
	Path       string
	Have, Want payments.Mode
}

func (e *ModeError) Error() string {
	return fmt.Sprintf("store: %s was made in %s mode and stays so for ever; in %s mode the escrow needs a database of its own", e.Path, e.Have, e.Want)
}
