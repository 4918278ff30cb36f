package lifecycle

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// holder is an account with something in an attempt.
type holder struct {
	attempt AttemptURI
	account syntax.DID
}

// holders are the accounts with a held pledge, as the attempt's escrow says.
func (e *evaluation) holders(t time.Time) map[holder]bool {
	return e.payersOf(t, func(s ReceiptStatus) bool { return s == ReceiptHeld })
}

// backers are the accounts whose money is in a release, or went to its payees.
func (e *evaluation) backers(t time.Time) map[holder]bool {
	return e.payersOf(t, func(s ReceiptStatus) bool {
		return s == ReceiptHeld || s == ReceiptReleasing || s == ReceiptReleased
	})
}

func (e *evaluation) payersOf(t time.Time, in func(ReceiptStatus) bool) map[holder]bool {
	out := map[holder]bool{}
	for _, r := range e.receipts {
		c := e.deciding[r.Attempt]
		if c != nil && c.Author == r.Author && in(r.Status) && r.existsAt(t) && e.counts(r) && r.isOf(lexicons.CollectionPledge) {
			out[holder{r.Attempt, r.Payer}] = true
		}
	}
	return out
}
