package sqlite

import (
	"context"
	"database/sql"
)

// Steady is a connection on which a query that has begun ends: a context that can
// end costs the driver a goroutine for each query, which is more than most of our
// queries take. Between two of them the context is looked at, so that whoever gave
// up asks no more.
type Steady struct{ *Conn }

// QueryContext runs a query.
func (s Steady) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.Conn.QueryContext(context.WithoutCancel(ctx), query, args...)
}

// QueryRowContext runs a query of which only the first row matters.
func (s Steady) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if ctx.Err() != nil {
		return s.Conn.QueryRowContext(ctx, query, args...) // the row carries the error
	}
	return s.Conn.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}
