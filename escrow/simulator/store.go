package simulator

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver
)

//go:embed schema.sql
var schema string

const schemaVersion = 1

// store is the file with all state: one connection, one transaction at a time, durable
// at its commit. The lock on the file is exclusive, so that two simulators cannot share
// one and SQLite frees it however the process ends.
type store struct {
	db *sql.DB
	mu sync.Mutex // transactions take their turn here, not in SQLite's busy loop
}

func openStore(ctx context.Context, path string) (*store, error) {
	options := url.Values{
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_locking_mode": {"EXCLUSIVE"},
		"_foreign_keys": {"on"}, "_txlock": {"immediate"}, "_busy_timeout": {"2000"},
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("simulator: open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	s := &store{db: db}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("simulator: open %s: %w", path, err), db.Close())
	}
	return s, nil
}

func (s *store) prepare(ctx context.Context) error {
	var version int
	if err := s.db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	switch version {
	case 0:
		return s.transact(ctx, func(t *sql.Tx) error {
			_, err := t.ExecContext(ctx, schema)
			return err
		})
	case schemaVersion:
		return nil
	}
	return fmt.Errorf("its schema is version %d, this simulator's is %d: begin with a new file", version, schemaVersion)
}

// transact runs f in a transaction that is durable when transact returns nil.
func (s *store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("simulator: begin: %w", err)
	}
	if err := f(t); err != nil {
		if undo := t.Rollback(); undo != nil {
			return errors.Join(err, fmt.Errorf("simulator: roll back: %w", undo))
		}
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("simulator: commit: %w", err)
	}
	return nil
}

func (s *store) Close() error { return s.db.Close() }

// tx is one transaction: the database, the moment it happens at, and who caused it.
type tx struct {
	*sql.Tx
	ctx    context.Context
	server *Server
	now    time.Time
	cause  cause
}

// cause is the request that events name; empty when time or the control API caused them.
type cause struct {
	request string
	key     string
}

// setting reads a named value into v; found is false when it was never set.
func (t *tx) setting(name string, v any) (found bool, err error) {
	var raw string
	err = t.QueryRowContext(t.ctx, `SELECT value FROM setting WHERE name = ?`, name).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(raw), v)
	}
	if err != nil {
		return false, fmt.Errorf("simulator: read setting %s: %w", name, err)
	}
	return true, nil
}

func (t *tx) set(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("simulator: set %s: %w", name, err)
	}
	return t.exec("set "+name, `INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, string(raw))
}

// exec runs a statement; act says what it does, for the error.
func (t *tx) exec(act, statement string, args ...any) error {
	if _, err := t.ExecContext(t.ctx, statement, args...); err != nil {
		return fmt.Errorf("simulator: %s: %w", act, err)
	}
	return nil
}
