package ledger

import (
	"context"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// Settlement is the decision to pay what an attempt holds to its payees.
type Settlement struct {
	Attempt        AttemptKey
	Shares         []Share // in the order of the campaign
	FeeBasisPoints int64
}

const (
	kindSettled      Kind = "settled"
	kindRefundsOfAll Kind = "refunds-decided"
)

// Settle decides that everything that an attempt holds is paid out, in one entry.
// It returns ErrPending while a hold of it is pending, ErrDecided when it was
// decided to refund, and ErrNothingHeld. The same decision again is nothing.
func (l *Ledger) Settle(ctx context.Context, tx *store.Tx, s Settlement) error {
	names := []string{string(s.Attempt), fmt.Sprint(s.FeeBasisPoints)}
	for _, share := range s.Shares {
		names = append(names, string(share.Payee), fmt.Sprint(share.BasisPoints))
	}
	return l.decide(ctx, tx, decision{
		attempt: s.Attempt, outcome: OutcomeSettlement, kind: kindSettled,
		facts: factsOf(kindSettled, nil, names...),
		book: func(books []*book) error {
			if len(books) == 0 {
				return fmt.Errorf("%w: attempt %s", ErrNothingHeld, s.Attempt)
			}
			return settle(books, s)
		},
	})
}

func settle(books []*book, s Settlement) error {
	amounts := make([]int64, len(books))
	for i, b := range books {
		amounts[i] = b.Balances[KindHeld]
	}
	portions, err := apportion(amounts, s.Shares, s.FeeBasisPoints)
	if err != nil {
		return err
	}
	for i, b := range books {
		b.leave(OutcomeSettlement, "")
		for j, share := range s.Shares {
			part := portions[i].parts[j]
			if part == 0 {
				continue
			}
			b.line(b.account(KindHeld), b.payee(KindOwed, share.Payee), part)
			b.Payouts = append(b.Payouts, Payout{Payee: share.Payee, Amount: part, State: PayoutDue})
		}
		b.move(KindHeld, KindFeeIncome, portions[i].fee)
	}
	return nil
}

// DecideRefunds decides that everything that an attempt holds goes back, in one
// entry. It returns ErrPending while a hold of it is pending, and ErrDecided when it
// was decided to settle. The same decision again is nothing, and the first reason
// stays.
func (l *Ledger) DecideRefunds(ctx context.Context, tx *store.Tx, attempt AttemptKey, reason Reason) error {
	return l.decide(ctx, tx, decision{
		attempt: attempt, outcome: OutcomeRefund, reason: reason, kind: kindRefundsOfAll,
		facts: factsOf(kindRefundsOfAll, nil, string(attempt)),
		book: func(books []*book) error {
			for _, b := range books {
				b.leave(OutcomeRefund, reason)
				b.move(KindHeld, KindRefundDue, b.Balances[KindHeld])
			}
			return nil
		},
	})
}

// decision is what is decided about an attempt, once.
type decision struct {
	attempt AttemptKey
	outcome Outcome
	reason  Reason
	kind    Kind
	facts   Digest
	book    func([]*book) error // about the holds that are held, in receipt order
}

func (l *Ledger) decide(ctx context.Context, tx *store.Tx, d decision) error {
	reference := Reference("attempt/" + string(d.attempt) + "/" + string(d.outcome))
	before, known, err := l.find(ctx, tx, reference, d.facts)
	if err != nil || known {
		return err
	}
	decided, err := loadDecision(ctx, tx, d.attempt)
	switch {
	case err != nil:
		return err
	case decided != nil && decided.Outcome == d.outcome:
		return nil // when nothing was held
	case decided != nil:
		return fmt.Errorf("%w: %s of attempt %s", ErrDecided, decided.Outcome, d.attempt)
	}
	holds, err := held(ctx, tx, d.attempt)
	if err != nil {
		return err
	}
	books := make([]*book, len(holds))
	for i, h := range holds {
		books[i] = &book{Hold: h.clone()}
	}
	if err := d.book(books); err != nil {
		return fmt.Errorf("ledger: %s: %w", reference, err)
	}
	entry, err := l.appendBooks(ctx, tx, before, Entry{Reference: reference, Kind: d.kind, Facts: d.facts}, books)
	if err != nil {
		return err
	}
	if err := insertDecision(ctx, tx, d, entry); err != nil {
		return err
	}
	for i, b := range books {
		b.Decision = &Exit{d.outcome, d.reason}
		if err := save(ctx, tx, holds[i], b.Hold, entry); err != nil {
			return err
		}
	}
	return nil
}

func (l *Ledger) appendBooks(ctx context.Context, tx *store.Tx, before last, e Entry, books []*book) (*told, error) {
	for _, b := range books {
		e.Lines = append(e.Lines, b.lines...)
	}
	if len(e.Lines) == 0 {
		return nil, nil
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return l.append(ctx, tx, before, e)
}
