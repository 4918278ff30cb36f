package e2e

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

// site is an AppView with its pages, beside a real PDS.
type site struct {
	network *atmosphere.Network
	url     string
	road    *road
	config  appview.Config
	stop    func()
}

func newSite(t *testing.T) *site {
	t.Helper()
	network := atmospheretest.Shared(t)
	port := freePort(t)
	s := &site{
		network: network, url: "http://localhost:" + port, road: &road{next: network.Transport()},
		config: appview.Config{
			Bind: "127.0.0.1:" + port, PublicURL: "http://localhost:" + port, DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "appview.db"),
			RelayURLs: []string{network.PDSURL()}, PLCURL: network.PLCURL(), TestMoney: true, Web: true, Version: "test",
		},
	}
	s.start(t)
	t.Cleanup(func() { s.stop() })
	return s
}

// start starts the site, also again after its stop.
func (s *site) start(t *testing.T) {
	t.Helper()
	service, err := appview.Build(t.Context(), s.config, appview.Options{
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: time.Now, Transport: s.road, CheckOutput: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, service.Close()); err != nil {
			t.Error(err)
		}
	})
}

// road is the way from the site to people's hosts.
type road struct {
	next http.RoundTripper
	way  atomic.Int32
}

// What happens on the way to somebody's host when a record is written.
const (
	wayOpen    int32 = iota
	wayCut           // nothing arrives
	wayBack          // it arrives, and the answer is lost
	wayRefused       // the host does not want it
)

// RoundTrip implements http.RoundTripper.
func (r *road) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(req.URL.Path, "/xrpc/com.atproto.repo.") {
		return r.next.RoundTrip(req)
	}
	switch r.way.Load() {
	case wayCut:
		return nil, errors.New("the road is cut")
	case wayBack:
		resp, err := r.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		return nil, errors.Join(errors.New("the answer is lost"), resp.Body.Close())
	case wayRefused:
		return &http.Response{
			StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
			Body: io.NopCloser(strings.NewReader(`{"error":"InvalidRequest","message":"The account is over its quota."}`)),
		}, nil
	}
	return r.next.RoundTrip(req)
}

// freePort is one that nobody listens on: the address of a site has to be known before it
// listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func (s *site) page(path string) string { return s.url + path }

// pathOf is the path of an address.
func pathOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// recordsOf are the records in somebody's repository, as their PDS has them.
func recordsOf[T any](t *testing.T, of *atmosphere.Account, collection syntax.NSID) (out []T) {
	t.Helper()
	var found struct {
		Records []struct {
			Value T `json:"value"`
		} `json:"records"`
	}
	err := of.Client.Get(t.Context(), "com.atproto.repo.listRecords", map[string]any{"repo": of.DID.String(), "collection": collection.String()}, &found)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range found.Records {
		out = append(out, r.Value)
	}
	return out
}
