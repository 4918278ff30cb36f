package campaign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// caughtUp are the phases that records lead to: what led to them the escrow has published,
// as far as this database was restored. That a settlement was decided only a person can
// bring back.
var caughtUp = []lifecycle.Phase{
	lifecycle.PhaseOpen, lifecycle.PhaseClosed, lifecycle.PhaseChecking, lifecycle.PhaseVerifying, lifecycle.PhaseDisputed,
	lifecycle.PhaseSettling, lifecycle.PhaseRefunding, lifecycle.PhaseRefunded,
}

// CatchUp brings a campaign to where the escrow published it, if the database is behind
// that, and reports whether it is there now. It is not for a phase that only a person can
// bring back, and not when the record says that all money went back and the ledger does
// not. A release that was being checked is looked at anew. It is for databases that were
// restored: before any other, whoever has the escrow's password writes a record that pays.
func CatchUp(ctx context.Context, tx *store.Tx, published Campaign) (there bool, err error) {
	c, err := Load(ctx, tx, published.Attempt)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil || !published.UpdatedAt.After(c.UpdatedAt):
		return err == nil, err
	case !slices.Contains(caughtUp, published.Phase) || disputable(published) && published.Accepted == nil:
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
	if published.Phase == lifecycle.PhaseSettling && (published.Accepted == nil || money.Decision != nil) {
		return false, nil
	}
	if published.Phase != lifecycle.PhaseOpen {
		if err := concludeAll(ctx, tx, c.Attempt, OutcomeLate); err != nil {
			return false, err
		}
	}
	for _, d := range published.Stopped {
		if err := restoreDispute(ctx, tx, c, d); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE campaign SET closes_at = $1, release_by = $2 WHERE attempt = $3`,
		published.ClosesAt.UnixMilli(), published.ReleaseBy.UnixMilli(), c.Attempt)
	if err != nil {
		return false, fmt.Errorf("campaign: bring the deadlines of %s to where they were published: %w", c.Development.Uri, err)
	}
	c, err = c.caughtUp(ctx, tx, published)
	if err != nil {
		return false, err
	}
	return true, save(ctx, tx, c)
}

// caughtUp is the campaign as it was published.
func (c Campaign) caughtUp(ctx context.Context, tx *store.Tx, published Campaign) (Campaign, error) {
	c.Phase, c.Reason, c.Pot, c.Totals, c.UpdatedAt = published.Phase, published.Reason, published.Pot, published.Totals, published.UpdatedAt
	c.Checks, c.ReleaseBy = published.Checks, published.ReleaseBy
	if c.Accepted == nil {
		c.Accepted = published.Accepted
	}
	for _, check := range c.Checks {
		if !check.Passed && check.Name != previewReachable && c.cancellable() {
			c = c.failed(check.CheckedAt)
			break
		}
	}
	switch c.Phase {
	case lifecycle.PhaseChecking:
		c.Phase = lifecycle.PhaseClosed
	case lifecycle.PhaseVerifying, lifecycle.PhaseDisputed:
		disputes, err := DisputesOf(ctx, tx, c.Attempt)
		if err != nil {
			return c, err
		}
		c.Phase, c.PausedAt = lifecycle.PhaseVerifying, time.Time{}
		if list := stops(disputes); len(list) > 0 && (published.Phase == lifecycle.PhaseDisputed || list[len(list)-1].to.IsZero()) {
			c.Phase, c.PausedAt = lifecycle.PhaseDisputed, list[len(list)-1].from
		}
	default:
		c.PausedAt = time.Time{}
	}
	return c, nil
}

// restoreDispute keeps a dispute as a campaign's record tells it, and its ruling as that
// was published.
func restoreDispute(ctx context.Context, tx *store.Tx, c Campaign, d Dispute) error {
	var byDefault, ruling, rationale, ended any
	if d.Ruling != "" {
		byDefault, ruling, rationale = d.ByDefault, d.Ruling.String(), d.Rationale
	}
	if !d.Stands() {
		ended = string(d.Ended)
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO dispute (dispute, cid, attempt, author, reason, seen_at, ruling_by, ended, ended_at, ruling, rationale, by_default)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (dispute) DO UPDATE SET ended = excluded.ended, ended_at = excluded.ended_at,
			ruling = excluded.ruling, rationale = excluded.rationale, by_default = excluded.by_default
		WHERE dispute.ended IS NULL AND excluded.ended IS NOT NULL`,
		d.URI, d.CID, c.Attempt, d.Author, d.Reason, d.SeenAt.UnixMilli(), d.RulingBy.UnixMilli(), ended, column(d.EndedAt), ruling, rationale, byDefault)
	if err != nil {
		return fmt.Errorf("campaign: keep the dispute %s again: %w", d.URI, err)
	}
	return nil
}
