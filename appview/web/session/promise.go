package session

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// promisesKept is for how long they are: longer than money is held, and than banks take
// to hear of it.
const promisesKept = 365 * 24 * time.Hour

// Keep keeps what a service signed for an account about a record of it. The same word is
// kept once.
func (s *Sessions) Keep(ctx context.Context, of syntax.DID, about syntax.ATURI, word string) error {
	return s.store.keep(ctx, of, about, word)
}

// Kept returns what was kept for an account about a record of it, the newest first.
func (s *Sessions) Kept(ctx context.Context, of syntax.DID, about syntax.ATURI) ([]string, error) {
	return s.store.kept(ctx, of, about)
}

func (s *store) keep(ctx context.Context, of syntax.DID, about syntax.ATURI, word string) error {
	return s.update(ctx, "keep a promise", func(tx *sql.Tx) error {
		now := s.now()
		if err := forgetOver(ctx, tx, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO promise (did, about, word, made_at, expires_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (did, about, word) DO NOTHING`,
			of, about, word, now.UnixMilli(), now.Add(promisesKept).UnixMilli())
		return err
	})
}

func (s *store) kept(ctx context.Context, of syntax.DID, about syntax.ATURI) ([]string, error) {
	words, err := sqlite.Collect(ctx, s.db, `
		SELECT word FROM promise WHERE did = $1 AND about = $2 AND expires_at > $3 ORDER BY made_at DESC, word`,
		func(rows *sql.Rows) (word string, err error) { return word, rows.Scan(&word) }, of, about, s.now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("session: look for promises: %w", err)
	}
	return words, nil
}
