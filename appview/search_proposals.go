package appview

import (
	"context"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
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
func (a *API) searchProposals(ctx context.Context, p searchProposalsParams) (*listOfProposals, error) {
	byRelevance := p.Sort == sortRelevance
	if byRelevance {
		p.Sort = string(store.SortNew) // a filter has an order, which does not matter here
	} else if !slices.Contains(store.ProposalSorts(), store.ProposalSort(p.Sort)) {
		return nil, xrpc.InvalidRequest("sort: must be relevance, hot, new, estimated, pledged or closing, got %q", p.Sort)
	}
	out := &listOfProposals{}
	err := a.store.Search(ctx, func(r *store.Reader) error {
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
		out.Proposals, err = a.basics(ctx, r, found)
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
