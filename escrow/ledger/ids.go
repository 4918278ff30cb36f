package ledger

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// HoldID is the escrow's own id of one checkout, the payment of
// fund.stratos.escrow.createCheckout.
type HoldID string

// AttemptKey is the record key of an attempt's campaign.
type AttemptKey string

// AttemptOf returns the key of the attempt that a development record is.
func AttemptOf(development syntax.ATURI) AttemptKey {
	return AttemptKey(lexicons.DerivedKey(development))
}
