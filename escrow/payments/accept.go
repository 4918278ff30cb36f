package payments

import (
	"fmt"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Rejection says why the money of a session is not the money that was agreed.
type Rejection struct {
	Reason  Reason
	Session SessionID
	// Got and Want are what differs, as far as that can be said in a word.
	Got, Want string
}

func (r *Rejection) Error() string {
	text := fmt.Sprintf("payments: session %s is not accepted: %s", r.Session, r.Reason)
	if r.Got != "" || r.Want != "" {
		text += fmt.Sprintf(": %q instead of %q", r.Got, r.Want)
	}
	return text
}

// Reason is why a payment is not accepted.
type Reason string

const (
	// Not yet: nothing was taken, or not everything about it is known.
	ReasonNotComplete  Reason = "not-complete"
	ReasonNotPaid      Reason = "not-paid"
	ReasonNoPayment    Reason = "no-payment"
	ReasonNotSucceeded Reason = "not-succeeded"
	ReasonNoCharge     Reason = "no-charge"
	ReasonNotCaptured  Reason = "not-captured"
	ReasonNoMovement   Reason = "no-movement"

	// Never: this is not what was agreed, or it is over. If money was taken, it has to go
	// back.
	ReasonExpired   Reason = "expired"
	ReasonMode      Reason = "mode"
	ReasonAccount   Reason = "account"
	ReasonMark      Reason = "mark"
	ReasonGroup     Reason = "group"
	ReasonAmount    Reason = "amount"
	ReasonCurrency  Reason = "currency"
	ReasonConverted Reason = "converted"
	ReasonMethod    Reason = "method"
	ReasonRefunded  Reason = "refunded"
)

// Waiting tells whether the same session may be accepted later.
func (r Reason) Waiting() bool {
	switch r {
	case ReasonNotComplete, ReasonNotPaid, ReasonNoPayment, ReasonNotSucceeded,
		ReasonNoCharge, ReasonNotCaptured, ReasonNoMovement:
		return true
	}
	return false
}

// Accept returns the charge of a session if its money is exactly what the checkout
// asked for: complete, paid, succeeded, by one card charge, captured, not refunded; in
// amount and currency, mark and group, account and mode as the intent says; and
// without any conversion of currency between the payer and the platform's balance. Else
// it returns a *Rejection. The session has to be whole, as [Checkouts.Session] gives it.
//
// What could be another's is looked at first, so that a Waiting reason is said only of
// a session that is the intent's.
func Accept(s Session, want Checkout, mode Mode) (Charge, error) {
	c, err := Taken(s, want, mode)
	if err == nil && c.Refunded.Amount != 0 {
		return Charge{}, &Rejection{ReasonRefunded, s.ID, fmt.Sprint(c.Refunded), fmt.Sprint(money.Money{Currency: want.Amount.Currency})}
	}
	return c, err
}

// Taken is [Accept] for whoever asks only whether the money came: some of it, or all,
// may have gone back since.
func Taken(s Session, want Checkout, mode Mode) (Charge, error) {
	no := func(reason Reason, got, wanted any) (Charge, error) {
		return Charge{}, &Rejection{reason, s.ID, fmt.Sprint(got), fmt.Sprint(wanted)}
	}
	notYet := func(reason Reason) (Charge, error) {
		return Charge{}, &Rejection{Reason: reason, Session: s.ID}
	}

	// The session is the one that was ordered.
	switch {
	case !mode.Valid() || s.Live != mode.Live():
		return no(ReasonMode, s.Live, mode.Live())
	case s.Account != want.Account:
		return no(ReasonAccount, s.Account, want.Account)
	case s.Mark != want.Mark || s.Mark == Mark{}:
		return no(ReasonMark, s.Mark.Intent, want.Mark.Intent)
	case s.Converted:
		return no(ReasonConverted, "another currency", want.Amount.Currency)
	case s.Status == SessionExpired:
		return no(ReasonExpired, s.Status, SessionComplete)
	}
	if reason := differs(s.Amount, want.Amount); reason != "" {
		return no(reason, s.Amount, want.Amount)
	}

	// Its payment is the same, and done.
	p := s.Payment
	if p == nil {
		return notYet(ReasonNoPayment)
	}
	switch {
	case p.Live != s.Live:
		return no(ReasonMode, p.Live, s.Live)
	case p.Mark != want.Mark:
		return no(ReasonMark, p.Mark.Intent, want.Mark.Intent)
	case p.Group != want.Group():
		return no(ReasonGroup, p.Group, want.Group())
	}
	if reason := differs(p.Amount, want.Amount); reason != "" {
		return no(reason, p.Amount, want.Amount)
	}
	switch {
	case s.Status != SessionComplete:
		return notYet(ReasonNotComplete)
	case !s.Paid:
		return notYet(ReasonNotPaid)
	case p.Status != PaymentSucceeded:
		return notYet(ReasonNotSucceeded)
	}
	if reason := differs(p.Received, want.Amount); reason != "" {
		return no(reason, p.Received, want.Amount)
	}

	// Its charge took this money from a card.
	c := p.Charge
	if c == nil {
		return notYet(ReasonNoCharge)
	}
	switch {
	case c.Live != s.Live:
		return no(ReasonMode, c.Live, s.Live)
	case c.Payment != p.ID:
		return no(ReasonNoCharge, c.Payment, p.ID)
	case c.Method != MethodCard:
		return no(ReasonMethod, c.Method, MethodCard)
	}
	if reason := differs(c.Amount, want.Amount); reason != "" {
		return no(reason, c.Amount, want.Amount)
	}
	switch {
	case c.Status != ChargeSucceeded || !c.Captured:
		return notYet(ReasonNotCaptured)
	case c.Movement == nil:
		return notYet(ReasonNoMovement)
	}

	// It arrived on our balance in the same currency. An account of a payee may have another
	// one, into which the processor converts what comes there.
	if want.Account != Platform {
		return *c, nil
	}
	m := c.Movement
	if m.Converted || m.Amount.Currency != want.Amount.Currency {
		return no(ReasonConverted, m.Amount.Currency, want.Amount.Currency)
	}
	if reason := differs(m.Amount, want.Amount); reason != "" {
		return no(reason, m.Amount, want.Amount)
	}
	return *c, nil
}

// differs says what is wrong with an amount, if anything is.
func differs(got, want money.Money) Reason {
	switch {
	case got.Currency != want.Currency:
		return ReasonCurrency
	case got.Amount != want.Amount:
		return ReasonAmount
	}
	return ""
}
