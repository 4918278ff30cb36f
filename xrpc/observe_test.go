package xrpc_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/xrpc"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, xrpc.Options{})
	var inside string
	onStats(srv, func(ctx context.Context) (*statsOutput, error) {
		inside = xrpc.RequestID(ctx)
		return &statsOutput{}, nil
	})
	for _, c := range []struct {
		what, peer, given string
		kept              bool
	}{
		{"none", "10.0.0.1:1", "", false},
		{"our proxy's", "10.0.0.1:1", "abcDEF-0123_4.5", true},
		{"a stranger's", "192.0.2.1:1", "abcDEF-0123_4.5", false},
		{"too short", "10.0.0.1:1", "abc", false},
		{"too long", "10.0.0.1:1", strings.Repeat("a", 65), false},
		{"forging a log line", "10.0.0.1:1", "abcdefgh level=ERROR", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Request-Id", c.given)
		got := send(t, srv, r).Header().Get("X-Request-Id")
		if (got == c.given) != c.kept || len(got) < 8 || got != inside {
			t.Errorf("%s: answered %q, the handler saw %q", c.what, got, inside)
		}
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	var log logBuffer
	reg := prometheus.NewRegistry()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{Log: log.logger(), Registry: reg})
	onStats(srv, func(context.Context) (*statsOutput, error) { panic("secret state") })
	srv.Handle("GET /page", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret page") }))

	w := get(t, srv, "/xrpc/com.example.getStats")
	if e := wantError(t, w, http.StatusInternalServerError, "InternalServerError"); strings.Contains(e.Message, "secret") {
		t.Error(e.Message)
	}
	if w := get(t, srv, "/page"); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || strings.HasPrefix(w.Body.String(), "{") {
		t.Errorf("page: %d %s", w.Code, w.Body)
	}
	if got := log.String(); !strings.Contains(got, "secret state") || !strings.Contains(got, "observe_test.go") || !strings.Contains(got, w.Header().Get("X-Request-Id")) {
		t.Errorf("log: %s", got)
	}
	if w := get(t, srv, "/xrpc/_health"); w.Code != http.StatusOK {
		t.Errorf("afterwards: %d", w.Code)
	}
	if diff := cmp.Diff(map[string]float64{"": 2}, values(t, reg, "xrpc_panics_total")); diff != "" {
		t.Error(diff)
	}
}

// values reads a counter or gauge by its joined label values.
func values(t *testing.T, reg *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			got[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return got
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{Registry: reg, ServiceID: "stratos_appview"})
	calls := 0
	onStats(srv, func(context.Context) (*statsOutput, error) {
		if calls++; calls > 1 {
			return nil, errors.New("broken")
		}
		return &statsOutput{}, nil
	})
	for _, target := range []string{
		"/xrpc/com.example.getStats", "/xrpc/com.example.getStats", "/xrpc/com.example.a", "/xrpc/com.example.b", "/xrpc/x",
		"/xrpc/_health", "/.well-known/did.json", "/nowhere", "/anything/else",
	} {
		get(t, srv, target)
	}
	want := map[string]float64{
		"_health ok":                        1,
		"com.example.getStats ok":           1,
		"com.example.getStats server-error": 1,
		"did.json ok":                       1,
		"other client-error":                3,
		"pages client-error":                2,
	}
	if diff := cmp.Diff(want, values(t, reg, "xrpc_requests_total")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]float64{"": 0}, values(t, reg, "xrpc_in_flight")); diff != "" {
		t.Error(diff)
	}
	if _, err := xrpc.New(xrpc.Config{PublicURL: "http://localhost:8080"}, xrpc.Options{Catalog: catalog(t), Registry: reg}); err == nil {
		t.Error("two servers on one registry were accepted")
	}
}

func TestLogIsDiscreetAndBounded(t *testing.T) {
	t.Parallel()
	var log logBuffer
	srv := newServer(t, xrpc.Config{}, xrpc.Options{Log: log.logger()})
	onStats(srv, func(context.Context) (*statsOutput, error) {
		return nil, errors.New(strings.Repeat("long ", 10_000))
	})
	for range 200 {
		r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats?token=hunter2", nil)
		r.Header.Set("Cookie", "session=hunter2")
		send(t, srv, r)
	}
	get(t, srv, "/xrpc/"+strings.Repeat("path", 5000))
	got := log.String()
	if strings.Contains(got, "hunter2") {
		t.Error("a secret of the client is in the log")
	}
	if n := strings.Count(got, "level=ERROR"); n == 0 || n > 100 {
		t.Errorf("%d errors logged", n)
	}
	if len(got) > 1<<21 {
		t.Errorf("the log has %d bytes", len(got))
	}
}
