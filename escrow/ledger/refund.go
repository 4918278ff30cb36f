package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// RefundState is how far a refund at the processor came, as the ledger knows it.
type RefundState string

// The states of a refund.
const (
	RefundPending   RefundState = "pending"   // created; the balance was not touched
	RefundTaken     RefundState = "taken"     // left the balance, not confirmed
	RefundSucceeded RefundState = "succeeded" // arrived, as far as the processor knows
	RefundFailed    RefundState = "failed"    // came back, or never left
)

// RefundStates lists all states of a refund.
func RefundStates() []RefundState {
	return []RefundState{RefundPending, RefundTaken, RefundSucceeded, RefundFailed}
}

// Refund is a refund at the processor.
type Refund struct {
	ID     string
	Amount int64
	State  RefundState
}

const (
	kindRefundDecided   Kind = "refund-decided"
	kindRefundTaken     Kind = "refund-taken"
	kindRefundSucceeded Kind = "refund-succeeded"
	kindRefundFailed    Kind = "refund-failed"
	kindRefundRefused   Kind = "refund-refused"
	kindRefundRetried   Kind = "refund-retried"
	kindPaidOtherwise   Kind = "paid-otherwise"
)

// DecideRefund sends what a hold holds back to its payer. Deciding it again is
// nothing, and the first reason stays. What a bank has taken meanwhile goes back if
// the bank gives it back. It returns ErrDecided when the hold has another way out,
// and ErrNotHeld when there is nothing.
func (l *Ledger) DecideRefund(ctx context.Context, tx *store.Tx, hold HoldID, reason Reason) error {
	return l.tell(ctx, tx, hold, telling{
		reference: Reference("hold/" + string(hold) + "/refund"), kind: kindRefundDecided,
		facts: factsOf(kindRefundDecided, nil, string(hold)),
		book:  func(b *book) error { return b.refundDecided(reason) },
	})
}

func (b *book) refundDecided(reason Reason) error {
	switch {
	case b.Exit != nil && b.Exit.Outcome == OutcomeRefund:
		return nil
	case b.Exit != nil:
		return fmt.Errorf("%w: %s left by %s", ErrDecided, b.ID, b.Exit.Outcome)
	case b.Balances[KindHeld] == 0 && b.Balances[KindContested] == 0:
		return fmt.Errorf("%w: %s", ErrNotHeld, b.ID)
	}
	b.leave(OutcomeRefund, reason)
	b.move(KindHeld, KindRefundDue, b.Balances[KindHeld])
	return nil
}

// RefundObject is a refund as the processor tells it, whenever it was asked.
type RefundObject struct {
	ID     string
	Hold   HoldID
	Amount int64 // above zero
	// Status is pending, succeeded or failed; a refund that was cancelled failed.
	Status RefundState
	// Taken is the movement by which it left the balance, Returned the one by which
	// it came back.
	Taken, Returned *Transaction
}

// Refund posts what a refund's object tells and the ledger does not know yet. An
// object that was fetched before what is known is nothing. It returns ErrUnknown for
// a refund that nobody decided, or a second one, and ErrNotYet when the object's
// movements do not suffice for its status.
func (l *Ledger) Refund(ctx context.Context, tx *store.Tx, r RefundObject) error {
	if err := l.registerRefund(ctx, tx, r); err != nil {
		return err
	}
	if r.Taken != nil {
		if err := l.refundTaken(ctx, tx, r); err != nil {
			return err
		}
	}
	switch {
	case r.Status == RefundSucceeded:
		return l.refundSucceeded(ctx, tx, r)
	case r.Status == RefundFailed && r.Returned != nil:
		return l.refundReturned(ctx, tx, r)
	case r.Status == RefundFailed:
		return l.refundNeverLeft(ctx, tx, r)
	}
	return nil
}

// registerRefund makes the row of a refund that is new.
func (l *Ledger) registerRefund(ctx context.Context, tx *store.Tx, r RefundObject) error {
	h, err := LoadHold(ctx, tx, r.Hold)
	if err != nil {
		return err
	}
	if h.refund(r.ID) != nil {
		return nil
	}
	due := h.Balances[KindRefundDue] - h.Balances[KindRefundInTransit] + h.Balances[KindContested]
	switch live := slices.ContainsFunc(h.Refunds, func(r Refund) bool { return r.State != RefundFailed }); {
	case h.Exit == nil || h.Exit.Outcome == OutcomeSettlement:
		return fmt.Errorf("%w: refund %s of hold %s, which does not go back", ErrUnknown, r.ID, r.Hold)
	case live:
		return fmt.Errorf("%w: refund %s is the second one of hold %s", ErrUnknown, r.ID, r.Hold)
	case r.Amount <= 0 || r.Amount > due:
		return fmt.Errorf("%w: refund %s of %d, with %d due for hold %s", ErrUnknown, r.ID, r.Amount, due, r.Hold)
	}
	after := h.clone()
	after.Refunds = append(after.Refunds, Refund{r.ID, r.Amount, RefundPending})
	return save(ctx, tx, h, after, nil)
}

func (h *Hold) refund(id string) *Refund {
	i := slices.IndexFunc(h.Refunds, func(r Refund) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &h.Refunds[i]
}

func (l *Ledger) refundTaken(ctx context.Context, tx *store.Tx, r RefundObject) error {
	return l.tell(ctx, tx, r.Hold, telling{
		reference: r.Taken.reference(), kind: kindRefundTaken,
		facts: factsOf(kindRefundTaken, r.Taken, string(r.Hold), r.ID),
		book: func(b *book) error {
			refund := b.refund(r.ID)
			if refund.State != RefundPending || r.Taken.Amount != -refund.Amount || r.Taken.Currency != b.Value.Currency {
				return fmt.Errorf("%w: %d %s for refund %s of %d, which is %s",
					ErrUnknown, r.Taken.Amount, r.Taken.Currency, r.ID, refund.Amount, refund.State)
			}
			refund.State = RefundTaken
			// What a bank took in the meantime has left a second time: the loss is
			// ours to carry, and what was contested is what went back. What the bank
			// has kept by now is lost already.
			b.move(KindContested, KindRefundDue, min(b.Balances[KindContested], max(0, refund.Amount-b.Balances[KindRefundDue])))
			b.loseTwice(max(0, refund.Amount-b.Balances[KindRefundDue]))
			b.move(KindRefundInTransit, KindProcessor, refund.Amount)
			b.fee(KindProcessingCost, *r.Taken)
			return nil
		},
	})
}

func (l *Ledger) refundSucceeded(ctx context.Context, tx *store.Tx, r RefundObject) error {
	return l.tell(ctx, tx, r.Hold, telling{
		reference: Reference("refund/" + r.ID + "/succeeded"), kind: kindRefundSucceeded,
		facts: factsOf(kindRefundSucceeded, nil, string(r.Hold), r.ID),
		book: func(b *book) error {
			refund := b.refund(r.ID)
			switch refund.State {
			case RefundFailed:
				return nil // older news
			case RefundPending:
				return fmt.Errorf("%w: refund %s succeeded and was not taken", ErrNotYet, r.ID)
			}
			refund.State = RefundSucceeded
			b.move(KindRefundDue, KindRefundInTransit, refund.Amount)
			return nil
		},
	})
}

func (l *Ledger) refundReturned(ctx context.Context, tx *store.Tx, r RefundObject) error {
	return l.tell(ctx, tx, r.Hold, telling{
		reference: r.Returned.reference(), kind: kindRefundFailed,
		facts: factsOf(kindRefundFailed, r.Returned, string(r.Hold), r.ID),
		book: func(b *book) error {
			refund := b.refund(r.ID)
			if refund.State == RefundPending {
				return fmt.Errorf("%w: refund %s came back and was not taken", ErrNotYet, r.ID)
			}
			if refund.State == RefundFailed || r.Returned.Amount != refund.Amount || r.Returned.Currency != b.Value.Currency {
				return fmt.Errorf("%w: %d %s back from refund %s of %d, which is %s",
					ErrUnknown, r.Returned.Amount, r.Returned.Currency, r.ID, refund.Amount, refund.State)
			}
			if refund.State == RefundSucceeded {
				b.owe(KindProcessor, refund.Amount)
			} else {
				b.move(KindProcessor, KindRefundInTransit, refund.Amount)
				b.owe(KindRefundDue, refund.Amount)
			}
			refund.State = RefundFailed
			b.fee(KindProcessingCost, *r.Returned)
			return nil
		},
	})
}

// loseTwice books what left for the payer although a bank had kept it for the same payer.
func (b *book) loseTwice(amount int64) {
	for i := range b.Chargebacks {
		c := &b.Chargebacks[i]
		if c.State != ChargebackLost {
			continue
		}
		paid := min(amount, c.Amount-c.Returned-c.Loss)
		b.move(KindChargebackLoss, KindRefundDue, paid)
		c.Loss += paid
		amount -= paid
	}
}

// owe books what came back from a payer's bank: less what the payer had from a
// chargeback beside the refund, it is the payer's, unless a bank has yet to say so.
func (b *book) owe(from AccountKind, amount int64) {
	for i := range b.Chargebacks {
		c := &b.Chargebacks[i]
		paid := min(amount, c.Loss)
		b.move(from, KindChargebackLoss, paid)
		c.Loss -= paid
		amount -= paid
	}
	if b.contesting() {
		b.move(from, KindContested, amount)
		return
	}
	b.move(from, KindReturned, amount)
}

func (l *Ledger) refundNeverLeft(ctx context.Context, tx *store.Tx, r RefundObject) error {
	return l.tell(ctx, tx, r.Hold, telling{
		reference: Reference("refund/" + r.ID + "/failed"), kind: kindRefundFailed,
		facts: factsOf(kindRefundFailed, nil, string(r.Hold), r.ID),
		book: func(b *book) error {
			refund := b.refund(r.ID)
			switch refund.State {
			case RefundFailed:
				return nil // older news
			case RefundTaken, RefundSucceeded:
				return fmt.Errorf("%w: refund %s failed, and its money is not back", ErrNotYet, r.ID)
			}
			refund.State = RefundFailed
			// With a chargeback open the money waits as contested already.
			b.move(KindRefundDue, KindReturned, min(refund.Amount, b.Balances[KindRefundDue]))
			return nil
		},
	})
}

// RefuseRefund tells that the processor does not make a refund that is due: it is
// owed until it is claimed. Try tells one try from the next.
func (l *Ledger) RefuseRefund(ctx context.Context, tx *store.Tx, hold HoldID, try string) error {
	return l.tell(ctx, tx, hold, telling{
		reference: Reference("hold/" + string(hold) + "/refused/" + try), kind: kindRefundRefused,
		facts: factsOf(kindRefundRefused, nil, string(hold), try),
		book: func(b *book) error {
			due := b.Balances[KindRefundDue]
			live := slices.ContainsFunc(b.Refunds, func(r Refund) bool { return r.State == RefundPending || r.State == RefundTaken })
			if due == 0 || live {
				return fmt.Errorf("%w: no refund of %s can be refused", ErrNotDue, hold)
			}
			b.move(KindRefundDue, KindReturned, due)
			return nil
		},
	})
}

// RetryRefund makes what came back due again, because an admin wants another try. It
// returns ErrNotDue when nothing came back, also for who asks twice.
func (l *Ledger) RetryRefund(ctx context.Context, tx *store.Tx, hold HoldID) error {
	// A bank can bring the same money back before any refund was made of it again, so
	// retries are counted by themselves.
	retries := "hold/" + string(hold) + "/retry/"
	var before int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM entry WHERE reference > $1 AND reference < $2`, retries, retries+":").Scan(&before)
	if err != nil {
		return fmt.Errorf("ledger: count the retries of hold %s: %w", hold, err)
	}
	retry := strconv.Itoa(before + 1)
	return l.tell(ctx, tx, hold, telling{
		reference: Reference(retries + retry), kind: kindRefundRetried,
		facts: factsOf(kindRefundRetried, nil, string(hold), retry),
		book: func(b *book) error {
			if b.Balances[KindReturned] == 0 {
				return fmt.Errorf("%w: nothing of %s came back", ErrNotDue, hold)
			}
			b.move(KindReturned, KindRefundDue, b.Balances[KindReturned])
			return nil
		},
	})
}

// PayOtherwise tells that an admin has paid what came back from elsewhere, all of
// it, with the hash of the evidence.
func (l *Ledger) PayOtherwise(ctx context.Context, tx *store.Tx, hold HoldID, evidence Digest) error {
	proof := hex.EncodeToString(evidence[:])
	return l.tell(ctx, tx, hold, telling{
		reference: Reference("hold/" + string(hold) + "/paid-otherwise/" + proof), kind: kindPaidOtherwise,
		facts: factsOf(kindPaidOtherwise, nil, string(hold), proof),
		book: func(b *book) error {
			if b.Balances[KindReturned] == 0 {
				return fmt.Errorf("%w: nothing of %s came back", ErrNotDue, hold)
			}
			b.move(KindReturned, KindFloat, b.Balances[KindReturned])
			return nil
		},
	})
}
