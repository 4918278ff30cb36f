package outgoing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// followed is a kind of object that is looked at until it is settled.
type followed string

const (
	followDispute  followed = "dispute"
	followRefund   followed = "refund"
	followTransfer followed = "transfer"
)

// Objects are looked at after a minute, and then less and less often, down to about
// four times a day.
const (
	firstLook      = time.Minute
	longestBetween = 6 * time.Hour
	lookDoublings  = 9
)

// follow notes that an object is to be looked at again, each time later.
func follow(ctx context.Context, tx *store.Tx, kind followed, object string) error {
	var tries int
	err := tx.QueryRowContext(ctx, `SELECT tries + 1 FROM follow WHERE kind = $1 AND object = $2`, kind, object).Scan(&tries)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("outgoing: look when %s %s is due: %w", kind, object, err)
	}
	next := tx.Now().Add(min(longestBetween, firstLook<<min(tries, lookDoublings)))
	_, err = tx.ExecContext(ctx, `
		INSERT INTO follow (kind, object, tries, due_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (kind, object) DO UPDATE SET tries = excluded.tries, due_at = excluded.due_at`,
		kind, object, tries, next.UnixMilli())
	if err != nil {
		return fmt.Errorf("outgoing: follow %s %s: %w", kind, object, err)
	}
	return nil
}

// unfollow notes that nothing more is to be learnt by asking.
func unfollow(ctx context.Context, tx *store.Tx, kind followed, object string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM follow WHERE kind = $1 AND object = $2`, kind, object); err != nil {
		return fmt.Errorf("outgoing: stop following %s %s: %w", kind, object, err)
	}
	return nil
}

type followRow struct {
	kind   followed
	object string
}

// followDue looks at what is due.
func (s *Sender) followDue(ctx context.Context) error {
	var rows []followRow
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		rows, err = sqlite.Collect(ctx, q, `SELECT kind, object FROM follow WHERE due_at <= $1 ORDER BY due_at LIMIT $2`,
			func(rows *sql.Rows) (row followRow, err error) {
				err = rows.Scan(&row.kind, &row.object)
				return row, err
			}, s.now().UnixMilli(), batch)
		return err
	})
	if err != nil {
		return fmt.Errorf("outgoing: list what is followed: %w", err)
	}
	for _, row := range rows {
		if err := s.look(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// look at one object. When that fails outside, it is for later.
func (s *Sender) look(ctx context.Context, row followRow) error {
	var err error
	switch row.kind {
	case followRefund:
		err = s.ObserveRefund(ctx, payments.RefundID(row.object))
	case followTransfer:
		err = s.ObserveTransfer(ctx, payments.TransferID(row.object))
	case followDispute:
		err = s.ObserveDispute(ctx, payments.DisputeID(row.object))
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	stopped, failed := halt.For(ctx, s.store, err)
	if failed != nil {
		return failed
	}
	if !stopped && !errors.Is(err, ledger.ErrNotYet) && !errors.Is(err, ErrStranger) && !payments.Outside(err) {
		return err
	}
	s.log.Warn("what is under way could not be followed", "kind", row.kind, "object", row.object, "err", err, "stopped", stopped)
	return s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return follow(ctx, tx, row.kind, row.object) })
}
