package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type getFundingParams struct {
	URI syntax.ATURI `param:"uri"`
}

// getFunding answers fund.stratos.feature.getFunding.
func (a *API) getFunding(ctx context.Context, p getFundingParams) (*stratos.FeatureGetFunding_Output, error) {
	out := &stratos.FeatureGetFunding_Output{}
	err := a.store.Read(ctx, func(r *store.Reader) error {
		uri, err := proposalURI(ctx, r, p.URI)
		if err != nil {
			return err
		}
		states, err := r.ProposalStates(ctx, []syntax.ATURI{uri})
		if err != nil {
			return err
		}
		state := states[uri]
		if state == nil {
			return errProposalNotFound
		}
		out.Uri, out.Stage, out.Funding = uri.String(), string(state.Stage.Stage), fundingViews(state.Funding)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
