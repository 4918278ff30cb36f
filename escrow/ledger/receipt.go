package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Reason is why money went back, in the words of fund.stratos.escrow.receipt.
type Reason string

// The reasons.
const (
	ReasonWithdrawn      Reason = "withdrawn"
	ReasonLate           Reason = "late"
	ReasonCancelled      Reason = "cancelled"
	ReasonNotReleased    Reason = "not-released"
	ReasonDisputeUpheld  Reason = "dispute-upheld"
	ReasonUndecided      Reason = "undecided"
	ReasonPayeeUnpayable Reason = "payee-unpayable"
	ReasonChargeback     Reason = "chargeback"
	ReasonWindDown       Reason = "wind-down"
	// By a warning of the card networks, or by an admin.
	ReasonFraud      Reason = "fraud"
	ReasonLegalOrder Reason = "legal-order"
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{
		ReasonWithdrawn, ReasonLate, ReasonCancelled, ReasonNotReleased, ReasonDisputeUpheld, ReasonUndecided,
		ReasonPayeeUnpayable, ReasonChargeback, ReasonWindDown, ReasonFraud, ReasonLegalOrder,
	}
}

// historyLimit is how many changes a receipt lists. The last place is the present.
const historyLimit = 16

// Change is a status and when it began.
type Change struct {
	Status lifecycle.ReceiptStatus
	Reason Reason // empty where the status needs none
	At     time.Time
}

// Receipt is what the ledger says of a pledge.
type Receipt struct {
	Pledge  syntax.ATURI
	CID     syntax.CID // of the version that was paid for
	Hold    HoldID
	Attempt AttemptKey
	Value   money.Money
	Fee     money.Money // the operator's part, once settled
	Stand   Stand
	// Change is the present, and History all changes, oldest first.
	Change
	History []Change
}

// Status is what a receipt says of a hold that was charged, and why.
func (h *Hold) Status() (lifecycle.ReceiptStatus, Reason) {
	var outcome Outcome
	var reason Reason
	if h.Exit != nil {
		outcome, reason = h.Exit.Outcome, h.Exit.Reason
	}
	contested := h.Balances[KindContested] > 0
	due, returned := h.Balances[KindRefundDue] > 0, h.Balances[KindReturned] > 0
	switch {
	case outcome == OutcomeSettlement && h.lost():
		return lifecycle.ReceiptChargedBack, ReasonChargeback
	case outcome == OutcomeSettlement && h.settled():
		return lifecycle.ReceiptReleased, ""
	case outcome == OutcomeSettlement:
		return lifecycle.ReceiptReleasing, ""
	case contested:
		return lifecycle.ReceiptChargedBack, ReasonChargeback
	case returned:
		return lifecycle.ReceiptRefundFailed, reason
	case due:
		return lifecycle.ReceiptRefunding, reason
	case outcome == OutcomeChargeback, h.lost() && !h.refunded():
		return lifecycle.ReceiptChargedBack, ReasonChargeback
	case outcome == OutcomeRefund:
		return lifecycle.ReceiptRefunded, reason
	default:
		return lifecycle.ReceiptHeld, ""
	}
}

// settled reports whether every payee has what is due.
func (h *Hold) settled() bool {
	for _, p := range h.Payouts {
		if p.State != PayoutSettled {
			return false
		}
	}
	return true
}

// refunded reports whether some refund arrived.
func (h *Hold) refunded() bool {
	for _, r := range h.Refunds {
		if r.State == RefundSucceeded {
			return true
		}
	}
	return false
}

// fee is the operator's part of a hold that was settled.
func (h *Hold) fee() money.Money {
	fee := money.Money{Currency: h.Value.Currency}
	if h.Exit == nil || h.Exit.Outcome != OutcomeSettlement {
		return fee
	}
	fee.Amount = h.Value.Amount
	for _, p := range h.Payouts {
		fee.Amount -= p.Amount
	}
	return fee
}

// Donation is a payment that went straight to a developer's account: it was never on
// our balance, and the ledger has nothing of it.
type Donation struct {
	Reversed bool // it went back from there
	ByBank   bool // because of a chargeback
}

// Status is what a receipt says of a donation.
func (d Donation) Status() (lifecycle.ReceiptStatus, Reason) {
	switch {
	case d.Reversed && d.ByBank:
		return lifecycle.ReceiptReversed, ReasonChargeback
	case d.Reversed:
		return lifecycle.ReceiptReversed, ""
	default:
		return lifecycle.ReceiptPaid, ""
	}
}

// ReceiptState reads what the ledger says of a pledge. It returns ErrNotFound for one
// that was never charged.
func ReceiptState(ctx context.Context, q sqlite.Querier, pledge syntax.ATURI) (Receipt, error) {
	hold, err := speaks(ctx, q, pledge)
	if err != nil {
		return Receipt{}, err
	}
	h, err := LoadHold(ctx, q, hold)
	if err != nil {
		return Receipt{}, err
	}
	r := Receipt{Pledge: pledge, CID: h.CID, Hold: h.ID, Attempt: h.Attempt, Value: h.Value, Fee: h.fee(), Stand: h.Stand()}
	if r.History, err = history(ctx, q, pledge); err != nil {
		return Receipt{}, err
	}
	if len(r.History) == 0 {
		return Receipt{}, fmt.Errorf("ledger: %s was charged and has no history", pledge)
	}
	r.Change = r.History[len(r.History)-1]
	return r, nil
}

func history(ctx context.Context, q sqlite.Querier, pledge syntax.ATURI) ([]Change, error) {
	changes, err := sqlite.Collect(ctx, q, `
		SELECT status, reason, at FROM change WHERE pledge = $1 ORDER BY n`,
		func(rows *sql.Rows) (c Change, err error) {
			var at int64
			err = rows.Scan(&c.Status, &c.Reason, &at)
			c.At = time.UnixMilli(at).UTC()
			return c, err
		}, pledge)
	if err != nil {
		return nil, fmt.Errorf("ledger: read the history of %s: %w", pledge, err)
	}
	return changes, nil
}
