package repo

import (
	"context"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// ruling is what was decided about a dispute, as a record.
func (r *Repo) ruling(ctx context.Context, q sqlite.Querier, key syntax.RecordKey) (*record, error) {
	d, err := campaign.DisputeRuled(ctx, q, key)
	if err != nil {
		return nil, err
	}
	return newRecord(r.did, key, &stratos.EscrowRuling{
		LexiconTypeID: lexicons.CollectionRuling.String(),
		Dispute:       d.Ref(), Outcome: string(d.Outcome()), Rationale: d.Rationale, CreatedAt: stamp(d.RuledAt()),
	})
}

// Ruling returns how others refer to a ruling, by its key, or campaign.ErrNotFound.
func (r *Repo) Ruling(ctx context.Context, q sqlite.Querier, key syntax.RecordKey) (comatproto.RepoStrongRef, error) {
	rec, err := r.ruling(ctx, q, key)
	if err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	return rec.ref(r.did), nil
}

// RulingURI is where a ruling is.
func (r *Repo) RulingURI(key syntax.RecordKey) syntax.ATURI {
	return syntax.ATURI("at://" + r.did.String() + "/" + lexicons.CollectionRuling.String() + "/" + key.String())
}
