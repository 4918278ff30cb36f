package xrpc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/xrpc"
)

func TestClientLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	srv := newServer(t, xrpc.Config{RateLimit: 0.5, RateBurst: 2, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		xrpc.Options{Now: func() time.Time { return now }})
	onStats(srv, func(context.Context) (*statsOutput, error) { return &statsOutput{}, nil })
	from := func(peer, forwarded string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getStats", nil)
		r.RemoteAddr = peer
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return send(t, srv, r)
	}
	for i, left := range []string{"1", "0"} {
		w := from("192.0.2.1:1", "")
		if w.Code != http.StatusOK || w.Header().Get("RateLimit-Remaining") != left || w.Header().Get("RateLimit-Policy") != "2;w=4" {
			t.Errorf("request %d: %d %v", i, w.Code, w.Header())
		}
	}
	w := from("192.0.2.1:2", "198.51.100.1") // another port, and a header that nobody vouches for
	wantError(t, w, http.StatusTooManyRequests, "RateLimitExceeded")
	for name, want := range map[string]string{
		"Retry-After": "2", "RateLimit-Limit": "2", "RateLimit-Remaining": "0", "RateLimit-Reset": fmt.Sprint(now.Unix() + 4),
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}

	for _, c := range []struct {
		what, peer, forwarded string
		want                  int
	}{
		{"somebody else", "192.0.2.2:1", "", 200},
		{"the same behind our proxy", "10.1.1.1:1", "192.0.2.1", 429},
		{"a lie of the client before our proxy", "10.1.1.1:1", "203.0.113.9, 192.0.2.1", 429},
		{"two of our proxies", "10.1.1.1:1", "192.0.2.1, 10.2.2.2", 429},
		{"IPv6, first", "[2001:db8::1]:1", "", 200},
		{"IPv6, same network", "[2001:db8::2]:1", "", 200},
		{"IPv6, same network again", "[2001:db8::3%eth0]:1", "", 429},
		{"IPv6, next network", "[2001:db8:0:1::1]:1", "", 200},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:1", "", 429},
	} {
		if w := from(c.peer, c.forwarded); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.what, w.Code, c.want)
		}
	}

	now = now.Add(2 * time.Second)
	if w := from("192.0.2.1:1", ""); w.Code != http.StatusOK {
		t.Errorf("after waiting: %d", w.Code)
	}
}

func TestTotalLimit(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{MaxInFlight: 1}, xrpc.Options{})
	entered, leave := make(chan struct{}), make(chan struct{})
	onStats(srv, func(context.Context) (*statsOutput, error) {
		entered <- struct{}{}
		<-leave
		return &statsOutput{}, nil
	})
	first := make(chan int)
	go func() { first <- get(t, srv, "/xrpc/com.example.getStats").Code }()
	<-entered
	w := get(t, srv, "/xrpc/com.example.getStats")
	wantError(t, w, http.StatusServiceUnavailable, "NotEnoughResources")
	if w.Header().Get("Retry-After") != "1" {
		t.Error(w.Header())
	}
	if w := get(t, srv, "/xrpc/_health"); w.Code != http.StatusOK {
		t.Errorf("health: %d", w.Code)
	}
	leave <- struct{}{}
	if code := <-first; code != http.StatusOK {
		t.Errorf("first: %d", code)
	}
	go func() { <-entered; leave <- struct{}{} }()
	if w := get(t, srv, "/xrpc/com.example.getStats"); w.Code != http.StatusOK {
		t.Errorf("the place was not given back: %d", w.Code)
	}
}
