package simulator

import (
	"fmt"
	"time"
)

// States of a payment intent.
const (
	intentWantsMethod = "requires_payment_method"
	intentWantsAction = "requires_action"
	intentSucceeded   = "succeeded"
	intentCanceled    = "canceled"
)

// PaymentIntent is one payment with all its attempts. Checkout makes it when the payer
// first submits.
type PaymentIntent struct {
	Header
	Amount              int64                `json:"amount"`
	AmountCapturable    int64                `json:"amount_capturable"`
	AmountReceived      int64                `json:"amount_received"`
	CanceledAt          *int64               `json:"canceled_at"`
	CancellationReason  *string              `json:"cancellation_reason"`
	CaptureMethod       string               `json:"capture_method"`
	ConfirmationMethod  string               `json:"confirmation_method"`
	Currency            string               `json:"currency"`
	Customer            *string              `json:"customer"`
	Description         *string              `json:"description"`
	LastPaymentError    *apiError            `json:"last_payment_error"`
	LatestCharge        *string              `json:"latest_charge"`
	Livemode            bool                 `json:"livemode"`
	Metadata            map[string]string    `json:"metadata"`
	NextAction          *nextAction          `json:"next_action"`
	PaymentMethod       *string              `json:"payment_method"`
	PaymentOptions      paymentMethodOptions `json:"payment_method_options"`
	PaymentMethodTypes  []string             `json:"payment_method_types"`
	ReceiptEmail        *string              `json:"receipt_email"`
	StatementDescriptor *string              `json:"statement_descriptor_suffix"`
	Status              string               `json:"status"`
	TransferGroup       *string              `json:"transfer_group"`
}

type nextAction struct {
	Type     string   `json:"type"`
	Redirect redirect `json:"redirect_to_url"`
}

type redirect struct {
	ReturnURL string `json:"return_url"`
	URL       string `json:"url"`
}

// outcome of an attempt to pay a session.
type outcome string

const (
	outcomePaid      outcome = "paid"
	outcomeChallenge outcome = "challenge" // the payer must authenticate first
	outcomeDeclined  outcome = "declined"
	outcomeClosed    outcome = "closed" // the session is not open any more
)

// pay is the payer's submit: the card is charged, declined, or asks for a challenge.
func (t *tx) pay(s *Session, c card, email string) (outcome, error) {
	if s.Status != sessionOpen {
		return outcomeClosed, nil
	}
	intent, err := t.intentOf(s)
	if err != nil {
		return "", err
	}
	s.Hidden.Card, s.Hidden.Email = c.Number, email
	method, err := t.newHeader("pm", "payment_method", s.account)
	if err != nil {
		return "", err
	}
	intent.PaymentMethod = &method.ID
	if !c.asksFor3DS(s.PaymentMethodOptions.Card.RequestThreeDSecure) {
		return t.attempt(s, intent, c, "")
	}
	intent.Status = intentWantsAction
	intent.NextAction = &nextAction{"redirect_to_url", redirect{s.returnURL(), t.server.config.PublicURL + "/checkout/" + s.ID + "/challenge"}}
	if err := t.save(s); err != nil {
		return "", err
	}
	if err := t.save(intent); err != nil {
		return "", err
	}
	return outcomeChallenge, t.emit("payment_intent.requires_action", intent)
}

// authenticate is the payer's answer to a challenge.
func (t *tx) authenticate(s *Session, passed bool) (outcome, error) {
	if s.Status != sessionOpen {
		return outcomeClosed, nil
	}
	if s.PaymentIntent == nil {
		return outcomeDeclined, nil // nobody asked
	}
	intent, err := load[PaymentIntent](t, *s.PaymentIntent)
	if err != nil || intent.Status != intentWantsAction {
		return outcomeDeclined, err
	}
	c, ok := cardOf(s.Hidden.Card)
	if !ok {
		return "", fmt.Errorf("simulator: session %s waits for a challenge of an unknown card", s.ID)
	}
	intent.NextAction = nil
	if passed {
		return t.attempt(s, intent, c, "authenticated")
	}
	return outcomeDeclined, t.decline(intent, &apiError{
		Type: invalidRequest, Code: "payment_intent_authentication_failure",
		Message: "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
	})
}

// intentOf returns the session's payment intent, which the first attempt makes.
func (t *tx) intentOf(s *Session) (*PaymentIntent, error) {
	if s.PaymentIntent != nil {
		return load[PaymentIntent](t, *s.PaymentIntent)
	}
	h, err := t.newHeader("pi", kindPaymentIntent, s.account)
	if err != nil {
		return nil, err
	}
	intent := &PaymentIntent{
		Header: h, Amount: s.AmountTotal, CaptureMethod: "automatic", ConfirmationMethod: "automatic", Currency: s.Currency,
		Description: s.Hidden.Description, Metadata: s.Hidden.Metadata, PaymentOptions: s.PaymentMethodOptions,
		PaymentMethodTypes: s.PaymentMethodTypes, StatementDescriptor: s.Hidden.Suffix, Status: intentWantsMethod, TransferGroup: s.Hidden.TransferGroup,
	}
	s.PaymentIntent = &intent.ID
	if err := t.insert(intent); err != nil {
		return nil, err
	}
	if err := t.save(s); err != nil {
		return nil, err
	}
	return intent, t.emit("payment_intent.created", intent)
}

// attempt charges the card: one charge, successful or failed.
func (t *tx) attempt(s *Session, intent *PaymentIntent, c card, authenticated string) (outcome, error) {
	charge, err := t.chargeCard(intent, c, authenticated)
	if err != nil {
		return "", err
	}
	intent.LatestCharge = &charge.ID
	if c.decline != "" {
		return outcomeDeclined, t.decline(intent, &apiError{
			Type: cardError, Code: "card_declined", DeclineCode: c.decline, Charge: charge.ID, Message: "Your card was declined.",
		})
	}
	intent.Status, intent.AmountReceived, intent.LastPaymentError = intentSucceeded, intent.Amount, nil
	if err := t.save(intent); err != nil {
		return "", err
	}
	if err := t.emit("charge.succeeded", charge); err != nil {
		return "", err
	}
	if err := t.emit("payment_intent.succeeded", intent); err != nil {
		return "", err
	}
	return outcomePaid, t.complete(s, s.Hidden.Email)
}

// decline lets the payer try again.
func (t *tx) decline(intent *PaymentIntent, why *apiError) error {
	intent.Status, intent.PaymentMethod, intent.LastPaymentError = intentWantsMethod, nil, why
	if err := t.save(intent); err != nil {
		return err
	}
	return t.emit("payment_intent.payment_failed", intent)
}

// cancelIntent ends a payment that was not made in time.
func (t *tx) cancelIntent(id string) error {
	intent, err := load[PaymentIntent](t, id)
	if err != nil {
		return err
	}
	intent.Status, intent.CanceledAt, intent.CancellationReason, intent.NextAction = intentCanceled, new(t.now.Unix()), new("expired"), nil
	if err := t.save(intent); err != nil {
		return err
	}
	return t.emit("payment_intent.canceled", intent)
}

// fundsOn is when the funds of a payment of now become available.
func (t *tx) fundsOn(c card) time.Time {
	if c.instant {
		return t.now
	}
	return t.now.Add(t.server.config.Terms.FundsAfter)
}
