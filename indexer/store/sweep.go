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
	DID    syntax.DID
	Status AccountStatus
	Rev    syntax.TID // empty when the PDS did not say
}

// DueSweep is a repository whose PDS is to be asked.
type DueSweep struct {
	DID     syntax.DID
	sweptAt int64
}

// DueSweeps lists repositories that were last swept before the moment, the
// longest ago first.
func (s *Store) DueSweeps(ctx context.Context, before time.Time, limit int) ([]DueSweep, error) {
	due, err := collect(ctx, s.read, `SELECT did, swept_at FROM repo WHERE swept_at < $1 ORDER BY swept_at LIMIT $2`,
		func(rows *sql.Rows) (d DueSweep, err error) {
			err = rows.Scan(&d.DID, &d.sweptAt)
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

// RequestSweep makes every repository due.
func (s *Store) RequestSweep(ctx context.Context) error {
	return s.update(ctx, "request a sweep", func(ctx context.Context, tx *tx) error { return tx.exec(ctx, `UPDATE repo SET swept_at = 0`) })
}

// Sweep compares what the PDS said with what the index holds: a status that
// differs is taken over, a newer rev asks for a resync. The PDS's word is not
// signed, so it only ever hides, shows, or makes us look. missed reports that
// the stream had not told.
//
// A deleted account stays deleted: an answer that is a moment old would raise it
// from the dead. When
// another sweep was requested since the PDS was asked, the repository stays due.
func (s *Store) Sweep(ctx context.Context, due DueSweep, w Swept) (missed bool, err error) {
	var more bool
	err = s.update(ctx, "sweep "+w.DID.String(), func(ctx context.Context, tx *tx) error {
		row, ok, err := tx.repo(ctx, w.DID)
		if err != nil || !ok {
			return err
		}
		gone := row.status == AccountDeleted
		if w.Status != row.status && !gone {
			missed = true
			if _, err := tx.applyAccount(ctx, Change{Kind: ChangeAccount, DID: w.DID, Status: w.Status}, row); err != nil {
				return err
			}
		} else if w.Status == AccountActive && row.state == RepoSynchronized && w.Rev > row.rev {
			missed = true
			if err := tx.desynchronize(ctx, w.DID, ""); err != nil {
				return err
			}
		}
		if err := tx.exec(ctx, `UPDATE repo SET swept_at = $1 WHERE did = $2 AND swept_at = $3`,
			millis(tx.now), w.DID, due.sweptAt); err != nil {
			return err
		}
		more, err = tx.derive(ctx)
		return err
	})
	for more && err == nil {
		more, err = s.DeriveStale(ctx)
	}
	return missed, err
}

// SweepFailed puts a repository off whose PDS could not be asked.
func (s *Store) SweepFailed(ctx context.Context, did syntax.DID, sweptAt time.Time) error {
	return s.update(ctx, "put a sweep off", func(ctx context.Context, tx *tx) error {
		return tx.exec(ctx, `UPDATE repo SET swept_at = $1 WHERE did = $2`, millis(sweptAt), did)
	})
}
