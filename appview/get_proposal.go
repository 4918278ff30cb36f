package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type getProposalParams struct {
	URI syntax.ATURI `param:"uri"`
}

// getProposal answers fund.stratos.feature.getProposal.
func (a *API) getProposal(ctx context.Context, p getProposalParams) (*stratos.FeatureGetProposal_Output, error) {
	var views []stratos.FeatureDefs_ProposalView
	err := a.store.Read(ctx, func(r *store.Reader) (err error) {
		views, err = a.proposals(ctx, r, []syntax.ATURI{p.URI})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(views) == 0 {
		return nil, errProposalNotFound
	}
	return &stratos.FeatureGetProposal_Output{Proposal: views[0]}, nil
}

// proposals are the full views of those of the proposals that are visible, in
// the order asked for.
func (a *API) proposals(ctx context.Context, r *store.Reader, asked []syntax.ATURI) ([]stratos.FeatureDefs_ProposalView, error) {
	uris, err := recordURIs(ctx, r, asked)
	if err != nil {
		return nil, err
	}
	f, details, err := hydrateDetails(ctx, r, uris)
	if err != nil {
		return nil, err
	}
	views := make([]stratos.FeatureDefs_ProposalView, 0, len(uris))
	for _, uri := range uris {
		view, ok, err := f.proposal(uri, details[uri], a.policy)
		if err != nil {
			return nil, err
		}
		if ok {
			view.Viewer = f.viewer.full(details[uri].Facts, lifecycle.Stage(view.Stage))
			views = append(views, view)
		}
	}
	return views, nil
}
