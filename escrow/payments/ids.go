package payments

import (
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// Ids of the processor's objects. They are opaque.
type (
	AccountID  string
	SessionID  string
	PaymentID  string
	ChargeID   string
	RefundID   string
	TransferID string
	ReversalID string
	MovementID string
	DisputeID  string
	WarningID  string
	EventID    string
	TopupID    string
)

// Platform is the account of the escrow's operator, on which pledges are held. Any
// other AccountID is one that a payee connected to it.
const Platform AccountID = ""

// Group joins the charges and transfers of one attempt at the processor.
type Group string

// GroupOf returns the group of an attempt, from the uri of its development record.
func GroupOf(attempt syntax.ATURI) Group { return Group(lexicons.DerivedKey(attempt)) }

// Key is an idempotency key. A caller derives it from the id of a stored intent and
// the act, never from what may differ when it is sent again.
type Key string

// maxKey is the processor's bound.
const maxKey = 255

// Check refuses a key that cannot be sent.
func (k Key) Check() error {
	if k == "" || len(k) > maxKey {
		return fmt.Errorf("%w: an idempotency key has 1 to %d characters, not %d", ErrInvalid, maxKey, len(k))
	}
	if strings.ContainsFunc(string(k), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%w: an idempotency key is printable ASCII", ErrInvalid)
	}
	return nil
}
