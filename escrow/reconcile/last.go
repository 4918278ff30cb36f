package reconcile

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// scopeOf names how much was compared.
func scopeOf(full bool) string {
	if full {
		return "all"
	}
	return "recent"
}

// Last is how the last comparison ended.
type Last struct {
	Scope     string
	At        time.Time
	Movements int64
	InFlight  int64
	Findings  int64
}

// LastOf lists how the last comparisons ended, one of all and one of the recent
// movements, as far as there was one.
func LastOf(ctx context.Context, q sqlite.Querier) ([]Last, error) {
	list, err := sqlite.Collect(ctx, q, `SELECT scope, at, movements, in_flight, findings FROM reconciliation ORDER BY scope`,
		func(rows *sql.Rows) (l Last, err error) {
			var at int64
			err = rows.Scan(&l.Scope, &at, &l.Movements, &l.InFlight, &l.Findings)
			l.At = time.UnixMilli(at).UTC()
			return l, err
		})
	if err != nil {
		return nil, fmt.Errorf("reconcile: read the last reports: %w", err)
	}
	return list, nil
}
