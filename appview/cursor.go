package appview

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
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
	Query []byte `json:"q"`
	Now   int64  `json:"n"` // milliseconds: the moment of the first page
	place
}

// place is where a list goes on: after the row with the value and the uri, and in
// a timeline the kind. It is nowhere in a search; see [store.Seen].
type place struct {
	Value int64           `json:"v,omitempty"`
	URI   syntax.ATURI    `json:"u,omitempty"`
	Kind  store.EventKind `json:"k,omitempty"`
}

func placeOf(k store.Key) place { return place{Value: k.Value, URI: k.URI} }

func (p place) key() *store.Key {
	if p.URI == "" {
		return nil
	}
	return &store.Key{Value: p.Value, URI: p.URI}
}

// page is where a request begins in its list.
type page struct {
	query []byte
	now   time.Time
	after *store.Key
	kind  store.EventKind // of after, in a timeline
	seen  store.Seen      // in a search, instead of after
}

// seenMark stands in a cursor before what the pages of a search have shown, which
// does not fit when it is encoded once more.
const seenMark = "."

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
	encoded, shown, _ := strings.Cut(raw, seenMark)
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return page{}, errInvalidCursor
	}
	if p.seen, err = store.ParseSeen(shown); err != nil {
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
	p.now, p.after, p.kind = first, c.key(), c.Kind
	return p, nil
}

// next is the cursor after a page: nil when it was the last. keys holds one
// more than limit when there is more.
func (p page) next(keys []store.Key, limit int) (visible []store.Key, next *string, err error) {
	return cutPage(p, keys, limit, placeOf)
}

// cutPage is [page.next] for rows of any kind, of which at says the place.
func cutPage[R any](p page, rows []R, limit int, at func(R) place) (visible []R, next *string, err error) {
	if len(rows) <= limit {
		return rows, nil, nil
	}
	rows = rows[:limit]
	encoded, err := p.encode(at(rows[limit-1]))
	if err != nil {
		return nil, nil, err
	}
	return rows, &encoded, nil
}

// nextOfSearch is the cursor after a page of a search: nil when it was the last.
func (p page) nextOfSearch(seen *store.Seen) (*string, error) {
	if seen == nil {
		return nil, nil
	}
	encoded, err := p.encode(place{})
	if err != nil {
		return nil, err
	}
	encoded += seenMark + seen.String()
	return &encoded, nil
}

func (p page) encode(at place) (string, error) {
	b, err := json.Marshal(cursor{Query: p.query, Now: p.now.UnixMilli(), place: at})
	if err != nil {
		return "", fmt.Errorf("appview: encode a cursor: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func uris(keys []store.Key) []syntax.ATURI {
	out := make([]syntax.ATURI, len(keys))
	for i, k := range keys {
		out[i] = k.URI
	}
	return out
}
