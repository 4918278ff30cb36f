package xrpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

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

// counting is a server whose answers say which call they come from, and for whom
// they are. token is one of alice's.
func counting(t testing.TB, more ...xrpc.MethodOption) (srv *xrpc.Server, token string) {
	t.Helper()
	now := time.Now()
	dir := newTestDirectory()
	token = sign(t, dir.account(t, alice), "ES256K", good(now))
	srv = newServer(t, xrpc.Config{}, xrpc.Options{
		Answers: &forever{kept: map[string][]byte{}}, Identities: dir, Registry: prometheus.NewRegistry(), Now: standing(now),
	})
	var calls int64
	xrpc.Query(srv, statsNSID, func(ctx context.Context, _ struct{}) (*statsOutput, error) {
		calls++
		viewer, _ := xrpc.Viewer(ctx)
		return &statsOutput{Count: calls, HTML: viewer.String()}, nil
	}, more...)
	return srv, token
}

func TestAnswers_AreKeptForThePublicOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		value  func(token string) string
		want   string
	}{
		"another anonymous request":     {want: `"count":1`},
		"an account":                    {header: "Authorization", value: func(token string) string { return "Bearer " + token }, want: `"html":"` + alice.String() + `","count":2`},
		"one whose token is no good":    {header: "Authorization", value: func(token string) string { return "Bearer " + token + "x" }, want: `"BadJwt`},
		"one whose token is left empty": {header: "Authorization", want: `"AuthenticationRequired"`},
		"one with a proof of a key":     {header: "DPoP", want: `"count":2`},
		"one with a cookie":             {header: "Cookie", want: `"count":2`},
	} {
		srv, token := counting(t)
		get(t, srv, "/xrpc/com.example.getStats?x=1")
		r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats?x=1", nil)
		if c.header != "" {
			r.Header.Set(c.header, "")
		}
		if c.value != nil {
			r.Header.Set(c.header, c.value(token))
		}
		if body := send(t, srv, r).Body.String(); !strings.Contains(body, c.want) {
			t.Errorf("%s got %s", name, body)
		}
		// What it was told is not for others either.
		w := get(t, srv, "/xrpc/com.example.getStats?x=1")
		if body := w.Body.String(); !strings.Contains(body, `"count":1`) {
			t.Errorf("after %s others got %s", name, body)
		}
		if w.Header().Get("Vary") != "Authorization" {
			t.Errorf("after %s an answer that is kept does not say that accounts get another", name)
		}
	}
}

func TestAnswers_OfMethodsForAccountsAreNotForThePublic(t *testing.T) {
	t.Parallel()
	srv, token := counting(t, xrpc.RequireAuth)
	wantError(t, get(t, srv, statsPath), http.StatusUnauthorized, "AuthenticationRequired")
	wantViewer(t, askWith(t, srv, "Bearer "+token), alice)
	wantError(t, get(t, srv, statsPath), http.StatusUnauthorized, "AuthenticationRequired")
	if body, err := srv.Ask(t.Context(), statsNSID, ""); err == nil {
		t.Errorf("who asks without HTTP got %s", body)
	}
}

func TestAsk_AnswersAsHTTPDoesAndKeepsNothing(t *testing.T) {
	t.Parallel()
	srv, _ := counting(t)
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
	srv, _ := counting(b)
	handler := srv.Handler()
	r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats?x=1", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(discard{http.Header{}}, r)
	}
}
