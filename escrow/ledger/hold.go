package ledger

import (
	"maps"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// HoldState is how far a checkout came.
type HoldState string

// The states of a hold.
const (
	HoldPending HoldState = "pending" // reserved
	HoldPosted  HoldState = "posted"  // charged, and held from then on
	HoldVoided  HoldState = "voided"  // not charged; or charged when it could not be held any more
)

// HoldStates lists all states of a hold.
func HoldStates() []HoldState { return []HoldState{HoldPending, HoldPosted, HoldVoided} }

// Outcome is the way out of a hold, or what was decided about an attempt.
type Outcome string

// The outcomes.
const (
	OutcomeRefund     Outcome = "refund"
	OutcomeSettlement Outcome = "settlement"
	// OutcomeChargeback is the way out of a hold only: lost while it was held.
	OutcomeChargeback Outcome = "chargeback"
)

// Outcomes lists all ways out.
func Outcomes() []Outcome { return []Outcome{OutcomeRefund, OutcomeSettlement, OutcomeChargeback} }

// Exit is the way out of a hold.
type Exit struct {
	Outcome Outcome
	Reason  Reason
}

// Hold is one checkout of a pledge, with everything that the ledger knows of it.
type Hold struct {
	ID      HoldID
	Pledge  syntax.ATURI
	CID     syntax.CID // of the pledge's version that is paid for
	Attempt AttemptKey
	Value   money.Money
	State   HoldState
	Charge  string // the processor's id; empty while there is none

	// Balances of the hold's accounts, each on its normal side.
	Balances map[AccountKind]int64
	// Exit is nil while there is no way out, Decision while the attempt is
	// undecided.
	Exit        *Exit
	Decision    *Exit
	Refunds     []Refund
	Payouts     []Payout
	Chargebacks []Chargeback
}

func (h *Hold) clone() *Hold {
	c := *h
	c.Balances = maps.Clone(h.Balances)
	c.Refunds, c.Payouts, c.Chargebacks = slices.Clone(h.Refunds), slices.Clone(h.Payouts), slices.Clone(h.Chargebacks)
	return &c
}

// contesting reports whether a bank has yet to decide about the hold.
func (h *Hold) contesting() bool {
	return slices.ContainsFunc(h.Chargebacks, func(c Chargeback) bool { return c.State == ChargebackOpen })
}

// lost reports whether a bank has decided for the payer.
func (h *Hold) lost() bool {
	return slices.ContainsFunc(h.Chargebacks, func(c Chargeback) bool { return c.State == ChargebackLost })
}

// failed reports whether a refund of the hold came back, or could not be made.
func (h *Hold) failed() bool {
	return slices.ContainsFunc(h.Refunds, func(r Refund) bool { return r.State == RefundFailed })
}

// leave takes a way out, unless there is one.
func (h *Hold) leave(outcome Outcome, reason Reason) {
	if h.Exit == nil {
		h.Exit = &Exit{outcome, reason}
	}
}
