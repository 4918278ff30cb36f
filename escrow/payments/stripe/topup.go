package stripe

import (
	"context"
	"iter"
	"time"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/topup"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// Topups implements payments.Balances.
func (c *Client) Topups(ctx context.Context, from time.Time) iter.Seq2[payments.Topup, error] {
	fetch := func(a after) (page[sdk.Topup], error) {
		it := topup.Client{B: c.backend}.List(&sdk.TopupListParams{ListParams: a.list(), CreatedRange: since(from)})
		got := it.TopupList()
		return page[sdk.Topup]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, payments.Platform, "topups", fetch, func(t *sdk.Topup) string { return t.ID }, topupOf)
}

func topupOf(t *sdk.Topup) (payments.Topup, error) {
	var in reading
	in.is("topup", t.Object, t.ID)
	return payments.Topup{
		ID:        payments.TopupID(t.ID),
		Live:      t.Livemode,
		Amount:    in.money(t.Amount, t.Currency),
		Status:    payments.TopupStatus(t.Status),
		CreatedAt: at(t.Created),
		Movement:  movementID(t.BalanceTransaction),
	}, in.err
}
