package store

import (
	"context"
	"fmt"
)

// Cursor is the last sequence number of the upstream that the index holds; 0
// when it has seen none.
func (s *Store) Cursor(ctx context.Context, upstream string) (int64, error) {
	var seq int64
	err := s.read.QueryRowContext(ctx, `SELECT coalesce((SELECT seq FROM cursor WHERE upstream = $1), 0)`, upstream).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("store: read the cursor of %s: %w", upstream, err)
	}
	return seq, nil
}

// RestartCursor forgets the cursor of an upstream whose sequence is not the one
// we followed, and marks every repository for a resync, since what happened in
// between cannot be known from the stream.
func (s *Store) RestartCursor(ctx context.Context, upstream string) error {
	return s.update(ctx, "restart the cursor of "+upstream, func(tx *tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM cursor WHERE upstream = $1`, upstream); err != nil {
			return err
		}
		return tx.desynchronizeAll(ctx)
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
