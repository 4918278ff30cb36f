package payments

import (
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Balance is what the platform has at the processor, one amount for each currency.
// Reserved is what the processor holds back for payees' accounts that are below zero.
type Balance struct {
	Live                         bool
	Available, Pending, Reserved []money.Money
}

// MovementKind is what kind of thing changed the balance. The processor has many more
// than these, and may add some: a caller treats those as unknown.
type MovementKind string

const (
	MovementCharge        MovementKind = "charge"
	MovementRefund        MovementKind = "refund"
	MovementRefundFailure MovementKind = "refund_failure"
	MovementTransfer      MovementKind = "transfer"
	// MovementReversal gives the money of a transfer back.
	MovementReversal MovementKind = "transfer_refund"
	// MovementAdjustment is a chargeback or its return; the Source says which.
	MovementAdjustment MovementKind = "adjustment"
	MovementFee        MovementKind = "stripe_fee"
	MovementTopup      MovementKind = "topup"
	MovementPayout     MovementKind = "payout"
	// MovementReserve takes from what is available to what is reserved, or gives it back.
	MovementReserve MovementKind = "reserve_transaction"
	// MovementCollection covers a payee's account that was below zero for half a year.
	MovementCollection MovementKind = "connect_collection_transfer"
)

// Movement is one change of the platform's balance. The net amounts of all movements but
// reserves add up to the balance with what is reserved: there is no other way in or out.
type Movement struct {
	ID   MovementID
	Kind MovementKind
	// Category is the processor's own grouping for reports, finer than Kind for some.
	Category string
	// Amount is before and Net after Fee; below zero leaves the balance.
	Amount, Fee, Net money.Money
	// Source is the id of what caused it: a charge, refund, transfer, reversal, dispute,
	// topup, payout. Empty for a fee.
	Source string
	// Converted says that it was another currency before it reached the balance.
	Converted bool
	// Available tells whether the money can be used, AvailableAt since or from when.
	Available              bool
	CreatedAt, AvailableAt time.Time
}

// MovementQuery chooses movements; the zero value all.
type MovementQuery struct {
	Since time.Time
	// Until ends the list before this movement, when everything since it is wanted. If it
	// is not met, the list ends with ErrPlace.
	Until MovementID
	// Source is the id of what caused them.
	Source string
	Kind   MovementKind
}
