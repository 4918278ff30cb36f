package appview

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer/bounded"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	// partBytes bounds the memory of all parts that are kept.
	partBytes = 64 << 20
	// partCost is about what keeping a part takes beside its bytes.
	partCost = 512
)

// parts keep the basic views of proposals, encoded as in the lists that anybody gets.
// A list is asked for again after each write, and nearly all that it shows is what it
// was: which proposals it shows is read anew, and each of them is read only when
// something that its view shows was written, or the clock has moved on to what comes
// next for it. Unlike [Answers] they hold from one era to the next.
type parts struct {
	store *store.Store
	kept  *bounded.Cache[syntax.ATURI, part]
	hits  atomic.Int64
}

// part is a view as it is in a state of the index, with what it shows and for how long.
type part struct {
	json   json.RawMessage
	state  store.State
	things []store.Thing
	span   store.Span
}

func newParts(st *store.Store) *parts {
	return &parts{store: st, kept: bounded.New(partBytes, func(uri syntax.ATURI, p part) int { return len(uri) + len(p.json) + partCost })}
}

// register adds what the parts take to a registry.
func (p *parts) register(registry prometheus.Registerer) error {
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stratos_appview_parts_bytes", Help: "Memory of the views of proposals that are kept for lists.",
	}, func() float64 { return float64(p.kept.Bytes()) })
	if err := registry.Register(bytes); err != nil {
		return fmt.Errorf("appview: register metrics: %w", err)
	}
	return nil
}

// get returns the view of a proposal if it is kept and the same in the state and at the
// moment of the reader.
func (p *parts) get(uri syntax.ATURI, r *store.Reader, state store.State) (json.RawMessage, bool) {
	found, ok := p.kept.Get(uri)
	if !ok || !found.span.Has(r.Now()) || !p.store.Untouched(found.state, state, found.things) {
		return nil, false
	}
	p.hits.Add(1)
	return found.json, true
}

// basics are the basic views of those of the proposals that are visible, encoded, in
// the order asked for.
func (a *API) basics(ctx context.Context, r *store.Reader, uris []syntax.ATURI) ([]json.RawMessage, error) {
	if _, own := xrpc.Viewer(ctx); own || a.parts == nil {
		made, err := encodeBasics(ctx, r, uris, nil)
		return inOrder(uris, made), err
	}
	state, err := r.State(ctx)
	if err != nil {
		return nil, err
	}
	views := make(map[syntax.ATURI]json.RawMessage, len(uris))
	var missing []syntax.ATURI
	for _, uri := range uris {
		if view, ok := a.parts.get(uri, r, state); ok {
			views[uri] = view
		} else {
			missing = append(missing, uri)
		}
	}
	if len(missing) == 0 {
		return inOrder(uris, views), nil
	}
	spans, err := r.SpansOf(ctx, missing)
	if err != nil {
		return nil, err
	}
	made, err := encodeBasics(ctx, r, missing, func(uri syntax.ATURI, view json.RawMessage, shows []store.Thing) {
		a.parts.kept.Put(uri, part{json: view, state: state, things: shows, span: spans[uri]})
	})
	if err != nil {
		return nil, err
	}
	for uri, view := range made {
		views[uri] = view
	}
	return inOrder(uris, views), nil
}

func inOrder(uris []syntax.ATURI, views map[syntax.ATURI]json.RawMessage) []json.RawMessage {
	out := make([]json.RawMessage, 0, len(uris))
	for _, uri := range uris {
		if view, ok := views[uri]; ok {
			out = append(out, view)
		}
	}
	return out
}

// encodeBasics reads and encodes the basic views of those of the proposals that are
// visible, and tells keep, unless it is nil, of each and of what it shows.
func encodeBasics(ctx context.Context, r *store.Reader, uris []syntax.ATURI, keep func(syntax.ATURI, json.RawMessage, []store.Thing)) (map[syntax.ATURI]json.RawMessage, error) {
	f, err := hydrateProposals(ctx, r, uris)
	if err != nil {
		return nil, err
	}
	views := make(map[syntax.ATURI]json.RawMessage, len(uris))
	for _, uri := range uris {
		view, ok := f.proposalBasic(uri)
		if !ok {
			continue
		}
		if views[uri], err = xrpc.EncodeJSON(view); err != nil {
			return nil, err
		}
		if keep != nil {
			keep(uri, views[uri], f.shownBy(uri))
		}
	}
	return views, nil
}

// shownBy lists what the basic view of a proposal shows, there or not.
func (f *facts) shownBy(uri syntax.ATURI) []store.Thing {
	things := []store.Thing{store.ThingOf(uri), store.ThingOf(f.records[uri].Author)}
	if account := f.states[uri].Subject.Account; account != "" {
		things = append(things, store.ThingOf(account))
	}
	if project, ok := f.projects[uri]; ok {
		things = append(things, store.ThingOf(project), store.ThingOf(project.Authority().String()))
	}
	return things
}

// listOfProposals is the output of the methods that list proposals.
type listOfProposals struct {
	Cursor    *string
	Proposals []json.RawMessage
}

var _ xrpc.Encoder = (*listOfProposals)(nil)

// EncodeJSON implements [xrpc.Encoder]: what is encoded already is neither read nor
// checked again.
func (l *listOfProposals) EncodeJSON() ([]byte, error) {
	cursor, size := []byte(nil), len(`{"cursor":,"proposals":[]}`)
	if l.Cursor != nil {
		var err error
		if cursor, err = xrpc.EncodeJSON(l.Cursor); err != nil {
			return nil, err
		}
	}
	for _, p := range l.Proposals {
		size += len(p) + len(`,`)
	}
	out := bytes.NewBuffer(make([]byte, 0, size+len(cursor)))
	out.WriteByte('{')
	if cursor != nil {
		out.WriteString(`"cursor":`)
		out.Write(cursor)
		out.WriteByte(',')
	}
	out.WriteString(`"proposals":[`)
	for i, p := range l.Proposals {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(p)
	}
	out.WriteString(`]}`)
	return out.Bytes(), nil
}
