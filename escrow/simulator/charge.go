package simulator

import "time"

// Charge is money taken from a card, or, on a connected account, received by transfer.
type Charge struct {
	Header
	Amount               int64                `json:"amount"`
	AmountCaptured       int64                `json:"amount_captured"`
	AmountRefunded       int64                `json:"amount_refunded"`
	BalanceTransaction   *string              `json:"balance_transaction"`
	BillingDetails       billingDetails       `json:"billing_details"`
	Captured             bool                 `json:"captured"`
	Currency             string               `json:"currency"`
	Customer             *string              `json:"customer"`
	Description          *string              `json:"description"`
	Disputed             bool                 `json:"disputed"`
	FailureCode          *string              `json:"failure_code"`
	FailureMessage       *string              `json:"failure_message"`
	FraudDetails         map[string]string    `json:"fraud_details"`
	Livemode             bool                 `json:"livemode"`
	Metadata             map[string]string    `json:"metadata"`
	Outcome              *chargeOutcome       `json:"outcome"`
	Paid                 bool                 `json:"paid"`
	PaymentIntent        *string              `json:"payment_intent"`
	PaymentMethod        *string              `json:"payment_method"`
	PaymentMethodDetails paymentMethodDetails `json:"payment_method_details"`
	ReceiptEmail         *string              `json:"receipt_email"`
	Refunded             bool                 `json:"refunded"`
	SourceTransfer       *string              `json:"source_transfer"`
	Status               string               `json:"status"`
	TransferGroup        *string              `json:"transfer_group"`

	Hidden hiddenCharge `json:"simulator"`
}

// hiddenCharge is what becomes of the charge later.
type hiddenCharge struct {
	Card string `json:"card"`
	// Transferred is what transfers took from the charge.
	Transferred int64 `json:"transferred"`
}

type billingDetails struct {
	Address *string `json:"address"`
	Email   *string `json:"email"`
	Name    *string `json:"name"`
	Phone   *string `json:"phone"`
}

type chargeOutcome struct {
	NetworkStatus string  `json:"network_status"`
	Reason        *string `json:"reason"`
	RiskLevel     string  `json:"risk_level"`
	SellerMessage string  `json:"seller_message"`
	Type          string  `json:"type"`
}

type paymentMethodDetails struct {
	Type          string       `json:"type"`
	Card          *cardDetails `json:"card,omitempty"`
	StripeAccount *struct{}    `json:"stripe_account,omitempty"`
}

type cardDetails struct {
	Brand        string        `json:"brand"`
	Country      string        `json:"country"`
	ExpMonth     int           `json:"exp_month"`
	ExpYear      int           `json:"exp_year"`
	Funding      string        `json:"funding"`
	Last4        string        `json:"last4"`
	Network      string        `json:"network"`
	ThreeDSecure *threeDSecure `json:"three_d_secure"`
}

type threeDSecure struct {
	Flow    *string `json:"authentication_flow"`
	Result  string  `json:"result"`
	Version string  `json:"version"`
}

// chargeCard takes an intent's amount from a card, and the fee with it, or records the
// card's refusal.
func (t *tx) chargeCard(intent *PaymentIntent, c card, authenticated string) (*Charge, error) {
	h, err := t.newHeader("ch", kindCharge, intent.account)
	if err != nil {
		return nil, err
	}
	charge := &Charge{
		Header: h, Amount: intent.Amount, Currency: intent.Currency, Description: intent.Description, FraudDetails: map[string]string{},
		Metadata: intent.Metadata, PaymentIntent: &intent.ID, PaymentMethod: intent.PaymentMethod, TransferGroup: intent.TransferGroup,
		PaymentMethodDetails: paymentMethodDetails{Type: "card", Card: t.detailsOf(c, intent.PaymentOptions.Card.RequestThreeDSecure, authenticated)},
		Hidden:               hiddenCharge{Card: c.Number},
	}
	if c.decline != "" {
		charge.Status, charge.FailureCode, charge.FailureMessage = "failed", new("card_declined"), new("Your card was declined.")
		charge.Outcome = &chargeOutcome{"declined_by_network", &c.decline, "normal", "The bank did not return any further details with this decline.", "issuer_declined"}
		if err := t.insert(charge); err != nil {
			return nil, err
		}
		return charge, t.emit("charge.failed", charge)
	}
	charge.Status, charge.Paid, charge.Captured, charge.AmountCaptured = "succeeded", true, true, charge.Amount
	charge.Outcome = &chargeOutcome{"approved_by_network", nil, "normal", "Payment complete.", "authorized"}
	if err := t.insert(charge); err != nil {
		return nil, err
	}
	moved, err := t.post(charge.account, movement{
		kind: "charge", category: "charge", amount: charge.Amount, fee: t.server.config.Terms.fee(charge.Amount),
		feeText: "Stripe processing fees", currency: charge.Currency, source: charge.ID, description: charge.Description, availableOn: t.fundsOn(c),
	})
	if err != nil {
		return nil, err
	}
	charge.BalanceTransaction = &moved.ID
	if err := t.save(charge); err != nil {
		return nil, err
	}
	return charge, t.planTrouble(charge, c)
}

// fee is what the processor takes of a charge, rounded to the nearest minor unit.
func (terms Terms) fee(amount int64) int64 {
	return min((amount*terms.FeeBasisPoints+5_000)/10_000+terms.FeeFixed, amount)
}

// detailsOf describes a card that was used. It expires some years from now.
func (t *tx) detailsOf(c card, requested, authenticated string) *cardDetails {
	const validYears = 3
	details := &cardDetails{
		Brand: c.Brand, Country: c.Country, ExpMonth: int(time.December), ExpYear: t.now.Year() + validYears, Funding: "credit", Last4: c.last4(), Network: c.Brand,
	}
	switch {
	case authenticated != "":
		details.ThreeDSecure = &threeDSecure{new("challenge"), authenticated, "2.2.0"}
	case requested != "automatic": // asked for, and the card is not enrolled
		details.ThreeDSecure = &threeDSecure{nil, "attempt_acknowledged", "2.2.0"}
	}
	return details
}

// planTrouble decides what becomes of a charge: by its card, else by the faults.
func (t *tx) planTrouble(charge *Charge, c card) error {
	terms := t.server.config.Terms
	if c.dispute {
		next := taskOpenDispute
		if c.inquiry {
			next = taskOpenInquiry
		}
		if err := t.plan(t.now, next, charge.ID); err != nil {
			return err
		}
	} else if struck, err := t.strikes(FaultDispute, ""); err != nil {
		return err
	} else if struck {
		next := taskOpenDispute
		if inquiry, err := t.strikes(FaultInquiry, ""); err != nil {
			return err
		} else if inquiry {
			next = taskOpenInquiry
		}
		if err := t.plan(t.now.Add(t.server.dice.between("dispute", 0, terms.DisputesWithin)), next, charge.ID); err != nil {
			return err
		}
	}
	if c.warning {
		return t.plan(t.now, taskWarnOfFraud, charge.ID)
	}
	struck, err := t.strikes(FaultFraudWarning, "")
	if err != nil || !struck {
		return err
	}
	return t.plan(t.now.Add(t.server.dice.between("fraud-warning", 0, terms.WarningsWithin)), taskWarnOfFraud, charge.ID)
}

// restore gives an amount back to what may be refunded; a negative one takes it.
func (t *tx) restore(charge *Charge, amount int64) error {
	charge.AmountRefunded -= amount
	charge.Refunded = charge.AmountRefunded == charge.Amount
	return t.save(charge)
}
