package stripe

import (
	"context"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/dispute"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

func (c *Client) disputes() dispute.Client { return dispute.Client{B: c.backend} }

// Dispute implements payments.Chargebacks.
func (c *Client) Dispute(ctx context.Context, account payments.AccountID, id payments.DisputeID) (payments.Dispute, error) {
	answer, err := c.disputes().Get(string(id), &sdk.DisputeParams{Params: params(ctx, account)})
	return one(answer, err, disputeOn(account), "get dispute %s", id)
}

// Disputes implements payments.Chargebacks.
func (c *Client) Disputes(ctx context.Context, account payments.AccountID, q payments.DisputeQuery) iter.Seq2[payments.Dispute, error] {
	fetch := func(a after) (page[sdk.Dispute], error) {
		it := c.disputes().List(&sdk.DisputeListParams{
			ListParams: a.list(), Charge: given(q.Charge), CreatedRange: since(q.Since),
		})
		got := it.DisputeList()
		return page[sdk.Dispute]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, account, "disputes", fetch, func(d *sdk.Dispute) string { return d.ID }, disputeOn(account))
}

func disputeOn(account payments.AccountID) func(*sdk.Dispute) (payments.Dispute, error) {
	return func(d *sdk.Dispute) (payments.Dispute, error) {
		var in reading
		in.is("dispute", d.Object, d.ID)
		out := payments.Dispute{
			ID:         payments.DisputeID(d.ID),
			Live:       d.Livemode,
			Amount:     in.money(d.Amount, d.Currency),
			Status:     payments.DisputeStatus(d.Status),
			Reason:     string(d.Reason),
			Refundable: d.IsChargeRefundable,
			CreatedAt:  at(d.Created),
		}
		if d.Charge != nil {
			out.Charge = payments.ChargeID(d.Charge.ID)
		}
		if d.PaymentIntent != nil {
			out.Payment = payments.PaymentID(d.PaymentIntent.ID)
		}
		if d.EvidenceDetails != nil {
			out.EvidenceBy = at(d.EvidenceDetails.DueBy)
		}
		for _, b := range present(&in, d.BalanceTransactions) {
			out.Movements = append(out.Movements, in.movementOn(account, b))
		}
		return out, in.err
	}
}
