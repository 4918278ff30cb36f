package simulator

import (
	"errors"
	"net/http"
)

// States of a capability.
const (
	capabilityActive   = "active"
	capabilityInactive = "inactive"
	capabilityPending  = "pending"
)

// The capabilities that the simulator knows.
const (
	cardPayments = "card_payments"
	transfers    = "transfers"
)

// Payout intervals.
const (
	intervalManual = "manual"
	intervalDaily  = "daily"
)

// onboarding is what a new account has to provide.
var onboarding = []string{"external_account", "individual.first_name", "individual.id_number", "individual.last_name", "tos_acceptance.date"}

// Account is a connected account, or the platform's own.
type Account struct {
	Header
	BusinessType       *string             `json:"business_type"`
	Capabilities       map[string]string   `json:"capabilities"`
	ChargesEnabled     bool                `json:"charges_enabled"`
	Country            string              `json:"country"`
	DefaultCurrency    string              `json:"default_currency"`
	DetailsSubmitted   bool                `json:"details_submitted"`
	Email              *string             `json:"email"`
	FutureRequirements accountRequirements `json:"future_requirements"`
	Metadata           map[string]string   `json:"metadata"`
	PayoutsEnabled     bool                `json:"payouts_enabled"`
	Requirements       accountRequirements `json:"requirements"`
	Settings           accountSettings     `json:"settings"`
	Type               string              `json:"type"`
}

type accountRequirements struct {
	Alternatives        []string           `json:"alternatives"`
	CurrentDeadline     *int64             `json:"current_deadline"`
	CurrentlyDue        []string           `json:"currently_due"`
	DisabledReason      *string            `json:"disabled_reason"`
	Errors              []requirementError `json:"errors"`
	EventuallyDue       []string           `json:"eventually_due"`
	PastDue             []string           `json:"past_due"`
	PendingVerification []string           `json:"pending_verification"`
}

type requirementError struct {
	Code        string `json:"code"`
	Reason      string `json:"reason"`
	Requirement string `json:"requirement"`
}

type accountSettings struct {
	Branding     map[string]*string `json:"branding"`
	CardPayments map[string]*string `json:"card_payments"`
	Dashboard    dashboard          `json:"dashboard"`
	Payments     map[string]*string `json:"payments"`
	Payouts      payoutSettings     `json:"payouts"`
}

type dashboard struct {
	DisplayName string `json:"display_name"`
	Timezone    string `json:"timezone"`
}

type payoutSettings struct {
	DebitNegativeBalances bool           `json:"debit_negative_balances"`
	Schedule              payoutSchedule `json:"schedule"`
	StatementDescriptor   *string        `json:"statement_descriptor"`
}

type payoutSchedule struct {
	DelayDays int    `json:"delay_days"`
	Interval  string `json:"interval"`
}

func noRequirements() accountRequirements {
	return accountRequirements{Alternatives: []string{}, CurrentlyDue: []string{}, Errors: []requirementError{}, EventuallyDue: []string{}, PastDue: []string{}, PendingVerification: []string{}}
}

// newAccount fills in what all accounts have. Connected ones are paid out daily unless
// told otherwise, the platform by hand.
func (t *tx) newAccount(kindOf, country, interval string) (*Account, error) {
	terms := t.server.config.Terms
	a := &Account{
		Capabilities: map[string]string{}, Country: country, DefaultCurrency: terms.Currency, Metadata: map[string]string{},
		FutureRequirements: noRequirements(), Requirements: noRequirements(), Type: kindOf,
		Settings: accountSettings{
			Branding: map[string]*string{}, CardPayments: map[string]*string{}, Dashboard: dashboard{"Simulator", "Etc/UTC"}, Payments: map[string]*string{},
			Payouts: payoutSettings{Schedule: payoutSchedule{int(terms.FundsAfter / day), interval}},
		},
	}
	var err error
	a.Header, err = t.newHeader("acct", kindAccount, t.server.platform)
	return a, err
}

// found makes the platform's own account. It is nobody's connected account, so it is
// in no list.
func (t *tx) found() error {
	platform, err := t.newAccount("standard", t.server.config.Terms.Country, intervalManual)
	if err != nil {
		return err
	}
	platform.request(cardPayments, transfers)
	platform.enable()
	t.server.platform = platform.ID
	if err := t.set("platform", platform.ID); err != nil {
		return err
	}
	return t.insert(platform)
}

// request asks for capabilities, which the account has yet to earn.
func (a *Account) request(capabilities ...string) {
	for _, name := range capabilities {
		a.Capabilities[name] = capabilityInactive
	}
}

// enable ends all requirements; the capabilities that were asked for work.
func (a *Account) enable() {
	a.PayoutsEnabled, a.DetailsSubmitted = true, true
	a.Requirements = noRequirements()
	for name := range a.Capabilities {
		a.Capabilities[name] = capabilityActive
	}
	a.ChargesEnabled = a.Capabilities[cardPayments] == capabilityActive
}

// disable stops the account for the reason; missing is what it has to provide.
func (a *Account) disable(reason, capability string, missing []string) {
	a.ChargesEnabled, a.PayoutsEnabled = false, false
	a.Requirements = noRequirements()
	a.Requirements.DisabledReason = &reason
	switch capability {
	case capabilityPending:
		a.Requirements.PendingVerification = missing
	default:
		a.Requirements.CurrentlyDue, a.Requirements.EventuallyDue, a.Requirements.PastDue = missing, missing, missing
	}
	for name := range a.Capabilities {
		a.Capabilities[name] = capability
	}
}

// mayReceive says whether transfers to the account work.
func (a *Account) mayReceive() bool { return a.Capabilities[transfers] == capabilityActive }

// createAccount answers POST /v1/accounts.
func createAccount(t *tx, r *request) (any, error) {
	r.oneOf("type", "", "express")
	r.need("type")
	country := r.text("country")
	email, business := r.optional("email"), r.optional("business_type")
	metadata := r.metadata("metadata")
	interval := r.oneOf("settings[payouts][schedule][interval]", intervalDaily, intervalDaily, intervalManual)
	var capabilities []string
	for _, name := range []string{cardPayments, transfers} {
		if r.boolean("capabilities[" + name + "][requested]") {
			capabilities = append(capabilities, name)
		}
	}
	for _, name := range []string{"url", "product_description", "mcc", "name"} {
		r.text("business_profile[" + name + "]")
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	if r.account != t.server.platform {
		return nil, refused("platform_account_required", "", "Only Stripe Connect platforms can work with other accounts.")
	}
	if country == "" {
		country = t.server.config.Terms.Country
	}
	if len(capabilities) == 0 {
		capabilities = []string{cardPayments, transfers}
	}
	a, err := t.newAccount("express", country, interval)
	if err != nil {
		return nil, err
	}
	a.Email, a.BusinessType, a.Metadata = email, business, metadata
	a.request(capabilities...)
	a.disable("requirements.past_due", capabilityInactive, onboarding)
	return a, t.insert(a)
}

// getAccount answers GET /v1/accounts/{id}: a connected account, or one's own.
func getAccount(t *tx, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	a, err := load[Account](t, r.id)
	if errors.Is(err, errAbsent) || err == nil && a.ID != r.account && a.account != r.account {
		return nil, noAccess(r.id)
	}
	return a, err
}

// getOwnAccount answers GET /v1/account.
func getOwnAccount(t *tx, r *request) (any, error) {
	if err := r.done(); err != nil {
		return nil, err
	}
	return load[Account](t, r.account)
}

func noAccess(id string) *apiError {
	return &apiError{
		status: http.StatusForbidden, unsaved: true, Type: invalidRequest, Code: "account_invalid",
		Message: "The provided key does not have access to account '" + id + "' (or that account does not exist). Application access may have been revoked.",
	}
}

// mayActFor refuses a request on behalf of an account that is not connected.
func (t *tx) mayActFor(account string) error {
	if account == t.server.platform {
		return nil
	}
	_, err := load[Account](t, account)
	if errors.Is(err, errAbsent) {
		return noAccess(account)
	}
	return err
}

// mayCharge refuses to charge cards for an account that may not.
func (t *tx) mayCharge(account string) error {
	a, err := load[Account](t, account)
	if err != nil {
		return err
	}
	if !a.ChargesEnabled {
		return refused("", "", "Your account cannot currently make charges: it has no active card_payments capability.")
	}
	return nil
}

// restrict stops an account: it may neither charge nor receive nor pay out.
func (t *tx) restrict(a *Account, reason string) error {
	a.disable(reason, capabilityInactive, []string{"individual.verification.document"})
	return t.tellOfAccount(a)
}

// lift ends all that stands against an account.
func (t *tx) lift(a *Account) error {
	a.enable()
	return t.tellOfAccount(a)
}

// verify leaves an account waiting for the processor's own checks.
func (t *tx) verify(a *Account) error {
	a.disable("requirements.pending_verification", capabilityPending, []string{"individual.verification.document"})
	a.DetailsSubmitted = true
	return t.tellOfAccount(a)
}

// liftDue ends a restriction that a fault began.
func liftDue(t *tx, id string) error {
	a, err := load[Account](t, id)
	if err != nil {
		return err
	}
	return t.lift(a)
}

func (t *tx) tellOfAccount(a *Account) error {
	if err := t.save(a); err != nil {
		return err
	}
	return t.emit("account.updated", a)
}
