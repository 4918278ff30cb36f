package xrpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/xrpc"
)

// forever keeps every first answer.
type forever struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (f *forever) Answer(ctx context.Context, method syntax.NSID, query string, ask func(context.Context) ([]byte, error)) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := method.String() + "?" + query
	if body, ok := f.kept[q]; ok {
		return body, nil
	}
	body, err := ask(ctx)
	if err == nil {
		f.kept[q] = body
	}
	return body, err
}

// counting is a server whose answers say which call they come from.
func counting(t testing.TB) *xrpc.Server {
	t.Helper()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{Answers: &forever{kept: map[string][]byte{}}, Registry: prometheus.NewRegistry()})
	var calls int64
	onStats(srv, func(context.Context) (*statsOutput, error) {
		calls++
		return &statsOutput{Count: calls}, nil
	})
	return srv
}

func TestAnswers_AreKeptForThePublicOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		want   string
	}{
		"another anonymous request": {want: `"count":1`},
		"an authenticated one":      {header: "Authorization", want: `"count":2`},
		"one with a proof of a key": {header: "DPoP", want: `"count":2`},
		"one with a cookie":         {header: "Cookie", want: `"count":2`},
	} {
		srv := counting(t)
		get(t, srv, "/xrpc/com.example.getStats?x=1")
		r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats?x=1", nil)
		if c.header != "" {
			r.Header.Set(c.header, "")
		}
		if body := send(t, srv, r).Body.String(); !strings.Contains(body, c.want) {
			t.Errorf("%s got %s", name, body)
		}
		// What it was told is not for others either.
		if body := get(t, srv, "/xrpc/com.example.getStats?x=1").Body.String(); !strings.Contains(body, `"count":1`) {
			t.Errorf("after %s others got %s", name, body)
		}
	}
}

func TestAsk_AnswersAsHTTPDoesAndKeepsNothing(t *testing.T) {
	t.Parallel()
	srv := counting(t)
	for _, want := range []string{`{"count":1}`, `{"count":2}`} {
		if body, err := srv.Ask(t.Context(), "com.example.getStats", ""); err != nil || string(body) != want {
			t.Errorf("got %s, %v; want %s", body, err, want)
		}
	}
	if _, err := srv.Ask(t.Context(), "com.example.later", ""); err == nil {
		t.Error("a method without a handler answered")
	}
}

// discard is a response that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkKeptAnswer is what the edge costs a request that asks nobody.
func BenchmarkKeptAnswer(b *testing.B) {
	srv := counting(b)
	handler := srv.Handler()
	r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats?x=1", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(discard{http.Header{}}, r)
	}
}
