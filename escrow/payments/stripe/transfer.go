package stripe

import (
	"context"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/transfer"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

func (c *Client) transfers() transfer.Client { return transfer.Client{B: c.backend} }

// SendTransfer implements payments.Transfers.
func (c *Client) SendTransfer(ctx context.Context, in payments.TransferOrder) (payments.Transfer, error) {
	if err := in.Check(); err != nil {
		return payments.Transfer{}, err
	}
	amount, currency, err := toStripe(in.Amount)
	if err != nil {
		return payments.Transfer{}, err
	}
	meta, err := in.Mark.Metadata()
	if err != nil {
		return payments.Transfer{}, err
	}
	answer, err := c.transfers().New(&sdk.TransferParams{
		Params:            order(ctx, payments.Platform, in.Key),
		Amount:            amount,
		Currency:          currency,
		Destination:       sdk.String(string(in.To)),
		SourceTransaction: sdk.String(string(in.Source)),
		TransferGroup:     sdk.String(string(in.Group())),
		Metadata:          meta,
	})
	return one(answer, err, transferOf, "transfer from %s to %s", in.Source, in.To)
}

// Transfer implements payments.Transfers.
func (c *Client) Transfer(ctx context.Context, id payments.TransferID) (payments.Transfer, error) {
	answer, err := c.transfers().Get(string(id), &sdk.TransferParams{Params: params(ctx, payments.Platform)})
	return one(answer, err, transferOf, "get transfer %s", id)
}

// Transfers implements payments.Transfers.
func (c *Client) Transfers(ctx context.Context, q payments.TransferQuery) iter.Seq2[payments.Transfer, error] {
	fetch := func(a after) (page[sdk.Transfer], error) {
		it := c.transfers().List(&sdk.TransferListParams{
			ListParams: a.list(), TransferGroup: given(q.Group), Destination: given(q.To), CreatedRange: since(q.Since),
		})
		got := it.TransferList()
		return page[sdk.Transfer]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, payments.Platform, "transfers", fetch, func(t *sdk.Transfer) string { return t.ID }, transferOf)
}

func transferOf(t *sdk.Transfer) (payments.Transfer, error) {
	var in reading
	in.is("transfer", t.Object, t.ID)
	out := payments.Transfer{
		ID:        payments.TransferID(t.ID),
		Live:      t.Livemode,
		Mark:      payments.ParseMark(t.Metadata),
		Group:     payments.Group(t.TransferGroup),
		Amount:    in.money(t.Amount, t.Currency),
		Reversed:  in.money(t.AmountReversed, t.Currency),
		CreatedAt: at(t.Created),
		Movement:  movementID(t.BalanceTransaction),
	}
	if t.Destination != nil {
		out.To = payments.AccountID(t.Destination.ID)
	}
	if t.SourceTransaction != nil {
		out.Source = payments.ChargeID(t.SourceTransaction.ID)
	}
	return out, in.err
}
