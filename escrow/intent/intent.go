package intent

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Kind is what an intent makes at the processor.
type Kind string

// The kinds.
const (
	KindAccount  Kind = "account"
	KindCheckout Kind = "checkout"
	KindRefund   Kind = "refund"
	KindReversal Kind = "reversal"
	KindTransfer Kind = "transfer"
)

// ErrNotFound is returned for an intent that was never noted.
var ErrNotFound = errors.New("intent: not found")

// ErrOther is returned by Note for an id that was noted for something else. It is a fault
// of ours.
var ErrOther = errors.New("intent: the id is that of another intent")

// Intent is something that is meant to be done at the processor, once.
type Intent struct {
	ID payments.IntentID
	Kind
	// Subject is the id of what it is for.
	Subject   string
	CreatedAt time.Time
	// SentAt is when it was first about to be sent; zero before.
	SentAt time.Time
	// Object is the id of what the processor made; empty while nobody knows.
	Object string
	// Refused is why the processor will never make it; empty while it may.
	Refused string
	Tries   int
}

// Open tells whether it is neither done nor refused.
func (i Intent) Open() bool { return i.Object == "" && i.Refused == "" }

// Key is its idempotency key.
func (i Intent) Key() payments.Key { return payments.Key(string(i.Kind) + "/" + string(i.ID)) }

// Note keeps an intent, in the transaction of the decision that it carries out. The same
// intent again is nothing.
func Note(ctx context.Context, tx *store.Tx, id payments.IntentID, kind Kind, subject string) error {
	there, err := Load(ctx, tx, id)
	switch {
	case err == nil && (there.Kind != kind || there.Subject != subject):
		return fmt.Errorf("%w: %s", ErrOther, id)
	case err == nil:
		return nil
	case !errors.Is(err, ErrNotFound):
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO intent (id, kind, subject, created_at) VALUES ($1, $2, $3, $4)`,
		id, kind, subject, tx.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("intent: note %s: %w", id, err)
	}
	return nil
}

const columns = `id, kind, subject, created_at, coalesce(sent_at, 0), coalesce(object, ''), coalesce(refused, ''), tries`

// Load reads an intent, or returns ErrNotFound.
func Load(ctx context.Context, q sqlite.Querier, id payments.IntentID) (Intent, error) {
	i, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM intent WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Intent{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return Intent{}, fmt.Errorf("intent: read %s: %w", id, err)
	}
	return i, nil
}

// Due lists the open intents of a kind whose time has come, the longest due first.
func Due(ctx context.Context, q sqlite.Querier, kind Kind, now time.Time, limit int) (list []Intent, err error) {
	rows, err := q.QueryContext(ctx, `
		SELECT `+columns+` FROM intent
		WHERE kind = $1 AND due_at <= $2 AND object IS NULL AND refused IS NULL
		ORDER BY due_at, id LIMIT $3`, kind, now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("intent: list what is due: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		i, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("intent: read what is due: %w", err)
		}
		list = append(list, i)
	}
	return list, rows.Err()
}

func scan(row interface{ Scan(...any) error }) (i Intent, err error) {
	var createdAt, sentAt int64
	if err := row.Scan(&i.ID, &i.Kind, &i.Subject, &createdAt, &sentAt, &i.Object, &i.Refused, &i.Tries); err != nil {
		return Intent{}, err
	}
	i.CreatedAt = time.UnixMilli(createdAt).UTC()
	if sentAt != 0 {
		i.SentAt = time.UnixMilli(sentAt).UTC()
	}
	return i, nil
}
