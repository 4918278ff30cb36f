package appview

import (
	"context"
	"errors"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type getActorParams struct {
	Actor syntax.AtIdentifier `param:"actor"`
}

// getActor answers fund.stratos.actor.getActor.
func (a *API) getActor(ctx context.Context, p getActorParams) (*stratos.ActorGetActor_Output, error) {
	out := &stratos.ActorGetActor_Output{}
	err := a.store.Read(ctx, func(r *store.Reader) error {
		actor, err := did(ctx, r, p.Actor)
		if err != nil {
			return err
		}
		activity, err := r.Activity(ctx, actor)
		if errors.Is(err, store.ErrNotFound) {
			return errActorUnknown
		}
		if err != nil {
			return err
		}
		f := newFacts()
		if err := f.loadHandles(ctx, r, actor); err != nil {
			return err
		}
		out.Actor = f.actor(actor, activity)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
