package payments

import (
	"iter"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// ChargeStatus is where a charge stands.
type ChargeStatus string

const (
	ChargeSucceeded ChargeStatus = "succeeded"
	ChargePending   ChargeStatus = "pending"
	ChargeFailed    ChargeStatus = "failed"
)

// MethodCard is the only method of payment that is accepted.
const MethodCard = "card"

// Charge is money taken from a card.
type Charge struct {
	ID      ChargeID
	Account AccountID
	Payment PaymentID
	Live    bool
	Mark    Mark
	Group   Group
	Status  ChargeStatus
	// Method is how it was paid: card, or a word of the processor's.
	Method string
	// Captured tells whether the money was really taken, and not only reserved.
	Captured         bool
	Amount, Refunded money.Money
	// Disputed tells whether there is a chargeback or was one.
	Disputed bool
	// FailureCode is why it failed, if it did.
	FailureCode string
	CreatedAt   time.Time
	// Movement is what it did to the balance, nil while it did nothing.
	Movement *Movement
}

// ForIntent implements Marked.
func (c Charge) ForIntent() IntentID { return c.Mark.Intent }

// ChargeQuery chooses charges; the zero value all. The processor combines no Payment
// with a Group.
type ChargeQuery struct {
	Payment PaymentID
	Group   Group
	Since   time.Time
}

// Strangers returns the charges of a list that this escrow did not make, at most so
// many. One is enough to know that another business shares the account, whose
// balance then says nothing about the pledges. A charge that failed moved nothing and
// does not count.
func Strangers(charges iter.Seq2[Charge, error], escrow syntax.DID, most int) ([]ChargeID, error) {
	var strange []ChargeID
	for charge, err := range charges {
		switch {
		case err != nil:
			return nil, err
		case charge.Mark.By(escrow) || charge.Status == ChargeFailed:
			continue
		}
		if strange = append(strange, charge.ID); len(strange) >= most {
			break
		}
	}
	return strange, nil
}
