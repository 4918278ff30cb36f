package indexer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what an operator decides about an index.
type Config struct {
	// RelayURL is the upstream: a relay or a PDS. http is for loopback only.
	RelayURL string
	// PLCURL is the directory of did:plc. http is for loopback only.
	PLCURL string
	// UserAgent is sent with every request.
	UserAgent string
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	for _, u := range []struct{ name, value string }{{"relay-url", c.RelayURL}, {"plc-url", c.PLCURL}} {
		if err := checkURL(u.value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", u.name, err))
		}
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

// Local reports whether the upstream is on this machine. Then everything may
// be: addresses in DID documents are followed to private networks as well, which
// is refused otherwise.
func (c Config) Local() bool {
	u, err := url.Parse(c.RelayURL)
	return err == nil && isLoopback(u.Hostname())
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
	// Transport replaces the guarded transport of outgoing requests, for
	// networks that exist on this machine only. Nil in production.
	Transport http.RoundTripper
}
