package store

import (
	"context"
	"database/sql"
)

// steady is a connection on which a query that has begun ends: a context that can
// end costs the driver a goroutine for each query, which is more than most of our
// queries take. Between two of them the context is looked at, so that whoever gave
// up asks no more.
type steady struct{ *conn }

// QueryContext runs a query.
func (s steady) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.conn.QueryContext(context.WithoutCancel(ctx), query, args...)
}

// QueryRowContext runs a query of which only the first row matters.
func (s steady) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if ctx.Err() != nil {
		return s.conn.QueryRowContext(ctx, query, args...) // the row carries the error
	}
	return s.conn.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}
