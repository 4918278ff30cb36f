package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// bareSchema has the columns and the unique keys of the ledger's tables.
const bareSchema = `
	CREATE TABLE account (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, currency TEXT NOT NULL,
		bound TEXT NOT NULL, balance INTEGER NOT NULL DEFAULT 0) STRICT;
	CREATE TABLE entry (sequence INTEGER PRIMARY KEY, reference TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at INTEGER NOT NULL,
		facts BLOB NOT NULL, lines INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
	CREATE TABLE posting (entry INTEGER NOT NULL, line INTEGER NOT NULL, debit INTEGER NOT NULL, credit INTEGER NOT NULL,
		amount INTEGER NOT NULL, PRIMARY KEY (entry, line)) STRICT, WITHOUT ROWID`

// bare inserts rows and syncs them.
type bare struct {
	conn     *sqlite.Conn
	close    func() error
	sequence int64

	lead    chan struct{}
	mu      sync.Mutex
	waiting []*bareCall
	commits int
}

type bareCall struct {
	number int64
	err    error
	done   chan struct{}
}

func newBare(ctx context.Context, path string) (*bare, error) {
	db, err := sqlite.Open(path, url.Values{"_txlock": {"immediate"}, "_synchronous": {"full"}})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, bareSchema); err != nil {
		return nil, errors.Join(fmt.Errorf("bench: make the bare tables: %w", err), db.Close())
	}
	conn, err := sqlite.NewConn(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	b := &bare{conn: conn, lead: make(chan struct{}, 1), close: func() error { return errors.Join(conn.Close(), db.Close()) }}
	if _, err := conn.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 4000`); err != nil {
		return nil, errors.Join(err, b.close())
	}
	for _, path := range []string{"USD/processor", "USD/processing-cost"} {
		_, err := conn.ExecContext(ctx, `INSERT INTO account (path, kind, currency, bound) VALUES ($1, 'processor', 'USD', 'none')`, path)
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

// post inserts the rows of one entry, together with those of all who wait.
func (b *bare) post(ctx context.Context, number int64) error {
	c := &bareCall{number: number, done: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, c)
	b.mu.Unlock()
	for {
		select {
		case <-c.done:
			return c.err
		case b.lead <- struct{}{}:
			b.mu.Lock()
			calls := b.waiting
			b.waiting = nil
			b.mu.Unlock()
			err := b.commit(context.WithoutCancel(ctx), calls)
			for _, c := range calls {
				c.err = err
				close(c.done)
			}
			<-b.lead
		}
	}
}

func (b *bare) commit(ctx context.Context, calls []*bareCall) error {
	if len(calls) == 0 {
		return nil
	}
	if _, err := b.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	for _, c := range calls {
		if err := b.insert(ctx, c.number); err != nil {
			return errors.Join(err, b.conn.Rollback(ctx))
		}
	}
	b.commits++
	_, err := b.conn.ExecContext(ctx, `COMMIT`)
	return err
}

func (b *bare) insert(ctx context.Context, number int64) error {
	e := entryOf(number)
	b.sequence++
	made, err := b.conn.ExecContext(ctx, `INSERT INTO account (path, kind, currency, bound) VALUES ($1, $2, $3, $4)`,
		e.Lines[0].Credit.Path(), e.Lines[0].Credit.Kind(), e.Lines[0].Credit.Currency(), "credit")
	if err != nil {
		return err
	}
	held, err := made.LastInsertId()
	if err != nil {
		return err
	}
	for i, l := range []struct{ debit, credit, amount int64 }{{1, held, e.Lines[0].Amount}, {2, 1, e.Lines[1].Amount}} {
		_, err := b.conn.ExecContext(ctx, `INSERT INTO posting (entry, line, debit, credit, amount) VALUES ($1, $2, $3, $4, $5)`,
			b.sequence, i+1, l.debit, l.credit, l.amount)
		if err != nil {
			return err
		}
	}
	_, err = b.conn.ExecContext(ctx, `
		INSERT INTO entry (sequence, reference, kind, at, facts, lines, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		b.sequence, e.Reference, e.Kind, time.Now().UnixMilli(), e.Facts[:], len(e.Lines), e.Facts[:])
	return err
}
