package ledger

import (
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// AccountKind is what an account means.
type AccountKind string

// Bound says on which side the balance of an account may be.
type Bound string

// The bounds.
const (
	BoundNone   Bound = "none"
	BoundDebit  Bound = "debit"  // debits are never less than credits
	BoundCredit Bound = "credit" // credits are never less than debits
)

// The chart of accounts.
const (
	// KindProcessor is the balance at the processor.
	KindProcessor AccountKind = "processor"

	// KindHeld was paid and waits for the decision.
	KindHeld AccountKind = "held"
	// KindRefundDue was decided to go back.
	KindRefundDue AccountKind = "refund-due"
	// KindRefundInTransit left the balance for the payer and is not confirmed.
	KindRefundInTransit AccountKind = "refund-in-transit"
	// KindReturned came back, or cannot be sent: owed until claimed.
	KindReturned AccountKind = "returned"
	// KindChargebackOpen was taken by the payer's bank, which has not decided.
	KindChargebackOpen AccountKind = "chargeback-open"
	// KindContested is what was owed out of a hold when the bank took it.
	KindContested AccountKind = "contested"

	// KindOwed is a payee's share of what was settled.
	KindOwed AccountKind = "owed"
	// KindInTransit left the balance for a payee and is not settled.
	KindInTransit AccountKind = "in-transit"

	// KindFloat is what the operator put in, less what he took out.
	KindFloat AccountKind = "float"
	// KindFeeIncome is the published fees of settled pledges.
	KindFeeIncome AccountKind = "fee-income"
	// KindProcessingCost is the processor's fees.
	KindProcessingCost AccountKind = "processing-cost"
	// KindDisputeCost is the processor's fees for chargebacks.
	KindDisputeCost AccountKind = "dispute-cost"
	// KindChargebackLoss is lost chargebacks that nothing of their pledge covered.
	KindChargebackLoss AccountKind = "chargeback-loss"
)

// scope is what there is one account of a kind for, beside the currency.
type scope int

const (
	perCurrency scope = iota
	perHold
	perPayee // of an attempt
)

type nature struct {
	scope scope
	bound Bound
}

// chart says of each kind how many accounts there are, and how they may stand.
var chart = map[AccountKind]nature{
	KindProcessor:       {perCurrency, BoundNone},
	KindHeld:            {perHold, BoundCredit},
	KindRefundDue:       {perHold, BoundCredit},
	KindRefundInTransit: {perHold, BoundDebit},
	KindReturned:        {perHold, BoundCredit},
	KindChargebackOpen:  {perHold, BoundDebit},
	KindContested:       {perHold, BoundCredit},
	KindOwed:            {perPayee, BoundCredit},
	KindInTransit:       {perPayee, BoundDebit},
	KindFloat:           {perCurrency, BoundNone},
	KindFeeIncome:       {perCurrency, BoundCredit},
	KindProcessingCost:  {perCurrency, BoundNone},
	KindDisputeCost:     {perCurrency, BoundNone},
	KindChargebackLoss:  {perCurrency, BoundDebit},
}

// AccountKinds lists the kinds of the chart.
func AccountKinds() []AccountKind {
	return []AccountKind{
		KindProcessor, KindHeld, KindRefundDue, KindRefundInTransit, KindReturned, KindChargebackOpen, KindContested,
		KindOwed, KindInTransit, KindFloat, KindFeeIncome, KindProcessingCost, KindDisputeCost, KindChargebackLoss,
	}
}

// Account is one account of the chart. Accounts are made by the functions below and
// compared by ==; each has one path.
type Account struct {
	kind     AccountKind
	currency money.Currency
	hold     HoldID
	attempt  AttemptKey
	payee    syntax.DID
}

// Of returns the account of a kind that there is one of in each currency.
func Of(kind AccountKind, currency money.Currency) Account {
	return Account{kind: kind, currency: currency}
}

// OfHold returns an account of a hold.
func OfHold(kind AccountKind, currency money.Currency, hold HoldID) Account {
	return Account{kind: kind, currency: currency, hold: hold}
}

// OfPayee returns an account of a payee of an attempt.
func OfPayee(kind AccountKind, currency money.Currency, attempt AttemptKey, payee syntax.DID) Account {
	return Account{kind: kind, currency: currency, attempt: attempt, payee: payee}
}

// Kind is what the account means.
func (a Account) Kind() AccountKind { return a.kind }

// Currency is that of all amounts in the account.
func (a Account) Currency() money.Currency { return a.currency }

// Path names the account to people, and in the hash chain.
func (a Account) Path() string {
	switch chart[a.kind].scope {
	case perHold:
		return string(a.currency) + "/hold/" + string(a.hold) + "/" + string(a.kind)
	case perPayee:
		return string(a.currency) + "/attempt/" + string(a.attempt) + "/" + string(a.payee) + "/" + string(a.kind)
	default:
		return string(a.currency) + "/" + string(a.kind)
	}
}

func (a Account) String() string { return a.Path() }

// check refuses an account that the chart does not have.
func (a Account) check() error {
	n, known := chart[a.kind]
	if !known {
		return fmt.Errorf("%w: no kind of account %q", ErrEntry, a.kind)
	}
	ofHold, ofPayee := a.hold != "", a.attempt != "" && a.payee != ""
	if ofHold != (n.scope == perHold) || ofPayee != (n.scope == perPayee) || (a.attempt != "") != (a.payee != "") {
		return fmt.Errorf("%w: %s is not one account", ErrEntry, a)
	}
	if a.currency == "" || strings.ContainsRune(string(a.hold)+string(a.attempt)+string(a.payee), '/') {
		return fmt.Errorf("%w: %q is no account's path", ErrEntry, a.Path())
	}
	return nil
}
