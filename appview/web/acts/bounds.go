package acts

import (
	"context"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// bounds are how little and how much an escrow takes at once.
type bounds struct {
	currency    money.Currency
	least, most int64
}

// hold tells whether so much can be paid.
func (b *bounds) hold(minor int64) bool { return minor >= b.least && minor <= b.most }

func (b *bounds) sentence() string {
	return "The escrow takes from " + web.Amount(b.least, b.currency.String()) + " to " + web.Amount(b.most, b.currency.String()) + " at once."
}

// boundsOf reads them from the terms: those that the campaign of a pledge has for good, and
// for donations those that the escrow has now. They are nil where nobody knows.
func (a *Acts) boundsOf(ctx context.Context, collection syntax.NSID, escrow string, development syntax.ATURI, currency money.Currency) (*bounds, error) {
	source := serviceOf(escrow)
	if collection == lexicons.CollectionPledge {
		source = syntax.ATURI("at://" + escrow + "/" + lexicons.CollectionCampaign.String() + "/" + lexicons.DerivedKey(development).String())
	}
	named, ok, err := recordAt[struct{ Terms comatproto.RepoStrongRef }](ctx, a, source)
	if err != nil || !ok {
		return nil, err
	}
	terms, ok, err := recordAt[stratos.EscrowTerms](ctx, a, syntax.ATURI(named.Terms.Uri))
	if err != nil || !ok {
		return nil, err
	}
	for _, taken := range terms.Currencies {
		if taken.Currency == currency.String() {
			return &bounds{currency, taken.Minimum, taken.Maximum}, nil
		}
	}
	return nil, nil
}

// serviceOf is where an escrow introduces itself.
func serviceOf(escrow string) syntax.ATURI {
	return syntax.ATURI("at://" + escrow + "/" + lexicons.CollectionService.String() + "/self")
}

// recordAt reads a record; ok is false where there is none.
func recordAt[T any](ctx context.Context, a *Acts, uri syntax.ATURI) (out T, ok bool, err error) {
	found, err := a.opts.Queries.Record(ctx, uri)
	if isNotFound(err) {
		return out, false, nil
	}
	if err != nil {
		return out, false, err
	}
	out, err = readRecord[T](found.Record)
	return out, err == nil, err
}
