package appview

import (
	"context"
	"errors"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/xrpc"
)

type listEstimatesParams struct {
	URI      syntax.ATURI `param:"uri"`
	Currency string       `param:"currency"`
	Limit    int64        `param:"limit"`
	Cursor   string       `param:"cursor"`
}

// listEstimates answers fund.stratos.feature.listEstimates: newest first, with
// the distribution over all that count.
func (a *API) listEstimates(ctx context.Context, p listEstimatesParams) (*stratos.FeatureListEstimates_Output, error) {
	if p.Currency != "" {
		if _, err := money.ParseCurrency(p.Currency); err != nil {
			return nil, xrpc.InvalidRequest("currency: must be an ISO 4217 code in upper case, got %q", p.Currency)
		}
	}
	out := &stratos.FeatureListEstimates_Output{Estimates: []stratos.FeatureDefs_EstimateView{}}
	err := a.store.Read(ctx, func(r *store.Reader) error {
		uri, err := proposalURI(ctx, r, p.URI)
		if err != nil {
			return err
		}
		page, err := newPage(p.Cursor, r.Now(), []string{"listEstimates", uri.String(), p.Currency})
		if err != nil {
			return err
		}
		r = r.At(page.now)
		counted, sums, err := p.count(ctx, r, uri, page)
		if errors.Is(err, store.ErrNotFound) {
			return errProposalNotFound
		}
		if err != nil {
			return err
		}
		out.Distribution = distributions(sums)

		keys := estimateKeys(counted, page.after, int(p.Limit)+1)
		keys, out.Cursor, err = page.next(keys, int(p.Limit))
		if err != nil {
			return err
		}
		return hydrateEstimates(ctx, r, keys, counted, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// count says what the estimates of a page count for, and the sums of all that count. A
// first page needs the newest only, where what counts is summed up already.
func (p *listEstimatesParams) count(ctx context.Context, r *store.Reader, uri syntax.ATURI, at page) ([]lifecycle.Counting, []lifecycle.EstimateSum, error) {
	if at.after == nil && p.Currency == "" {
		newest, ok, err := r.NewestEstimates(ctx, uri, int(p.Limit)+1)
		if err != nil || ok {
			return lifecycle.CountEstimates(newest.Facts, r.Now()), newest.Sums, err
		}
	}
	facts, err := r.FactsWithEstimates(ctx, uri)
	if err != nil {
		return nil, nil, err
	}
	counted := lifecycle.CountEstimates(facts, r.Now())
	if p.Currency != "" {
		counted = slices.DeleteFunc(counted, func(c lifecycle.Counting) bool { return string(c.Value.Currency) != p.Currency })
	}
	return counted, lifecycle.SumUp(counted), nil
}

// estimateKeys picks a page of estimates, which are sorted newest first.
func estimateKeys(counted []lifecycle.Counting, after *store.Key, limit int) []store.Key {
	var keys []store.Key
	for _, c := range counted {
		k := store.Key{Value: c.CreatedAt.UnixMilli(), URI: c.URI}
		if after != nil && (k.Value > after.Value || k.Value == after.Value && k.URI >= after.URI) {
			continue
		}
		if keys = append(keys, k); len(keys) == limit {
			break
		}
	}
	return keys
}

func hydrateEstimates(ctx context.Context, r *store.Reader, keys []store.Key, counted []lifecycle.Counting, out *stratos.FeatureListEstimates_Output) error {
	f := newFacts()
	if err := f.loadRecords(ctx, r, uris(keys)); err != nil {
		return err
	}
	if err := f.loadHandles(ctx, r); err != nil {
		return err
	}
	byURI := make(map[syntax.ATURI]lifecycle.Counting, len(counted))
	for _, c := range counted {
		byURI[c.URI] = c
	}
	for _, k := range keys {
		if view, ok := f.estimate(byURI[k.URI]); ok {
			out.Estimates = append(out.Estimates, view)
		}
	}
	return nil
}

// proposalURI resolves the uri parameter of a method about one proposal.
func proposalURI(ctx context.Context, r *store.Reader, uri syntax.ATURI) (syntax.ATURI, error) {
	resolved, err := recordURI(ctx, r, uri)
	if errors.Is(err, errActorNotFound) {
		return "", errProposalNotFound
	}
	return resolved, err
}
