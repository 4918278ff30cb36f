package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// viewer is the account that asks, with what is the same for every proposal.
type viewer struct {
	did  syntax.DID
	caps []stratos.Defs_Total
}

// loadViewer returns nil when nobody in particular asks.
func loadViewer(ctx context.Context, r *store.Reader) (*viewer, error) {
	did, ok := xrpc.Viewer(ctx)
	if !ok {
		return nil, nil
	}
	v := &viewer{did: did}
	for _, currency := range lifecycle.CountedCurrencies() {
		standing, _, err := r.Standing(ctx, did, currency) // without one, nothing was contributed
		if err != nil {
			return nil, err
		}
		limit, _ := lifecycle.Cap(currency, standing.Largest)
		v.caps = append(v.caps, stratos.Defs_Total{Currency: string(currency), Amount: limit})
	}
	return v, nil
}

// state is what a proposal is to the viewer; nil for a nil viewer.
func (v *viewer) state(stage lifecycle.Stage, estimates []lifecycle.Counting) *stratos.FeatureDefs_ViewerState {
	if v == nil {
		return nil
	}
	state := &stratos.FeatureDefs_ViewerState{Caps: v.caps, May: []string{}}
	for _, e := range estimates {
		if e.Author == v.did && e.Reason == "" {
			uri := e.URI.String()
			state.Estimate = &uri
		}
	}
	switch stage {
	case lifecycle.StageProposed, lifecycle.StageDevelopment, lifecycle.StageCancelled:
		state.May = append(state.May, mayEstimate)
	}
	return state
}

// mayEstimate is the one thing of viewerState's may that needs no record of the
// viewer's and no money: everybody may do it while the stage lets them.
const mayEstimate = "estimate"
