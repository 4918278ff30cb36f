package escrow

import (
	"context"
	"errors"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// createPayoutAccount answers fund.stratos.escrow.createPayoutAccount.
func (s *Service) createPayoutAccount(ctx context.Context, in stratos.EscrowCreatePayoutAccount_Input) (*stratos.EscrowCreatePayoutAccount_Output, error) {
	did, _ := xrpc.Viewer(ctx)
	var country string
	if in.Country != nil {
		country = *in.Country
	}
	account, link, err := s.payees.Begin(ctx, did, country, in.ReturnUri)
	if err != nil {
		return nil, s.payoutError(did, err)
	}
	view := payoutAccountView(account)
	view.Url = &link.URL
	out := &stratos.EscrowCreatePayoutAccount_Output{Account: view, Url: link.URL}
	if !link.ExpiresAt.IsZero() {
		expires := stamp(link.ExpiresAt)
		out.ExpiresAt = &expires
	}
	return out, nil
}

// getPayoutAccount answers fund.stratos.escrow.getPayoutAccount. When the processor does
// not answer it says what that said last, with its date.
func (s *Service) getPayoutAccount(ctx context.Context, _ struct{}) (*stratos.EscrowGetPayoutAccount_Output, error) {
	did, _ := xrpc.Viewer(ctx)
	account, err := s.payees.Fresh(ctx, did)
	if errors.Is(err, payee.ErrNotFound) {
		return nil, xrpc.Named("PayoutAccountNotFound", "this account has not begun onboarding here: createPayoutAccount does")
	}
	if err != nil && account.CheckedAt.IsZero() {
		return nil, s.payoutError(did, err)
	}
	return &stratos.EscrowGetPayoutAccount_Output{Account: payoutAccountView(account)}, nil
}

// payoutError turns what went wrong with a payee into the lexicon's errors; what is
// nobody's business is returned as it is.
func (s *Service) payoutError(did syntax.DID, err error) error {
	_, failed := errors.AsType[*payments.Failure](err)
	switch {
	case errors.Is(err, payee.ErrReturn):
		return xrpc.Named("InvalidReturnUri", "returnUri: an https address of a web page, without a name or password in it")
	case errors.Is(err, payee.ErrCountry):
		return xrpc.InvalidRequest("country: needed the first time, as two upper-case letters of ISO 3166")
	case errors.Is(err, payee.ErrTooLong):
		return xrpc.InvalidRequest("the DID of this account is too long for the payment processor, so it cannot be paid here")
	case errors.Is(err, payee.ErrUnsupported):
		return xrpc.Named("CountryNotSupported", "country: the payment processor opens no accounts for payouts there")
	case failed:
		s.log.Warn("the processor did not do its part for a payee", "did", did, "err", err)
		return xrpc.Named("ProcessorUnavailable", "the payment processor does not answer now; the same call may be made again")
	}
	return err
}

func payoutAccountView(a payee.Account) stratos.EscrowDefs_PayoutAccountView {
	updatedAt := a.CheckedAt
	if updatedAt.IsZero() {
		updatedAt = a.CreatedAt
	}
	v := stratos.EscrowDefs_PayoutAccountView{Did: a.DID.String(), Status: string(a.Status()), Country: &a.Country, UpdatedAt: stamp(updatedAt)}
	if a.Currency != "" {
		currency := string(a.Currency)
		v.Currency = &currency
	}
	for _, r := range a.Requirements {
		requirement := stratos.EscrowDefs_Requirement{Name: r.Name}
		if !r.DueAt.IsZero() {
			dueAt := stamp(r.DueAt)
			requirement.DueAt = &dueAt
		}
		v.Requirements = append(v.Requirements, requirement)
	}
	return v
}
