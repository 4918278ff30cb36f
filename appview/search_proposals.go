package appview

import (
	"context"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// searchProposalsParams are the words, and whatever narrows and orders a list.
type searchProposalsParams struct {
	Q string `param:"q"`
	listProposalsParams
}

// sortRelevance is the order that only a search has: by how well the words fit.
const sortRelevance = "relevance"

// searchProposals answers fund.stratos.feature.searchProposals.
func (a *API) searchProposals(ctx context.Context, p searchProposalsParams) (*stratos.FeatureSearchProposals_Output, error) {
	byRelevance := p.Sort == sortRelevance
	if byRelevance {
		p.Sort = string(store.SortNew) // a filter has an order, which does not matter here
	} else if !slices.Contains(store.ProposalSorts(), store.ProposalSort(p.Sort)) {
		return nil, xrpc.InvalidRequest("sort: must be relevance, hot, new, estimated, pledged or closing, got %q", p.Sort)
	}
	out := &stratos.FeatureSearchProposals_Output{}
	err := a.store.Read(ctx, func(r *store.Reader) error {
		filter, err := p.filter(ctx, r)
		if err != nil {
			return err
		}
		filter.Words = &p.Q
		page, err := newPage(p.Cursor, r.Now(), []any{"searchProposals", byRelevance, filter})
		if err != nil {
			return err
		}
		r = r.At(page.now)
		search := sortedSearch
		if byRelevance {
			search = rankedSearch
		}
		var found []syntax.ATURI
		found, out.Cursor, err = search(ctx, r, filter, page, int(p.Limit))
		if err != nil {
			return err
		}
		out.Proposals, err = basics(ctx, r, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// rankedSearch is a page of what holds the filter's words, best first.
func rankedSearch(ctx context.Context, r *store.Reader, f store.ProposalFilter, p page, limit int) (found []syntax.ATURI, next *string, err error) {
	found, seen, err := r.SearchProposals(ctx, *f.Words, f, p.seen, limit)
	if err != nil {
		return nil, nil, err
	}
	next, err = p.nextOfSearch(seen)
	return found, next, err
}

// sortedSearch is a page of the same in the filter's order.
func sortedSearch(ctx context.Context, r *store.Reader, f store.ProposalFilter, p page, limit int) (found []syntax.ATURI, next *string, err error) {
	keys, err := r.ListProposals(ctx, f, p.after, limit+1)
	if err != nil {
		return nil, nil, err
	}
	keys, next, err = p.next(keys, limit)
	return uris(keys), next, err
}

// basics are the basic views of those of the proposals that are visible, in the
// order asked for.
func basics(ctx context.Context, r *store.Reader, uris []syntax.ATURI) ([]stratos.FeatureDefs_ProposalViewBasic, error) {
	f, err := hydrateProposals(ctx, r, uris)
	if err != nil {
		return nil, err
	}
	views := make([]stratos.FeatureDefs_ProposalViewBasic, 0, len(uris))
	for _, uri := range uris {
		if view, ok := f.proposalBasic(uri); ok {
			views = append(views, view)
		}
	}
	return views, nil
}
