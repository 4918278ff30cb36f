package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
)

// Readers is a pool of connections that only read.
type Readers struct {
	// DB is for questions that need no snapshot.
	DB *sql.DB
	// free has a token for each of idle.
	free chan struct{}
	mu   sync.Mutex
	// idle are the connections that nobody reads on; guarded by mu. The one that came
	// back last goes out first, since it still has in memory what was read last: were
	// they to take turns, each would read all of it from the file.
	idle []*Conn
}

// OpenReaders opens so many reading connections to the database file at path,
// which must exist.
func OpenReaders(ctx context.Context, path string, size int) (*Readers, error) {
	// The writer decides how the file is kept: who only reads a backup leaves it as it is.
	db, err := Open(path, url.Values{"_query_only": {"true"}, "_journal_mode": nil})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size + 1) // one for questions without a snapshot
	r := &Readers{DB: db, free: make(chan struct{}, size)}
	for range size {
		c, err := NewConn(ctx, db)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), r.Close())
		}
		r.give(c)
	}
	return r, nil
}

// Snapshot runs fn on a connection in a transaction: all that it reads belongs
// together.
func (r *Readers) Snapshot(ctx context.Context, fn func(Steady) error) (err error) {
	c, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer r.give(c)
	// A caller who gives up must not leave the connection in a transaction.
	whole := context.WithoutCancel(ctx)
	if _, err := c.ExecContext(whole, `BEGIN`); err != nil {
		return fmt.Errorf("sqlite: begin to read: %w", err)
	}
	defer func() { err = errors.Join(err, c.Rollback(whole)) }()
	return fn(Steady{c})
}

func (r *Readers) take(ctx context.Context) (*Conn, error) {
	select {
	case <-r.free:
	case <-ctx.Done():
		return nil, fmt.Errorf("sqlite: wait to read: %w", ctx.Err())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.idle) - 1
	c := r.idle[last]
	r.idle = r.idle[:last]
	return c, nil
}

func (r *Readers) give(c *Conn) {
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	r.free <- struct{}{} // never more than there is room for
}

// Close closes the connections. Nobody may be reading.
func (r *Readers) Close() error {
	var errs []error
	for _, c := range r.idle {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, r.DB.Close())...)
}
