package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type getProposalsParams struct {
	URIs []syntax.ATURI `param:"uris"`
}

// getProposals answers fund.stratos.feature.getProposals. What is not visible
// is left out.
func (a *API) getProposals(ctx context.Context, p getProposalsParams) (*stratos.FeatureGetProposals_Output, error) {
	out := &stratos.FeatureGetProposals_Output{}
	err := a.store.Read(ctx, func(r *store.Reader) (err error) {
		out.Proposals, err = a.proposals(ctx, r, p.URIs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
