package e2e

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
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
}

func newSite(t *testing.T) *site {
	t.Helper()
	network := atmospheretest.Shared(t)
	port := freePort(t)
	service, err := appview.Build(t.Context(), appview.Config{
		Bind: "127.0.0.1:" + port, PublicURL: "http://localhost:" + port, DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "appview.db"),
		RelayURLs: []string{network.PDSURL()}, PLCURL: network.PLCURL(), TestMoney: true, Web: true, Version: "test",
	}, appview.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: time.Now, Transport: network.Transport(), CheckOutput: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	return &site{network: network, url: "http://localhost:" + port}
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
