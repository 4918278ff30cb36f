package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Tx is one function's part of a transaction. A write that fails ends it: what was
// done so far is taken back, whatever the function makes of the error.
type Tx struct {
	conn   *sqlite.Conn
	now    time.Time
	failed error
	after  []func()
}

var _ sqlite.Querier = (*Tx)(nil)

// Now is the moment of the transaction, in milliseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// OnCommit has fn called once the function's writes are durable, and never if they
// are not. It must not block: the next transaction waits for it.
func (tx *Tx) OnCommit(fn func()) { tx.after = append(tx.after, fn) }

// ExecContext runs a statement that returns no rows.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if tx.failed != nil {
		return nil, fmt.Errorf("store: a statement failed before: %w", tx.failed)
	}
	result, err := tx.conn.ExecContext(ctx, query, args...)
	if err != nil {
		tx.failed = err
	}
	return result, err
}

// QueryContext runs a query. Its rows must be closed before the same query runs
// again.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := tx.conn.QueryContext(ctx, query, args...)
	if err != nil {
		tx.failed = err
	}
	return rows, err
}

// QueryRowContext runs a query of which only the first row matters.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return tx.conn.QueryRowContext(ctx, query, args...)
}
