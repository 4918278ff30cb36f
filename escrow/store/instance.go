package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

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

// noteRestored notes that the database was put back from a backup. Its header says so until
// it is opened with a log, so the note is on the disk before that, and whoever dies in
// between makes it again.
func (s *Store) noteRestored(ctx context.Context) (err error) {
	backup, err := isBackup(s.path)
	if err != nil || !backup {
		return err
	}
	// Extra: also that the commit's journal is gone.
	db, err := sqlite.Open(s.path, url.Values{"_journal_mode": nil, "_synchronous": {"extra"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	mode, made, err := modeOf(ctx, db)
	if err != nil {
		return fmt.Errorf("store: %s is no escrow's database: %w", s.path, err)
	}
	if !made || mode != s.mode {
		return nil // it is not ours to change, as its opening will say
	}
	if _, err := db.ExecContext(ctx, `UPDATE instance SET restored_at = $1`, s.now().UnixMilli()); err != nil {
		return fmt.Errorf("store: note that %s was restored: %w", s.path, err)
	}
	return nil
}

// RestoredAt is when the database was put back from a backup and opened, or when a person
// said that it was put back; zero for one that was not, or that has caught up since.
func RestoredAt(ctx context.Context, q sqlite.Querier) (time.Time, error) {
	var at sql.NullInt64
	if err := q.QueryRowContext(ctx, `SELECT restored_at FROM instance`).Scan(&at); err != nil {
		return time.Time{}, fmt.Errorf("store: read whether it was restored: %w", err)
	}
	if !at.Valid {
		return time.Time{}, nil
	}
	return time.UnixMilli(at.Int64).UTC(), nil
}

// NoteRestored notes that the database was put back, because a person says so: its file does
// not tell when it came back by other means than a backup of ours.
func NoteRestored(ctx context.Context, tx *Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE instance SET restored_at = $1`, tx.Now().UnixMilli()); err != nil {
		return fmt.Errorf("store: note that it was restored: %w", err)
	}
	return nil
}

// ForgetRestored notes that the database has caught up.
func ForgetRestored(ctx context.Context, tx *Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE instance SET restored_at = NULL WHERE restored_at IS NOT NULL`); err != nil {
		return fmt.Errorf("store: note that it has caught up: %w", err)
	}
	return nil
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
