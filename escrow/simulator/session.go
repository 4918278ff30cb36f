package simulator

import (
	"strings"
	"time"
)

// A session may be paid from half an hour to a day after its creation.
const (
	sessionLivesLeast = 30 * time.Minute
	sessionLivesMost  = 24 * time.Hour
)

// idInURL is what Stripe replaces by the session's id in a success_url.
const idInURL = "{CHECKOUT_SESSION_ID}"

// States of a session.
const (
	sessionOpen     = "open"
	sessionComplete = "complete"
	sessionExpired  = "expired"
)

// Session is a Checkout Session in payment mode.
type Session struct {
	Header
	AmountSubtotal       int64                `json:"amount_subtotal"`
	AmountTotal          int64                `json:"amount_total"`
	AutomaticTax         automaticTax         `json:"automatic_tax"`
	BillingAddress       *string              `json:"billing_address_collection"`
	CancelURL            string               `json:"cancel_url"`
	ClientReferenceID    *string              `json:"client_reference_id"`
	Currency             string               `json:"currency"`
	CurrencyConversion   *struct{}            `json:"currency_conversion"`
	CustomFields         []string             `json:"custom_fields"`
	CustomText           customText           `json:"custom_text"`
	Customer             *string              `json:"customer"`
	CustomerCreation     string               `json:"customer_creation"`
	CustomerDetails      *customerDetails     `json:"customer_details"`
	CustomerEmail        *string              `json:"customer_email"`
	ExpiresAt            int64                `json:"expires_at"`
	Livemode             bool                 `json:"livemode"`
	Locale               *string              `json:"locale"`
	Metadata             map[string]string    `json:"metadata"`
	Mode                 string               `json:"mode"`
	PaymentIntent        *string              `json:"payment_intent"`
	PaymentMethodOptions paymentMethodOptions `json:"payment_method_options"`
	PaymentMethodTypes   []string             `json:"payment_method_types"`
	PaymentStatus        string               `json:"payment_status"`
	ShippingOptions      []string             `json:"shipping_options"`
	Status               string               `json:"status"`
	SubmitType           *string              `json:"submit_type"`
	SuccessURL           string               `json:"success_url"`
	TotalDetails         totalDetails         `json:"total_details"`
	UIMode               string               `json:"ui_mode"`
	URL                  *string              `json:"url"`

	Hidden hiddenSession `json:"simulator"`
}

// hiddenSession is what a session keeps for the payment to come.
type hiddenSession struct {
	Product       string            `json:"product"`
	Details       string            `json:"details"`
	Quantity      int64             `json:"quantity"`
	Description   *string           `json:"description"`
	TransferGroup *string           `json:"transfer_group"`
	Suffix        *string           `json:"statement_descriptor_suffix"`
	Metadata      map[string]string `json:"metadata"`
	// Card and Email were entered, and wait for a challenge.
	Card  string `json:"card"`
	Email string `json:"email"`
}

type automaticTax struct {
	Enabled   bool    `json:"enabled"`
	Liability *string `json:"liability"`
	Status    *string `json:"status"`
}

type customText struct {
	AfterSubmit     *string         `json:"after_submit"`
	ShippingAddress *string         `json:"shipping_address"`
	Submit          *submitText     `json:"submit"`
	TermsOfService  *termsOfService `json:"terms_of_service_acceptance"`
}

type (
	submitText struct {
		Message string `json:"message"`
	}
	termsOfService struct {
		Message string `json:"message"`
	}
)

type customerDetails struct {
	Address   *string  `json:"address"`
	Email     *string  `json:"email"`
	Name      *string  `json:"name"`
	Phone     *string  `json:"phone"`
	TaxExempt string   `json:"tax_exempt"`
	TaxIDs    []string `json:"tax_ids"`
}

type paymentMethodOptions struct {
	Card cardOptions `json:"card"`
}

type cardOptions struct {
	RequestThreeDSecure string `json:"request_three_d_secure"`
}

type totalDetails struct {
	AmountDiscount int64 `json:"amount_discount"`
	AmountShipping int64 `json:"amount_shipping"`
	AmountTax      int64 `json:"amount_tax"`
}

// createSession answers POST /v1/checkout/sessions.
func createSession(t *tx, r *request) (any, error) {
	s := &Session{
		CancelURL: r.address("cancel_url"), SuccessURL: r.address("success_url"),
		BillingAddress: r.optional("billing_address_collection"), ClientReferenceID: r.optional("client_reference_id"),
		CustomFields: []string{}, CustomerCreation: r.oneOf("customer_creation", "if_required", "if_required"),
		CustomerEmail: r.optional("customer_email"), Locale: r.optional("locale"), SubmitType: r.optional("submit_type"),
		Metadata: r.metadata("metadata"), Mode: r.oneOf("mode", "", "payment"),
		PaymentMethodTypes: []string{"card"}, PaymentStatus: "unpaid", ShippingOptions: []string{}, Status: sessionOpen, UIMode: "hosted",
	}
	if s.Mode == "" {
		r.need("mode")
	}
	for _, method := range r.list("payment_method_types") {
		if method != "card" {
			r.fail(malformed("", "payment_method_types", "The simulator takes cards only, not %s", method))
		}
	}
	s.PaymentMethodOptions.Card.RequestThreeDSecure = r.oneOf("payment_method_options[card][request_three_d_secure]", "automatic", "any", "automatic", "challenge")
	if message := r.text("custom_text[submit][message]"); message != "" {
		s.CustomText.Submit = &submitText{message}
	}
	if r.boolean("adaptive_pricing[enabled]") {
		r.fail(malformed("", "adaptive_pricing[enabled]", "The simulator converts no currencies."))
	}
	r.lineItem(s)
	r.paymentToCome(s)
	s.ExpiresAt = r.expiry(t.now)
	if err := r.done(); err != nil {
		return nil, err
	}
	if err := t.mayCharge(r.account); err != nil {
		return nil, err
	}
	var err error
	if s.Header, err = t.newHeader("cs_test", kindSession, r.account); err != nil {
		return nil, err
	}
	s.URL = new(t.server.config.PublicURL + "/checkout/" + s.ID)
	if err := t.insert(s); err != nil {
		return nil, err
	}
	return s, t.plan(time.Unix(s.ExpiresAt, 0), taskExpireSession, s.ID)
}

// lineItem reads the one thing that is paid for.
func (r *request) lineItem(s *Session) {
	const item = "line_items[0]"
	s.Currency = r.currency(item + "[price_data][currency]")
	price, _ := r.integer(item + "[price_data][unit_amount]")
	r.need(item + "[price_data][unit_amount]")
	quantity, given := r.integer(item + "[quantity]")
	if !given {
		quantity = 1
	}
	if price < 0 || quantity < 1 || price > maxAmount || quantity > maxAmount {
		r.fail(malformed("parameter_invalid_integer", item+"[price_data][unit_amount]", "Invalid amount or quantity"))
		return
	}
	s.AmountTotal = price * quantity
	s.AmountSubtotal = s.AmountTotal
	if s.AmountTotal > maxAmount {
		r.fail(malformed("amount_too_large", "", "The Checkout Session's total amount due must be no more than %d", maxAmount))
	}
	if least := minimums[s.Currency]; s.AmountTotal < least {
		r.fail(malformed("amount_too_small", "", "The Checkout Session's total amount due must add up to at least %s", spoken(least, s.Currency)))
	}
	s.Hidden.Product = r.need(item + "[price_data][product_data][name]")
	s.Hidden.Details = r.text(item + "[price_data][product_data][description]")
	s.Hidden.Quantity = quantity
}

// paymentToCome reads what the payment intent will be made of.
func (r *request) paymentToCome(s *Session) {
	const data = "payment_intent_data"
	r.oneOf(data+"[capture_method]", "automatic", "automatic")
	s.Hidden.Description = r.optional(data + "[description]")
	s.Hidden.TransferGroup = r.optional(data + "[transfer_group]")
	s.Hidden.Suffix = r.optional(data + "[statement_descriptor_suffix]")
	s.Hidden.Metadata = r.metadata(data + "[metadata]")
}

// expiry reads when the session ends.
func (r *request) expiry(now time.Time) int64 {
	at, given := r.integer("expires_at")
	if !given {
		return now.Add(sessionLivesMost).Unix()
	}
	if at < now.Add(sessionLivesLeast).Unix() {
		r.fail(malformed("", "expires_at", "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."))
	}
	if at > now.Add(sessionLivesMost).Unix() {
		r.fail(malformed("", "expires_at", "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."))
	}
	return at
}

// expireSession answers POST /v1/checkout/sessions/{id}/expire.
func expireSession(t *tx, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	s, err := loadOf[Session](t, kindSession, r.account, "session", r.id)
	if err != nil {
		return nil, err
	}
	if s.Status != sessionOpen {
		return nil, refused("", "", "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of %s.", s.Status)
	}
	return s, t.expire(s)
}

// expireDue ends a session whose time is over.
func expireDue(t *tx, id string) error {
	s, err := load[Session](t, id)
	if err != nil || s.Status != sessionOpen {
		return err
	}
	return t.expire(s)
}

// expire ends an open session, and its payment with it.
func (t *tx) expire(s *Session) error {
	if s.PaymentIntent != nil {
		if err := t.cancelIntent(*s.PaymentIntent); err != nil {
			return err
		}
	}
	s.Status, s.URL = sessionExpired, nil
	if err := t.save(s); err != nil {
		return err
	}
	return t.emit("checkout.session.expired", s)
}

// complete ends a session that was paid.
func (t *tx) complete(s *Session, email string) error {
	s.Status, s.PaymentStatus, s.URL = sessionComplete, "paid", nil
	s.CustomerDetails = &customerDetails{TaxExempt: "none", TaxIDs: []string{}}
	if email != "" {
		s.CustomerDetails.Email = &email
	}
	if err := t.save(s); err != nil {
		return err
	}
	return t.emit("checkout.session.completed", s)
}

// returnURL is where a paid session sends its payer.
func (s *Session) returnURL() string { return strings.ReplaceAll(s.SuccessURL, idInURL, s.ID) }

// cancelledURL is where a payer goes who does not pay.
func (s *Session) cancelledURL() string { return strings.ReplaceAll(s.CancelURL, idInURL, s.ID) }
