package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"

	"github.com/mattn/go-sqlite3"
)

// statementsKept bounds how many statements one connection keeps. The texts of
// our statements are a fixed set; the bound only guards against a mistake.
const statementsKept = 512

// planned finds the parameters whose values SQLite's planner would like to know.
var planned = regexp.MustCompile(`(=|LIMIT) ([$?])`)

// blind hides the values of parameters from the planner, behind a unary plus that
// changes nothing else. Otherwise SQLite parses the statement anew whenever such
// a parameter is bound again, and the driver does that for each execution: a join
// by a key then costs several times what running it does.
func blind(query string) string { return planned.ReplaceAllString(query, `$1 +$2`) }

// Conn is one connection that keeps its statements prepared. Unlike on a
// [sql.Tx], a query with a context that cannot end starts no goroutine.
//
// A Conn belongs to one goroutine at a time. The rows of a query must be closed
// before the same query runs again on it.
type Conn struct {
	raw        *sql.Conn
	statements map[string]*sql.Stmt
}

// NewConn takes a connection out of the pool.
func NewConn(ctx context.Context, db *sql.DB) (*Conn, error) {
	raw, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("sqlite: connect: %w", err)
	}
	return &Conn{raw: raw, statements: map[string]*sql.Stmt{}}, nil
}

func (c *Conn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := c.statements[query]; s != nil {
		return s, nil
	}
	if len(c.statements) >= statementsKept {
		if err := c.forget(); err != nil {
			return nil, err
		}
	}
	s, err := c.raw.PrepareContext(ctx, blind(query))
	if err != nil {
		return nil, err
	}
	c.statements[query] = s
	return s, nil
}

// ExecContext runs a statement that returns no rows.
func (c *Conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// QueryContext runs a query.
func (c *Conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext runs a query of which only the first row matters.
func (c *Conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := c.prepare(ctx, query)
	if err != nil {
		return c.raw.QueryRowContext(ctx, query, args...) // the row carries the error
	}
	return s.QueryRowContext(ctx, args...)
}

// Rollback ends a transaction without effect, also one that SQLite ended itself.
func (c *Conn) Rollback(ctx context.Context) error {
	_, err := c.ExecContext(ctx, `ROLLBACK`)
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.Code == sqlite3.ErrError {
		return nil // there is none any more
	}
	return err
}

func (c *Conn) forget() error {
	var errs []error
	for query, s := range c.statements {
		errs = append(errs, s.Close())
		delete(c.statements, query)
	}
	return errors.Join(errs...)
}

// Close gives the connection back.
func (c *Conn) Close() error { return errors.Join(c.forget(), c.raw.Close()) }
