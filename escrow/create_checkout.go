package escrow

import (
	"context"
	"time"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// createCheckout answers fund.stratos.escrow.createCheckout.
func (s *Service) createCheckout(ctx context.Context, in stratos.EscrowCreateCheckout_Input) (*stratos.EscrowCreateCheckout_Output, error) {
	p, err := s.taking.desk.Begin(ctx, caller(ctx), in.Subject, in.ReturnUri)
	if err != nil {
		return nil, err
	}
	return &stratos.EscrowCreateCheckout_Output{
		Url: s.taking.desk.PayURL(p.ID), Payment: string(p.ID), Acknowledgement: p.Acknowledgement, ExpiresAt: stamp(p.ExpiresAt),
	}, nil
}

// refundTakes is how long a refund is on its way to a card at the longest, as far as the
// processor promises anything: ten business days.
const refundTakes = 14 * 24 * time.Hour

// paymentView shapes a payment for its payer.
func (s *Service) paymentView(v checkout.View) stratos.EscrowDefs_PaymentView {
	out := stratos.EscrowDefs_PaymentView{
		Id: string(v.ID), Development: v.Development.String(), Status: string(v.Status),
		Value:           stratos.Defs_Money{Amount: v.Value.Amount, Currency: v.Value.Currency.String()},
		Acknowledgement: &v.Acknowledgement,
		CreatedAt:       stamp(v.CreatedAt), UpdatedAt: stamp(v.Since),
	}
	out.Subject.Uri, out.Subject.Cid = v.Subject.String(), v.CID.String()
	if v.Status == checkout.StatusOpen {
		url, expires := s.taking.desk.PayURL(v.ID), stamp(v.ExpiresAt)
		out.Url, out.ExpiresAt = &url, &expires
	}
	if v.Status == checkout.Status(lifecycle.ReceiptRefunding) {
		expected := stamp(v.Since.Add(refundTakes))
		out.ExpectedAt = &expected
	}
	if v.Receipt != "" {
		receipt := v.Receipt.String()
		out.Receipt = &receipt
	}
	return out
}
