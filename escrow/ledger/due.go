package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// RefundDue is a hold of which something is to go back and no refund is under way.
type RefundDue struct {
	Hold HoldID
	// Place orders the list; see [RefundsDue].
	Place int64
}

// RefundsDue lists the holds of which something is to go back, no more than limit, from
// the place after on. A refund that waits for its answer is not known here: the caller
// looks for its intent.
func RefundsDue(ctx context.Context, q sqlite.Querier, after int64, limit int) ([]RefundDue, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT id, substr(path, length(currency || '/hold/') + 1, length(path) - length(currency || '/hold/' || '/refund-due')) AS hold
		FROM account
		WHERE kind = 'refund-due' AND balance < 0 AND id > $1
			AND NOT EXISTS (SELECT 1 FROM refund WHERE state <> 'failed' AND refund.hold =
				substr(path, length(currency || '/hold/') + 1, length(path) - length(currency || '/hold/' || '/refund-due')))
		ORDER BY id LIMIT $2`,
		func(rows *sql.Rows) (r RefundDue, err error) {
			err = rows.Scan(&r.Place, &r.Hold)
			return r, err
		}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: list refunds that are due: %w", err)
	}
	return list, nil
}

// RefundsOwed counts the holds of which something is to go back, and those of which
// something came back and waits for its payer to be found.
func RefundsOwed(ctx context.Context, q sqlite.Querier) (due, returned int64, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM account WHERE kind = 'refund-due' AND balance < 0),
			(SELECT count(*) FROM account WHERE kind = 'returned' AND balance < 0)`).Scan(&due, &returned)
	if err != nil {
		return 0, 0, fmt.Errorf("ledger: count refunds that are owed: %w", err)
	}
	return due, returned, nil
}

// CameBack is what came back of a hold's refund, and is owed to its payer.
type CameBack struct {
	Hold   HoldID
	Pledge syntax.ATURI
	Amount money.Money
}

// RefundsReturned lists what came back and waits for its payer to be found, no more than
// limit, what is owed longest first.
func RefundsReturned(ctx context.Context, q sqlite.Querier, limit int) ([]CameBack, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT hold.id, hold.pledge, -account.balance, account.currency
		FROM account
		JOIN hold ON hold.id = substr(path, length(account.currency || '/hold/') + 1, length(path) - length(account.currency || '/hold/' || '/returned'))
		WHERE account.kind = 'returned' AND account.balance < 0
		ORDER BY account.id LIMIT $1`,
		func(rows *sql.Rows) (b CameBack, err error) {
			err = rows.Scan(&b.Hold, &b.Pledge, &b.Amount.Amount, &b.Amount.Currency)
			return b, err
		}, limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: list refunds that came back: %w", err)
	}
	return list, nil
}

// PayoutOf names a payout.
type PayoutOf struct {
	Hold  HoldID
	Payee syntax.DID
}

// PayoutsDue lists payouts of which no transfer is known, no more than limit, after the
// given one. Their transfers may have been asked for.
func PayoutsDue(ctx context.Context, q sqlite.Querier, after PayoutOf, limit int) ([]PayoutOf, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT hold, payee FROM payout
		WHERE (state = 'due' OR state = 'requested') AND (hold, payee) > ($1, $2)
		ORDER BY hold, payee LIMIT $3`, scanPayoutOf, after.Hold, after.Payee, limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: list payouts that are due: %w", err)
	}
	return list, nil
}

// Recoverable lists payouts of which more may be taken back than was, no more than
// limit, after the given one.
func Recoverable(ctx context.Context, q sqlite.Querier, after PayoutOf, limit int) ([]PayoutOf, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT hold, payee FROM payout
		WHERE recoverable > recovered AND transfer IS NOT NULL AND (hold, payee) > ($1, $2)
		ORDER BY hold, payee LIMIT $3`, scanPayoutOf, after.Hold, after.Payee, limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: list what may be taken back: %w", err)
	}
	return list, nil
}

func scanPayoutOf(rows *sql.Rows) (p PayoutOf, err error) {
	err = rows.Scan(&p.Hold, &p.Payee)
	return p, err
}

// HoldOfCharge returns the hold that a charge was for, or ErrNotFound.
func HoldOfCharge(ctx context.Context, q sqlite.Querier, charge string) (HoldID, error) {
	return holdBy(ctx, q, `SELECT id FROM hold WHERE charge = $1`, "the hold of charge", charge)
}

// HoldOfRefund returns the hold that a refund is of, or ErrNotFound.
func HoldOfRefund(ctx context.Context, q sqlite.Querier, refund string) (HoldID, error) {
	return holdBy(ctx, q, `SELECT hold FROM refund WHERE id = $1`, "the hold of refund", refund)
}

func holdBy(ctx context.Context, q sqlite.Querier, query, what, id string) (hold HoldID, err error) {
	err = q.QueryRowContext(ctx, query, id).Scan(&hold)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("%w: %s %s", ErrNotFound, what, id)
	}
	if err != nil {
		return "", fmt.Errorf("ledger: look for %s %s: %w", what, id, err)
	}
	return hold, nil
}

// PayoutOfTransfer returns the payout that a transfer is of, or ErrNotFound.
func PayoutOfTransfer(ctx context.Context, q sqlite.Querier, transfer string) (p PayoutOf, err error) {
	err = q.QueryRowContext(ctx, `SELECT hold, payee FROM payout WHERE transfer = $1`, transfer).Scan(&p.Hold, &p.Payee)
	if errors.Is(err, sql.ErrNoRows) {
		return PayoutOf{}, fmt.Errorf("%w: the payout of transfer %s", ErrNotFound, transfer)
	}
	if err != nil {
		return PayoutOf{}, fmt.Errorf("ledger: look for the payout of transfer %s: %w", transfer, err)
	}
	return p, nil
}

// HoldsOf lists the holds of a pledge that were charged, in the order of their charges.
func HoldsOf(ctx context.Context, q sqlite.Querier, pledge syntax.ATURI) ([]HoldID, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT id FROM hold WHERE pledge = $1 AND charge IS NOT NULL ORDER BY charged`,
		func(rows *sql.Rows) (id HoldID, err error) {
			err = rows.Scan(&id)
			return id, err
		}, pledge)
	if err != nil {
		return nil, fmt.Errorf("ledger: list the holds of %s: %w", pledge, err)
	}
	return list, nil
}

// Booked is what the ledger made of one movement of the processor's balance.
type Booked struct {
	Kind Kind
	// Net is what it added to the processor's account, Fee what of that went to the
	// operator's costs: so Net and Fee add up to the amount, but for a movement that is
	// nothing but a cost.
	Net, Fee int64
	Currency money.Currency
}

// BookedAs reads what the ledger made of a movement; ok is false for one that it does
// not know.
func BookedAs(ctx context.Context, q sqlite.Querier, movement string) (b Booked, ok bool, err error) {
	rows, err := q.QueryContext(ctx, `
		SELECT entry.kind, debit.kind, credit.kind, debit.currency, posting.amount
		FROM entry
		JOIN posting ON posting.entry = entry.sequence
		JOIN account AS debit ON debit.id = posting.debit
		JOIN account AS credit ON credit.id = posting.credit
		WHERE entry.reference = $1 ORDER BY posting.line`, Transaction{ID: movement}.reference())
	if err != nil {
		return Booked{}, false, fmt.Errorf("ledger: look for movement %s: %w", movement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var debit, credit AccountKind
		var amount int64
		if err := rows.Scan(&b.Kind, &debit, &credit, &b.Currency, &amount); err != nil {
			return Booked{}, false, fmt.Errorf("ledger: read movement %s: %w", movement, err)
		}
		ok = true
		switch {
		case debit == KindProcessor && credit.cost():
			b.Net, b.Fee = b.Net+amount, b.Fee-amount
		case credit == KindProcessor && debit.cost():
			b.Net, b.Fee = b.Net-amount, b.Fee+amount
		case debit == KindProcessor:
			b.Net += amount
		case credit == KindProcessor:
			b.Net -= amount
		}
	}
	return b, ok, rows.Err()
}

// cost tells an account of the operator's costs.
func (k AccountKind) cost() bool { return k == KindProcessingCost || k == KindDisputeCost }

// BookedAfter lists the ids of movements that the ledger knows, in their order, no more
// than limit, after the given one.
func BookedAfter(ctx context.Context, q sqlite.Querier, after string, limit int) ([]string, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT substr(reference, length('balance-transaction/') + 1) FROM entry
		WHERE reference > $1 AND reference < 'balance-transaction0' ORDER BY reference LIMIT $2`,
		func(rows *sql.Rows) (id string, err error) {
			err = rows.Scan(&id)
			return id, err
		}, Transaction{ID: after}.reference(), limit)
	if err != nil {
		return nil, fmt.Errorf("ledger: list movements: %w", err)
	}
	return list, nil
}

// AtProcessor reads what the processor's accounts hold, by currency.
func AtProcessor(ctx context.Context, q sqlite.Querier) ([]money.Money, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT balance, currency FROM account WHERE kind = 'processor' ORDER BY currency`,
		func(rows *sql.Rows) (m money.Money, err error) {
			err = rows.Scan(&m.Amount, &m.Currency)
			return m, err
		})
	if err != nil {
		return nil, fmt.Errorf("ledger: read the processor's accounts: %w", err)
	}
	return list, nil
}
