package xrpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratosfund/stratosfund/xrpc"
)

// running starts srv on a free port of the loopback and returns its URL, a way to
// stop it and what Run returned.
func running(t *testing.T, srv *xrpc.Server) (url string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	if err := srv.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(cancel)
	return "http://" + srv.Addr().String(), cancel, ended
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{Bind: "127.0.0.1:0"}, xrpc.Options{})
	entered, leave := make(chan struct{}), make(chan struct{})
	onStats(srv, func(ctx context.Context) (*statsOutput, error) {
		close(entered)
		<-leave
		return &statsOutput{Count: 7}, ctx.Err()
	})
	url, stop, done := running(t, srv)
	body := make(chan string, 1)
	go func() {
		resp, err := http.Get(url + "/xrpc/com.example.getStats")
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		body <- string(b)
	}()
	<-entered
	stop()
	for { // until nobody is let in any more
		conn, err := net.Dial("tcp", srv.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-done:
		t.Fatalf("stopped with a request under way: %v", err)
	default:
	}
	close(leave)
	if got := <-body; got != `{"count":7}` {
		t.Errorf("the request under way got %s", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{Bind: "127.0.0.1:0", ShutdownTimeout: time.Millisecond}, xrpc.Options{})
	entered, ended := make(chan struct{}), make(chan error, 1)
	onStats(srv, func(ctx context.Context) (*statsOutput, error) {
		close(entered)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	url, stop, done := running(t, srv)
	go func() {
		resp, err := http.Get(url + "/xrpc/com.example.getStats")
		if err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	stop()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "still running") {
		t.Errorf("got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler that was cut off saw %v", err)
	}
}

func TestListenRunClose(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{Bind: "127.0.0.1:0"}, xrpc.Options{})
	if srv.Addr() != nil {
		t.Error("an address before Listen")
	}
	for range 2 {
		if err := srv.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	other := newServer(t, xrpc.Config{Bind: srv.Addr().String()}, xrpc.Options{})
	if err := other.Run(t.Context()); err == nil {
		t.Error("two servers on one port")
	}
	for range 2 {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := srv.Run(t.Context()); err == nil {
		t.Error("ran after Close")
	}
	if err := newServer(t, xrpc.Config{}, xrpc.Options{}).Run(t.Context()); err == nil {
		t.Error("ran without an address")
	}
}

func TestHandlerDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, xrpc.Config{RequestTimeout: time.Second}, xrpc.Options{})
		onStats(srv, func(ctx context.Context) (*statsOutput, error) {
			<-ctx.Done()
			return nil, io.ErrUnexpectedEOF // what a database says when it is interrupted
		})
		wantError(t, get(t, srv, "/xrpc/com.example.getStats"), http.StatusServiceUnavailable, "NotEnoughResources")
	})
}

func TestClientGone(t *testing.T) {
	t.Parallel()
	var log logBuffer
	srv := newServer(t, xrpc.Config{}, xrpc.Options{Log: log.logger()})
	ctx, cancel := context.WithCancel(t.Context())
	onStats(srv, func(ctx context.Context) (*statsOutput, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/xrpc/com.example.getStats", nil)
	wantError(t, send(t, srv, r), 499, "ClientClosedRequest")
	if strings.Contains(log.String(), "level=ERROR") {
		t.Error(log.String())
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	srv := newServer(t, xrpc.Config{}, xrpc.Options{})
	srv.Handle("GET /p/{key}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.PathValue("key")+" "+xrpc.RequestID(r.Context()))
	}))
	w := get(t, srv, "/p/a%2Fb")
	if want := "a/b " + w.Header().Get("X-Request-Id"); w.Code != http.StatusOK || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for target, status := range map[string]int{"/": 404, "/q": 404, "/xrpc": 404} {
		if w := get(t, srv, target); w.Code != status {
			t.Errorf("%s: %d, want %d", target, w.Code, status)
		}
	}
	for _, verb := range []string{"POST", "OPTIONS", "BREW"} {
		if w := send(t, srv, httptest.NewRequest(verb, "/p/a", nil)); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", verb, w.Code)
		}
	}
}

func BenchmarkQuery(b *testing.B) {
	srv := newServer(b, xrpc.Config{RateLimit: 1e6, RateBurst: 1e6, MaxInFlight: 100}, xrpc.Options{})
	xrpc.Query(srv, "com.example.getAll", func(context.Context, allParams) (*allOutput, error) { return &allOutput{}, nil })
	r := httptest.NewRequest(http.MethodGet, "/xrpc/com.example.getAll?uri="+aURI+"&limit=10&sort=new&stage=proposed&cursor=after-1", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
