package oracle

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// heardOnce is one in how many acts look whether the escrow has heard what it says it has.
const heardOnce = 3

// heard compares what the escrow says that it has heard with what the processor did: what
// happened before the place to which a list was read, with nothing noted that is still to
// be looked at, has to be in the ledger. In the end much of what was overheard is found by
// another way, so this is asked on the way there.
func (w *World) heard(ctx context.Context) error {
	r, err := w.processor.records(ctx)
	if err != nil {
		return err
	}
	db, err := w.escrow.open()
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil) // one snapshot
	if err != nil {
		return fmt.Errorf("oracle: read the escrow's database: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	until, err := heardUntil(ctx, tx)
	if err != nil {
		return err
	}
	var findings []string
	for _, m := range r.movements {
		if !second(m.Created).Before(until["movements"]) {
			continue
		}
		posted, err := there(ctx, tx, `SELECT EXISTS (SELECT 1 FROM entry WHERE reference = 'balance-transaction/' || $1)`, m.ID)
		if err != nil {
			return err
		}
		if !posted {
			findings = append(findings, fmt.Sprintf("movement %s of %d (%s) was overheard", m.ID, m.Amount, m.Type))
		}
	}
	for id, c := range r.byID {
		if c.warnedAt.IsZero() || !c.warnedAt.Before(until["warnings"]) {
			continue
		}
		// One that a bank gave back is held again, whatever was warned of before.
		held, err := there(ctx, tx, `
			SELECT EXISTS (SELECT 1 FROM hold JOIN account ON account.path = hold.currency || '/hold/' || hold.id || '/held'
			WHERE hold.charge = $1 AND account.balance <> 0 AND NOT EXISTS (SELECT 1 FROM chargeback WHERE chargeback.hold = hold.id))`, id)
		if err != nil {
			return err
		}
		if held {
			findings = append(findings, fmt.Sprintf("the warning of %s was overheard", id))
		}
	}
	return wrong(findings)
}

// heardUntil is up to when the escrow says that it has heard each list, and has looked at
// what is in it; nothing while something waits, or money stands still.
func heardUntil(ctx context.Context, tx *sql.Tx) (map[string]time.Time, error) {
	until := map[string]time.Time{}
	rows, err := tx.QueryContext(ctx, `
		SELECT list, since FROM place
		WHERE NOT EXISTS (SELECT 1 FROM hint WHERE done_at IS NULL) AND NOT EXISTS (SELECT 1 FROM halt WHERE lifted_at IS NULL)`)
	if err != nil {
		return nil, fmt.Errorf("oracle: read how far the escrow has heard: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var list string
		var since int64
		if err := rows.Scan(&list, &since); err != nil {
			return nil, fmt.Errorf("oracle: read how far the escrow has heard: %w", err)
		}
		until[list] = time.UnixMilli(since)
	}
	return until, rows.Err()
}

func there(ctx context.Context, tx *sql.Tx, question, about string) (yes bool, err error) {
	if err := tx.QueryRowContext(ctx, question, about).Scan(&yes); err != nil {
		return false, fmt.Errorf("oracle: read the escrow's database: %w", err)
	}
	return yes, nil
}

// second is the end of the second in which the processor says that something happened.
func second(unix int64) time.Time { return time.Unix(unix+1, 0) }
