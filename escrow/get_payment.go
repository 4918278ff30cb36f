package escrow

import (
	"context"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type getPaymentParams struct {
	Payment string `param:"payment"`
}

// getPayment answers fund.stratos.escrow.getPayment.
func (s *Service) getPayment(ctx context.Context, p getPaymentParams) (*stratos.EscrowGetPayment_Output, error) {
	v, err := s.taking.desk.Get(ctx, caller(ctx), ledger.HoldID(p.Payment))
	if err != nil {
		return nil, err
	}
	return &stratos.EscrowGetPayment_Output{Payment: s.paymentView(v)}, nil
}
