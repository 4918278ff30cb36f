package payments

import (
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// DisputeStatus is where a chargeback stands.
type DisputeStatus string

const (
	// An inquiry: the bank asks, and no money has moved.
	InquiryOpen     DisputeStatus = "warning_needs_response"
	InquiryInReview DisputeStatus = "warning_under_review"
	InquiryClosed   DisputeStatus = "warning_closed"

	// A chargeback: the money was withdrawn, and comes back if it is won.
	DisputeOpen     DisputeStatus = "needs_response"
	DisputeInReview DisputeStatus = "under_review"
	DisputeWon      DisputeStatus = "won"
	DisputeLost     DisputeStatus = "lost"
	// DisputePrevented was settled before it became a chargeback.
	DisputePrevented DisputeStatus = "prevented"
)

// Inquiry tells whether the bank only asks, so far.
func (s DisputeStatus) Inquiry() bool {
	return s == InquiryOpen || s == InquiryInReview || s == InquiryClosed
}

// Dispute is what card networks call a dispute and this house a chargeback.
type Dispute struct {
	ID      DisputeID
	Charge  ChargeID
	Payment PaymentID
	Live    bool
	// Amount is what is disputed, which may be a part of the charge.
	Amount money.Money
	Status DisputeStatus
	// Reason is the network's word.
	Reason string
	// Refundable tells whether the charge may still be refunded, which ends an inquiry.
	Refundable bool
	CreatedAt  time.Time
	// EvidenceBy is when evidence is due, zero if none is.
	EvidenceBy time.Time
	// Movements are what it did to the balance so far: the withdrawal with its fee, and
	// what came back.
	Movements []Movement
}

// DisputeQuery chooses disputes; the zero value all.
type DisputeQuery struct {
	Charge ChargeID
	Since  time.Time
}
