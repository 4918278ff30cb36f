package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// AccountStatus says whether an account's records are shown.
type AccountStatus string

// The statuses of an account. All but the first hide its records; deleted ones
// are purged.
const (
	AccountActive      AccountStatus = "active"
	AccountDeactivated AccountStatus = "deactivated"
	AccountSuspended   AccountStatus = "suspended"
	AccountTakendown   AccountStatus = "takendown"
	AccountDeleted     AccountStatus = "deleted"
)

// AccountStatuses lists all statuses.
func AccountStatuses() []AccountStatus {
	return []AccountStatus{AccountActive, AccountDeactivated, AccountSuspended, AccountTakendown, AccountDeleted}
}

// RepoState says whether the index follows a repository commit by commit.
type RepoState string

// The states of a repository. A desynchronized one waits for a resync; its live
// commits are not applied, since the resync brings them.
const (
	RepoDesynchronized RepoState = "desynchronized"
	RepoSynchronized   RepoState = "synchronized"
)

// RepoStates lists all states.
func RepoStates() []RepoState { return []RepoState{RepoDesynchronized, RepoSynchronized} }

// repoRow is what applying a change needs to know of a repository.
type repoRow struct {
	status  AccountStatus
	state   RepoState
	rev     syntax.TID
	data    string
	seenRev syntax.TID
	wanted  int64
	// attempts counts the resyncs since the last one that ended well.
	attempts     int
	sweepsWanted int64
	// toldDeleted: the stream said so, and the PDS did not confirm it yet.
	toldDeleted bool
}

func (tx *tx) repo(ctx context.Context, did syntax.DID) (row repoRow, ok bool, err error) {
	var rev, data, seen sql.NullString
	err = tx.QueryRowContext(ctx, `
		SELECT status, state, rev, data, seen_rev, wanted, attempts, sweeps_wanted, told_deleted FROM repo WHERE did = $1`, did).
		Scan(&row.status, &row.state, &rev, &data, &seen, &row.wanted, &row.attempts, &row.sweepsWanted, &row.toldDeleted)
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	if err != nil {
		return row, false, fmt.Errorf("read the repo %s: %w", did, err)
	}
	if !slices.Contains(AccountStatuses(), row.status) || !slices.Contains(RepoStates(), row.state) {
		return row, false, fmt.Errorf("the repo %s is in an unknown state: %s, %s", did, row.status, row.state)
	}
	row.rev, row.data, row.seenRev = syntax.TID(rev.String), data.String, syntax.TID(seen.String)
	return row, true, nil
}

// track begins to follow a repository; its whole content comes by a resync.
func (tx *tx) track(ctx context.Context, did syntax.DID, seen syntax.TID) error {
	if err := tx.mention(ctx, did.String()); err != nil {
		return err
	}
	return tx.exec(ctx, `
		INSERT INTO repo (did, status, state, seen_rev, wanted, swept_at) VALUES ($1, $2, $3, nullif($4, ''), 1, $5)`,
		did, AccountActive, RepoDesynchronized, seen, millis(tx.now))
}

// desynchronize asks for a resync that reaches at least seen; an empty seen is
// a reason without a proven rev.
func (tx *tx) desynchronize(ctx context.Context, did syntax.DID, seen syntax.TID) error {
	return tx.exec(ctx, `
		UPDATE repo SET state = $1, wanted = wanted + 1, retry_at = $2, attempts = 0,
		                seen_rev = nullif(max(coalesce(seen_rev, ''), $3), '')
		WHERE did = $4`,
		RepoDesynchronized, millis(tx.now), seen, did)
}

// desynchronizeAll asks for a resync of everything.
func (tx *tx) desynchronizeAll(ctx context.Context) error {
	return tx.exec(ctx, `UPDATE repo SET state = $1, wanted = wanted + 1, retry_at = $2 WHERE status <> $3`,
		RepoDesynchronized, millis(tx.now), AccountDeleted)
}

func (tx *tx) setStatus(ctx context.Context, did syntax.DID, status AccountStatus) error {
	return tx.exec(ctx, `UPDATE repo SET status = $1 WHERE did = $2`, status, did)
}

// purge deletes all records of an account. The row of the repository stays,
// with its rev.
func (tx *tx) purge(ctx context.Context, did syntax.DID) error {
	return tx.removeOthers(ctx, did, nil)
}

// removeOthers deletes the account's records whose uri is not in keep.
func (tx *tx) removeOthers(ctx context.Context, did syntax.DID, keep map[syntax.ATURI]bool) error {
	type key struct {
		id         int64
		uri        syntax.ATURI
		collection syntax.NSID
	}
	have, err := collect(ctx, tx, `SELECT id, uri, collection FROM record WHERE did = $1`,
		func(rows *sql.Rows) (k key, err error) {
			err = rows.Scan(&k.id, &k.uri, &k.collection)
			return k, err
		}, did)
	if err != nil {
		return fmt.Errorf("list the records of %s: %w", did, err)
	}
	for _, k := range have {
		if keep[k.uri] {
			continue
		}
		if err := tx.remove(ctx, k.id, k.uri, k.collection); err != nil {
			return err
		}
	}
	return nil
}

// Tracked lists the accounts whose repositories are followed.
func (s *Store) Tracked(ctx context.Context) ([]syntax.DID, error) {
	dids, err := collect(ctx, s.read, `SELECT did FROM repo`, scanDID)
	if err != nil {
		return nil, fmt.Errorf("store: list tracked repos: %w", err)
	}
	return dids, nil
}

// Resync is a repository that waits to be fetched whole.
type Resync struct {
	DID      syntax.DID
	Wanted   int64 // goes back to ReplaceRepo
	Attempts int
}

// DueResyncs lists repositories to fetch now, the longest waiting first, and
// when the next one is due after them (zero: none waits).
func (s *Store) DueResyncs(ctx context.Context, limit int) ([]Resync, time.Time, error) {
	var due []Resync
	var next sql.NullInt64
	// One snapshot and one now: what waits is either due or next.
	err := s.Read(ctx, func(r *Reader) (err error) {
		due, err = collect(ctx, r.tx, `
			SELECT did, wanted, attempts FROM repo
			WHERE state = 'desynchronized' AND status = 'active' AND retry_at <= $1
			ORDER BY retry_at LIMIT $2`,
			func(rows *sql.Rows) (r Resync, err error) {
				err = rows.Scan(&r.DID, &r.Wanted, &r.Attempts)
				return r, err
			}, millis(r.now), limit)
		if err != nil {
			return fmt.Errorf("store: list due resyncs: %w", err)
		}
		err = r.tx.QueryRowContext(ctx, `
			SELECT min(retry_at) FROM repo
			WHERE state = 'desynchronized' AND status = 'active' AND retry_at > $1`, millis(r.now)).Scan(&next)
		if err != nil {
			return fmt.Errorf("store: find the next resync: %w", err)
		}
		return nil
	})
	if err != nil || !next.Valid {
		return due, time.Time{}, err
	}
	return due, fromMillis(next.Int64), nil
}

// Replacement is the whole content of a repository at one rev, as proven.
type Replacement struct {
	DID     syntax.DID
	Rev     syntax.TID
	Data    string
	Records []Record
	// Wanted is the claimed [Resync]'s. When more reasons came since, or a
	// newer rev was seen, the repository stays desynchronized and is fetched
	// again.
	Wanted int64
}

// ReplaceRepo makes the index hold exactly the records of the replacement: what
// it lacks is deleted, what is there already stays as it is. [ErrStale] is
// returned for a rev older than the one the index holds.
func (s *Store) ReplaceRepo(ctx context.Context, r Replacement) (synchronized, moreStale bool, err error) {
	err = s.update(ctx, "replace the records of "+r.DID.String(), func(ctx context.Context, tx *tx) error {
		row, ok, err := tx.repo(ctx, r.DID)
		if err != nil {
			return err
		}
		if !ok || row.status == AccountDeleted {
			return nil
		}
		if r.Rev < row.rev {
			return fmt.Errorf("%w: %s is at %s, the snapshot at %s", ErrStale, r.DID, row.rev, r.Rev)
		}
		keep := make(map[syntax.ATURI]bool, len(r.Records))
		for _, rec := range r.Records {
			keep[rec.URI()] = true
			if err := tx.put(ctx, rec); err != nil {
				return err
			}
		}
		if err := tx.removeOthers(ctx, r.DID, keep); err != nil {
			return err
		}
		state, attempts := RepoDesynchronized, row.attempts+1
		if synchronized = r.Wanted == row.wanted && r.Rev >= row.seenRev; synchronized {
			state, attempts = RepoSynchronized, 0
		}
		err = tx.exec(ctx, `
			UPDATE repo SET rev = $1, data = $2, state = $3, attempts = $4, error = NULL, retry_at = $5, fetched_at = $6
			WHERE did = $7`,
			r.Rev, r.Data, state, attempts, millis(tx.now.Add(resyncPause(attempts))), millis(tx.now), r.DID)
		if err != nil {
			return err
		}
		moreStale, err = tx.derive(ctx)
		return err
	})
	return synchronized, moreStale, err
}

// resyncPause is the pause before a repository that moved on during its resync
// is fetched again. It doubles with each attempt, up to about two hours: the
// PDS may never get to where its own stream said it was.
func resyncPause(attempts int) time.Duration {
	const first, doublings = 100 * time.Millisecond, 16
	return first << min(attempts, doublings)
}

// ResyncFailed notes why a resync failed and when to try again.
func (s *Store) ResyncFailed(ctx context.Context, did syntax.DID, reason error, retryAt time.Time) error {
	return s.update(ctx, "note a failed resync", func(ctx context.Context, tx *tx) error {
		return tx.exec(ctx, `UPDATE repo SET attempts = attempts + 1, error = $1, retry_at = $2 WHERE did = $3`,
			reason.Error(), millis(retryAt), did)
	})
}

// RequestResync marks a repository for a resync, tracking it when it is new.
func (s *Store) RequestResync(ctx context.Context, did syntax.DID) error {
	return s.update(ctx, "request a resync", func(ctx context.Context, tx *tx) error {
		_, ok, err := tx.repo(ctx, did)
		if err != nil {
			return err
		}
		if !ok {
			return tx.track(ctx, did, "")
		}
		return tx.desynchronize(ctx, did, "")
	})
}

// SetAccountStatus stores what an account's own PDS says of it, by the rules of
// [Store.Sweep]; but the question may be older than what the stream told since,
// so that the repository becomes due for a sweep.
func (s *Store) SetAccountStatus(ctx context.Context, did syntax.DID, status AccountStatus) error {
	var more bool
	err := s.update(ctx, "set the status of an account", func(ctx context.Context, tx *tx) error {
		row, ok, err := tx.repo(ctx, did)
		if err != nil || !ok {
			return err
		}
		if _, err := tx.believePDS(ctx, did, status, row); err != nil {
			return err
		}
		if err := tx.confirm(ctx, did); err != nil {
			return err
		}
		more, err = tx.derive(ctx)
		return err
	})
	for more && err == nil {
		more, err = s.DeriveStale(ctx)
	}
	return err
}

// Backlog is how much is left to fetch, and how fast it goes.
type Backlog struct {
	Waiting int64 `json:"waiting"` // repositories to fetch whole
	Failing int64 `json:"failing"` // those of them that failed at least once
	// PerMinute is how many were fetched in the last minute.
	PerMinute int64 `json:"perMinute"`
}

// ETA is when nothing is left if it goes on like this; ok is false when it does
// not go on.
func (b Backlog) ETA() (d time.Duration, ok bool) {
	if b.PerMinute == 0 {
		return 0, false
	}
	return time.Duration(float64(b.Waiting) / float64(b.PerMinute) * float64(time.Minute)).Round(time.Second), true
}

// Backlog counts the repositories that wait for a resync.
func (s *Store) Backlog(ctx context.Context) (b Backlog, err error) {
	err = s.read.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM repo WHERE state = 'desynchronized' AND status = 'active'),
		       (SELECT count(*) FROM repo WHERE state = 'desynchronized' AND status = 'active' AND attempts > 0),
		       (SELECT count(*) FROM repo WHERE fetched_at > $1)`, millis(s.now().Add(-time.Minute))).
		Scan(&b.Waiting, &b.Failing, &b.PerMinute)
	if err != nil {
		return b, fmt.Errorf("store: count the backlog: %w", err)
	}
	return b, nil
}
