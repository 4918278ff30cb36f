package xrpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/xrpc"
)

// allParams has every parameter of com.example.getAll in a type that fits it.
type allParams struct {
	filters
	URI     syntax.ATURI        `param:"uri"`
	URIs    []syntax.ATURI      `param:"uris"`
	Actor   syntax.AtIdentifier `param:"actor"`
	DID     *syntax.DID         `param:"did"`
	Handle  syntax.Handle       `param:"handle"`
	NSID    syntax.NSID         `param:"nsid"`
	CID     syntax.CID          `param:"cid"`
	Since   *syntax.Datetime    `param:"since"`
	Link    syntax.URI          `param:"link"`
	Lang    syntax.Language     `param:"lang"`
	TID     syntax.TID          `param:"tid"`
	RKey    syntax.RecordKey    `param:"rkey"`
	Q       string              `param:"q"`
	Version *string             `param:"version"`
	Depth   *int64              `param:"depth"`
	Page    *int64              `param:"page"`
	Years   []int64             `param:"years"`
	Any     *int64              `param:"any"`
	Open    *bool               `param:"open"`
	Mine    bool                `param:"mine"`
	Agree   *bool               `param:"agree"`
	Flags   []bool              `param:"flags"`
}

// filters are what several methods would share.
type filters struct {
	Sort   sortOrder `param:"sort"`
	Stage  []stage   `param:"stage"`
	Limit  int64     `param:"limit"`
	Cursor cursor    `param:"cursor"`
}

type sortOrder string

type stage string

// cursor has rules of its own on top of the lexicon's.
type cursor struct{ After string }

func (c *cursor) UnmarshalText(text []byte) error {
	after, ok := strings.CutPrefix(string(text), "after-")
	if !ok {
		return errors.New("is not one of ours")
	}
	c.After = after
	return nil
}

type statsOutput struct {
	HTML  string `json:"html,omitempty"`
	Count int64  `json:"count"`
}

var methods = []syntax.NSID{
	"com.example.getAll", "com.example.getStats", "com.example.listPages", "com.example.transfer",
	"com.example.ping", "com.example.later",
}

func catalog(t testing.TB) *lexicon.BaseCatalog {
	t.Helper()
	cat := lexicon.NewBaseCatalog()
	if err := cat.LoadDirectory("testdata/lexicons"); err != nil {
		t.Fatal(err)
	}
	return cat
}

// newServer makes a server for the test lexicons without handlers.
func newServer(t testing.TB, cfg xrpc.Config, opts xrpc.Options) *xrpc.Server {
	t.Helper()
	if cfg.PublicURL == "" {
		cfg.PublicURL = "http://localhost:8080"
	}
	if opts.Catalog == nil {
		opts.Catalog = catalog(t)
	}
	if opts.Methods == nil {
		opts.Methods = methods
	}
	srv, err := xrpc.New(cfg, opts)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

func onStats(srv *xrpc.Server, handle func(context.Context) (*statsOutput, error)) {
	xrpc.Query(srv, "com.example.getStats", func(ctx context.Context, _ struct{}) (*statsOutput, error) { return handle(ctx) })
}

func get(t testing.TB, srv *xrpc.Server, target string) *httptest.ResponseRecorder {
	t.Helper()
	return send(t, srv, httptest.NewRequest(http.MethodGet, target, nil))
}

func send(t testing.TB, srv *xrpc.Server, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	srv.Handler().ServeHTTP(w, r)
	return w
}

type wireError struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

func wantError(t testing.TB, w *httptest.ResponseRecorder, status int, name string) wireError {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json; charset=utf-8" {
		t.Errorf("Content-Type %q", ct)
	}
	e := decode[wireError](t, w.Body)
	if e.Error != name || e.Message == "" {
		t.Errorf("got error %+v, want %s with a message", e, name)
	}
	return e
}

func decode[T any](t testing.TB, r io.Reader) T {
	t.Helper()
	var v T
	if err := json.NewDecoder(r).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// panicText runs f, which has to panic.
func panicText(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		v := recover()
		if v == nil {
			t.Fatal("did not panic")
		}
		text = v.(string)
	}()
	f()
	return ""
}

// logBuffer is a log that handlers and tests may use at the same time.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
