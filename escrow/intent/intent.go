package intent

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// ErrRefusedYet is returned by Adopt for an intent that was noted as refused, and has an
// object all the same: what the processor said before is not true.
var ErrRefusedYet = errors.New("intent: refused, and carried out all the same")

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

// Adopt keeps what the processor has made of an intent, as the object's mark tells: its
// answer was lost, or the note of it. The same again is nothing. It returns ErrOther when
// the intent is another object's, and ErrRefusedYet when it was noted as refused.
func Adopt(ctx context.Context, tx *store.Tx, id payments.IntentID, kind Kind, subject, object string) error {
	if err := Note(ctx, tx, id, kind, subject); err != nil {
		return err
	}
	there, err := Load(ctx, tx, id)
	switch {
	case err != nil:
		return err
	case there.Object == object:
		return nil
	case there.Object != "":
		return fmt.Errorf("%w: %s made %s, and not %s", ErrOther, id, there.Object, object)
	case there.Refused != "":
		return fmt.Errorf("%w: %s made %s", ErrRefusedYet, id, object)
	}
	_, err = tx.ExecContext(ctx, `UPDATE intent SET object = $1, sent_at = coalesce(sent_at, $2) WHERE id = $3`, object, tx.Now().UnixMilli(), id)
	if err != nil {
		return fmt.Errorf("intent: note that %s made %s: %w", id, object, err)
	}
	return nil
}

// Try is the number of the try that an id ends with, as in hold/2; 0 without one.
func Try(id payments.IntentID) int {
	slash := strings.LastIndexByte(string(id), '/')
	if slash < 0 {
		return 0
	}
	n, err := strconv.Atoi(string(id[slash+1:]))
	if err != nil {
		return 0
	}
	return max(0, n)
}

// LastTry is the last of them. Earlier ones may be forgotten, by a database that was
// restored.
func LastTry(list []Intent) (last int) {
	for _, i := range list {
		last = max(last, Try(i.ID))
	}
	return last
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

// Due lists the open intents of a kind whose time has come, the longest due first. None is
// put off for longer than an hour: a date beyond that is of a clock that was ahead.
func Due(ctx context.Context, q sqlite.Querier, kind Kind, now time.Time, limit int) (list []Intent, err error) {
	rows, err := q.QueryContext(ctx, `
		SELECT `+columns+` FROM intent
		WHERE kind = $1 AND (due_at <= $2 OR due_at > $3) AND object IS NULL AND refused IS NULL
		ORDER BY due_at, id LIMIT $4`, kind, now.UnixMilli(), now.Add(longest).UnixMilli(), limit)
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

// Of lists the intents of a kind about a subject, in the order in which they were noted.
func Of(ctx context.Context, q sqlite.Querier, kind Kind, subject string) ([]Intent, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT `+columns+` FROM intent WHERE subject = $1 AND kind = $2 ORDER BY created_at, id`,
		func(rows *sql.Rows) (Intent, error) { return scan(rows) }, subject, kind)
	if err != nil {
		return nil, fmt.Errorf("intent: list those of %s: %w", subject, err)
	}
	return list, nil
}

// ByObject reads the intent that made an object, or returns ErrNotFound.
func ByObject(ctx context.Context, q sqlite.Querier, object string) (Intent, error) {
	i, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM intent WHERE object = $1`, object))
	if errors.Is(err, sql.ErrNoRows) {
		return Intent{}, fmt.Errorf("%w: that of %s", ErrNotFound, object)
	}
	if err != nil {
		return Intent{}, fmt.Errorf("intent: read that of %s: %w", object, err)
	}
	return i, nil
}

// Waiting is what is neither done nor refused.
type Waiting struct {
	Intents int64
	// Oldest is when the first of them was noted; zero for none.
	Oldest time.Time
}

// Open counts what is neither done nor refused.
func Open(ctx context.Context, q sqlite.Querier) (w Waiting, err error) {
	var oldest int64
	err = q.QueryRowContext(ctx, `
		SELECT count(*), coalesce(min(created_at), 0) FROM intent INDEXED BY intent_open
		WHERE object IS NULL AND refused IS NULL`).Scan(&w.Intents, &oldest)
	if err != nil {
		return Waiting{}, fmt.Errorf("intent: count those that are open: %w", err)
	}
	if oldest != 0 {
		w.Oldest = time.UnixMilli(oldest).UTC()
	}
	return w, nil
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
