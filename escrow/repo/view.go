package repo

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// View is a record of the escrow as it is to be now; the repository says the same a
// moment later.
type View struct {
	URI  syntax.ATURI
	CID  syntax.CID
	JSON json.RawMessage
}

// Campaign returns the record of a development's campaign, or campaign.ErrNotFound.
func (r *Repo) Campaign(ctx context.Context, q sqlite.Querier, development syntax.ATURI) (View, error) {
	rec, err := r.campaign(ctx, q, development)
	if err != nil {
		return View{}, err
	}
	return rec.view(r.did)
}

// Receipt returns the receipt of a pledge or donation that was paid.
func (r *Repo) Receipt(ctx context.Context, q sqlite.Querier, subject syntax.ATURI) (View, error) {
	rec, err := r.receipt(ctx, q, subject)
	if err != nil {
		return View{}, err
	}
	return rec.view(r.did)
}

func (r *record) view(did syntax.DID) (View, error) {
	b, err := json.Marshal(r.data)
	if err != nil {
		return View{}, fmt.Errorf("repo: show %s %s: %w", r.collection, r.rkey, err)
	}
	return View{URI: syntax.ATURI(r.ref(did).Uri), CID: r.cid, JSON: b}, nil
}
