package appview

import (
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// fundingViews shows funding by currency.
func fundingViews(funding []lifecycle.Funding) []stratos.FeatureDefs_Funding {
	out := make([]stratos.FeatureDefs_Funding, 0, len(funding))
	for _, f := range funding {
		out = append(out, stratos.FeatureDefs_Funding{
			Currency:         string(f.Currency),
			Estimated:        f.Estimated,
			Estimators:       f.Estimators,
			EstimatedProven:  f.EstimatedProven,
			EstimatorsProven: f.EstimatorsProven,
			Pledged:          f.Pledged,
			Pledgers:         f.Pledgers,
			Pending:          f.Pending,
			Donated:          f.Donated,
			Donors:           f.Donors,
			Goal:             f.Goal,
			Raised:           f.Raised,
			Releasing:        f.Releasing,
			Released:         f.Released,
			Refunding:        f.Refunding,
			Refunded:         f.Refunded,
			ChargedBack:      f.ChargedBack,
		})
	}
	return out
}
