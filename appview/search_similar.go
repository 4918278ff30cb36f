package appview

import (
	"context"

	"github.com/stratosfund/stratosfund/indexer/store"
)

type searchSimilarParams struct {
	Title   string `param:"title"`
	Subject string `param:"subject"`
	Limit   int64  `param:"limit"`
}

// searchSimilar answers fund.stratos.feature.searchSimilar.
func (a *API) searchSimilar(ctx context.Context, p searchSimilarParams) (*listOfProposals, error) {
	out := &listOfProposals{}
	about := listProposalsParams{Subject: p.Subject}
	err := a.store.Search(ctx, func(r *store.Reader) error {
		var filter store.ProposalFilter
		if err := about.subject(ctx, r, &filter); err != nil {
			return err
		}
		found, err := r.SearchSimilar(ctx, p.Title, filter, int(p.Limit))
		if err != nil {
			return err
		}
		out.Proposals, err = a.basics(ctx, r, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
