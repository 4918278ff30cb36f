package appview

import (
	"context"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// getTimeline answers fund.stratos.feature.getTimeline, oldest first.
func (a *API) getTimeline(ctx context.Context, p aboutProposalParams) (*stratos.FeatureGetTimeline_Output, error) {
	out := &stratos.FeatureGetTimeline_Output{Events: []stratos.FeatureDefs_TimelineEvent{}}
	err := a.aboutProposal(ctx, "getTimeline", p, func(r *store.Reader, proposal syntax.ATURI, page page) error {
		actors, err := timelineActors(ctx, r, proposal)
		if err != nil {
			return err
		}
		events, err := r.Timeline(ctx, proposal, actors, page.afterEvent(), int(p.Limit)+1)
		if err != nil {
			return err
		}
		events, out.Cursor, err = cutPage(page, events, int(p.Limit), placeOfEvent)
		if err != nil {
			return err
		}
		f := newFacts()
		dids := make([]syntax.DID, 0, len(events))
		for _, e := range events {
			dids = append(dids, e.Actor)
		}
		if err := f.loadHandles(ctx, r, dids...); err != nil {
			return err
		}
		for _, e := range events {
			out.Events = append(out.Events, f.event(e))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// timelineActors says whose records are events: what strangers answer or develop
// is none (rule 3).
func timelineActors(ctx context.Context, r *store.Reader, proposal syntax.ATURI) (of store.Actors, err error) {
	shown, err := r.FactsShown(ctx, []syntax.ATURI{proposal})
	if err != nil {
		return of, err
	}
	f, ok := shown[proposal]
	if !ok {
		return of, errProposalNotFound
	}
	of.Developers = lifecycle.DevelopersAt(f, r.Now())
	for _, a := range lifecycle.AttemptsAt(f, r.Now()) {
		if a.Authorized {
			of.Attempts = append(of.Attempts, a.URI)
		}
	}
	return of, nil
}

func placeOfEvent(e store.Event) place {
	return place{Value: e.At.UnixMilli(), URI: e.URI, Kind: e.Kind}
}

// afterEvent is the event before the page; nil on the first.
func (p page) afterEvent() *store.EventKey {
	if p.after == nil {
		return nil
	}
	return &store.EventKey{At: time.UnixMilli(p.after.Value), URI: p.after.URI, Kind: p.kind}
}
