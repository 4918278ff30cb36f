package escrow

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Health is what /xrpc/_health says.
type Health struct {
	Version string        `json:"version"`
	Mode    payments.Mode `json:"mode"`
	DID     syntax.DID    `json:"did"`
	// Sequence is the number of the newest entry of the ledger.
	Sequence int64 `json:"sequence"`
	// Unpublished is how many records of the escrow's repository are behind the ledger.
	Unpublished int64  `json:"unpublished"`
	Upstream    string `json:"upstream"`
	Connected   bool   `json:"connected"`
	// Cursor is the sequence number of the last event in the index.
	Cursor int64 `json:"cursor"`
	// LagMs is how old that event was when it was applied, in milliseconds.
	LagMs int64 `json:"lagMs"`
}

func (s *Service) health(ctx context.Context) (any, error) {
	p := s.indexer.Progress()
	h := Health{
		Version: s.cfg.Version, Mode: s.cfg.Mode, DID: s.cfg.DID,
		Upstream: p.Upstream, Connected: p.Connected, Cursor: p.Cursor, LagMs: p.Lag.Milliseconds(),
	}
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		head, err := s.ledger.HeadOf(ctx, q)
		if err != nil {
			return err
		}
		var waiting repo.Waiting
		waiting, err = s.repo.Waiting(ctx, q)
		h.Sequence, h.Unpublished = head.Sequence, waiting.Records
		return err
	})
	return h, err
}
