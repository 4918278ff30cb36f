package xrpc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/xrpc"
)

func TestPreflight(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{ServiceID: "stratos_appview"})
	for _, path := range []string{"/xrpc/com.example.getStats", "/xrpc/app.bsky.feed.get", "/.well-known/did.json"} {
		r := httptest.NewRequest(http.MethodOptions, path, nil)
		r.Header.Set("Origin", "https://client.example")
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "authorization,dpop,content-type")
		w := send(t, srv, r)
		h := w.Header()
		if w.Code != http.StatusNoContent || w.Body.Len() != 0 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Access-Control-Max-Age") == "" {
			t.Errorf("%s: %v", path, h)
		}
		for name, parts := range map[string][]string{
			"Access-Control-Allow-Methods": {"GET", "POST", "HEAD", "OPTIONS"},
			"Access-Control-Allow-Headers": {"*", "Authorization", "Content-Type", "DPoP", "atproto-proxy", "atproto-accept-labelers"},
		} {
			for _, part := range parts {
				if !strings.Contains(h.Get(name)+",", part+",") {
					t.Errorf("%s: %s lacks %s: %s", path, name, part, h.Get(name))
				}
			}
		}
	}
}

func TestCORSOnAnswers(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{})
	onStats(srv, func(context.Context) (*statsOutput, error) { return &statsOutput{}, nil })
	srv.Handle("GET /{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "page") }))
	for path, want := range map[string]string{
		"/xrpc/com.example.getStats":       "*",
		"/xrpc/com.example.getStats?x=%zz": "*", // errors as well, or browsers hide them
		"/xrpc/nope":                       "*",
		"/.well-known/unknown":             "*",
		"/":                                "",
		"/nowhere":                         "",
		"/xrpcx":                           "",
	} {
		h := get(t, srv, path).Header()
		if got := h.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		if exposed := h.Get("Access-Control-Expose-Headers"); strings.Contains(exposed, "RateLimit-Reset") != (want == "*") {
			t.Errorf("%s: exposes %q", path, exposed)
		}
	}
}
