package reconcile

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Scopes of comparisons.
const (
	ScopeAll    = "all"
	ScopeRecent = "recent"
)

// scopeOf names how much was compared.
func scopeOf(full bool) string {
	if full {
		return ScopeAll
	}
	return ScopeRecent
}

// Last is how the last comparison ended.
type Last struct {
	Scope     string
	At        time.Time
	Movements int64
	InFlight  int64
	Findings  int64
	// Balance and Unmatched are what the report said of them.
	Balance   Balance
	Unmatched []Unmatched
}

// LastOf lists how the last comparisons ended, one of all and one of the recent
// movements, as far as there was one.
func LastOf(ctx context.Context, q sqlite.Querier) ([]Last, error) {
	list, err := sqlite.Collect(ctx, q, `SELECT scope, at, movements, in_flight, findings, balance, unmatched FROM reconciliation ORDER BY scope`,
		func(rows *sql.Rows) (l Last, err error) {
			var at int64
			var balance, unmatched []byte
			if err := rows.Scan(&l.Scope, &at, &l.Movements, &l.InFlight, &l.Findings, &balance, &unmatched); err != nil {
				return l, err
			}
			l.At = time.UnixMilli(at).UTC()
			return l, errors.Join(json.Unmarshal(balance, &l.Balance), json.Unmarshal(unmatched, &l.Unmatched))
		})
	if err != nil {
		return nil, fmt.Errorf("reconcile: read the last reports: %w", err)
	}
	return list, nil
}
