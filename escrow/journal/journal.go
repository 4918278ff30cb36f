package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// ErrNoReason is returned by Write for an action without a reason.
var ErrNoReason = errors.New("journal: say why")

// Line is something that a person did.
type Line struct {
	At time.Time
	// Action is its name, Subject what it was about.
	Action, Subject string
	Because         string
	// Outcome is a sentence.
	Outcome string
}

// maxText bounds what a person says.
const maxText = 2000

// Write adds a line, with the moment of the transaction.
func Write(ctx context.Context, tx *store.Tx, l Line) error {
	because := strings.TrimSpace(l.Because)
	if because == "" || len(because) > maxText {
		return fmt.Errorf("%w, in at most %d bytes", ErrNoReason, maxText)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO journal (at, action, subject, because, outcome) VALUES ($1, $2, $3, $4, $5)`,
		tx.Now().UnixMilli(), l.Action, l.Subject, because, l.Outcome)
	if err != nil {
		return fmt.Errorf("journal: write %s of %s: %w", l.Action, l.Subject, err)
	}
	return nil
}

// Newest lists the newest lines, no more than limit, the oldest of them first.
func Newest(ctx context.Context, q sqlite.Querier, limit int) ([]Line, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT at, action, subject, because, outcome FROM (SELECT * FROM journal ORDER BY id DESC LIMIT $1) ORDER BY id`,
		func(rows *sql.Rows) (l Line, err error) {
			var at int64
			err = rows.Scan(&at, &l.Action, &l.Subject, &l.Because, &l.Outcome)
			l.At = time.UnixMilli(at).UTC()
			return l, err
		}, limit)
	if err != nil {
		return nil, fmt.Errorf("journal: list: %w", err)
	}
	return list, nil
}
