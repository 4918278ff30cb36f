package stripe

import (
	"context"
	"iter"
	"strconv"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/checkout/session"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// wholeSession makes an answer hold everything that payments.Accept looks at.
const wholeSession = "payment_intent.latest_charge.balance_transaction"

func (c *Client) sessions() session.Client { return session.Client{B: c.backend} }

// OpenCheckout implements payments.Checkouts.
func (c *Client) OpenCheckout(ctx context.Context, in payments.Checkout) (payments.Session, error) {
	p, err := checkoutParams(ctx, in)
	if err != nil {
		return payments.Session{}, err
	}
	answer, err := c.sessions().New(p)
	return one(answer, err, sessionOn(in.Account), "open a checkout for %s", in.Mark.Intent)
}

// checkoutParams says a checkout in Stripe's words.
func checkoutParams(ctx context.Context, in payments.Checkout) (*sdk.CheckoutSessionParams, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	amount, currency, err := toStripe(in.Amount)
	if err != nil {
		return nil, err
	}
	meta, err := in.Mark.Metadata()
	if err != nil {
		return nil, err
	}
	p := &sdk.CheckoutSessionParams{
		Params:             order(ctx, in.Account, in.Key),
		Mode:               sdk.String(string(sdk.CheckoutSessionModePayment)),
		PaymentMethodTypes: sdk.StringSlice([]string{string(sdk.PaymentMethodTypeCard)}),
		PaymentMethodOptions: &sdk.CheckoutSessionPaymentMethodOptionsParams{
			Card: &sdk.CheckoutSessionPaymentMethodOptionsCardParams{RequestThreeDSecure: sdk.String(string(sdk.PaymentIntentPaymentMethodOptionsCardRequestThreeDSecureAny))},
		},
		LineItems: []*sdk.CheckoutSessionLineItemParams{{
			Quantity: sdk.Int64(1),
			PriceData: &sdk.CheckoutSessionLineItemPriceDataParams{
				Currency:   currency,
				UnitAmount: amount,
				ProductData: &sdk.CheckoutSessionLineItemPriceDataProductDataParams{
					Name:        sdk.String(in.Title),
					Description: given(in.Note),
				},
			},
		}},
		Metadata: meta,
		PaymentIntentData: &sdk.CheckoutSessionPaymentIntentDataParams{
			// The charge has its balance transaction at once only in this way.
			CaptureMethod: sdk.String(string(sdk.PaymentIntentCaptureMethodAutomatic)),
			Description:   sdk.String(in.Title),
			Metadata:      meta,
			TransferGroup: given(in.Group()),
		},
		SuccessURL: sdk.String(in.SuccessURL),
		CancelURL:  sdk.String(in.CancelURL),
		ExpiresAt:  sdk.Int64(in.ExpiresAt.Unix()),
	}
	// Newer than the library: without it Stripe offers payers their own currency.
	p.AddExtra("adaptive_pricing[enabled]", strconv.FormatBool(false))
	return p, nil
}

// Session implements payments.Checkouts.
func (c *Client) Session(ctx context.Context, account payments.AccountID, id payments.SessionID) (payments.Session, error) {
	p := &sdk.CheckoutSessionParams{Params: params(ctx, account)}
	p.AddExpand(wholeSession)
	answer, err := c.sessions().Get(string(id), p)
	return one(answer, err, sessionOn(account), "get session %s", id)
}

// ExpireSession implements payments.Checkouts.
func (c *Client) ExpireSession(ctx context.Context, account payments.AccountID, id payments.SessionID) (payments.Session, error) {
	p := &sdk.CheckoutSessionExpireParams{Params: params(ctx, account)}
	p.AddExpand(wholeSession)
	answer, err := c.sessions().Expire(string(id), p)
	return one(answer, err, sessionOn(account), "expire session %s", id)
}

// Sessions implements payments.Checkouts.
func (c *Client) Sessions(ctx context.Context, account payments.AccountID, q payments.SessionQuery) iter.Seq2[payments.Session, error] {
	fetch := func(a after) (page[sdk.CheckoutSession], error) {
		it := c.sessions().List(&sdk.CheckoutSessionListParams{
			ListParams: a.list(), PaymentIntent: given(q.Payment), CreatedRange: since(q.Since),
		})
		got := it.CheckoutSessionList()
		return page[sdk.CheckoutSession]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, account, "sessions", fetch, func(s *sdk.CheckoutSession) string { return s.ID }, sessionOn(account))
}

// sessionOn reads a session of an account.
func sessionOn(account payments.AccountID) func(*sdk.CheckoutSession) (payments.Session, error) {
	return func(s *sdk.CheckoutSession) (payments.Session, error) {
		var in reading
		in.is("checkout.session", s.Object, s.ID)
		out := payments.Session{
			ID:        payments.SessionID(s.ID),
			Account:   account,
			Live:      s.Livemode,
			Mark:      payments.ParseMark(s.Metadata),
			Status:    payments.SessionStatus(s.Status),
			Paid:      s.PaymentStatus == sdk.CheckoutSessionPaymentStatusPaid,
			Converted: s.CurrencyConversion != nil,
			URL:       s.URL,
			CreatedAt: at(s.Created),
			ExpiresAt: at(s.ExpiresAt),
		}
		// A session of another kind has neither amount nor currency.
		if s.Currency != "" || s.AmountTotal != 0 {
			out.Amount = in.money(s.AmountTotal, s.Currency)
		}
		if s.PaymentIntent != nil {
			out.PaymentID = payments.PaymentID(s.PaymentIntent.ID)
			if s.PaymentIntent.Object != "" {
				payment := in.payment(account, s.PaymentIntent)
				out.Payment = &payment
			}
		}
		return out, in.err
	}
}

func (in *reading) payment(account payments.AccountID, p *sdk.PaymentIntent) payments.Payment {
	in.is("payment_intent", p.Object, p.ID)
	out := payments.Payment{
		ID:        payments.PaymentID(p.ID),
		Live:      p.Livemode,
		Mark:      payments.ParseMark(p.Metadata),
		Group:     payments.Group(p.TransferGroup),
		Status:    payments.PaymentStatus(p.Status),
		Amount:    in.money(p.Amount, p.Currency),
		Received:  in.money(p.AmountReceived, p.Currency),
		CreatedAt: at(p.Created),
	}
	if p.LatestCharge != nil {
		charge := in.charge(account, p.LatestCharge)
		out.Charge = &charge
	}
	return out
}
