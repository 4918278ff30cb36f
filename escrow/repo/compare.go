package repo

import (
	"context"
	"encoding/json"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
)

// collections are those that the escrow publishes.
var collections = []syntax.NSID{
	lexicons.CollectionTerms, lexicons.CollectionService, lexicons.CollectionCampaign, lexicons.CollectionRuling,
	lexicons.CollectionReceipt, lexicons.CollectionStatement,
}

// place is where a record lies in the repository.
type place struct {
	collection syntax.NSID
	rkey       syntax.RecordKey
}

// follow goes on where the account is now. While nobody says where that is, it is where it
// was.
func (p *Publisher) follow(ctx context.Context) {
	if err := p.account.follow(ctx); err != nil {
		p.log.Warn("nobody says now where the escrow's account is, so it is taken to be where it was", "err", err)
	}
}

// compareAll compares the whole repository with what was published, and lets what
// differs be published again. Records that the database knows nothing about are
// counted and left: only a person can say whose mistake they are.
func (p *Publisher) compareAll(ctx context.Context) error {
	p.follow(ctx)
	held := map[place]syntax.CID{}
	for _, collection := range collections {
		err := p.account.list(ctx, collection, func(rkey syntax.RecordKey, c syntax.CID, _ json.RawMessage) { held[place{collection, rkey}] = c })
		if err != nil {
			return &outsideError{err}
		}
	}
	var rows []outboxRow
	err := p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		rows, err = known(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	for _, row := range rows {
		at := place{row.collection, row.rkey()}
		there := held[at]
		delete(held, at)
		if there == row.cid || row.done < row.wanted {
			continue // what is due finds out when it is written
		}
		if there == "" {
			p.found(foundNothing, at.collection, at.rkey, there)
		} else {
			p.found(foundOther, at.collection, at.rkey, there)
		}
		if err := p.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return differs(ctx, tx, row, there) }); err != nil {
			return err
		}
	}
	for at, c := range held {
		p.found(foundStray, at.collection, at.rkey, c)
	}
	p.metrics.compared.Set(float64(p.now().Unix()))
	return nil
}
