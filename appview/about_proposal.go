package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// aboutProposalParams are those of every list of what belongs to one proposal.
type aboutProposalParams struct {
	URI    syntax.ATURI `param:"uri"`
	Limit  int64        `param:"limit"`
	Cursor string       `param:"cursor"`
}

// aboutProposal calls read for a page of such a list, with a reader that answers
// for the moment of the first page. The proposal is visible then.
func (a *API) aboutProposal(ctx context.Context, method string, p aboutProposalParams, read func(r *store.Reader, proposal syntax.ATURI, page page) error) error {
	return a.store.Read(ctx, func(r *store.Reader) error {
		uri, err := proposalURI(ctx, r, p.URI)
		if err != nil {
			return err
		}
		page, err := newPage(p.Cursor, r.Now(), []string{method, uri.String()})
		if err != nil {
			return err
		}
		r = r.At(page.now)
		states, err := r.ProposalStates(ctx, []syntax.ATURI{uri})
		if err != nil {
			return err
		}
		if states[uri] == nil {
			return errProposalNotFound
		}
		return read(r, uri, page)
	})
}

// hydrateRecords reads what the views of records need: two statements, whatever
// their number.
func hydrateRecords(ctx context.Context, r *store.Reader, uris []syntax.ATURI) (*facts, error) {
	f := newFacts()
	if err := f.loadRecords(ctx, r, uris); err != nil {
		return nil, err
	}
	return f, f.loadHandles(ctx, r)
}
