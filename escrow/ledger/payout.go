package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// PayoutState is how far a payee's part of a hold came.
type PayoutState string

// The states of a payout.
const (
	PayoutDue       PayoutState = "due"       // owed; nobody asked for a transfer
	PayoutRequested PayoutState = "requested" // a transfer is asked for, and may exist
	PayoutSent      PayoutState = "sent"      // left the balance
	PayoutSettled   PayoutState = "settled"   // the payee has it; or all of it was withheld
)

// PayoutStates lists all states of a payout.
func PayoutStates() []PayoutState {
	return []PayoutState{PayoutDue, PayoutRequested, PayoutSent, PayoutSettled}
}

// Payout is a payee's part of a hold that was settled.
type Payout struct {
	Payee    syntax.DID
	Amount   int64
	Withheld int64 // for a chargeback, before any transfer was asked for
	State    PayoutState
	Transfer string // the processor's id; empty while there is none
	// Recoverable is what reversals may take back for lost chargebacks, and
	// Recovered what they did.
	Recoverable, Recovered int64
}

// Due is what a transfer of the payout is for.
func (p Payout) Due() int64 { return p.Amount - p.Withheld }

const (
	kindTransferCreated  Kind = "transfer-created"
	kindTransferSettled  Kind = "transfer-settled"
	kindTransferReversed Kind = "transfer-reversed"
)

func (h *Hold) payout(payee syntax.DID) *Payout {
	i := slices.IndexFunc(h.Payouts, func(p Payout) bool { return p.Payee == payee })
	if i < 0 {
		return nil
	}
	return &h.Payouts[i]
}

// RequestTransfer notes that a transfer is about to be made, and returns for how
// much. From then on nothing is withheld from it. Asking again gives the same. It
// returns ErrNotDue when nothing is due, or the transfer is there.
func (l *Ledger) RequestTransfer(ctx context.Context, tx *store.Tx, hold HoldID, payee syntax.DID) (amount int64, err error) {
	h, err := LoadHold(ctx, tx, hold)
	if err != nil {
		return 0, err
	}
	after := h.clone()
	p := after.payout(payee)
	switch {
	case p == nil:
		return 0, fmt.Errorf("%w: a payout of %s to %s", ErrNotFound, hold, payee)
	case p.State == PayoutRequested:
		return p.Due(), nil
	case p.State != PayoutDue:
		return 0, fmt.Errorf("%w: the payout of %s to %s is %s", ErrNotDue, hold, payee, p.State)
	}
	p.State = PayoutRequested
	return p.Due(), save(ctx, tx, h, after, nil)
}

// TransferObject is a transfer as the processor tells it, whenever it was asked.
type TransferObject struct {
	ID      string
	Hold    HoldID
	Payee   syntax.DID
	Created Transaction // the movement by which it left the balance
	Settled bool        // its funds are available to the payee
}

// Transfer posts what a transfer's object tells and the ledger does not know yet. It
// returns ErrUnknown for a transfer that is not the payout's.
func (l *Ledger) Transfer(ctx context.Context, tx *store.Tx, t TransferObject) error {
	err := l.tell(ctx, tx, t.Hold, telling{
		reference: t.Created.reference(), kind: kindTransferCreated,
		facts: factsOf(kindTransferCreated, &t.Created, string(t.Hold), string(t.Payee), t.ID),
		book:  func(b *book) error { return b.transferCreated(t) },
	})
	if err != nil || !t.Settled {
		return err
	}
	return l.tell(ctx, tx, t.Hold, telling{
		reference: Reference("transfer/" + t.ID + "/settled"), kind: kindTransferSettled,
		facts: factsOf(kindTransferSettled, nil, string(t.Hold), string(t.Payee), t.ID),
		book: func(b *book) error {
			p := b.payout(t.Payee)
			if p == nil || p.Transfer != t.ID {
				return fmt.Errorf("%w: transfer %s for hold %s", ErrUnknown, t.ID, t.Hold)
			}
			p.State = PayoutSettled
			b.line(b.payee(KindOwed, p.Payee), b.payee(KindInTransit, p.Payee), p.Due()-p.Recovered)
			return nil
		},
	})
}

func (b *book) transferCreated(t TransferObject) error {
	p := b.payout(t.Payee)
	if p == nil || p.Transfer != "" || t.ID == "" || t.Created.Amount != -p.Due() || t.Created.Currency != b.Value.Currency {
		return fmt.Errorf("%w: transfer %s of %d %s out of hold %s to %s",
			ErrUnknown, t.ID, -t.Created.Amount, t.Created.Currency, b.ID, t.Payee)
	}
	p.Transfer, p.State = t.ID, PayoutSent
	b.line(b.payee(KindInTransit, p.Payee), b.account(KindProcessor), p.Due())
	b.fee(KindProcessingCost, t.Created)
	return nil
}

// Reversal is a transfer that was reversed, in part or whole.
type Reversal struct {
	Transfer string
	Hold     HoldID
	Payee    syntax.DID
	Returned Transaction
}

// ReverseTransfer posts what a reversal brought back for a lost chargeback. It
// returns ErrUnknown for more than may be taken back.
func (l *Ledger) ReverseTransfer(ctx context.Context, tx *store.Tx, r Reversal) error {
	return l.tell(ctx, tx, r.Hold, telling{
		reference: r.Returned.reference(), kind: kindTransferReversed,
		facts: factsOf(kindTransferReversed, &r.Returned, string(r.Hold), string(r.Payee), r.Transfer),
		book: func(b *book) error {
			p, amount := b.payout(r.Payee), r.Returned.Amount
			if p == nil || p.Transfer != r.Transfer || amount <= 0 || amount > p.Recoverable-p.Recovered || r.Returned.Currency != b.Value.Currency {
				return fmt.Errorf("%w: %d %s back from transfer %s", ErrUnknown, amount, r.Returned.Currency, r.Transfer)
			}
			p.Recovered += amount
			b.move(KindProcessor, KindChargebackLoss, amount)
			if p.State == PayoutSent {
				b.line(b.payee(KindOwed, p.Payee), b.payee(KindInTransit, p.Payee), amount)
			}
			b.fee(KindProcessingCost, r.Returned)
			return nil
		},
	})
}
