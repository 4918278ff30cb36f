package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Rev returns the newest rev of an account's repository that the index has seen proven,
// also when it does not hold that state yet; empty for a repository that it does not know.
func (r *Reader) Rev(ctx context.Context, did syntax.DID) (rev syntax.TID, err error) {
	err = r.tx.QueryRowContext(ctx, `SELECT max(coalesce(rev, ''), coalesce(seen_rev, '')) FROM repo WHERE did = $1`, did).Scan(&rev)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("store: read the rev of %s: %w", did, err)
	}
	return rev, nil
}
