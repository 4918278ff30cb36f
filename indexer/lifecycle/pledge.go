package lifecycle

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Pledge is a feature.pledge record: a wish, until the receipt of the escrow
// that it names says more (rule 9).
type Pledge struct {
	Meta
	Attempt AttemptURI
	Escrow  syntax.DID
	Value   money.Money
}

// Donation is a feature.donation record: a word, until the receipt of the
// service that relays the payment says more (rule 5).
type Donation struct {
	Meta
	Attempt AttemptURI
	Escrow  syntax.DID
	Value   money.Money
}
