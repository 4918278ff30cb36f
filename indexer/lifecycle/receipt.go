package lifecycle

import (
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// ReceiptStatus is what an escrow says of one payment.
type ReceiptStatus string

// The statuses that the rules know. Another one is shown and counts nowhere.
const (
	ReceiptHeld         ReceiptStatus = "held"
	ReceiptReleasing    ReceiptStatus = "releasing"
	ReceiptReleased     ReceiptStatus = "released"
	ReceiptRefunding    ReceiptStatus = "refunding"
	ReceiptRefunded     ReceiptStatus = "refunded"
	ReceiptRefundFailed ReceiptStatus = "refund-failed"
	ReceiptChargedBack  ReceiptStatus = "charged-back"
	ReceiptReversed     ReceiptStatus = "reversed"
	ReceiptPaid         ReceiptStatus = "paid"
)

// Receipt is an escrow.receipt record. Author is the escrow.
type Receipt struct {
	Meta
	Subject Ref // the pledge or donation that was paid
	Attempt AttemptURI
	// Proposal is the one that the receipt pins; empty when it pins none, and
	// then the attempt's is.
	Proposal syntax.ATURI
	Payer    syntax.DID
	Value    money.Money
	Status   ReceiptStatus
	// ExpectedAt is when money on its way should arrive.
	ExpectedAt *time.Time
	// HeldUntil is the date by which held money is paid out or goes back.
	HeldUntil *time.Time
	Test      bool
	// Team holds the accounts for whose own work the payment was: the
	// developer, the payees and the maintainers. Only [Standings] asks for it.
	Team []syntax.DID
}

// isOf: the receipt is for a record of the collection. ATURI's own methods parse
// by a regular expression, too slow for thousands.
func (r *Receipt) isOf(collection syntax.NSID) bool {
	return strings.Contains(string(r.Subject.URI), "/"+string(collection)+"/")
}
