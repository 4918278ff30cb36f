package stripe

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/account"
	"github.com/stripe/stripe-go/v76/accountlink"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func (c *Client) accounts() account.Client { return account.Client{B: c.backend} }

// OpenAccount implements payments.Accounts.
func (c *Client) OpenAccount(ctx context.Context, in payments.AccountOrder) (payments.Account, error) {
	if err := in.Check(); err != nil {
		return payments.Account{}, err
	}
	meta, err := in.Mark.Metadata()
	if err != nil {
		return payments.Account{}, err
	}
	capabilities := &sdk.AccountCapabilitiesParams{
		Transfers: &sdk.AccountCapabilitiesTransfersParams{Requested: sdk.Bool(true)},
	}
	if in.Donations {
		capabilities.CardPayments = &sdk.AccountCapabilitiesCardPaymentsParams{Requested: sdk.Bool(true)}
	}
	answer, err := c.accounts().New(&sdk.AccountParams{
		Params:       order(ctx, payments.Platform, in.Key),
		Type:         sdk.String(string(sdk.AccountTypeExpress)),
		Country:      sdk.String(in.Country),
		Capabilities: capabilities,
		Metadata:     meta,
	})
	return one(answer, err, accountOf, "open an account for %s", in.Mark.Payee)
}

// Account implements payments.Accounts.
func (c *Client) Account(ctx context.Context, id payments.AccountID) (payments.Account, error) {
	answer, err := c.accounts().GetByID(string(id), &sdk.AccountParams{Params: params(ctx, payments.Platform)})
	return one(answer, err, accountOf, "get account %s", id)
}

// Accounts implements payments.Accounts.
func (c *Client) Accounts(ctx context.Context, from time.Time) iter.Seq2[payments.Account, error] {
	fetch := func(a after) (page[sdk.Account], error) {
		it := c.accounts().List(&sdk.AccountListParams{ListParams: a.list(), CreatedRange: since(from)})
		got := it.AccountList()
		return page[sdk.Account]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, payments.Platform, "accounts", fetch, func(a *sdk.Account) string { return a.ID }, accountOf)
}

// Link implements payments.Accounts.
func (c *Client) Link(ctx context.Context, in payments.LinkOrder) (payments.Link, error) {
	if err := in.Check(); err != nil {
		return payments.Link{}, err
	}
	answer, err := accountlink.Client{B: c.backend}.New(&sdk.AccountLinkParams{
		Params:     params(ctx, payments.Platform),
		Account:    sdk.String(string(in.Account)),
		Type:       sdk.String("account_onboarding"),
		ReturnURL:  sdk.String(in.ReturnURL),
		RefreshURL: sdk.String(in.RefreshURL),
	})
	return one(answer, err, linkOf, "link for account %s", in.Account)
}

// Platform implements payments.Accounts.
func (c *Client) Platform(ctx context.Context) (payments.PlatformAccount, error) {
	// The library's own method takes no context.
	p := &sdk.AccountParams{Params: params(ctx, payments.Platform)}
	answer := &sdk.Account{}
	err := c.backend.Call(http.MethodGet, "/v1/account", "", p, answer)
	return one(answer, err, platformOf, "get the platform's account")
}

func accountOf(a *sdk.Account) (payments.Account, error) {
	var in reading
	in.is("account", a.Object, a.ID)
	out := payments.Account{
		ID:             payments.AccountID(a.ID),
		Mark:           payments.ParsePayeeMark(a.Metadata),
		Country:        a.Country,
		Currency:       money.Currency(strings.ToUpper(string(a.DefaultCurrency))),
		Submitted:      a.DetailsSubmitted,
		PayoutsEnabled: a.PayoutsEnabled && !a.Deleted,
		ChargesEnabled: a.ChargesEnabled && !a.Deleted,
		Requirements:   in.requirements(a.Requirements),
		CreatedAt:      at(a.Created),
	}
	if a.Capabilities != nil && !a.Deleted {
		out.Transfers = payments.Capability(a.Capabilities.Transfers)
		out.Cards = payments.Capability(a.Capabilities.CardPayments)
	}
	return out, in.err
}

func (in *reading) requirements(r *sdk.AccountRequirements) payments.Requirements {
	if r == nil {
		return payments.Requirements{}
	}
	out := payments.Requirements{
		Due:      r.CurrentlyDue,
		PastDue:  r.PastDue,
		InReview: r.PendingVerification,
		Deadline: at(r.CurrentDeadline),
		Disabled: string(r.DisabledReason),
	}
	for _, e := range present(in, r.Errors) {
		out.Errors = append(out.Errors, e.Code)
	}
	return out
}

func linkOf(l *sdk.AccountLink) (payments.Link, error) {
	var in reading
	in.is("account_link", l.Object, l.URL)
	return payments.Link{URL: l.URL, ExpiresAt: at(l.ExpiresAt)}, in.err
}

func platformOf(a *sdk.Account) (payments.PlatformAccount, error) {
	var in reading
	in.is("account", a.Object, a.ID)
	out := payments.PlatformAccount{
		ID:             payments.AccountID(a.ID),
		Country:        a.Country,
		Currency:       money.Currency(strings.ToUpper(string(a.DefaultCurrency))),
		ChargesEnabled: a.ChargesEnabled,
		PayoutsEnabled: a.PayoutsEnabled,
		Requirements:   in.requirements(a.Requirements),
	}
	if a.Settings != nil && a.Settings.Payouts != nil && a.Settings.Payouts.Schedule != nil {
		out.Payouts = string(a.Settings.Payouts.Schedule.Interval)
	}
	return out, in.err
}
