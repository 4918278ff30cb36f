package appview

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/xrpc"
)

// Config is what an operator decides about an AppView.
type Config struct {
	// Bind is the host:port of the API; port 0 takes a free one.
	Bind string
	// DatabaseURL is sqlite:// and the path of the index.
	DatabaseURL string
	// RelayURLs are the upstreams, relays or PDSs; the first is followed, the
	// next takes over when it fails.
	RelayURLs []string
	// CollectionDirURL is who is asked which repositories have records of ours;
	// empty means the first upstream.
	CollectionDirURL string
	// PLCURL is the directory of did:plc.
	PLCURL string
	// PublicURL is where clients reach the API; it makes the service's did:web.
	PublicURL string
	// TrustedEscrows are the accounts whose receipts count.
	TrustedEscrows []syntax.DID
	// TestMoney lets test receipts count. For demonstrations.
	TestMoney bool
	// Web serves the pages beside the API.
	Web bool
	// SessionsURL is sqlite:// and the path of the database of those who are signed in to
	// the pages; empty means sessions.db beside the index.
	SessionsURL string
	// OAuthKeys make the pages a confidential client of PDSs; the first one signs.
	OAuthKeys []session.Key
	// MetricsBind is the host:port of the Prometheus metrics; empty means off.
	MetricsBind string
	// RateLimit is how many requests per second one client may make in the
	// long run; 0 means no limit.
	RateLimit float64
	// TrustedProxies are the proxies in front, whose X-Forwarded-For says who asks. Behind
	// others all are one client. See [xrpc.ParseProxies].
	TrustedProxies []netip.Prefix
	// Version is what the health check and the user agent say.
	Version string
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if _, err := sqlite.PathOf(c.DatabaseURL); err != nil {
		errs = append(errs, fmt.Errorf("database-url: %w", err))
	}
	if c.MetricsBind != "" {
		if _, _, err := net.SplitHostPort(c.MetricsBind); err != nil {
			errs = append(errs, fmt.Errorf("metrics-bind: %w", err))
		}
	}
	if c.SessionsURL != "" {
		if _, err := sqlite.PathOf(c.SessionsURL); err != nil {
			errs = append(errs, fmt.Errorf("sessions-url: %w", err))
		}
	}
	if c.Web {
		errs = append(errs, c.sessions().Validate())
	}
	errs = append(errs, c.indexer().Validate(), c.server().Validate())
	return errors.Join(errs...)
}

func (c Config) indexer() indexer.Config {
	return indexer.Config{
		RelayURLs: c.RelayURLs, DirectoryURL: c.CollectionDirURL, PLCURL: c.PLCURL,
		UserAgent: "stratosfund-appview/" + c.Version,
	}
}

func (c Config) server() xrpc.Config {
	return xrpc.Config{Bind: c.Bind, PublicURL: c.PublicURL, RateLimit: c.RateLimit, MaxInFlight: maxInFlight, TrustedProxies: c.TrustedProxies}
}

// sessions are those of the pages. Their database is never that of the index, which may be
// thrown away and made anew.
func (c Config) sessions() session.Config {
	path, err := sqlite.PathOf(c.SessionsURL)
	if c.SessionsURL == "" {
		if path, err = sqlite.PathOf(c.DatabaseURL); err == nil {
			path = filepath.Join(filepath.Dir(path), "sessions.db")
		}
	}
	if err != nil {
		path = "" // which Validate has a word for
	}
	return session.Config{
		PublicURL: c.PublicURL, Path: path, Keys: c.OAuthKeys, Local: c.indexer().Local(),
		Name: "StratosFund", UserAgent: c.indexer().UserAgent,
	}
}

// maxInFlight bounds the requests that are answered at the same time.
const maxInFlight = 256

func (c Config) policy() lifecycle.Policy {
	return lifecycle.Policy{TrustedEscrows: c.TrustedEscrows, TestMoney: c.TestMoney}
}

// Options are what a process, a demonstration or a test brings along.
type Options struct {
	Log   *slog.Logger
	Clock func() time.Time
	// Transport replaces the guarded transport of outgoing requests; see
	// [indexer.Options].
	Transport http.RoundTripper
	// CheckOutput validates every answer against its lexicon.
	CheckOutput bool
}
