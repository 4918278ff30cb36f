package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/xrpc"
)

type getStandingParams struct {
	Actor    syntax.AtIdentifier `param:"actor"`
	Currency string              `param:"currency"`
}

// getStanding answers fund.stratos.actor.getStanding. An account that the index
// has never seen stands where everybody begins.
func (a *API) getStanding(ctx context.Context, p getStandingParams) (*stratos.ActorGetStanding_Output, error) {
	currency, err := money.ParseCurrency(p.Currency)
	if err != nil {
		return nil, xrpc.InvalidRequest("currency: must be an ISO 4217 code in upper case, got %q", p.Currency)
	}
	if _, ok := lifecycle.Cap(currency, 0); !ok {
		return nil, errUnsupportedCurrency
	}
	out := &stratos.ActorGetStanding_Output{Currency: string(currency)}
	err = a.store.Read(ctx, func(r *store.Reader) error {
		actor, err := did(ctx, r, p.Actor)
		if err != nil {
			return err
		}
		standing, ok, err := r.Standing(ctx, actor, currency)
		if err != nil {
			return err
		}
		if ok {
			basis := standing.Receipt.String()
			out.Largest, out.Basis = standing.Largest, &basis
		}
		out.Cap, _ = lifecycle.Cap(currency, standing.Largest)

		f := newFacts()
		if err := f.loadHandles(ctx, r, actor); err != nil {
			return err
		}
		out.Actor = f.profile(actor)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
