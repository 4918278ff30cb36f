package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is how many snapshots can be read at the same time.
const readers = 8

// checkpointPages is how many pages of 4 KiB the log collects before they are
// copied into the database. Pages at the end of a table change with each entry,
// and are copied once.
const checkpointPages = 4000

// Config says where the database is and what kind of money it is about.
type Config struct {
	// Path of the database file; it and its folder are made when missing.
	Path string
	// Mode is pinned when the file is made.
	Mode payments.Mode
}

// Options are what a process, or a test, brings along.
type Options struct {
	// Clock is read once per transaction.
	Clock func() time.Time
	// Crash is told of the moments before and after each commit. Nil in
	// production.
	Crash crashpoint.Hook
}

// Store is the open database.
type Store struct {
	path    string
	mode    payments.Mode
	epoch   int64
	lock    *os.File
	write   *sql.DB
	writer  *sqlite.Conn // the only connection that writes
	readers *sqlite.Readers
	now     func() time.Time
	crash   crashpoint.Hook
	group   group

	closeOnce sync.Once
	closeErr  error
}

// Open opens the database for writing, migrates it, and makes this process the one
// that writes. It returns sqlite.ErrLocked while another one runs, and a
// *ModeError for a database of another mode.
func Open(ctx context.Context, cfg Config, opts Options) (*Store, error) {
	if _, err := payments.ParseMode(string(cfg.Mode)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o700); err != nil {
		return nil, fmt.Errorf("store: make the folder of the database: %w", err)
	}
	lock, err := sqlite.Lock(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{path: cfg.Path, mode: cfg.Mode, lock: lock, now: opts.Clock, crash: opts.Crash, group: newGroup()}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if err := ownLog(s.path); err != nil {
		return err
	}
	if err := s.noteRestored(ctx); err != nil {
		return err
	}
	if s.write, err = sqlite.Open(s.path, url.Values{"_txlock": {"immediate"}, "_synchronous": {"full"}, "_recursive_triggers": {"on"}}); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	// Before anything is changed in a database that is not ours.
	switch mode, made, err := modeOf(ctx, s.write); {
	case err != nil:
		return fmt.Errorf("store: %s is no escrow's database: %w", s.path, err)
	case made && mode != s.mode:
		return &ModeError{Path: s.path, Have: mode, Want: s.mode}
	case !made:
		if err := s.empty(ctx); err != nil {
			return err
		}
	}
	if err := sqlite.Migrate(ctx, s.write, migrations, "migrations"); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if s.writer, err = sqlite.NewConn(ctx, s.write); err != nil {
		return err
	}
	if _, err := s.writer.ExecContext(ctx, fmt.Sprintf(`PRAGMA wal_autocheckpoint = %d`, checkpointPages)); err != nil {
		return fmt.Errorf("store: set the length of the log: %w", err)
	}
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	s.readers, err = sqlite.OpenReaders(ctx, s.path, readers)
	return err
}

// isBackup tells whether a file is a backup that nobody wrote to yet: it has no log, and says
// so in its header until it is opened for writing.
func isBackup(path string) (bool, error) {
	const kept, rollback = 18, 1 // where the header says how the file is kept; by a log is 2
	header := make([]byte, kept+1)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	_, readErr := io.ReadFull(f, header)
	if err := f.Close(); err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	return readErr == nil && header[kept] == rollback, nil // what is wrong with it otherwise, SQLite says
}

// ownLog returns an error for a backup that was copied over another database whose process
// was killed: the log of that one lies beside it still, and SQLite would write it into the
// backup.
func ownLog(path string) error {
	backup, err := isBackup(path)
	if err != nil || !backup {
		return err
	}
	if log, err := os.Stat(path + "-wal"); err != nil || log.Size() == 0 {
		return nil
	}
	return fmt.Errorf("store: %s is a backup, and beside it lies the log of the database in whose place it was put: remove %s-wal and %s-shm", path, path, path)
}

// empty returns an error for a database that has tables, of which none is an escrow's: the
// index, or that of an AppView. One whose first migration was interrupted has only the
// list of migrations.
func (s *Store) empty(ctx context.Context) error {
	var tables int
	err := s.write.QueryRowContext(ctx, `
		SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'goose_db_version' AND name <> 'instance'`).Scan(&tables)
	if err == nil && tables > 0 {
		err = fmt.Errorf("it has %d tables of something else", tables)
	}
	if err != nil {
		return fmt.Errorf("store: %s is no escrow's database: %w", s.path, err)
	}
	return nil
}

// OpenReadOnly opens a database that exists, also while the escrow writes to it.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("store: there is no database to read: %w", err)
	}
	if err := ownLog(path); err != nil {
		return nil, err
	}
	s := &Store{path: path, group: newGroup()}
	var err error
	if s.readers, err = sqlite.OpenReaders(ctx, path, readers); err != nil {
		return nil, err
	}
	mode, made, err := modeOf(ctx, s.readers.DB)
	if err == nil && !made {
		err = fmt.Errorf("store: %s is no escrow's database", path)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.mode = mode
	return s, nil
}

// Mode is what kind of money the database is about.
func (s *Store) Mode() payments.Mode { return s.mode }

// Read runs fn on a snapshot: all that it reads belongs together.
func (s *Store) Read(ctx context.Context, fn func(ctx context.Context, q sqlite.Querier) error) error {
	return s.readers.Snapshot(ctx, func(c sqlite.Steady) error { return fn(ctx, c) })
}

// Backup writes a copy of the database, as it is at one moment, to a file that must
// not exist. Writers go on meanwhile.
func (s *Store) Backup(ctx context.Context, file string) error {
	return sqlite.Backup(ctx, s.path, file)
}

// Close closes the database and lets go of its lock. It may be called twice, and
// not while the store is in use.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		var errs []error
		if s.readers != nil {
			errs = append(errs, s.readers.Close())
		}
		if s.writer != nil {
			errs = append(errs, s.writer.Close())
		}
		if s.write != nil {
			errs = append(errs, s.write.Close())
		}
		if s.lock != nil {
			errs = append(errs, s.lock.Close())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}
