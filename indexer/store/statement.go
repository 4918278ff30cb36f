package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// NewestStatement returns the newest statement in an escrow's repository, ErrNotFound
// without one. Their keys are TIDs, which an escrow makes in its order: each statement
// names the one before it, and whoever checks the chain sees one that is out of it.
func (r *Reader) NewestStatement(ctx context.Context, escrow syntax.DID) (syntax.ATURI, error) {
	collection := "at://" + escrow.String() + "/" + lexicons.CollectionStatement.String()
	uris, err := collect(ctx, r.tx, `
		SELECT uri FROM record WHERE uri > $1 AND uri < $2 AND invalid IS NULL
		ORDER BY uri DESC LIMIT 1`,
		func(rows *sql.Rows) (uri syntax.ATURI, err error) { return uri, rows.Scan(&uri) }, collection+"/", collection+"0") // what follows a slash
	if err != nil {
		return "", fmt.Errorf("store: find the newest statement of %s: %w", escrow, err)
	}
	if len(uris) == 0 {
		return "", ErrNotFound
	}
	return uris[0], nil
}
