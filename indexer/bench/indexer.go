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
	p, err := start(dir, c.Program, "index", "--database", path, "--upstream", up.URL(), "--profile", c.Profile)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(path, "ro")
	if err != nil {
		p.stop()
		return nil, err
	}
	return &indexerRun{p: p, db: db, up: up, profile: c.Profile != ""}, nil
}

type indexerRun struct {
	p       *process
	db      *sql.DB
	up      *Upstream
	profile bool
}

// indexBehind counts what an index still has to do for the records that it has
// seen: repositories to fetch and rows to derive.
const indexBehind = `SELECT (SELECT count(*) FROM repo WHERE state <> 'synchronized')
	+ (SELECT count(*) FROM dirty_proposal) + (SELECT count(*) FROM dirty_standing)`

func (r *indexerRun) process() *process   { return r.p }
func (r *indexerRun) poll() time.Duration { return 2 * time.Millisecond }

func (r *indexerRun) ready(ctx context.Context) (bool, error) {
	have, ok := count(ctx, r.db, `SELECT count(*) FROM repo WHERE state = 'synchronized' AND data IS NOT NULL
		AND EXISTS (SELECT 1 FROM record WHERE record.did = repo.did)`)
	unknown, ok2 := count(ctx, r.db, `SELECT count(*) FROM actor WHERE due_at = 0`)
	behind, ok3 := count(ctx, r.db, indexBehind)
	return ok && ok2 && ok3 && have == len(r.up.feed.ours) && unknown+behind == 0 && r.up.Waiting() > 0, nil
}

func (r *indexerRun) begin() error {
	if !r.profile {
		return nil
	}
	return r.p.cmd.Process.Signal(syscall.SIGUSR1)
}

func (r *indexerRun) done(ctx context.Context) (bool, error) {
	seq, ok := count(ctx, r.db, `SELECT max(seq) FROM cursor`)
	if !ok || int64(seq) < r.up.feed.LastSeq() {
		return false, nil
	}
	behind, ok := count(ctx, r.db, indexBehind)
	return ok && behind == 0, nil
}

func (r *indexerRun) records(ctx context.Context) (map[syntax.ATURI]string, error) {
	return readRecords(ctx, r.db, `SELECT uri, cid FROM record`)
}

func (r *indexerRun) close() error {
	r.p.stop()
	return errors.Join(r.db.Close(), r.p.err)
}
