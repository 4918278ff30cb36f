package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/semaphore"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is how many reading connections the pool holds at most.
const readers = 8

// checkpointChanges is after how many changed rows the log is copied into the
// database, beside the writer. The same pages change again and again while many
// events come, and are copied once.
const checkpointChanges = 16_000

const (
	// longLog is from how many pages of 4 KiB on the log is to begin anew.
	longLog = 8000
	// longestLog is how many pages it collects before the writer itself, in the
	// middle of a commit, copies what is left.
	longestLog = 24_000
)

// Config says where the index is and what its operator decided.
type Config struct {
	// Path of the database file; it and its folder are made when missing.
	Path string
	// Policy decides which escrows count. A policy that differs from the one
	// that the database was derived under makes everything be derived again.
	Policy lifecycle.Policy
}

// Store is an open index.
type Store struct {
	write *sql.DB
	read  *sql.DB
	// writer is the only connection that writes, readers those of snapshots, and
	// read is for questions without one.
	writer  *sqlite.Conn
	readers *sqlite.Readers
	// versions tell readers whether what they know still holds, and touches what of it.
	versions versions
	touches  touches
	// known is what searches found out, and searching has a place for each that runs.
	known     known
	searching *semaphore.Weighted
	mu        sync.Mutex // one transaction at a time: waiting here is fair, waiting in SQLite is not
	now       func() time.Time
	policy    lifecycle.Policy
	log       *slog.Logger
	crash     crashpoint.Hook
	query     func(statement string)

	checkpoints  *sqlite.Checkpoints
	checkpointed int64 // how many rows had changed at the last one, guarded by mu

	closeOnce sync.Once
	closeErr  error
}

// Options are what a process, or a test, brings along.
type Options struct {
	Log *slog.Logger
	// Clock is read once per transaction.
	Clock func() time.Time
	// Crash is told of the moments at which a process may die. Nil in
	// production.
	Crash crashpoint.Hook
	// Query is told of each statement that a [Reader] runs, by whichever
	// goroutine runs it. Nil in production.
	Query func(statement string)
}

// Open opens the index, migrates it and queues what a changed policy or set of
// collections makes stale.
func Open(ctx context.Context, cfg Config, opts Options) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o755); err != nil {
		return nil, fmt.Errorf("store: make the folder of the database: %w", err)
	}
	write, err := sqlite.Open(cfg.Path, url.Values{
		"_txlock":      {"immediate"},
		"_cache_size":  {"-32000"}, // KiB: what a thousand records change is written once
		"_synchronous": {"normal"}, // in WAL a power loss may cost the last commits, cursor included: they come again
	})
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	s := &Store{write: write, now: opts.Clock, policy: cfg.Policy, log: opts.Log, crash: opts.Crash, query: opts.Query, touches: newTouches(), known: newKnown(), searching: newSearching()}
	if err := requireFTS5(ctx, write); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	if err := sqlite.Migrate(ctx, write, migrations, "migrations"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.writer, err = sqlite.NewConn(ctx, write); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	// What SQLite notes to undo a statement that fails halfway needs no file.
	for _, pragma := range []string{fmt.Sprintf(`PRAGMA wal_autocheckpoint = %d`, longestLog), `PRAGMA temp_store = MEMORY`} {
		if _, err := s.writer.ExecContext(ctx, pragma); err != nil {
			return nil, errors.Join(fmt.Errorf("store: prepare to write: %w", err), s.Close())
		}
	}
	if err := s.watchTouches(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.checkpoints, err = sqlite.StartCheckpoints(cfg.Path, &s.mu, longLog); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.openReaders(ctx, cfg.Path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.adopt(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenReadOnly opens an index that exists, also while a service writes to it.
// Only the reading methods may be called.
func OpenReadOnly(ctx context.Context, path string, opts Options) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("store: there is no index to read: %w", err)
	}
	s := &Store{now: opts.Clock, log: opts.Log, query: opts.Query, touches: newTouches(), known: newKnown(), searching: newSearching()}
	if err := s.openReaders(ctx, path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// openReaders makes the pool of reading connections.
func (s *Store) openReaders(ctx context.Context, path string) (err error) {
	if s.readers, err = sqlite.OpenReaders(ctx, path, readers); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.read = s.readers.DB
	return nil
}

// Close closes the database. It may be called twice, and not while the store is
// in use.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		if s.readers != nil {
			s.closeErr = errors.Join(s.closeErr, s.readers.Close())
		}
		if s.checkpoints != nil {
			s.closeErr = errors.Join(s.closeErr, s.checkpoints.Close())
		}
		if s.writer != nil {
			s.closeErr = errors.Join(s.closeErr, s.writer.Close())
		}
		if s.write != nil {
			s.closeErr = errors.Join(s.closeErr, s.write.Close())
		}
	})
	return s.closeErr
}

// tx is one writing transaction with one now.
type tx struct {
	*sqlite.Conn
	now    time.Time
	policy lifecycle.Policy
	// stale are proposals to derive. What derive does not take is queued before
	// the transaction commits: most are derived at once, and never queued.
	stale map[syntax.ATURI]staleness
	// projects are those whose claims are to be settled before the commit; true
	// for one whose record changed.
	projects map[syntax.ATURI]bool
	// untils caches tallied, and sums holds rows of estimated that changed.
	untils map[syntax.ATURI]int64
	sums   map[sumKey]*lifecycle.EstimateSum
	// receipts: there is at least one.
	receipts bool
	// unseen: nothing was written that a question could be about.
	unseen bool
}

// update runs fn in a writing transaction and commits when it returns nil. What
// began ends whole: the context that fn gets has no end. (One that can end costs
// two goroutines for each statement, one of database/sql and one of the driver.)
func (s *Store) update(ctx context.Context, act string, fn func(context.Context, *tx) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: %s: %w", act, err)
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := s.writer.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("store: %s: begin: %w", act, err)
	}
	open := true
	// Deferred, so that a panic does not leave the only writing connection in a
	// transaction.
	defer func() {
		if open {
			err = errors.Join(err, s.writer.Rollback(ctx))
		}
	}()
	t := &tx{
		Conn: s.writer, now: s.now().UTC(), policy: s.policy,
		stale: map[syntax.ATURI]staleness{}, projects: map[syntax.ATURI]bool{},
		untils: map[syntax.ATURI]int64{}, sums: map[sumKey]*lifecycle.EstimateSum{},
	}
	if err := fn(ctx, t); err != nil {
		return fmt.Errorf("store: %s: %w", act, err)
	}
	if err := t.settleClaims(ctx); err != nil {
		return fmt.Errorf("store: %s: %w", act, err)
	}
	if err := t.writeSums(ctx); err != nil {
		return fmt.Errorf("store: %s: %w", act, err)
	}
	if err := t.queueStale(ctx); err != nil {
		return fmt.Errorf("store: %s: %w", act, err)
	}
	if !t.unseen {
		if err := s.noteTouched(ctx, t); err != nil {
			return fmt.Errorf("store: %s: %w", act, err)
		}
	}
	if err := s.crash.At(crashpoint.BeforeCommit); err != nil {
		return err
	}
	if !t.unseen {
		defer s.versions.committing()() // until the function returns, also when the commit fails
	}
	if _, err := s.writer.ExecContext(ctx, `COMMIT`); err != nil {
		return fmt.Errorf("store: %s: commit: %w", act, err)
	}
	open = false
	if err := s.checkpoint(ctx, t); err != nil {
		return fmt.Errorf("store: %s: %w", act, err)
	}
	return s.crash.At(crashpoint.AfterCommit)
}

// checkpoint asks for one when enough has changed since the last.
func (s *Store) checkpoint(ctx context.Context, tx *tx) error {
	written, err := tx.written(ctx)
	if err != nil || written-s.checkpointed < checkpointChanges {
		return err
	}
	s.checkpointed = written
	return s.checkpoints.Due()
}

// Reader reads one snapshot of the index at one moment.
type Reader struct {
	tx     querier
	policy lifecycle.Policy
	now    time.Time
	crowd  bounds
	known  known
	state  *stateRead // of this snapshot, whatever the moment
}

// Now is the moment that the reader answers for.
func (r *Reader) Now() time.Time { return r.now }

// At returns a reader of the same snapshot that answers for another moment,
// as the later pages of a list do.
func (r *Reader) At(now time.Time) *Reader {
	later := *r
	later.now = now
	return &later
}

// Now is the moment that a reader would answer for.
func (s *Store) Now() time.Time { return s.now().UTC() }

// Read runs fn on a snapshot: all that it reads belongs together.
func (s *Store) Read(ctx context.Context, fn func(*Reader) error) error {
	return s.readers.Snapshot(ctx, func(c sqlite.Steady) error {
		r := &Reader{tx: c, policy: s.policy, now: s.Now(), crowd: crowd, known: s.known, state: new(stateRead)}
		if s.query != nil {
			r.tx = watched{r.tx, s.query}
		}
		return fn(r)
	})
}

// newSearching has as many places as there are processors, and leaves connections to
// those who do not search.
func newSearching() *semaphore.Weighted {
	return semaphore.NewWeighted(int64(min(runtime.GOMAXPROCS(0), readers-2)))
}

// Search is [Store.Read] for what may keep a processor busy for milliseconds: of those
// who ask for that no more are read for at once than there are processors. The others wait
// in their turn; were all to begin at once, all would end late.
func (s *Store) Search(ctx context.Context, fn func(*Reader) error) error {
	if err := s.searching.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("store: wait to search: %w", err)
	}
	defer s.searching.Release(1)
	return s.Read(ctx, fn)
}

// querier is a transaction of either kind.
type querier = sqlite.Querier

// watched tells of each query before it runs.
type watched struct {
	querier
	tell func(statement string)
}

func (w watched) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	w.tell(query)
	return w.querier.QueryContext(ctx, query, args...)
}

func (w watched) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	w.tell(query)
	return w.querier.QueryRowContext(ctx, query, args...)
}

// collect scans all rows of a query.
func collect[T any](ctx context.Context, q querier, query string, scan func(*sql.Rows) (T, error), args ...any) ([]T, error) {
	return sqlite.Collect(ctx, q, query, scan, args...)
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
