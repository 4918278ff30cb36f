package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// listDisputes answers fund.stratos.feature.listDisputes, newest first.
func (a *API) listDisputes(ctx context.Context, p aboutProposalParams) (*stratos.FeatureListDisputes_Output, error) {
	out := &stratos.FeatureListDisputes_Output{Disputes: []stratos.FeatureDefs_DisputeView{}}
	err := a.aboutProposal(ctx, "listDisputes", p, func(r *store.Reader, proposal syntax.ATURI, page page) error {
		keys, err := r.ListDisputes(ctx, proposal, page.after, int(p.Limit)+1)
		if err != nil {
			return err
		}
		keys, out.Cursor, err = page.next(keys, int(p.Limit))
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return nil // and nothing else has to be known
		}
		states, err := disputeStates(ctx, r, proposal)
		if err != nil {
			return err
		}
		needed := make([]syntax.ATURI, 0, 2*len(keys))
		for _, k := range keys {
			needed = append(needed, k.URI)
			if ruling := states[k.URI].Ruling; ruling != nil {
				needed = append(needed, ruling.URI)
			}
		}
		f, err := hydrateRecords(ctx, r, needed)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if view, ok := f.dispute(k.URI, states[k.URI]); ok {
				out.Disputes = append(out.Disputes, view)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// disputeStates says of all disputes about a proposal how they stand: which of an
// account's is the first cannot be seen on one page.
func disputeStates(ctx context.Context, r *store.Reader, proposal syntax.ATURI) (map[syntax.ATURI]lifecycle.DisputeState, error) {
	f, err := r.Facts(ctx, proposal)
	if err != nil {
		return nil, err
	}
	states := map[syntax.ATURI]lifecycle.DisputeState{}
	for _, s := range lifecycle.DisputesAt(f, r.Now()) {
		states[s.URI] = s
	}
	return states, nil
}
