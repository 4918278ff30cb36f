package campaign

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Opening is an attempt whose preview should be open and is not.
type Opening struct {
	Development syntax.ATURI
	// Versions are those of development and preview that were looked at.
	Versions  string
	Obstacles []Obstacle
	Since     time.Time // when the first obstacle was seen
	SeenAt    time.Time // when they were last
	DueAt     time.Time // when to look again
}

const (
	// lookAgain is how soon what stands against an opening is looked at again, longest
	// how late: anybody may announce previews that can never open.
	lookAgain       = 5 * time.Second
	lookAgainAtMost = time.Minute
	// openingKept is how long an obstacle is remembered after it was last seen.
	openingKept = 30 * 24 * time.Hour
)

// LoadOpening reads what stands against the opening of a development, or returns
// ErrNotFound.
func LoadOpening(ctx context.Context, q sqlite.Querier, development syntax.ATURI) (Opening, error) {
	o := Opening{Development: development}
	var obstacles []byte
	var since, seenAt, dueAt int64
	err := q.QueryRowContext(ctx, `SELECT versions, obstacles, since, seen_at, due_at FROM opening WHERE development = $1`, development).
		Scan(&o.Versions, &obstacles, &since, &seenAt, &dueAt)
	if errors.Is(err, sql.ErrNoRows) {
		return o, fmt.Errorf("%w: an opening of %s", ErrNotFound, development)
	}
	if err != nil {
		return o, fmt.Errorf("campaign: read the opening of %s: %w", development, err)
	}
	o.Since, o.SeenAt, o.DueAt = moment(since), moment(seenAt), moment(dueAt)
	if err := json.Unmarshal(obstacles, &o.Obstacles); err != nil {
		return o, fmt.Errorf("campaign: decode what stands against %s: %w", development, err)
	}
	return o, nil
}

// obstructed keeps what stands against an opening, and when to look again: the later,
// the longer it has stood. What was last seen long ago is forgotten.
func obstructed(ctx context.Context, tx *store.Tx, development syntax.ATURI, versions string, against []Obstacle) error {
	text, err := json.Marshal(against)
	if err != nil {
		return fmt.Errorf("campaign: encode what stands against %s: %w", development, err)
	}
	since := tx.Now()
	switch before, err := LoadOpening(ctx, tx, development); {
	case err == nil && before.Versions == versions:
		since = before.Since
	case err != nil && !errors.Is(err, ErrNotFound):
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM opening WHERE seen_at < $1`, tx.Now().Add(-openingKept).UnixMilli()); err != nil {
		return fmt.Errorf("campaign: forget what stood against openings: %w", err)
	}
	pause := max(lookAgain, min(lookAgainAtMost, tx.Now().Sub(since)/8))
	_, err = tx.ExecContext(ctx, `
		INSERT INTO opening (development, versions, obstacles, since, seen_at, due_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (development) DO UPDATE SET versions = excluded.versions, obstacles = excluded.obstacles,
			since = excluded.since, seen_at = excluded.seen_at, due_at = excluded.due_at`,
		development, versions, string(text), since.UnixMilli(), tx.Now().UnixMilli(), tx.Now().Add(pause).UnixMilli())
	if err != nil {
		return fmt.Errorf("campaign: note what stands against %s: %w", development, err)
	}
	return nil
}

// forgetOpening drops what stood against an opening.
func forgetOpening(ctx context.Context, tx *store.Tx, development syntax.ATURI) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM opening WHERE development = $1`, development); err != nil {
		return fmt.Errorf("campaign: forget what stood against %s: %w", development, err)
	}
	return nil
}
