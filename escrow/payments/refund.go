package payments

import (
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// RefundReason is what the processor is told about a refund.
type RefundReason string

const (
	// RefundRequested is that of every refund but those of fraud, which also teach the
	// processor to block the card.
	RefundRequested  RefundReason = "requested_by_customer"
	RefundFraudulent RefundReason = "fraudulent"
)

// RefundOrder is the intent to give a whole charge back. There is no part of one:
// Amount is what was charged, so that the processor refuses a second refund, and one
// after something else was taken from the charge.
type RefundOrder struct {
	Key    Key
	Mark   Mark
	Charge ChargeID
	Amount money.Money
	Reason RefundReason
	// Because is the escrow's own reason. It stands in the refund's metadata, so that a
	// database that has forgotten the decision finds it there.
	Because string
}

// Check refuses what should not be sent, with ErrInvalid.
func (o RefundOrder) Check() error {
	if err := o.Key.Check(); err != nil {
		return err
	}
	if _, err := o.Mark.Metadata(); err != nil {
		return err
	}
	if o.Charge == "" {
		return fmt.Errorf("%w: a refund is of a charge", ErrInvalid)
	}
	if len(o.Because) > maxMeta {
		return fmt.Errorf("%w: the processor keeps %d characters of metadata", ErrInvalid, maxMeta)
	}
	if o.Reason != RefundRequested && o.Reason != RefundFraudulent {
		return fmt.Errorf("%w: a refund for %q", ErrInvalid, o.Reason)
	}
	return positive(o.Amount)
}

// RefundStatus is where a refund stands.
type RefundStatus string

const (
	// RefundPending is also that of a refund that the balance does not cover.
	RefundPending   RefundStatus = "pending"
	RefundSucceeded RefundStatus = "succeeded"
	// RefundFailed may follow weeks after RefundSucceeded, when the bank sends the money
	// back. The money is then on the balance again, and still owed.
	RefundFailed   RefundStatus = "failed"
	RefundCanceled RefundStatus = "canceled"
	// RefundAction is for methods of payment that are not accepted here.
	RefundAction RefundStatus = "requires_action"
)

// Refund is money on its way back to a card.
type Refund struct {
	ID      RefundID
	Charge  ChargeID
	Payment PaymentID
	Mark    Mark
	Amount  money.Money
	Status  RefundStatus
	Reason  RefundReason
	// Because is the escrow's own reason, where the mark is its own.
	Because string
	// FailureReason is why it failed, if it did.
	FailureReason string
	CreatedAt     time.Time
	// Movement took it from the balance, Return put it back when it failed. Either may
	// be empty.
	Movement, Return MovementID
}

// ForIntent implements Marked.
func (r Refund) ForIntent() IntentID { return r.Mark.Intent }

// RefundQuery chooses refunds; the zero value all.
type RefundQuery struct {
	Charge ChargeID
	Since  time.Time
}
