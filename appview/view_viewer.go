package appview

import (
	"context"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/xrpc"
)

// mostPledges is how many pledges of the viewer's the lexicon lets a view hold.
const mostPledges = 50

// viewer is the account that asks. A nil one is nobody in particular, and sees
// no state of its own.
type viewer struct {
	did  syntax.DID
	caps []stratos.Defs_Total
	now  time.Time
	// own are the facts of proposals that decide about the account's own estimates
	// and pledges.
	own map[syntax.ATURI]lifecycle.Facts
}

// loadViewer returns nil when nobody in particular asks.
func loadViewer(ctx context.Context, r *store.Reader) (*viewer, error) {
	did, ok := xrpc.Viewer(ctx)
	if !ok {
		return nil, nil
	}
	standings, err := r.Standings(ctx, did)
	if err != nil {
		return nil, err
	}
	largest := map[money.Currency]int64{} // without a standing, nothing was contributed
	for _, s := range standings {
		largest[s.Currency] = s.Largest
	}
	v := &viewer{did: did, now: r.Now()}
	for _, currency := range lifecycle.CountedCurrencies() {
		limit, _ := lifecycle.Cap(currency, largest[currency])
		v.caps = append(v.caps, stratos.Defs_Total{Currency: string(currency), Amount: limit})
	}
	return v, nil
}

// loadOwn reads what basic needs.
func (v *viewer) loadOwn(ctx context.Context, r *store.Reader, uris []syntax.ATURI) (err error) {
	if v != nil {
		v.own, err = r.FactsOfBacker(ctx, v.did, uris)
	}
	return err
}

// loadEstimates reads what full needs beside the known facts.
func (v *viewer) loadEstimates(ctx context.Context, r *store.Reader, known map[syntax.ATURI]lifecycle.Facts) (err error) {
	if v != nil {
		v.own, err = r.WithEstimatesOf(ctx, v.did, known)
	}
	return err
}

// basic is what a proposal in a list is to the viewer. Payments whose record is
// gone are left out: to find all of them needs more than the viewer's own facts.
func (v *viewer) basic(uri syntax.ATURI) *stratos.FeatureDefs_ViewerState {
	if v == nil {
		return nil
	}
	f, ok := v.own[uri]
	if !ok {
		return nil
	}
	return v.state(f, f, func(p lifecycle.Payment) bool { return p.Recorded })
}

// full is what a proposal in a stage is to the viewer, by all that is known of it.
func (v *viewer) full(f lifecycle.Facts, stage lifecycle.Stage) *stratos.FeatureDefs_ViewerState {
	if v == nil {
		return nil
	}
	state := v.state(v.own[f.Proposal.URI], f, func(lifecycle.Payment) bool { return true })
	for _, p := range lifecycle.MayAt(f, v.now, v.did) {
		if p.Refusal == "" {
			state.May = append(state.May, string(p.Act))
			continue
		}
		state.MayNot = append(state.MayNot, refusalView(p, stage))
	}
	return state
}

// state is what the viewer wrote about a proposal. Single estimates are in their own
// facts, payments in f.
func (v *viewer) state(own, f lifecycle.Facts, shown func(lifecycle.Payment) bool) *stratos.FeatureDefs_ViewerState {
	state := &stratos.FeatureDefs_ViewerState{Caps: v.caps}
	for _, e := range lifecycle.CountEstimates(own, v.now) {
		if e.Author == v.did && e.Reason == "" {
			uri := e.URI.String()
			state.Estimate = &uri
		}
	}
	for _, p := range lifecycle.PledgesAt(f, v.now) {
		if p.Payer == v.did && shown(p) && len(state.Pledges) < mostPledges {
			state.Pledges = append(state.Pledges, viewerPledge(p))
		}
	}
	return state
}

func viewerPledge(p lifecycle.Payment) stratos.FeatureDefs_ViewerPledge {
	return stratos.FeatureDefs_ViewerPledge{
		Uri: p.Subject.String(), Status: string(p.Status),
		Value: stratos.Defs_Money{Amount: p.Value.Amount, Currency: string(p.Value.Currency)},
	}
}
