package payments

import (
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// TransferOrder is the intent to give a payee its share of one charge. Tied to that
// charge it never touches the money of another, and needs not wait until the charge
// is available.
type TransferOrder struct {
	Key    Key
	Mark   Mark
	To     AccountID
	Source ChargeID
	Amount money.Money
}

// Group is that of the attempt.
func (o TransferOrder) Group() Group { return GroupOf(o.Mark.Attempt) }

// Check refuses what should not be sent, with ErrInvalid.
func (o TransferOrder) Check() error {
	if err := o.Key.Check(); err != nil {
		return err
	}
	if _, err := o.Mark.Metadata(); err != nil {
		return err
	}
	if o.To == Platform || o.Source == "" {
		return fmt.Errorf("%w: a transfer goes from a charge to a payee's account", ErrInvalid)
	}
	return positive(o.Amount)
}

// Transfer is money moved to a payee's account.
type Transfer struct {
	ID     TransferID
	To     AccountID
	Source ChargeID
	Live   bool
	Mark   Mark
	Group  Group
	Amount money.Money
	// Reversed is how much of it came back.
	Reversed  money.Money
	CreatedAt time.Time
	Movement  MovementID
}

// ForIntent implements Marked.
func (t Transfer) ForIntent() IntentID { return t.Mark.Intent }

// TransferQuery chooses transfers; the zero value all.
type TransferQuery struct {
	Group Group
	To    AccountID
	Since time.Time
}

// ReversalOrder is the intent to take back from a payee what a chargeback took from
// the platform. The processor allows it as far as the payee's balance goes.
type ReversalOrder struct {
	Key      Key
	Mark     Mark
	Transfer TransferID
	Amount   money.Money
}

// Check refuses what should not be sent, with ErrInvalid.
func (o ReversalOrder) Check() error {
	if err := o.Key.Check(); err != nil {
		return err
	}
	if _, err := o.Mark.Metadata(); err != nil {
		return err
	}
	if o.Transfer == "" {
		return fmt.Errorf("%w: a reversal is of a transfer", ErrInvalid)
	}
	return positive(o.Amount)
}

// Reversal is money of a transfer that came back.
type Reversal struct {
	ID        ReversalID
	Transfer  TransferID
	Mark      Mark
	Amount    money.Money
	CreatedAt time.Time
	Movement  MovementID
}

// ForIntent implements Marked.
func (r Reversal) ForIntent() IntentID { return r.Mark.Intent }
