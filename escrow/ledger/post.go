package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Ledger posts entries into the escrow's database and reads from it. It may be
// shared.
type Ledger struct {
	mode payments.Mode
	// ids remembers the rows of the accounts that each currency has one of.
	ids sync.Map // of Account to int64
}

// New returns the ledger of an escrow of this mode.
func New(mode payments.Mode) *Ledger { return &Ledger{mode: mode} }

// last is what the next entry needs to know of the one before.
type last struct {
	Head
	at int64
}

// Post adds an entry. When its reference is there with the same facts, nothing
// happens, and fresh is false; with other facts the error is a *ConflictError. A
// line that takes more out of an account than there is gives a *BoundError.
func (l *Ledger) Post(ctx context.Context, tx *store.Tx, e Entry) (fresh bool, err error) {
	if err := e.check(); err != nil {
		return false, err
	}
	before, known, err := l.find(ctx, tx, e.Reference, e.Facts)
	if err != nil || known {
		return false, err
	}
	_, err = l.append(ctx, tx, before, e)
	return err == nil, err
}

// find reports whether a reference was posted with these facts, and reads what the
// next entry follows.
func (l *Ledger) find(ctx context.Context, q sqlite.Querier, reference Reference, facts Digest) (before last, known bool, err error) {
	var there, hash []byte
	err = q.QueryRowContext(ctx, `
		SELECT (SELECT facts FROM entry WHERE reference = $1), sequence, hash, at
		FROM entry ORDER BY sequence DESC LIMIT 1`, reference).Scan(&there, &before.Sequence, &hash, &before.at)
	if errors.Is(err, sql.ErrNoRows) {
		return last{Head: Head{Hash: genesis(l.mode)}}, false, nil
	}
	if err != nil {
		return last{}, false, fmt.Errorf("ledger: look for %s: %w", reference, err)
	}
	if there != nil && Digest(there) != facts {
		return last{}, false, &ConflictError{Reference: string(reference)}
	}
	before.Hash = Digest(hash)
	return before, there != nil, nil
}

// append writes an entry that was checked.
func (l *Ledger) append(ctx context.Context, tx *store.Tx, before last, e Entry) (*told, error) {
	sequence := before.Sequence + 1
	// A clock that was set back does not make the ledger go back.
	at := max(tx.Now().UnixMilli(), before.at)
	c := link(nil, before.Hash, sequence, e.Reference, e.Kind, at, e.Facts, len(e.Lines))
	ids := make(map[Account]int64, len(e.Lines)+1)
	for i, line := range e.Lines {
		debit, err := l.accountID(ctx, tx, ids, line.Debit)
		if err != nil {
			return nil, fmt.Errorf("ledger: post %s: %w", e.Reference, err)
		}
		credit, err := l.accountID(ctx, tx, ids, line.Credit)
		if err != nil {
			return nil, fmt.Errorf("ledger: post %s: %w", e.Reference, err)
		}
		if err := insertPosting(ctx, tx, sequence, i+1, debit, credit, line); err != nil {
			return nil, fmt.Errorf("ledger: post %s: %w", e.Reference, err)
		}
		c.line(line.Debit.Path(), line.Credit.Path(), line.Amount)
	}
	hash := c.digest()
	_, err := tx.ExecContext(ctx, `
		INSERT INTO entry (sequence, reference, kind, at, facts, lines, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		sequence, e.Reference, e.Kind, at, e.Facts[:], len(e.Lines), hash[:])
	if err != nil {
		return nil, fmt.Errorf("ledger: post %s: %w", e.Reference, err)
	}
	return &told{sequence, time.UnixMilli(at).UTC()}, nil
}

// accountID returns the row of an account, which is made when it is used first.
func (l *Ledger) accountID(ctx context.Context, tx *store.Tx, known map[Account]int64, a Account) (id int64, err error) {
	if id, ok := known[a]; ok {
		return id, nil
	}
	if id, ok := l.ids.Load(a); ok {
		return id.(int64), nil
	}
	path := a.Path()
	// Most accounts are made and used a few times, so making them is tried first.
	made, err := tx.ExecContext(ctx, `
		INSERT INTO account (path, kind, currency, bound) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		path, a.kind, a.currency, chart[a.kind].bound)
	if err != nil {
		return 0, fmt.Errorf("make account %s: %w", a, err)
	}
	if n, err := made.RowsAffected(); err == nil && n == 1 {
		id, err = made.LastInsertId()
		if err != nil {
			return 0, fmt.Errorf("make account %s: %w", a, err)
		}
	} else if err := tx.QueryRowContext(ctx, `SELECT id FROM account WHERE path = $1`, path).Scan(&id); err != nil {
		return 0, fmt.Errorf("find account %s: %w", a, err)
	}
	known[a] = id
	if chart[a.kind].scope == perCurrency {
		tx.OnCommit(func() { l.ids.Store(a, id) })
	}
	return id, nil
}

// insertPosting writes a line, upon which the database moves the two balances.
func insertPosting(ctx context.Context, tx *store.Tx, sequence int64, number int, debit, credit int64, line Line) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO posting (entry, line, debit, credit, amount) VALUES ($1, $2, $3, $4, $5)`,
		sequence, number, debit, credit, line.Amount)
	if e, ok := errors.AsType[sqlite3.Error](err); ok && e.ExtendedCode == sqlite3.ErrConstraintCheck {
		return exceeded(ctx, tx, debit, line, err)
	}
	return err
}

// exceeded says which account of a line has too little. The statement that failed
// was taken back, so the balance is the one before.
func exceeded(ctx context.Context, tx *store.Tx, debit int64, line Line, err error) error {
	var bound Bound
	var balance int64
	if err := tx.QueryRowContext(ctx, `SELECT bound, balance FROM account WHERE id = $1`, debit).Scan(&bound, &balance); err != nil {
		return fmt.Errorf("read the balance of %s: %w", line.Debit, err)
	}
	if bound == BoundCredit && balance > -line.Amount {
		return &BoundError{Account: line.Debit, Amount: line.Amount, err: err}
	}
	return &BoundError{Account: line.Credit, Amount: line.Amount, err: err}
}
