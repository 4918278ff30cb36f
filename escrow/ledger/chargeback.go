package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// ChargebackState is what a payer's bank decided.
type ChargebackState string

// The states of a chargeback.
const (
	ChargebackOpen ChargebackState = "open"
	ChargebackWon  ChargebackState = "won"  // all of it came back
	ChargebackLost ChargebackState = "lost" // not all of it came back
)

// ChargebackStates lists all states of a chargeback.
func ChargebackStates() []ChargebackState {
	return []ChargebackState{ChargebackOpen, ChargebackWon, ChargebackLost}
}

// Chargeback is a dispute at the processor that took money.
type Chargeback struct {
	ID               string
	Amount, Returned int64
	Loss             int64 // what nothing of the pledge covered, with what a refund took all the same, less refunds that failed later
	State            ChargebackState
}

// DisputeObject is a dispute as the processor tells it, whenever it was asked.
type DisputeObject struct {
	ID   string
	Hold HoldID
	// Withdrawn is the movement that took the money. An inquiry has none, and means
	// nothing to the ledger.
	Withdrawn *Transaction
	// Reinstated are the movements that gave some or all of it back.
	Reinstated []Transaction
	// State is what the processor says. What it says of winning is believed as far
	// as money came back.
	State ChargebackState
}

const (
	kindWithdrawn  Kind = "chargeback-withdrawn"
	kindReinstated Kind = "chargeback-reinstated"
	kindClosed     Kind = "chargeback-closed"
)

// Chargeback posts what a dispute's object tells and the ledger does not know yet.
// It returns ErrNotYet when the charge is not known, or it was won and nothing came
// back, and ErrUnknown for what cannot be.
func (l *Ledger) Chargeback(ctx context.Context, tx *store.Tx, d DisputeObject) error {
	if d.Withdrawn == nil {
		return nil
	}
	err := l.tell(ctx, tx, d.Hold, telling{
		reference: d.Withdrawn.reference(), kind: kindWithdrawn,
		facts: factsOf(kindWithdrawn, d.Withdrawn, string(d.Hold), d.ID),
		book:  func(b *book) error { return b.withdrawn(d) },
	})
	if err != nil {
		return err
	}
	for _, t := range d.Reinstated {
		err := l.tell(ctx, tx, d.Hold, telling{
			reference: t.reference(), kind: kindReinstated,
			facts: factsOf(kindReinstated, &t, string(d.Hold), d.ID),
			book:  func(b *book) error { return b.reinstated(d.ID, t) },
		})
		if err != nil {
			return err
		}
	}
	if d.State == ChargebackOpen {
		return nil
	}
	return l.tell(ctx, tx, d.Hold, telling{
		reference: Reference("dispute/" + d.ID + "/closed"), kind: kindClosed,
		facts: factsOf(kindClosed, nil, string(d.Hold), d.ID, string(d.State)),
		book:  func(b *book) error { return b.closed(d) },
	})
}

func (h *Hold) chargeback(id string) *Chargeback {
	i := slices.IndexFunc(h.Chargebacks, func(c Chargeback) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &h.Chargebacks[i]
}

// withdrawn: what is owed out of the hold and has not left is contested from now on. What a
// bank has kept, it may take once more, by a dispute of its own.
func (b *book) withdrawn(d DisputeObject) error {
	taken := -d.Withdrawn.Amount
	for _, c := range b.Chargebacks {
		if c.State == ChargebackOpen {
			taken += c.Amount - c.Returned
		}
	}
	switch {
	case b.Charge == "":
		return fmt.Errorf("%w: the charge of hold %s", ErrNotYet, b.ID)
	case d.ID == "" || b.chargeback(d.ID) != nil || d.Withdrawn.Amount >= 0 || taken > b.Value.Amount || d.Withdrawn.Currency != b.Value.Currency:
		return fmt.Errorf("%w: dispute %s takes %d %s of hold %s", ErrUnknown, d.ID, -d.Withdrawn.Amount, d.Withdrawn.Currency, b.ID)
	}
	amount := -d.Withdrawn.Amount
	b.Chargebacks = append(b.Chargebacks, Chargeback{ID: d.ID, Amount: amount, State: ChargebackOpen})
	b.move(KindChargebackOpen, KindProcessor, amount)
	b.fee(KindDisputeCost, *d.Withdrawn)
	b.move(KindHeld, KindContested, b.Balances[KindHeld])
	b.move(KindRefundDue, KindContested, b.Balances[KindRefundDue]-b.Balances[KindRefundInTransit])
	b.move(KindReturned, KindContested, b.Balances[KindReturned])
	return nil
}

func (b *book) reinstated(id string, t Transaction) error {
	c := b.chargeback(id)
	if c == nil || c.State != ChargebackOpen || t.Amount <= 0 || t.Amount > c.Amount-c.Returned || t.Currency != b.Value.Currency {
		return fmt.Errorf("%w: %d %s back from dispute %s", ErrUnknown, t.Amount, t.Currency, id)
	}
	c.Returned += t.Amount
	b.move(KindProcessor, KindChargebackOpen, t.Amount)
	b.fee(KindDisputeCost, t)
	return nil
}

func (b *book) closed(d DisputeObject) error {
	c := b.chargeback(d.ID)
	switch {
	case c == nil:
		return fmt.Errorf("%w: dispute %s of hold %s", ErrUnknown, d.ID, b.ID)
	case c.State != ChargebackOpen:
		return nil // closed without a line, when all had come back
	}
	lost := c.Amount - c.Returned
	if d.State == ChargebackWon && c.Returned == 0 {
		return fmt.Errorf("%w: dispute %s is won, and its money is not back", ErrNotYet, d.ID)
	}
	c.State = ChargebackWon
	if lost > 0 {
		c.State = ChargebackLost
		b.lose(c, lost)
	}
	if !b.contesting() {
		b.resolve()
	}
	return nil
}

// lose books what a bank keeps: out of what is contested of the pledge, and else it
// is the operator's loss, and after a settlement first the payees'.
func (b *book) lose(c *Chargeback, lost int64) {
	covered := min(lost, b.Balances[KindContested])
	b.move(KindContested, KindChargebackOpen, covered)
	c.Loss = lost - covered
	b.move(KindChargebackLoss, KindChargebackOpen, c.Loss)
	if b.Exit != nil && b.Exit.Outcome == OutcomeSettlement {
		b.recover(c.Loss)
		return
	}
	b.leave(OutcomeChargeback, ReasonChargeback)
}

// recover takes a loss from the payees by share. The fee's share stays a loss.
func (b *book) recover(loss int64) {
	rest := b.Value.Amount
	shares := make([]int64, 0, len(b.Payouts)+1)
	for _, p := range b.Payouts {
		shares = append(shares, p.Amount)
		rest -= p.Amount
	}
	parts, err := money.Money{Amount: loss, Currency: b.Value.Currency}.Split(append(shares, rest))
	if err != nil {
		panic(fmt.Sprintf("ledger: payouts of hold %s do not add up: %v", b.ID, err))
	}
	for i := range b.Payouts {
		p := &b.Payouts[i]
		part := min(parts[i].Amount, p.Amount-p.Withheld-p.Recoverable)
		if p.State != PayoutDue {
			p.Recoverable += part
			continue
		}
		b.line(b.payee(KindOwed, p.Payee), b.account(KindChargebackLoss), part)
		p.Withheld += part
		if p.Due() == 0 {
			p.State = PayoutSettled
		}
	}
}

// resolve finds a place for what is still contested when no bank has to decide any
// more.
func (b *book) resolve() {
	contested := b.Balances[KindContested]
	switch {
	case contested == 0:
	case b.Exit == nil && b.Decision == nil:
		b.move(KindContested, KindHeld, contested)
	case b.failed():
		b.move(KindContested, KindReturned, contested)
	default:
		reason := ReasonChargeback // decided without it
		if b.Decision != nil && b.Decision.Outcome == OutcomeRefund {
			reason = b.Decision.Reason
		}
		b.leave(OutcomeRefund, reason)
		b.move(KindContested, KindRefundDue, contested)
	}
}
