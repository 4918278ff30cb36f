package stripe

import (
	"context"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/charge"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

func (c *Client) charges() charge.Client { return charge.Client{B: c.backend} }

// Charge implements payments.Charges.
func (c *Client) Charge(ctx context.Context, account payments.AccountID, id payments.ChargeID) (payments.Charge, error) {
	p := &sdk.ChargeParams{Params: params(ctx, account)}
	p.AddExpand("balance_transaction")
	answer, err := c.charges().Get(string(id), p)
	return one(answer, err, chargeOn(account), "get charge %s", id)
}

// Charges implements payments.Charges.
func (c *Client) Charges(ctx context.Context, account payments.AccountID, q payments.ChargeQuery) iter.Seq2[payments.Charge, error] {
	fetch := func(a after) (page[sdk.Charge], error) {
		p := &sdk.ChargeListParams{
			ListParams: a.list(), PaymentIntent: given(q.Payment), TransferGroup: given(q.Group), CreatedRange: since(q.Since),
		}
		p.AddExpand("data.balance_transaction")
		it := c.charges().List(p)
		got := it.ChargeList()
		return page[sdk.Charge]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, account, "charges", fetch, func(c *sdk.Charge) string { return c.ID }, chargeOn(account))
}

func chargeOn(account payments.AccountID) func(*sdk.Charge) (payments.Charge, error) {
	return func(c *sdk.Charge) (payments.Charge, error) {
		var in reading
		out := in.charge(account, c)
		return out, in.err
	}
}

func (in *reading) charge(account payments.AccountID, c *sdk.Charge) payments.Charge {
	in.is("charge", c.Object, c.ID)
	out := payments.Charge{
		ID:          payments.ChargeID(c.ID),
		Account:     account,
		Live:        c.Livemode,
		Mark:        payments.ParseMark(c.Metadata),
		Group:       payments.Group(c.TransferGroup),
		Status:      payments.ChargeStatus(c.Status),
		Captured:    c.Captured,
		Amount:      in.money(c.Amount, c.Currency),
		Refunded:    in.money(c.AmountRefunded, c.Currency),
		Disputed:    c.Disputed,
		FailureCode: word(c.FailureCode),
		CreatedAt:   at(c.Created),
	}
	if c.PaymentIntent != nil {
		out.Payment = payments.PaymentID(c.PaymentIntent.ID)
	}
	if c.PaymentMethodDetails != nil {
		out.Method = string(c.PaymentMethodDetails.Type)
	}
	if c.BalanceTransaction != nil {
		movement := in.movementOn(account, c.BalanceTransaction)
		out.Movement = &movement
	}
	return out
}
