package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// save writes what became of a hold: the rows that differ, and the change of its
// pledge's receipt. The entry is nil when nothing was posted.
func save(ctx context.Context, tx *store.Tx, before, after *Hold, entry *told) error {
	for _, write := range []func(context.Context, *store.Tx, *Hold, *Hold, *told) error{
		saveHold, saveExit, saveRefunds, savePayouts, saveChargebacks, saveChange,
	} {
		if err := write(ctx, tx, before, after, entry); err != nil {
			return fmt.Errorf("ledger: save hold %s: %w", after.ID, err)
		}
	}
	return nil
}

// sequence of an entry, for the column that refers to it.
func (t *told) column() sql.NullInt64 {
	if t == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.sequence, Valid: true}
}

func saveHold(ctx context.Context, tx *store.Tx, before, after *Hold, entry *told) error {
	if before.Charge != after.Charge {
		_, err := tx.ExecContext(ctx, `UPDATE hold SET state = $1, charge = $2, charged = $3 WHERE id = $4`,
			after.State, after.Charge, entry.column(), after.ID)
		return err
	}
	if before.State != after.State {
		_, err := tx.ExecContext(ctx, `UPDATE hold SET state = $1 WHERE id = $2`, after.State, after.ID)
		return err
	}
	return nil
}

func saveExit(ctx context.Context, tx *store.Tx, before, after *Hold, entry *told) error {
	if before.Exit != nil || after.Exit == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO exit (hold, outcome, reason, entry) VALUES ($1, $2, $3, $4)`,
		after.ID, after.Exit.Outcome, after.Exit.Reason, entry.column())
	return err
}

func insertDecision(ctx context.Context, tx *store.Tx, d decision, entry *told) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO decision (attempt, outcome, reason, entry) VALUES ($1, $2, $3, $4)`,
		d.attempt, d.outcome, d.reason, entry.column())
	if err != nil {
		return fmt.Errorf("ledger: note the decision about %s: %w", d.attempt, err)
	}
	return nil
}

func saveRefunds(ctx context.Context, tx *store.Tx, before, after *Hold, _ *told) error {
	for i, r := range after.Refunds {
		var err error
		switch {
		case i >= len(before.Refunds):
			_, err = tx.ExecContext(ctx, `INSERT INTO refund (id, hold, outcome, amount, state) VALUES ($1, $2, $3, $4, $5)`,
				r.ID, after.ID, after.Exit.Outcome, r.Amount, r.State)
		case r != before.Refunds[i]:
			_, err = tx.ExecContext(ctx, `UPDATE refund SET state = $1 WHERE id = $2`, r.State, r.ID)
		}
		if err != nil {
			return fmt.Errorf("refund %s: %w", r.ID, err)
		}
	}
	return nil
}

func savePayouts(ctx context.Context, tx *store.Tx, before, after *Hold, _ *told) error {
	for i, p := range after.Payouts {
		var err error
		switch {
		case i >= len(before.Payouts):
			_, err = tx.ExecContext(ctx, `INSERT INTO payout (hold, payee, outcome, amount, state) VALUES ($1, $2, $3, $4, $5)`,
				after.ID, p.Payee, after.Exit.Outcome, p.Amount, p.State)
		case p != before.Payouts[i]:
			_, err = tx.ExecContext(ctx, `
				UPDATE payout SET withheld = $1, state = $2, transfer = $3, recoverable = $4, recovered = $5
				WHERE hold = $6 AND payee = $7`,
				p.Withheld, p.State, sql.NullString{String: p.Transfer, Valid: p.Transfer != ""}, p.Recoverable, p.Recovered,
				after.ID, p.Payee)
		}
		if err != nil {
			return fmt.Errorf("payout to %s: %w", p.Payee, err)
		}
	}
	return nil
}

func saveChargebacks(ctx context.Context, tx *store.Tx, before, after *Hold, _ *told) error {
	for i, c := range after.Chargebacks {
		var err error
		switch {
		case i >= len(before.Chargebacks):
			_, err = tx.ExecContext(ctx, `INSERT INTO chargeback (id, hold, amount, state) VALUES ($1, $2, $3, $4)`,
				c.ID, after.ID, c.Amount, c.State)
		case c != before.Chargebacks[i]:
			_, err = tx.ExecContext(ctx, `UPDATE chargeback SET returned = $1, loss = $2, state = $3 WHERE id = $4`,
				c.Returned, c.Loss, c.State, c.ID)
		}
		if err != nil {
			return fmt.Errorf("chargeback %s: %w", c.ID, err)
		}
	}
	return nil
}

// saveChange adds to the history of the pledge's receipt, if this hold is the one
// that it speaks of and what it says is new.
func saveChange(ctx context.Context, tx *store.Tx, _, after *Hold, entry *told) error {
	if entry == nil {
		return nil // what no entry moved, no receipt shows
	}
	if hold, err := speaks(ctx, tx, after.Pledge); err != nil || hold != after.ID {
		return err
	}
	status, reason := after.Status()
	var n int
	var last Change
	err := tx.QueryRowContext(ctx, `SELECT n, status, reason FROM change WHERE pledge = $1 ORDER BY n DESC LIMIT 1`, after.Pledge).
		Scan(&n, &last.Status, &last.Reason)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if last.Status == status && last.Reason == reason {
		return nil
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO change (pledge, n, status, reason, at, entry) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (pledge, n) DO UPDATE SET status = excluded.status, reason = excluded.reason, at = excluded.at, entry = excluded.entry`,
		after.Pledge, min(n+1, historyLimit), status, reason, entry.at.UnixMilli(), entry.sequence)
	return err
}
