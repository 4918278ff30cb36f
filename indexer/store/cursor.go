package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Cursor is the last sequence number of the upstream that the index holds;
// known is false when it has never followed that upstream.
func (s *Store) Cursor(ctx context.Context, upstream string) (seq int64, known bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT seq FROM cursor WHERE upstream = $1`, upstream).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("store: read the cursor of %s: %w", upstream, err)
	}
	return seq, true, nil
}

// LostTrack is for when the stream cannot tell what happened: every repository
// becomes due for a sweep, and every source for discovery.
func (s *Store) LostTrack(ctx context.Context) error {
	return s.update(ctx, "lose track", func(ctx context.Context, tx *tx) error {
		if err := tx.exec(ctx, `UPDATE repo SET swept_at = 0, sweeps_wanted = sweeps_wanted + 1`); err != nil {
			return err
		}
		return tx.exec(ctx, `DELETE FROM discovery`)
	})
}

// ForgetCursor drops the cursor of an upstream whose sequence is not the one that
// we followed.
func (s *Store) ForgetCursor(ctx context.Context, upstream string) error {
	return s.update(ctx, "forget a cursor", func(ctx context.Context, tx *tx) error {
		return tx.exec(ctx, `DELETE FROM cursor WHERE upstream = $1`, upstream)
	})
}

func (tx *tx) saveCursor(ctx context.Context, upstream string, seq int64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO cursor (upstream, seq) VALUES ($1, $2)
		ON CONFLICT (upstream) DO UPDATE SET seq = excluded.seq`, upstream, seq)
	if err != nil {
		return fmt.Errorf("save the cursor: %w", err)
	}
	return nil
}
