package payments

import (
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// TopupStatus is where a top-up stands.
type TopupStatus string

const (
	TopupPending   TopupStatus = "pending"
	TopupSucceeded TopupStatus = "succeeded"
	TopupFailed    TopupStatus = "failed"
	TopupCanceled  TopupStatus = "canceled"
	TopupReversed  TopupStatus = "reversed"
)

// Topup is money that the operator put into the float.
type Topup struct {
	ID        TopupID
	Live      bool
	Amount    money.Money
	Status    TopupStatus
	CreatedAt time.Time
	Movement  MovementID
}
