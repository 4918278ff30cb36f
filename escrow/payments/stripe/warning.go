package stripe

import (
	"context"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/radar/earlyfraudwarning"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

func (c *Client) warnings() earlyfraudwarning.Client { return earlyfraudwarning.Client{B: c.backend} }

// Warning implements payments.Chargebacks.
func (c *Client) Warning(ctx context.Context, id payments.WarningID) (payments.Warning, error) {
	answer, err := c.warnings().Get(string(id), &sdk.RadarEarlyFraudWarningParams{Params: params(ctx, payments.Platform)})
	return one(answer, err, warningOf, "get warning %s", id)
}

// Warnings implements payments.Chargebacks.
func (c *Client) Warnings(ctx context.Context, q payments.WarningQuery) iter.Seq2[payments.Warning, error] {
	fetch := func(a after) (page[sdk.RadarEarlyFraudWarning], error) {
		it := c.warnings().List(&sdk.RadarEarlyFraudWarningListParams{
			ListParams: a.list(), Charge: given(q.Charge), CreatedRange: since(q.Since),
		})
		got := it.RadarEarlyFraudWarningList()
		return page[sdk.RadarEarlyFraudWarning]{got.Data, got.HasMore}, it.Err()
	}
	return all(ctx, payments.Platform, "warnings", fetch, func(w *sdk.RadarEarlyFraudWarning) string { return w.ID }, warningOf)
}

func warningOf(w *sdk.RadarEarlyFraudWarning) (payments.Warning, error) {
	var in reading
	in.is("radar.early_fraud_warning", w.Object, w.ID)
	out := payments.Warning{
		ID:         payments.WarningID(w.ID),
		Live:       w.Livemode,
		Actionable: w.Actionable,
		Kind:       string(w.FraudType),
		CreatedAt:  at(w.Created),
	}
	if w.Charge != nil {
		out.Charge = payments.ChargeID(w.Charge.ID)
	}
	if w.PaymentIntent != nil {
		out.Payment = payments.PaymentID(w.PaymentIntent.ID)
	}
	return out, in.err
}
