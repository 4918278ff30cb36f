package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// listPledges answers fund.stratos.feature.listPledges, newest first.
func (a *API) listPledges(ctx context.Context, p aboutProposalParams) (*stratos.FeatureListPledges_Output, error) {
	out := &stratos.FeatureListPledges_Output{Pledges: []stratos.FeatureDefs_PledgeView{}}
	err := a.aboutProposal(ctx, "listPledges", p, func(r *store.Reader, proposal syntax.ATURI, page page) error {
		rows, err := r.ListPledges(ctx, proposal, page.after, int(p.Limit)+1)
		if err != nil {
			return err
		}
		rows, out.Cursor, err = cutPage(page, rows, int(p.Limit), func(row store.PledgeRow) place { return placeOf(row.Key) })
		if err != nil {
			return err
		}
		needed := make([]syntax.ATURI, 0, 2*len(rows))
		for _, row := range rows {
			needed = append(needed, row.URI)
			if row.Receipt != "" {
				needed = append(needed, row.Receipt)
			}
		}
		f, err := hydrateRecords(ctx, r, needed)
		if err != nil {
			return err
		}
		for _, row := range rows {
			view, ok, err := f.pledge(row)
			if err != nil {
				return err
			}
			if ok {
				out.Pledges = append(out.Pledges, view)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
