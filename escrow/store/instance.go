package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// modeOf reads the mode that the database was made in; none when it is new.
func modeOf(ctx context.Context, q sqlite.Querier) (mode payments.Mode, made bool, err error) {
	var tables int
	if err := q.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'instance'`).Scan(&tables); err != nil {
		return "", false, fmt.Errorf("store: look for the instance: %w", err)
	}
	if tables == 0 {
		return "", false, nil
	}
	err = q.QueryRowContext(ctx, `SELECT mode FROM instance`).Scan(&mode)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("store: read the mode: %w", err)
	}
	return mode, true, nil
}

// takeOver makes this process the one that writes, and remembers its epoch.
func (s *Store) takeOver(ctx context.Context) error {
	err := s.writer.QueryRowContext(ctx, `
		INSERT INTO instance (id, mode, epoch, created_at) VALUES (1, $1, 1, $2)
		ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1
		RETURNING epoch`, s.mode, s.now().UnixMilli()).Scan(&s.epoch)
	if err != nil {
		return fmt.Errorf("store: take over the database: %w", err)
	}
	return nil
}

// stillOurs is asked in each transaction: the lock may have been circumvented.
func (s *Store) stillOurs(ctx context.Context) error {
	var epoch int64
	if err := s.writer.QueryRowContext(ctx, `SELECT epoch FROM instance`).Scan(&epoch); err != nil {
		return fmt.Errorf("store: read the epoch: %w", err)
	}
	if epoch != s.epoch {
		return ErrSuperseded
	}
	return nil
}
