package appview

import (
	"time"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// statsView shows the numbers of a moment; stages without proposals are left out.
func statsView(s store.Stats, at time.Time) *stratos.GetStats_Output {
	out := &stratos.GetStats_Output{
		AsOf: datetime(at), Proposals: s.Proposals, Projects: s.Projects, Backers: s.Backers, Developers: s.Developers,
		Stages: []stratos.GetStats_StageCount{}, Money: []stratos.GetStats_MoneyTotals{},
	}
	for _, stage := range lifecycle.Stages() {
		if n := s.Stages[stage]; n > 0 {
			out.Stages = append(out.Stages, stratos.GetStats_StageCount{Stage: string(stage), Count: n})
		}
	}
	out.Money = append(out.Money, moneyTotals(s.Money)...)
	out.TestMoney = moneyTotals(s.TestMoney)
	return out
}

func moneyTotals(sums []store.MoneyStats) (out []stratos.GetStats_MoneyTotals) {
	for _, m := range sums {
		out = append(out, stratos.GetStats_MoneyTotals{
			Currency: string(m.Currency), Estimated: m.Estimated,
			Pledged: m.Pledged, Released: m.Released, Refunded: m.Refunded, Donated: m.Donated,
		})
	}
	return out
}
