package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// DueHandles lists accounts whose handle is to be looked up again, and when the
// next one is due after them (zero: none waits).
func (s *Store) DueHandles(ctx context.Context, limit int) ([]syntax.DID, time.Time, error) {
	var due []syntax.DID
	var next sql.NullInt64
	err := s.Read(ctx, func(r *Reader) (err error) {
		due, err = collect(ctx, r.tx, `
			SELECT did FROM actor WHERE due_at <= $1 ORDER BY due_at LIMIT $2`,
			scanDID, millis(r.now), limit)
		if err != nil {
			return fmt.Errorf("store: list due handles: %w", err)
		}
		err = r.tx.QueryRowContext(ctx, `SELECT min(due_at) FROM actor WHERE due_at > $1`, millis(r.now)).Scan(&next)
		if err != nil {
			return fmt.Errorf("store: find the next handle: %w", err)
		}
		return nil
	})
	if err != nil || !next.Valid {
		return due, time.Time{}, err
	}
	return due, fromMillis(next.Int64), nil
}

// SetHandle stores what the look-up found, [syntax.HandleInvalid] included, and
// when to look again. A handle belongs to one account: whoever had it before is
// due at once.
func (s *Store) SetHandle(ctx context.Context, did syntax.DID, handle syntax.Handle, dueAt time.Time) error {
	handle = handle.Normalize()
	return s.update(ctx, "set a handle", func(ctx context.Context, tx *tx) error {
		var err error
		tx.unseen, err = tx.writesNothing(ctx, func() error { // most accounts keep theirs
			if handle != syntax.HandleInvalid {
				err := tx.exec(ctx, `UPDATE actor SET handle = $1, due_at = 0 WHERE handle = $2 AND did <> $3`,
					syntax.HandleInvalid, handle, did)
				if err != nil {
					return err
				}
			}
			return tx.exec(ctx, `UPDATE actor SET handle = $1 WHERE did = $2 AND handle IS NOT $3`, handle, did, handle)
		})
		if err != nil {
			return err
		}
		return tx.exec(ctx, `UPDATE actor SET due_at = $1 WHERE did = $2`, millis(dueAt), did)
	})
}

// HandleUnavailable keeps the handle as it is and sets when to look again.
func (s *Store) HandleUnavailable(ctx context.Context, did syntax.DID, dueAt time.Time) error {
	return s.update(ctx, "put a handle off", func(ctx context.Context, tx *tx) error {
		tx.unseen = true
		return tx.exec(ctx, `UPDATE actor SET due_at = $1 WHERE did = $2`, millis(dueAt), did)
	})
}

// mention makes an account known whose handle a view may show.
func (tx *tx) mention(ctx context.Context, did string) error {
	return tx.exec(ctx, `INSERT INTO actor (did) VALUES ($1) ON CONFLICT DO NOTHING`, did)
}

// DIDOf returns the account that has the handle, as far as the index knows.
func (r *Reader) DIDOf(ctx context.Context, handle syntax.Handle) (syntax.DID, error) {
	var did syntax.DID
	err := r.tx.QueryRowContext(ctx, `
		SELECT did FROM actor WHERE handle = $1 AND handle <> $2`, handle.Normalize(), syntax.HandleInvalid).Scan(&did)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("store: look up the handle %s: %w", handle, err)
	}
	return did, nil
}

// DIDsOf returns the accounts that have the handles; a handle that the index knows
// of nobody is not in the map.
func (r *Reader) DIDsOf(ctx context.Context, handles []syntax.Handle) (map[syntax.Handle]syntax.DID, error) {
	out := make(map[syntax.Handle]syntax.DID, len(handles))
	normal := make([]syntax.Handle, len(handles))
	for i, h := range handles {
		normal[i] = h.Normalize()
	}
	found := make(map[syntax.Handle]syntax.DID, len(handles))
	_, err := collect(ctx, r.tx, `
		SELECT did, handle FROM actor WHERE handle IN (SELECT value FROM json_each($1)) AND handle <> $2`,
		func(rows *sql.Rows) (struct{}, error) {
			var did syntax.DID
			var handle syntax.Handle
			err := rows.Scan(&did, &handle)
			found[handle] = did
			return struct{}{}, err
		}, jsonList(normal), syntax.HandleInvalid)
	if err != nil {
		return nil, fmt.Errorf("store: look up handles: %w", err)
	}
	for i, h := range handles {
		if did, ok := found[normal[i]]; ok {
			out[h] = did
		}
	}
	return out, nil
}

// Handles returns the handles of accounts; one that the index knows no proven
// handle of is not in the map.
func (r *Reader) Handles(ctx context.Context, dids []syntax.DID) (map[syntax.DID]syntax.Handle, error) {
	type pair struct {
		did    syntax.DID
		handle syntax.Handle
	}
	pairs, err := collect(ctx, r.tx, `
		SELECT did, handle FROM actor
		WHERE did IN (SELECT value FROM json_each($1)) AND handle <> $2`,
		func(rows *sql.Rows) (p pair, err error) {
			err = rows.Scan(&p.did, &p.handle)
			return p, err
		}, jsonList(dids), syntax.HandleInvalid)
	if err != nil {
		return nil, fmt.Errorf("store: read handles: %w", err)
	}
	out := make(map[syntax.DID]syntax.Handle, len(pairs))
	for _, p := range pairs {
		out[p.did] = p.handle
	}
	return out, nil
}
