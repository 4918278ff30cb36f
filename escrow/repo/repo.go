package repo

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
)

// Repo is what the escrow's repository is to hold.
type Repo struct {
	did  syntax.DID
	mode payments.Mode
}

// New returns the repository of an escrow of this mode.
func New(did syntax.DID, mode payments.Mode) *Repo { return &Repo{did: did, mode: mode} }

// test marks what is not about real money.
func (r *Repo) test() *bool {
	if r.mode == payments.Live {
		return nil
	}
	test := true
	return &test
}

// compose makes the record that a row of the outbox is about.
func (r *Repo) compose(ctx context.Context, q sqlite.Querier, row outboxRow) (*record, error) {
	switch row.collection {
	case lexicons.CollectionReceipt:
		return r.receipt(ctx, q, syntax.ATURI(row.subject))
	case lexicons.CollectionCampaign:
		return r.campaign(ctx, q, syntax.ATURI(row.subject))
	case lexicons.CollectionRuling:
		return r.ruling(ctx, q, syntax.RecordKey(row.subject))
	case lexicons.CollectionStatement:
		return loadStatement(ctx, q, syntax.RecordKey(row.subject))
	case lexicons.CollectionTerms:
		return loadTerms(ctx, q, syntax.RecordKey(row.subject))
	case lexicons.CollectionService:
		return loadService(ctx, q)
	}
	return nil, fmt.Errorf("repo: the outbox has a %s, which nobody publishes", row.collection)
}
