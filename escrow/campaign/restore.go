package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// Restore keeps a campaign that this database has lost, because it was restored from a
// backup, as the escrow published it: as it was when it opened, so that what was paid in
// time finds it open. CatchUp brings it to where it stood. One that had gone back before
// another opened for the same proposal is refunding from the start, since the two cannot
// be open at once. A campaign that is known is left as it is.
func Restore(ctx context.Context, tx *store.Tx, published Campaign) error {
	if _, err := Load(ctx, tx, published.Attempt); err == nil || !errors.Is(err, ErrNotFound) {
		return err
	}
	c := published.fresh()
	c.UpdatedAt = c.OpenedAt
	rival, err := rivalOf(ctx, tx, syntax.ATURI(c.Proposal.Uri))
	if err != nil {
		return err
	}
	if rival != "" {
		if published.Reason == "" {
			return fmt.Errorf("%w: %s and another one for %s", ErrMoved, c.Development.Uri, c.Proposal.Uri)
		}
		c.Phase, c.Reason = lifecycle.PhaseRefunding, published.Reason
	}
	return insert(ctx, tx, c)
}

// caughtUp are the phases that follow from what receipts and the processor tell. What led
// to any other is in no record that could be believed for it.
var caughtUp = []lifecycle.Phase{lifecycle.PhaseOpen, lifecycle.PhaseClosed, lifecycle.PhaseRefunding, lifecycle.PhaseRefunded}

// CatchUp brings a campaign to where the escrow published it, if the database is behind
// that, and reports whether it is there now. It is not for a phase that only a person can
// bring back, and not when the record says that all money went back and the ledger does
// not.
func CatchUp(ctx context.Context, tx *store.Tx, published Campaign) (there bool, err error) {
	c, err := Load(ctx, tx, published.Attempt)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil || !published.UpdatedAt.After(c.UpdatedAt):
		return err == nil, err
	case !slices.Contains(caughtUp, published.Phase):
		return false, nil
	}
	money, err := ledger.StateOf(ctx, tx, c.Attempt)
	if err != nil {
		return false, err
	}
	// What a bank returned since then was on its way back once.
	if published.Phase == lifecycle.PhaseRefunded && money.Pending+money.Holds+money.Unfinished > money.Returned {
		return false, nil
	}
	if published.Phase != lifecycle.PhaseOpen {
		if err := concludeAll(ctx, tx, c.Attempt, OutcomeLate); err != nil {
			return false, err
		}
	}
	totals, err := json.Marshal(published.Totals)
	if err != nil {
		return false, fmt.Errorf("campaign: encode the totals of %s: %w", c.Development.Uri, err)
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE campaign SET phase = $1, reason = nullif($2, ''), pot = $3, totals = $4, closes_at = $5, release_by = $6, updated_at = $7
		WHERE attempt = $8`,
		published.Phase, published.Reason, published.Pot, string(totals), published.ClosesAt.UnixMilli(), published.ReleaseBy.UnixMilli(),
		published.UpdatedAt.UnixMilli(), c.Attempt)
	if err != nil {
		return false, fmt.Errorf("campaign: bring %s to where it was published: %w", c.Development.Uri, err)
	}
	return true, nil
}
