package ledger

import (
	"context"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Movement is a kind of balance transaction that is about the operator's own money.
type Movement string

// The movements that are known.
const (
	TopUp            Movement = "top-up"            // the operator put money in
	Withdrawal       Movement = "withdrawal"        // the operator took his own money out
	WithdrawalFailed Movement = "withdrawal-failed" // and his bank returned it
	OperatorCost     Movement = "operator-cost"     // the processor's own fees, network costs, taxes on them
)

// Movements lists the movements that are known.
func Movements() []Movement {
	return []Movement{TopUp, Withdrawal, WithdrawalFailed, OperatorCost}
}

// Operator posts a movement of the operator's own money. It returns ErrUnknown for
// one whose kind and direction do not fit.
func (l *Ledger) Operator(ctx context.Context, tx *store.Tx, m Movement, t Transaction) error {
	lines, err := operatorLines(m, t)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return nil
	}
	_, err = l.Post(ctx, tx, Entry{Reference: t.reference(), Kind: Kind(m), Facts: factsOf(Kind(m), &t), Lines: lines})
	return err
}

func operatorLines(m Movement, t Transaction) ([]Line, error) {
	processor, float, cost := Of(KindProcessor, t.Currency), Of(KindFloat, t.Currency), Of(KindProcessingCost, t.Currency)
	var lines []Line
	moved := func(account Account, into int64) {
		switch {
		case into > 0:
			lines = append(lines, Line{processor, account, into})
		case into < 0:
			lines = append(lines, Line{account, processor, -into})
		}
	}
	switch {
	case m == OperatorCost:
		moved(cost, t.Amount)
	case (m == TopUp || m == WithdrawalFailed) && t.Amount > 0, m == Withdrawal && t.Amount < 0:
		moved(float, t.Amount)
	default:
		return nil, fmt.Errorf("%w: %s of %d %s, a %s", ErrUnknown, t.ID, t.Amount, t.Currency, m)
	}
	moved(cost, -t.Fee)
	return lines, nil
}

// Position is what the operator has at the processor, in one currency.
type Position struct {
	// Own is the operator's part of the balance: what was put in and earned, less
	// what was taken out, spent and lost.
	Own int64
	// AtRisk is the part of it that banks have taken and not decided about: of each hold
	// what they have beyond what is contested of it. Where more is contested than they
	// have, the rest is the payer's, and covers nothing for anybody else.
	AtRisk int64
}

// Free is what may be taken out, or cover what a checkout could cost.
func (p Position) Free() int64 { return p.Own - p.AtRisk }

// PositionIn reads the operator's position in a currency.
func PositionIn(ctx context.Context, q sqlite.Querier, currency money.Currency) (p Position, err error) {
	const kinds = 5
	paths := make([]any, 0, kinds)
	for _, kind := range []AccountKind{KindFloat, KindFeeIncome, KindProcessingCost, KindDisputeCost, KindChargebackLoss} {
		paths = append(paths, Of(kind, currency).Path())
	}
	err = q.QueryRowContext(ctx, `
		SELECT -coalesce((SELECT sum(balance) FROM account WHERE path IN ($1, $2, $3, $4, $5)), 0),
			coalesce((
				SELECT sum(max(0, open.balance + coalesce(contested.balance, 0))) FROM account AS open
				LEFT JOIN account AS contested
					ON contested.path = substr(open.path, 1, length(open.path) - length('chargeback-open')) || 'contested'
				WHERE open.currency = $6 AND open.kind = 'chargeback-open' AND open.balance > 0), 0)`,
		append(paths, currency)...).Scan(&p.Own, &p.AtRisk)
	if err != nil {
		return Position{}, fmt.Errorf("ledger: read the position in %s: %w", currency, err)
	}
	return p, nil
}
