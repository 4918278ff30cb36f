package campaign

import (
	"context"
	"fmt"
	"slices"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// WindDown lets everything that a campaign holds go back because the escrow ends. One that
// was going back already goes on for the reason that it has. It returns ErrMoved for a
// campaign whose money was decided to go to its payees, or is over, and ledger.ErrPending
// while somebody may still pay.
func WindDown(ctx context.Context, tx *store.Tx, l *ledger.Ledger, attempt ledger.AttemptKey) error {
	c, err := Load(ctx, tx, attempt)
	if err != nil {
		return err
	}
	money, err := ledger.StateOf(ctx, tx, attempt)
	if err != nil {
		return err
	}
	settled := money.Decision != nil && money.Decision.Outcome == ledger.OutcomeSettlement
	if settled || c.Phase != lifecycle.PhaseRefunding && !slices.Contains(follows[c.Phase], lifecycle.PhaseRefunding) {
		return fmt.Errorf("%w: %s is %s", ErrMoved, c.Development.Uri, c.Phase)
	}
	if c.Phase == lifecycle.PhaseRefunding && money.Decision != nil {
		return nil
	}
	reason := c.Reason
	if reason == "" {
		reason = ReasonWindDown
	}
	if err := l.DecideRefunds(ctx, tx, attempt, reason.OfRefunds()); err != nil {
		return err
	}
	if c, err = goBack(reason)(ctx, tx, c); err != nil {
		return err
	}
	_, err = enter(ctx, tx, c, lifecycle.PhaseRefunding)
	return err
}

// End says of a campaign whose money was decided about that it is over, once the ledger
// says so: refunded when everything went back, released when the payees have theirs. It
// reports whether it is.
func End(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey) (over bool, err error) {
	c, err := Load(ctx, tx, attempt)
	if err != nil || c.Over() {
		return c.Over(), err
	}
	money, err := ledger.StateOf(ctx, tx, attempt)
	if err != nil {
		return false, err
	}
	var to lifecycle.Phase
	switch Next(c, Seen{Money: money}, tx.Now()).Act {
	case ActEnd:
		to = lifecycle.PhaseRefunded
	case ActRelease:
		to = lifecycle.PhaseReleased
	default:
		return false, nil
	}
	_, err = enter(ctx, tx, c, to)
	return err == nil, err
}
