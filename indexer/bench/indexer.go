package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Indexer is ours, in a process with nothing else: indexer and store.
type Indexer struct {
	// Program is the binary whose command "index" calls [Index].
	Program string
	// Database, when set, is what the index begins from, a closed file.
	Database string
	// Profile, when set, is where a CPU profile of the timed part is written.
	Profile string
}

// Name implements [Contender].
func (Indexer) Name() string { return "indexer" }

func (c Indexer) start(_ context.Context, dir string, up *Upstream) (run, error) {
	path := filepath.Join(dir, "index.db")
	if c.Database != "" {
		raw, err := os.ReadFile(c.Database)
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	ix, err := startIndex(path, c.Program, "--upstream", up.URL(), "--profile", c.Profile)
	if err != nil {
		return nil, err
	}
	return &indexerRun{ix, up, c.Profile != ""}, nil
}

// index is the process of an indexer, and a look into its database.
type index struct {
	p  *process
	db *sql.DB
}

// startIndex runs the command "index" of a program on the database at path.
func startIndex(path, program string, args ...string) (*index, error) {
	p, err := start(filepath.Dir(path), program, append([]string{"index", "--database", path}, args...)...)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(path, "ro")
	if err != nil {
		p.stop()
		return nil, err
	}
	return &index{p, db}, nil
}

// indexBehind counts what an index still has to do for the records that it has
// seen: repositories to fetch and rows to derive.
const indexBehind = `SELECT (SELECT count(*) FROM repo WHERE state <> 'synchronized')
	+ (SELECT count(*) FROM dirty_proposal) + (SELECT count(*) FROM dirty_standing) + (SELECT count(*) FROM dirty_estimate)`

// holds reports whether so many repositories have been fetched and looked up,
// and nothing is left to do.
func (ix *index) holds(ctx context.Context, repositories int) bool {
	have, ok := count(ctx, ix.db, `SELECT count(*) FROM repo WHERE state = 'synchronized' AND data IS NOT NULL
		AND EXISTS (SELECT 1 FROM record WHERE record.did = repo.did)`)
	unknown, ok2 := count(ctx, ix.db, `SELECT count(*) FROM actor WHERE due_at = 0`)
	behind, ok3 := count(ctx, ix.db, indexBehind)
	return ok && ok2 && ok3 && have == repositories && unknown+behind == 0
}

// cursor is how far the index has come; ok is false while it has none.
func (ix *index) cursor(ctx context.Context) (seq int64, ok bool) {
	n, ok := count(ctx, ix.db, `SELECT max(seq) FROM cursor`)
	return int64(n), ok
}

// reached reports whether the event is applied and nothing is left to do.
func (ix *index) reached(ctx context.Context, seq int64) bool {
	if at, ok := ix.cursor(ctx); !ok || at < seq {
		return false
	}
	behind, ok := count(ctx, ix.db, indexBehind)
	return ok && behind == 0
}

func (ix *index) records(ctx context.Context) (map[syntax.ATURI]string, error) {
	return readRecords(ctx, ix.db, `SELECT uri, cid FROM record`)
}

func (ix *index) close() error {
	ix.p.stop()
	return errors.Join(ix.db.Close(), ix.p.err)
}

type indexerRun struct {
	*index
	up      *Upstream
	profile bool
}

func (r *indexerRun) process() *process   { return r.p }
func (r *indexerRun) poll() time.Duration { return 5 * time.Millisecond }

func (r *indexerRun) ready(ctx context.Context) (bool, error) {
	return r.holds(ctx, len(r.up.feed.ours)) && r.up.Waiting() > 0, nil
}

func (r *indexerRun) begin() error {
	if !r.profile {
		return nil
	}
	return r.p.cmd.Process.Signal(syscall.SIGUSR1)
}

func (r *indexerRun) done(ctx context.Context) (bool, error) {
	return r.reached(ctx, r.up.feed.LastSeq()), nil
}
