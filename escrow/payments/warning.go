package payments

import "time"

// Warning is word from a card network that a charge is probably fraud. It comes before
// a chargeback, and a refund in time avoids that.
type Warning struct {
	ID      WarningID
	Charge  ChargeID
	Payment PaymentID
	Live    bool
	// Actionable is false once the charge was refunded or disputed.
	Actionable bool
	Kind       string
	CreatedAt  time.Time
}

// WarningQuery chooses warnings; the zero value all.
type WarningQuery struct {
	Charge ChargeID
	Since  time.Time
}
