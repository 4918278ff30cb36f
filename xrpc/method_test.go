package xrpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/xrpc"
)

type nothing struct{}

func TestMethodsNotServed(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{})
	onStats(srv, func(context.Context) (*statsOutput, error) { return &statsOutput{}, nil })
	xrpc.Procedure(srv, "com.example.ping", func(context.Context, nothing) (*nothing, error) { return &nothing{}, nil })
	for _, c := range []struct {
		verb, path string
		status     int
		name       string
		allow      string
	}{
		{"GET", "com.example.later", 501, "MethodNotImplemented", ""},  // declared, no handler
		{"GET", "com.example.note", 501, "MethodNotImplemented", ""},   // a lexicon, not a method
		{"GET", "app.bsky.feed.get", 501, "MethodNotImplemented", ""},  // somebody else's
		{"POST", "app.bsky.feed.get", 501, "MethodNotImplemented", ""}, // whatever the verb
		{"GET", "", 400, "InvalidRequest", ""},
		{"GET", "stats", 400, "InvalidRequest", ""},
		{"GET", "com.example.getStats/", 400, "InvalidRequest", ""},
		{"GET", "com.example.get%00", 400, "InvalidRequest", ""},
		{"GET", "com.example." + strings.Repeat("x", 500), 400, "InvalidRequest", ""},
		{"POST", "com.example.getStats", 400, "InvalidRequest", "GET, OPTIONS, HEAD"},
		{"DELETE", "com.example.getStats", 400, "InvalidRequest", "GET, OPTIONS, HEAD"},
		{"GET", "com.example.ping", 400, "InvalidRequest", "POST, OPTIONS"},
		{"HEAD", "com.example.ping", 400, "InvalidRequest", "POST, OPTIONS"},
		{"POST", "_health", 400, "InvalidRequest", "GET, OPTIONS, HEAD"},
	} {
		t.Run(c.verb+" "+c.path, func(t *testing.T) {
			t.Parallel()
			w := send(t, srv, httptest.NewRequest(c.verb, "/xrpc/"+c.path, nil))
			wantError(t, w, c.status, c.name)
			if got := w.Header().Get("Allow"); got != c.allow {
				t.Errorf("Allow: %q, want %q", got, c.allow)
			}
		})
	}
}

func TestQueryOutput(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{CheckOutput: true})
	onStats(srv, func(context.Context) (*statsOutput, error) { return &statsOutput{HTML: "<b>&", Count: 3}, nil })
	w := get(t, srv, "/xrpc/com.example.getStats")
	if got, want := w.Body.String(), `{"html":"<b>&","count":3}`; w.Code != 200 || got != want {
		t.Errorf("%d %s, want %s", w.Code, got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w := send(t, srv, httptest.NewRequest(http.MethodHead, "/xrpc/com.example.getStats", nil)); w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
	w = send(t, srv, httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats", strings.NewReader("{}")))
	wantError(t, w, http.StatusBadRequest, "InvalidRequest")
}

func TestCheckOutput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		out *statsOutput
		err error
		log string
	}{
		"output violates the lexicon": {out: &statsOutput{Count: -1}, log: "count: integer val outside"},
		"error not in the lexicon":    {err: xrpc.Named("NotFound", "no such thing"), log: "NotFound: no such thing"},
		"neither":                     {log: "neither a result nor an error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			srv := newServer(t, xrpc.Config{}, xrpc.Options{CheckOutput: true, Log: log.logger()})
			onStats(srv, func(context.Context) (*statsOutput, error) { return c.out, c.err })
			wantError(t, get(t, srv, "/xrpc/com.example.getStats"), http.StatusInternalServerError, "InternalServerError")
			if !strings.Contains(log.String(), c.log) {
				t.Errorf("log lacks %q:\n%s", c.log, log.String())
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	errGone := errors.New("store: no such row")
	for name, c := range map[string]struct {
		err     error
		status  int
		name    string
		message string // empty: the one about the request id
		loud    bool
	}{
		"own":         {xrpc.InvalidRequest("cursor: is too old"), 400, "InvalidRequest", "cursor: is too old", false},
		"own wrapped": {fmt.Errorf("secret: %w", xrpc.Named("NotFound", "no proposal")), 400, "NotFound", "no proposal", false},
		"mapped":      {fmt.Errorf("secret: %w", errGone), 400, "NotFound", "there is no such row", false},
		"busy":        {xrpc.NotEnoughResources("later"), 503, "NotEnoughResources", "later", true},
		"no status":   {&xrpc.Error{Name: "NotFound", Message: "secret"}, 500, "InternalServerError", "", true},
		"unmapped":    {errors.New("secret: disk is full"), 500, "InternalServerError", "", true},
		"a strange cancellation is not the client's": {fmt.Errorf("secret: %w", context.Canceled), 500, "InternalServerError", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			srv := newServer(t, xrpc.Config{}, xrpc.Options{Log: log.logger(), MapError: func(err error) *xrpc.Error {
				if errors.Is(err, errGone) {
					return xrpc.Named("NotFound", "there is no such row")
				}
				return nil
			}})
			onStats(srv, func(context.Context) (*statsOutput, error) { return nil, c.err })
			w := get(t, srv, "/xrpc/com.example.getStats")
			e := wantError(t, w, c.status, c.name)
			id := w.Header().Get("X-Request-Id")
			if c.message == "" {
				c.message = "internal error, logged as request " + id
			}
			if e.Message != c.message {
				t.Errorf("message %q, want %q", e.Message, c.message)
			}
			loud := strings.Contains(log.String(), "level=ERROR") && strings.Contains(log.String(), "request="+id)
			if loud != c.loud {
				t.Errorf("logged as an error: %t, want %t:\n%s", loud, c.loud, log.String())
			}
		})
	}
}

func TestRegistrationRefused(t *testing.T) {
	t.Parallel()
	type pages struct {
		Limit  int64          `param:"limit"`
		Cursor string         `param:"cursor"`
		Open   *bool          `param:"open"`
		URIs   []syntax.ATURI `param:"uris"`
	}
	for name, c := range map[string]struct {
		register func(*xrpc.Server)
		says     []string
	}{
		"fields and parameters differ": {query[struct {
			Limit int64  `param:"limit"`
			Cusor string `param:"cusor"`
			Open  *bool  `param:"open"`
		}], []string{"cursor: in the lexicon, but", "uris: in the lexicon, but", "cusor: field", "com.example.listPages"}},
		"types that cannot hold the values": {query[struct {
			Limit  int           `param:"limit"`
			Cursor bool          `param:"cursor"`
			Open   *string       `param:"open"`
			URIs   []syntax.NSID `param:"uris"`
		}], []string{"limit: int cannot hold the type integer", "cursor: bool cannot hold", "open: string cannot hold", "uris: syntax.NSID holds the format nsid"}},
		"absence and presence": {query[struct {
			Limit  *int64       `param:"limit"`
			Cursor string       `param:"cursor"`
			Open   bool         `param:"open"`
			URIs   syntax.ATURI `param:"uris"`
		}], []string{"limit: is always there", "open: may be absent", "uris: an array needs a slice"}},
		"tags": {query[struct {
			pages
			*nothing
			Extra string
			limit int64 `param:"limit"`
			Two   int64 `param:"limit"`
		}], []string{"Extra: needs a tag", "nothing: only structs may be embedded", "limit: must be exported", "limit: in two fields, Limit and Two"}},
		"not a struct":   {query[string], []string{"not string"}},
		"not declared":   {func(s *xrpc.Server) { xrpc.Query(s, "com.example.getMore", answer[pages]) }, []string{"com.example.getMore is not among"}},
		"a procedure":    {func(s *xrpc.Server) { xrpc.Query(s, "com.example.ping", answer[pages]) }, []string{"com.example.ping is a"}},
		"a query":        {func(s *xrpc.Server) { xrpc.Procedure(s, "com.example.listPages", answer[nothing]) }, []string{"com.example.listPages is a"}},
		"twice":          {func(s *xrpc.Server) { query[pages](s); query[pages](s) }, []string{"twice"}},
		"not JSON":       {func(s *xrpc.Server) { xrpc.Query(s, "com.example.export", answer[nothing]) }, []string{"text/csv"}},
		"input unwanted": {func(s *xrpc.Server) { xrpc.Procedure(s, "com.example.ping", answer[transferInput]) }, []string{"has no input"}},
		"input differs": {func(s *xrpc.Server) {
			xrpc.Procedure(s, "com.example.transfer", answer[struct {
				To    syntax.DID `json:"to,omitempty"`
				Note  string     `json:"note"`
				Value money      `json:"value"`
				Extra string     `json:"extra"`
				Bare  string
			}])
		}, []string{"to: field", "note: field", "hints: in the lexicon", "extra: field", "Bare: must be exported and have a tag"}},
		"query parameters of a procedure": {func(s *xrpc.Server) { xrpc.Procedure(s, "com.example.purge", answer[nothing]) }, []string{"not supported"}},
		"a default that breaks its rule": {func(s *xrpc.Server) {
			xrpc.Query(s, "com.example.getBroken", answer[struct {
				Limit int64 `param:"limit"`
			}])
		}, []string{"limit: the lexicon's default: must be at most 5, got 50"}},
		"a page under /xrpc/": {func(s *xrpc.Server) { s.Handle("GET /xrpc/page", http.NotFoundHandler()) }, []string{"not free"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, xrpc.Config{}, xrpc.Options{Methods: append([]syntax.NSID{"com.example.export", "com.example.purge", "com.example.getBroken"}, methods...)})
			text := panicText(t, func() { c.register(srv) })
			for _, part := range c.says {
				if !strings.Contains(text, part) {
					t.Errorf("lacks %q:\n%s", part, text)
				}
			}
		})
	}
}

func query[P any](s *xrpc.Server) { xrpc.Query(s, "com.example.listPages", answer[P]) }

func answer[P any](context.Context, P) (*nothing, error) { return &nothing{}, nil }

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := xrpc.Config{PublicURL: "http://localhost:8080"}
	for name, c := range map[string]struct {
		cfg  xrpc.Config
		opts xrpc.Options
		says string
	}{
		"no catalog":     {good, xrpc.Options{}, "Catalog"},
		"unknown method": {good, xrpc.Options{Catalog: catalog(t), Methods: []syntax.NSID{"com.example.nope"}}, "com.example.nope"},
		"a record":       {good, xrpc.Options{Catalog: catalog(t), Methods: []syntax.NSID{"com.example.note"}}, "neither a query nor"},
		"wrong URL":      {xrpc.Config{PublicURL: "ftp://x"}, xrpc.Options{Catalog: catalog(t)}, "public-url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := xrpc.New(c.cfg, c.opts)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want something about %s", err, c.says)
			}
		})
	}
}
