package acts

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	ana    syntax.DID = "did:plc:ana"
	ben    syntax.DID = "did:plc:ben"
	carol  syntax.DID = "did:plc:carol"
	broker syntax.DID = "did:plc:broker"
)

var today = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is what an index holds, by addresses.
type world struct {
	Queries
	records   map[syntax.ATURI]any
	proposals map[syntax.ATURI]*stratos.FeatureDefs_ProposalView
	err       error
}

func newWorld() *world {
	return &world{records: map[syntax.ATURI]any{}, proposals: map[syntax.ATURI]*stratos.FeatureDefs_ProposalView{}}
}

func at(did syntax.DID, collection syntax.NSID, rkey string) syntax.ATURI {
	return syntax.ATURI("at://" + did.String() + "/" + collection.String() + "/" + rkey)
}

func (w *world) Record(_ context.Context, uri syntax.ATURI) (*stratos.FeatureDefs_RecordView, error) {
	record, ok := w.records[uri]
	if !ok || w.err != nil {
		if w.err == nil {
			return nil, xrpc.Named("RecordNotFound", "no such record is indexed")
		}
		return nil, w.err
	}
	content, err := json.Marshal(record)
	return &stratos.FeatureDefs_RecordView{Uri: uri.String(), Record: content}, err
}

func (w *world) Proposal(_ context.Context, uri syntax.ATURI) (*stratos.FeatureDefs_ProposalView, error) {
	if view, ok := w.proposals[uri]; ok {
		return view, w.err
	}
	return nil, xrpc.Named("ProposalNotFound", "no such proposal is indexed")
}

// promises are those of a test, by what they are about.
type promises map[syntax.ATURI][]string

func (p promises) Keep(_ context.Context, _ syntax.DID, about syntax.ATURI, word string) error {
	p[about] = append(p[about], word)
	return nil
}

func (p promises) Kept(_ context.Context, of syntax.DID, about syntax.ATURI) ([]string, error) {
	if about.Authority().String() != of.String() {
		return nil, errors.New("what another one was promised is asked for")
	}
	return p[about], nil
}

// rendered is the page that was shown last.
type rendered struct {
	status int
	page   string
	data   any
}

func newActs(t *testing.T, w Queries, shown *rendered) *Acts {
	t.Helper()
	accounts := identity.NewMockDirectory()
	a, err := New(Options{
		Queries: w, Accounts: accounts, Escrows: []syntax.DID{broker}, Promises: promises{}, Origin: "https://fund.example", Now: func() time.Time { return today }, Log: slog.New(slog.DiscardHandler),
		Render: func(_ http.ResponseWriter, _ *http.Request, status int, page string, data any) {
			*shown = rendered{status, page, data}
		},
		Failed: func(_ http.ResponseWriter, _ *http.Request, err error) { *shown = rendered{page: "failed", data: err} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func asked(path string) (*httptest.ResponseRecorder, *http.Request) {
	return httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
}

// nobody has granted anything.
func nobody(did syntax.DID) *session.Visitor { return &session.Visitor{DID: did} }
