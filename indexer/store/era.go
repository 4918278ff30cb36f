package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// eraLasts bounds an era, and with it how much older than the question the
// moment may be that an answer is for.
const eraLasts = 10 * time.Minute

// Instant is a state of the index at a moment.
type Instant struct {
	version uint64
	now     time.Time
}

// settled reports whether the version is a state of the index, and not a
// transaction that is committing just then.
func (i Instant) settled() bool { return i.version%2 == 0 }

// Era is a stretch of time in which the index answers every question alike:
// nothing is written, and no moment passes at which the clock changes anything.
// The zero Era has no time in it.
type Era struct {
	version     uint64
	from, until time.Time
}

// versions counts the states of the index. An odd one is a transaction that is
// about to commit: readers may see what was before it or what comes after.
type versions struct {
	current atomic.Uint64
	era     atomic.Pointer[Era] // the last one found
}

// committing is called before a commit; the function that it returns, after it,
// whatever came of it.
func (v *versions) committing() (done func()) {
	v.current.Add(1)
	return func() { v.current.Add(1) }
}

// Instant is taken before a question is asked; see [Store.EraSince].
func (s *Store) Instant() Instant { return Instant{s.versions.current.Load(), s.now()} }

// EraSince returns the era from the instant on: what was answered after it is
// what would be answered at any moment of the era. ok is false when something has
// been written since, or is being written.
//
// Only what this process writes ends an era. Other processes write nothing that a
// question is about while one holds the [Lock].
func (s *Store) EraSince(ctx context.Context, i Instant) (e Era, ok bool, err error) {
	unchanged := func() bool { return i.settled() && s.versions.current.Load() == i.version }
	if !unchanged() {
		return Era{}, false, nil
	}
	if e := s.versions.era.Load(); e != nil && e.has(i) {
		return *e, true, nil
	}
	until, err := s.nextMoment(ctx, i.now)
	if err != nil || !unchanged() {
		return Era{}, false, err
	}
	if e = (Era{i.version, i.now, until}); !e.has(i) {
		return Era{}, false, nil
	}
	s.versions.era.Store(&e)
	return e, true, nil
}

// During reports whether the era lasts.
func (s *Store) During(e Era) bool { return e.has(s.Instant()) }

func (e Era) has(i Instant) bool {
	return e.version == i.version && !i.now.Before(e.from) && i.now.Before(e.until)
}

// nextMoment is until when the clock changes nothing. What is not derived yet
// has not noted its moments.
func (s *Store) nextMoment(ctx context.Context, now time.Time) (time.Time, error) {
	until := now.Add(eraLasts)
	var ms int64
	err := s.Read(ctx, func(r *Reader) error {
		return r.tx.QueryRowContext(ctx, `
			SELECT CASE WHEN EXISTS (SELECT 1 FROM dirty_proposal) OR EXISTS (SELECT 1 FROM dirty_standing)
			          OR EXISTS (SELECT 1 FROM dirty_estimate) THEN $1
			ELSE coalesce((SELECT min(at) FROM moment WHERE at > $1), $2) END`,
			millis(now), millis(until)).Scan(&ms)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("store: find the next moment: %w", err)
	}
	if next := fromMillis(ms); next.Before(until) {
		return next, nil
	}
	return until, nil
}

// noteMoments remembers that the clock will change something then, and forgets
// what has passed.
func (tx *tx) noteMoments(ctx context.Context, moments ...time.Time) error {
	ahead := make([]int64, 0, len(moments))
	for _, t := range moments {
		if t.After(tx.now) {
			ahead = append(ahead, millis(t))
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	if err := tx.exec(ctx, `DELETE FROM moment WHERE at <= $1`, millis(tx.now)); err != nil {
		return fmt.Errorf("forget the moments that passed: %w", err)
	}
	err := tx.exec(ctx, `INSERT INTO moment (at) SELECT value FROM json_each($1) WHERE true ON CONFLICT DO NOTHING`, jsonList(ahead))
	if err != nil {
		return fmt.Errorf("note what the clock will change: %w", err)
	}
	return nil
}

// noteExistence is noteMoments for a record that is dated ahead.
func (tx *tx) noteExistence(ctx context.Context, created time.Time) error {
	return tx.noteMoments(ctx, created.Add(-lifecycle.FutureTolerance))
}

// writesNothing runs fn and reports whether it left all rows, and what is to be derived,
// as they were.
func (tx *tx) writesNothing(ctx context.Context, fn func() error) (bool, error) {
	before, err := tx.written(ctx)
	if err != nil {
		return false, err
	}
	if err := fn(); err != nil {
		return false, err
	}
	after, err := tx.written(ctx)
	return after == before && len(tx.stale) == 0, err
}

// written counts the rows that the connection has written so far.
func (tx *tx) written(ctx context.Context) (n int64, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT total_changes()`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows written: %w", err)
	}
	return n, nil
}
