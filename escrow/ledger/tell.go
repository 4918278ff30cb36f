package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// telling is something that happened, or was decided, about a hold.
type telling struct {
	reference Reference
	kind      Kind
	facts     Digest
	// book says what it means, given what the ledger holds. It may change the hold
	// without a line.
	book func(*book) error
}

// told is an entry, as what follows from it refers to it.
type told struct {
	sequence int64
	at       time.Time
}

// tell posts what happened to a hold, with all that follows from it: its rows and
// the status of its receipt. A telling that is known is nothing.
func (l *Ledger) tell(ctx context.Context, tx *store.Tx, hold HoldID, t telling) error {
	before, known, err := l.find(ctx, tx, t.reference, t.facts)
	if err != nil || known {
		return err
	}
	h, err := LoadHold(ctx, tx, hold)
	if err != nil {
		return err
	}
	b := &book{Hold: h.clone()}
	if err := t.book(b); err != nil {
		return fmt.Errorf("ledger: %s: %w", t.reference, err)
	}
	var entry *told
	if len(b.lines) > 0 {
		e := Entry{Reference: t.reference, Kind: t.kind, Facts: t.facts, Lines: b.lines}
		if err := e.check(); err != nil {
			return err
		}
		if entry, err = l.append(ctx, tx, before, e); err != nil {
			return err
		}
	}
	return save(ctx, tx, h, b.Hold, entry)
}
