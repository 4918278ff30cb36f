package session

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// store is the database of sessions. This process is the only one that uses it.
type store struct {
	db   *sql.DB
	lock io.Closer
	now  func() time.Time

	closeOnce sync.Once
	closeErr  error
}

// signIn is one under way: what the callback needs.
type signIn struct {
	Browser   hash
	Handle    syntax.Handle
	ClientKey string
	ReturnTo  string
	Request   oauth.AuthRequestData
	ExpiresAt time.Time
}

// session is somebody signed in.
type session struct {
	ID        hash
	DID       syntax.DID
	Handle    syntax.Handle
	ClientKey string
	Tokens    oauth.ClientSessionData
	ExpiresAt time.Time
}

// openStore opens the database, which only this account of the machine may read, and
// brings it up to date.
func openStore(ctx context.Context, path string, now func() time.Time) (*store, error) {
	lock, err := sqlite.Lock(path)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	s := &store{lock: lock, now: now}
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *store) open(ctx context.Context, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // SQLite gives its other files the same mode
	if err != nil {
		return fmt.Errorf("session: make the database: %w", err)
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil {
		return fmt.Errorf("session: close the database to others: %w", err)
	}
	if s.db, err = sqlite.Open(path, url.Values{"_txlock": {"immediate"}, "_secure_delete": {"on"}}); err != nil {
		return err
	}
	return sqlite.Migrate(ctx, s.db, migrations, "migrations")
}

// Close closes the database. It may be called twice.
func (s *store) Close() error {
	s.closeOnce.Do(func() {
		if s.db != nil {
			s.closeErr = s.db.Close()
		}
		s.closeErr = errors.Join(s.closeErr, s.lock.Close())
	})
	return s.closeErr
}

// begin remembers a sign-in, and forgets what is over.
func (s *store) begin(ctx context.Context, in signIn) error {
	request, err := json.Marshal(in.Request)
	if err != nil {
		return fmt.Errorf("session: encode a sign-in: %w", err)
	}
	return s.update(ctx, "begin a sign-in", func(tx *sql.Tx) error {
		if err := forgetOver(ctx, tx, s.now()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO sign_in (state, browser, handle, client_key, return_to, request, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			in.Request.State, in.Browser[:], in.Handle, in.ClientKey, in.ReturnTo, string(request), in.ExpiresAt.UnixMilli())
		return err
	})
}

// take hands out the sign-in that this browser began, once. It returns errUnknown for
// any other.
func (s *store) take(ctx context.Context, state string, browser hash) (signIn, error) {
	in, request, expires := signIn{Browser: browser}, "", int64(0)
	err := s.db.QueryRowContext(ctx, `
		DELETE FROM sign_in WHERE state = $1 AND browser = $2 AND expires_at > $3
		RETURNING handle, client_key, return_to, request, expires_at`,
		state, browser[:], s.now().UnixMilli()).Scan(&in.Handle, &in.ClientKey, &in.ReturnTo, &request, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return signIn{}, errUnknown
	}
	if err != nil {
		return signIn{}, fmt.Errorf("session: take a sign-in: %w", err)
	}
	if err := json.Unmarshal([]byte(request), &in.Request); err != nil {
		return signIn{}, fmt.Errorf("session: read a sign-in: %w", err)
	}
	in.ExpiresAt = time.UnixMilli(expires).UTC()
	return in, nil
}

// add remembers who has signed in.
func (s *store) add(ctx context.Context, in session) error {
	tokens, err := json.Marshal(in.Tokens)
	if err != nil {
		return fmt.Errorf("session: encode a session: %w", err)
	}
	return s.update(ctx, "add a session", func(tx *sql.Tx) error {
		now := s.now()
		if err := forgetOver(ctx, tx, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO session (id, did, handle, client_key, tokens, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			in.ID[:], in.DID, in.Handle, in.ClientKey, string(tokens), now.UnixMilli(), in.ExpiresAt.UnixMilli())
		return err
	})
}

// get returns a session that is not over, or errUnknown.
func (s *store) get(ctx context.Context, id hash) (session, error) {
	out, tokens, expires := session{ID: id}, "", int64(0)
	err := s.db.QueryRowContext(ctx, `
		SELECT did, handle, client_key, tokens, expires_at FROM session WHERE id = $1 AND expires_at > $2`,
		id[:], s.now().UnixMilli()).Scan(&out.DID, &out.Handle, &out.ClientKey, &tokens, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return session{}, errUnknown
	}
	if err != nil {
		return session{}, fmt.Errorf("session: look for a session: %w", err)
	}
	if err := json.Unmarshal([]byte(tokens), &out.Tokens); err != nil {
		return session{}, fmt.Errorf("session: read a session: %w", err)
	}
	out.ExpiresAt = time.UnixMilli(expires).UTC()
	return out, nil
}

// renew keeps the tokens that replace a session's. One that has ended stays so.
func (s *store) renew(ctx context.Context, id hash, data *oauth.ClientSessionData) error {
	tokens, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("session: encode a session: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `UPDATE session SET tokens = $1 WHERE id = $2`, string(tokens), id[:]); err != nil {
		return fmt.Errorf("session: renew a session: %w", err)
	}
	return nil
}

// end forgets a session.
func (s *store) end(ctx context.Context, id hash) error {
	if _, err := s.db.ExecContext(ctx, `DELETE FROM session WHERE id = $1`, id[:]); err != nil {
		return fmt.Errorf("session: end a session: %w", err)
	}
	return nil
}

// forgetOver removes what nobody can use any more.
func forgetOver(ctx context.Context, tx *sql.Tx, now time.Time) error {
	for _, statement := range []string{
		`DELETE FROM sign_in WHERE expires_at <= $1`,
		`DELETE FROM session WHERE expires_at <= $1`,
		`DELETE FROM promise WHERE expires_at <= $1`,
	} {
		if _, err := tx.ExecContext(ctx, statement, now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// update runs fn in a transaction.
func (s *store) update(ctx context.Context, act string, fn func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("session: %s: %w", act, err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(fmt.Errorf("session: %s: %w", act, err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("session: %s: %w", act, err)
	}
	return nil
}
