package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// HeadOf reads the newest entry, to be published.
func (l *Ledger) HeadOf(ctx context.Context, q sqlite.Querier) (Head, error) {
	var h Head
	var hash []byte
	err := q.QueryRowContext(ctx, `SELECT sequence, hash FROM entry ORDER BY sequence DESC LIMIT 1`).Scan(&h.Sequence, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{Hash: genesis(l.mode)}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("ledger: read the head: %w", err)
	}
	h.Hash = Digest(hash)
	return h, nil
}
