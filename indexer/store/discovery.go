package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Discovery is one question to a source: which repositories hold records of a
// collection; an empty collection asks for all its repositories.
type Discovery struct {
	Source     string
	Collection syntax.NSID
	Cursor     string // of the page to ask for
	Found      int64
}

// DueDiscovery prepares the question to be asked: it goes on where it stopped,
// and begins anew when it was answered before the moment staleAt. ok is false
// when it needs no asking.
func (s *Store) DueDiscovery(ctx context.Context, source string, collection syntax.NSID, staleAt time.Time) (d Discovery, ok bool, err error) {
	d = Discovery{Source: source, Collection: collection}
	err = s.update(ctx, "prepare discovery", func(ctx context.Context, tx *tx) error {
		var done sql.NullInt64
		err := tx.QueryRowContext(ctx, `SELECT cursor, found, done_at FROM discovery WHERE source = $1 AND collection = $2`,
			source, collection).Scan(&d.Cursor, &d.Found, &done)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return fmt.Errorf("read discovery: %w", err)
		case !done.Valid:
			ok = true
			return nil
		case !fromMillis(done.Int64).Before(staleAt):
			return nil
		}
		ok, d.Cursor, d.Found = true, "", 0
		return tx.exec(ctx, `
			INSERT INTO discovery (source, collection) VALUES ($1, $2)
			ON CONFLICT (source, collection) DO UPDATE SET cursor = '', found = 0, done_at = NULL`, source, collection)
	})
	return d, ok, err
}

// Discovered tracks the repositories of a page and saves the cursor of the next
// one, in one transaction; an empty cursor is the end. It returns which of the
// repositories are new.
func (s *Store) Discovered(ctx context.Context, d Discovery, dids []syntax.DID, next string) (tracked []syntax.DID, err error) {
	err = s.update(ctx, "note discovered repositories", func(ctx context.Context, tx *tx) error {
		tracked = nil
		for _, did := range dids {
			_, known, err := tx.repo(ctx, did)
			if err != nil {
				return err
			}
			if known {
				continue
			}
			if err := tx.track(ctx, did, ""); err != nil {
				return err
			}
			tracked = append(tracked, did)
		}
		var done sql.NullInt64
		if next == "" {
			done = sql.NullInt64{Int64: millis(tx.now), Valid: true}
		}
		return tx.exec(ctx, `
			UPDATE discovery SET cursor = $1, found = found + $2, done_at = $3 WHERE source = $4 AND collection = $5`,
			next, len(dids), done, d.Source, d.Collection)
	})
	return tracked, err
}
