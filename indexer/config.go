package indexer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// Config is what an operator decides about an index.
type Config struct {
	// RelayURLs are the upstreams, relays or PDSs: the first is followed, the
	// next takes over when it fails. http is for loopback only.
	RelayURLs []string
	// DirectoryURL is who is asked which repositories have records of ours;
	// empty means the first upstream.
	DirectoryURL string
	// PLCURL is the directory of did:plc. http is for loopback only.
	PLCURL string
	// MaxRepo bounds a repository that is fetched whole, in bytes on disk. 0
	// means 512 MiB.
	MaxRepo int64
	// UserAgent is sent with every request.
	UserAgent string
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	check := func(name, value string) {
		if err := checkURL(value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if len(c.RelayURLs) == 0 {
		errs = append(errs, errors.New("relay-url: at least one is needed"))
	}
	for _, u := range c.RelayURLs {
		check("relay-url", u)
	}
	check("plc-url", c.PLCURL)
	if c.DirectoryURL != "" {
		check("collectiondir-url", c.DirectoryURL)
	}
	return errors.Join(errs...)
}

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return err
	case u.Host == "":
		return fmt.Errorf("%q names no host", raw)
	case u.Scheme == "https" || u.Scheme == "wss":
		return nil
	case (u.Scheme == "http" || u.Scheme == "ws") && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q: want https, or http on this machine", raw)
}

// Local reports whether all upstreams are on this machine. Then everything may
// be: addresses in DID documents are followed to private networks as well, which
// is refused otherwise.
func (c Config) Local() bool {
	for _, raw := range c.RelayURLs {
		if u, err := url.Parse(raw); err != nil || !isLoopback(u.Hostname()) {
			return false
		}
	}
	return len(c.RelayURLs) > 0
}

func (c Config) maxRepo() int64 {
	if c.MaxRepo > 0 {
		return c.MaxRepo
	}
	return 512 << 20
}

func (c Config) directoryURL() string {
	if c.DirectoryURL != "" {
		return c.DirectoryURL
	}
	return c.RelayURLs[0]
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Options are what a process, or a test, brings along.
type Options struct {
	Log *slog.Logger
	// Clock is the one clock of the process.
	Clock func() time.Time
	// Registry receives the metrics; nil means none.
	Registry prometheus.Registerer
	// Crash is told of the moments at which a process may die. Nil in
	// production.
	Crash crashpoint.Hook
	// Transport replaces the guarded transport of outgoing requests, for
	// networks that exist on this machine only. Nil in production.
	Transport http.RoundTripper
	// DialDNS reaches the DNS server that is asked whose handle a host is.
	// Nil in production, where the resolver of the machine is asked.
	DialDNS func(ctx context.Context, network, address string) (net.Conn, error)
}
