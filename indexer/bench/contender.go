package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	_ "github.com/mattn/go-sqlite3" // both databases are SQLite
)

// Contender is a program that can follow a feed.
type Contender interface {
	// Name heads its row.
	Name() string
	// start runs it on the upstream, with what it keeps in dir.
	start(ctx context.Context, dir string, up *Upstream) (run, error)
}

// run is a contender at work.
type run interface {
	process() *process
	// ready reports whether it has all repositories that are ours.
	ready(ctx context.Context) (bool, error)
	// begin is called when the gate is about to open.
	begin() error
	// done reports whether the last event is applied.
	done(ctx context.Context) (bool, error)
	// poll is how often done may be asked: asking costs some contenders CPU.
	poll() time.Duration
	// records returns what it holds; nil when it keeps nothing.
	records(ctx context.Context) (map[syntax.ATURI]string, error)
	// close ends the process and returns what had gone wrong.
	close() error
}

// openDatabase opens a contender's database, mode "ro" to look at it.
func openDatabase(path, mode string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_busy_timeout=5000&mode="+mode)
	if err != nil {
		return nil, fmt.Errorf("bench: open %s: %w", path, err)
	}
	return db, nil
}

// count reads one number. A database that is still being made has none.
func count(ctx context.Context, db *sql.DB, query string) (n int, ok bool) {
	err := db.QueryRowContext(ctx, query).Scan(&n)
	return n, err == nil
}

// readRecords reads rows of uri and cid.
func readRecords(ctx context.Context, db *sql.DB, query string) (out map[syntax.ATURI]string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("bench: read the records: %w", err)
	}
	defer rows.Close()
	out = map[syntax.ATURI]string{}
	for rows.Next() {
		var uri syntax.ATURI
		var cid string
		if err := rows.Scan(&uri, &cid); err != nil {
			return nil, fmt.Errorf("bench: read a record: %w", err)
		}
		out[uri] = cid
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("bench: read the records: %w", err)
	}
	return out, nil
}

// difference compares what a contender holds with what it should.
type difference struct{ missing, extra, wrong int }

var errIncomplete = errors.New("bench: a result is not complete")

func compare(want, got map[syntax.ATURI]string) (d difference) {
	for uri, cid := range want {
		switch have, ok := got[uri]; {
		case !ok:
			d.missing++
		case have != cid:
			d.wrong++
		}
	}
	d.extra = len(got) - (len(want) - d.missing)
	return d
}
