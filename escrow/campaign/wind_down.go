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
	if err := l.DecideRefunds(ctx, tx, attempt, reason.ofRefunds()); err != nil {
		return err
	}
	if c, err = goBack(reason)(ctx, tx, c); err != nil {
		return err
	}
	_, err = enter(ctx, tx, c, lifecycle.PhaseRefunding)
	return err
}

// EndRefund says of a campaign that was going back that everything did, and reports whether
// it is so.
func EndRefund(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey) (over bool, err error) {
	c, err := Load(ctx, tx, attempt)
	if err != nil || c.Phase != lifecycle.PhaseRefunding {
		return c.Phase == lifecycle.PhaseRefunded, err
	}
	money, err := ledger.StateOf(ctx, tx, attempt)
	if err != nil || money.Decision == nil || money.Pending+money.Holds+money.Unfinished > 0 {
		return false, err
	}
	_, err = enter(ctx, tx, c, lifecycle.PhaseRefunded)
	return err == nil, err
}
