package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Swept is what a PDS says of a repository.
type Swept struct {
	// Status is AccountDeleted when the PDS has no such account.
	Status AccountStatus
	Rev    syntax.TID // empty when the PDS did not say
}

// DueSweep is a repository whose PDS is to be asked. It goes back to
// [Store.Sweep], or to [Store.SweepFailed].
type DueSweep struct {
	DID    syntax.DID
	wanted int64
}

// DueSweeps lists repositories that were last swept before the moment, the
// longest ago first.
func (s *Store) DueSweeps(ctx context.Context, before time.Time, limit int) ([]DueSweep, error) {
	due, err := collect(ctx, s.read, `SELECT did, sweeps_wanted FROM repo WHERE swept_at < $1 ORDER BY swept_at LIMIT $2`,
		func(rows *sql.Rows) (d DueSweep, err error) {
			err = rows.Scan(&d.DID, &d.wanted)
			return d, err
		}, millis(before), limit)
	if err != nil {
		return nil, fmt.Errorf("store: list due sweeps: %w", err)
	}
	return due, nil
}

// NextSweep is when the repository that was swept longest ago was swept; ok is
// false when there is none.
func (s *Store) NextSweep(ctx context.Context) (at time.Time, ok bool, err error) {
	var swept sql.NullInt64
	if err := s.read.QueryRowContext(ctx, `SELECT min(swept_at) FROM repo`).Scan(&swept); err != nil {
		return at, false, fmt.Errorf("store: find the next sweep: %w", err)
	}
	return fromMillis(swept.Int64), swept.Valid, nil
}

// Sweep compares what the PDS said with what the index holds: a status that
// differs is taken over, a newer rev asks for a resync. The PDS's word is not
// signed, so it only ever hides, shows, or makes us look; and it purges an
// account that it does not have, if the stream told of its deletion. missed
// reports that the stream had not told.
//
// An answer is void when there was another reason to ask since: it may be older
// than what the stream told meanwhile. The repository stays due then. A deleted
// account stays deleted; only the stream brings one back.
func (s *Store) Sweep(ctx context.Context, due DueSweep, w Swept) (missed bool, err error) {
	var more bool
	err = s.update(ctx, "sweep "+due.DID.String(), func(ctx context.Context, tx *tx) error {
		row, ok, err := tx.repo(ctx, due.DID)
		if err != nil || !ok || row.sweepsWanted != due.wanted {
			return err
		}
		// Nearly all repositories are where they should be.
		tx.unseen, err = tx.writesNothing(ctx, func() error {
			if missed, err = tx.swept(ctx, due.DID, w, row); err != nil {
				return err
			}
			more, err = tx.derive(ctx)
			return err
		})
		if err != nil {
			return err
		}
		return tx.exec(ctx, `UPDATE repo SET swept_at = $1 WHERE did = $2`, millis(tx.now), due.DID)
	})
	for more && err == nil {
		more, err = s.DeriveStale(ctx)
	}
	return missed, err
}

// swept takes over what the PDS said to a question that nothing has overtaken.
func (tx *tx) swept(ctx context.Context, did syntax.DID, w Swept, row repoRow) (missed bool, err error) {
	outcome, err := tx.believePDS(ctx, did, w.Status, row)
	if err != nil {
		return false, err
	}
	if w.Status != AccountDeleted && row.toldDeleted {
		// The PDS has it all the same.
		if err := tx.exec(ctx, `UPDATE repo SET told_deleted = 0 WHERE did = $1`, did); err != nil {
			return false, err
		}
	}
	if outcome == OutcomeReplayed && w.Status == AccountActive && w.Rev > row.rev {
		// A resync that is under way may have begun before that rev.
		outcome, err = tx.applyUnproven(ctx, Change{Kind: ChangeUnproven, DID: did}, row)
	}
	return outcome == OutcomeApplied || outcome == OutcomeDesynchronized, err
}

// SweepFailed puts a repository off whose PDS could not be asked, unless there
// was another reason to ask since.
func (s *Store) SweepFailed(ctx context.Context, due DueSweep, sweptAt time.Time) error {
	return s.update(ctx, "put a sweep off", func(ctx context.Context, tx *tx) error {
		tx.unseen = true
		return tx.exec(ctx, `UPDATE repo SET swept_at = $1 WHERE did = $2 AND sweeps_wanted = $3`, millis(sweptAt), due.DID, due.wanted)
	})
}
