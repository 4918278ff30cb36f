package stripe

import (
	"context"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/transferreversal"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

func (c *Client) reversals() transferreversal.Client { return transferreversal.Client{B: c.backend} }

// SendReversal implements payments.Transfers.
func (c *Client) SendReversal(ctx context.Context, in payments.ReversalOrder) (payments.Reversal, error) {
	if err := in.Check(); err != nil {
		return payments.Reversal{}, err
	}
	amount, _, err := toStripe(in.Amount)
	if err != nil {
		return payments.Reversal{}, err
	}
	meta, err := in.Mark.Metadata()
	if err != nil {
		return payments.Reversal{}, err
	}
	answer, err := c.reversals().New(&sdk.TransferReversalParams{
		Params:   order(ctx, payments.Platform, in.Key),
		ID:       sdk.String(string(in.Transfer)),
		Amount:   amount,
		Metadata: meta,
	})
	return one(answer, err, reversalOf, "reverse %s of %s", in.Amount, in.Transfer)
}

// Reversals implements payments.Transfers.
func (c *Client) Reversals(ctx context.Context, of payments.TransferID) iter.Seq2[payments.Reversal, error] {
	fetch := func(a after) (page[sdk.TransferReversal], error) {
		it := c.reversals().List(&sdk.TransferReversalListParams{ListParams: a.list(), ID: sdk.String(string(of))})
		got := it.TransferReversalList()
		return page[sdk.TransferReversal]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, payments.Platform, "reversals", fetch, func(r *sdk.TransferReversal) string { return r.ID }, reversalOf)
}

func reversalOf(r *sdk.TransferReversal) (payments.Reversal, error) {
	var in reading
	in.is("transfer_reversal", r.Object, r.ID)
	out := payments.Reversal{
		ID:        payments.ReversalID(r.ID),
		Mark:      payments.ParseMark(r.Metadata),
		Amount:    in.money(r.Amount, r.Currency),
		CreatedAt: at(r.Created),
		Movement:  movementID(r.BalanceTransaction),
	}
	if r.Transfer != nil {
		out.Transfer = payments.TransferID(r.Transfer.ID)
	}
	return out, in.err
}
