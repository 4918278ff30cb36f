package stripe

import (
	"context"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/refund"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

func (c *Client) refunds() refund.Client { return refund.Client{B: c.backend} }

// SendRefund implements payments.Refunds.
func (c *Client) SendRefund(ctx context.Context, in payments.RefundOrder) (payments.Refund, error) {
	if err := in.Check(); err != nil {
		return payments.Refund{}, err
	}
	amount, _, err := toStripe(in.Amount)
	if err != nil {
		return payments.Refund{}, err
	}
	meta, err := in.Mark.Metadata()
	if err != nil {
		return payments.Refund{}, err
	}
	if in.Because != "" {
		meta[payments.MetaBecause] = in.Because
	}
	answer, err := c.refunds().New(&sdk.RefundParams{
		Params:   order(ctx, payments.Platform, in.Key),
		Charge:   sdk.String(string(in.Charge)),
		Amount:   amount,
		Reason:   sdk.String(string(in.Reason)),
		Metadata: meta,
	})
	return one(answer, err, refundOf, "refund %s", in.Charge)
}

// Refund implements payments.Refunds.
func (c *Client) Refund(ctx context.Context, id payments.RefundID) (payments.Refund, error) {
	answer, err := c.refunds().Get(string(id), &sdk.RefundParams{Params: params(ctx, payments.Platform)})
	return one(answer, err, refundOf, "get refund %s", id)
}

// Refunds implements payments.Refunds.
func (c *Client) Refunds(ctx context.Context, q payments.RefundQuery) iter.Seq2[payments.Refund, error] {
	fetch := func(a after) (page[sdk.Refund], error) {
		it := c.refunds().List(&sdk.RefundListParams{
			ListParams: a.list(), Charge: given(q.Charge), CreatedRange: since(q.Since),
		})
		got := it.RefundList()
		return page[sdk.Refund]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, payments.Platform, "refunds", fetch, func(r *sdk.Refund) string { return r.ID }, refundOf)
}

func refundOf(r *sdk.Refund) (payments.Refund, error) {
	var in reading
	in.is("refund", r.Object, r.ID)
	out := payments.Refund{
		ID:            payments.RefundID(r.ID),
		Mark:          payments.ParseMark(r.Metadata),
		Amount:        in.money(r.Amount, r.Currency),
		Status:        payments.RefundStatus(r.Status),
		Reason:        payments.RefundReason(r.Reason),
		Because:       r.Metadata[payments.MetaBecause],
		FailureReason: word(string(r.FailureReason)),
		CreatedAt:     at(r.Created),
		Movement:      movementID(r.BalanceTransaction),
		Return:        movementID(r.FailureBalanceTransaction),
	}
	if r.Charge != nil {
		out.Charge = payments.ChargeID(r.Charge.ID)
	}
	if r.PaymentIntent != nil {
		out.Payment = payments.PaymentID(r.PaymentIntent.ID)
	}
	return out, in.err
}
