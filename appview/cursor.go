package appview

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// cursorHolds is how long a cursor is good for: the index answers for the
// moment of the first page, and what it derives from the past is not kept.
const cursorHolds = 24 * time.Hour

// cursor is a place in a list, opaque to clients.
type cursor struct {
	// Query fingerprints the method and its parameters, so that a cursor of
	// another list is refused rather than misread.
	Query []byte       `json:"q"`
	Now   int64        `json:"n"` // milliseconds: the moment of the first page
	Value int64        `json:"v"`
	URI   syntax.ATURI `json:"u"`
}

// page is where a request begins in its list.
type page struct {
	query []byte
	now   time.Time
	after *store.Key
}

// newPage reads the cursor of a request; an empty one is the first page, which
// answers for now. query are the parameters that shape the list.
func newPage(raw string, now time.Time, query any) (page, error) {
	b, err := json.Marshal(query)
	if err != nil {
		return page{}, fmt.Errorf("appview: fingerprint a query: %w", err)
	}
	sum := sha256.Sum256(b)
	p := page{query: sum[:8], now: now}
	if raw == "" {
		return p, nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil {
		return page{}, errInvalidCursor
	}
	var c cursor
	if err := json.Unmarshal(decoded, &c); err != nil || !bytes.Equal(c.Query, p.query) {
		return page{}, errInvalidCursor
	}
	first := time.UnixMilli(c.Now).UTC()
	if first.After(now) || now.Sub(first) > cursorHolds {
		return page{}, errInvalidCursor
	}
	p.now = first
	p.after = &store.Key{Value: c.Value, URI: c.URI}
	return p, nil
}

// next is the cursor after a page: nil when it was the last. keys holds one
// more than limit when there is more.
func (p page) next(keys []store.Key, limit int) (visible []store.Key, next *string, err error) {
	if len(keys) <= limit {
		return keys, nil, nil
	}
	last := keys[limit-1]
	b, err := json.Marshal(cursor{Query: p.query, Now: p.now.UnixMilli(), Value: last.Value, URI: last.URI})
	if err != nil {
		return nil, nil, fmt.Errorf("appview: encode a cursor: %w", err)
	}
	encoded := base64.RawURLEncoding.EncodeToString(b)
	return keys[:limit], &encoded, nil
}

func uris(keys []store.Key) []syntax.ATURI {
	out := make([]syntax.ATURI, len(keys))
	for i, k := range keys {
		out[i] = k.URI
	}
	return out
}
