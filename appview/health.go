package appview

import (
	"context"

	"github.com/stratosfund/stratosfund/indexer"
)

// Health is what /xrpc/_health says.
type Health struct {
	Version   string `json:"version"`
	Upstream  string `json:"upstream"`
	Connected bool   `json:"connected"`
	// Cursor is the sequence number of the last event in the index.
	Cursor int64 `json:"cursor"`
	// LagMs is how old that event was when it was applied, in milliseconds.
	LagMs int64 `json:"lagMs"`
}

// NewHealth reports the version and where the index is.
func NewHealth(version string, progress func() indexer.Progress) func(context.Context) (any, error) {
	return func(context.Context) (any, error) {
		p := progress()
		return Health{
			Version: version, Upstream: p.Upstream, Connected: p.Connected, Cursor: p.Cursor, LagMs: p.Lag.Milliseconds(),
		}, nil
	}
}
