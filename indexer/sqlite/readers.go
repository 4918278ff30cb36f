package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
)

// Readers is a pool of connections that only read.
type Readers struct {
	// DB is for questions that need no snapshot.
	DB    *sql.DB
	conns chan *Conn // whoever takes one gives it back
}

// OpenReaders opens so many reading connections to the database file at path,
// which must exist.
func OpenReaders(ctx context.Context, path string, size int) (*Readers, error) {
	db, err := Open(path, url.Values{"_query_only": {"true"}})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size + 1) // one for questions without a snapshot
	r := &Readers{DB: db, conns: make(chan *Conn, size)}
	for range size {
		c, err := NewConn(ctx, db)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("sqlite: open %s: %w", path, err), r.Close())
		}
		r.conns <- c
	}
	return r, nil
}

// Snapshot runs fn on a connection in a transaction: all that it reads belongs
// together.
func (r *Readers) Snapshot(ctx context.Context, fn func(Steady) error) (err error) {
	var c *Conn
	select {
	case c = <-r.conns:
	case <-ctx.Done():
		return fmt.Errorf("sqlite: wait to read: %w", ctx.Err())
	}
	defer func() { r.conns <- c }()
	// A caller who gives up must not leave the connection in a transaction.
	whole := context.WithoutCancel(ctx)
	if _, err := c.ExecContext(whole, `BEGIN`); err != nil {
		return fmt.Errorf("sqlite: begin to read: %w", err)
	}
	defer func() { err = errors.Join(err, c.Rollback(whole)) }()
	return fn(Steady{c})
}

// Close closes the connections. Nobody may be reading.
func (r *Readers) Close() error {
	var errs []error
	for range len(r.conns) {
		errs = append(errs, (<-r.conns).Close())
	}
	return errors.Join(append(errs, r.DB.Close())...)
}
