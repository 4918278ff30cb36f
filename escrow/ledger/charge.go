package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Checkout is a hold to be opened.
type Checkout struct {
	Hold    HoldID
	Pledge  syntax.ATURI
	CID     syntax.CID
	Attempt AttemptKey
	Value   money.Money
}

// OpenHold reserves a pledge, before its payer is sent to the processor. The same
// checkout again is nothing. It returns ErrTaken for a pledge that is reserved or
// was ever charged, and ErrDecided for an attempt that was decided.
func (l *Ledger) OpenHold(ctx context.Context, tx *store.Tx, c Checkout) error {
	if err := OfHold(KindHeld, c.Value.Currency, c.Hold).check(); err != nil {
		return err
	}
	switch there, err := LoadHold(ctx, tx, c.Hold); {
	case err == nil && c != Checkout{there.ID, there.Pledge, there.CID, there.Attempt, there.Value}:
		return &ConflictError{Reference: "hold/" + string(c.Hold)}
	case err == nil:
		return nil
	case !errors.Is(err, ErrNotFound):
		return err
	}
	var decided, taken bool
	err := tx.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM decision WHERE attempt = $1),
			EXISTS (SELECT 1 FROM hold WHERE pledge = $2 AND (state <> 'voided' OR charge IS NOT NULL))`,
		c.Attempt, c.Pledge).Scan(&decided, &taken)
	switch {
	case err != nil:
		return fmt.Errorf("ledger: look for holds of %s: %w", c.Pledge, err)
	case decided:
		return fmt.Errorf("%w: attempt %s", ErrDecided, c.Attempt)
	case taken:
		return fmt.Errorf("%w: %s", ErrTaken, c.Pledge)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO hold (id, pledge, cid, attempt, currency, amount, state) VALUES ($1, $2, $3, $4, $5, $6, 'pending')`,
		c.Hold, c.Pledge, c.CID, c.Attempt, c.Value.Currency, c.Value.Amount)
	if err != nil {
		return fmt.Errorf("ledger: open hold %s: %w", c.Hold, err)
	}
	return nil
}

// VoidHold gives a reservation up, once the processor can charge for it no more. It
// returns ErrPosted when it was charged.
func (l *Ledger) VoidHold(ctx context.Context, tx *store.Tx, hold HoldID) error {
	h, err := LoadHold(ctx, tx, hold)
	if err != nil {
		return err
	}
	switch h.State {
	case HoldPosted:
		return fmt.Errorf("%w: %s", ErrPosted, hold)
	case HoldVoided:
		return nil
	}
	after := h.clone()
	after.State = HoldVoided
	return save(ctx, tx, h, after, nil)
}

// Charged is a charge that succeeded.
type Charged struct {
	Hold        HoldID
	Charge      string
	Transaction Transaction
	// Return, when set, is why the money cannot be held although the hold is
	// pending: the campaign has closed, or the pledge is gone. It is no part of the
	// facts; only the first telling decides.
	Return Reason
}

const kindCharge Kind = "charge"

// Charge posts a charge: held, or due to go back at once if the hold is void, the
// attempt decided, or the caller says so. Of a charge that does not fit its hold it
// posts nothing, and returns ErrUnknown.
func (l *Ledger) Charge(ctx context.Context, tx *store.Tx, f Charged) error {
	return l.tell(ctx, tx, f.Hold, telling{
		reference: f.Transaction.reference(), kind: kindCharge,
		facts: factsOf(kindCharge, &f.Transaction, string(f.Hold), f.Charge),
		book:  func(b *book) error { return b.charged(f) },
	})
}

func (b *book) charged(f Charged) error {
	got := money.Money{Amount: f.Transaction.Amount, Currency: f.Transaction.Currency}
	switch {
	case f.Charge == "" || got != b.Value:
		return fmt.Errorf("%w: charge %q of %s for hold %s of %s", ErrUnknown, f.Charge, got, b.ID, b.Value)
	case b.Charge != "":
		return fmt.Errorf("%w: charge %s for hold %s, which was charged by %s", ErrUnknown, f.Charge, b.ID, b.Charge)
	}
	b.Charge = f.Charge
	if b.State == HoldPending && b.Decision == nil && f.Return == "" {
		b.State = HoldPosted
		b.move(KindProcessor, KindHeld, b.Value.Amount)
	} else {
		b.State = HoldVoided
		b.leave(OutcomeRefund, cmp.Or(f.Return, ReasonLate))
		b.move(KindProcessor, KindRefundDue, b.Value.Amount)
	}
	b.fee(KindProcessingCost, f.Transaction)
	return nil
}
