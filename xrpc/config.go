package xrpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what an operator decides about an XRPC server.
type Config struct {
	// Bind is the host:port that Listen and Run bind to. Port 0 takes a free one.
	// Serve and Handler do without.
	Bind string
	// PublicURL is where clients reach the server, without a path. It makes the
	// did:web, so it is https without a port, or localhost with any.
	PublicURL string
	// DID is whose service it is, when that is an account: tokens are for it. Empty
	// means the did:web of PublicURL. The server explains only that one.
	DID syntax.DID

	// MaxBody is the largest request body in bytes. 0 means 256 KiB.
	MaxBody int64
	// MaxHeader is the largest request head in bytes, query string included.
	// 0 means 32 KiB.
	MaxHeader int

	// ReadTimeout bounds reading one request. 0 means 15 s.
	ReadTimeout time.Duration
	// RequestTimeout bounds one method's handler, through its context. 0 means 20 s.
	RequestTimeout time.Duration
	// WriteTimeout bounds a request from the end of its head to the end of its
	// response, so it has to be longer than RequestTimeout. 0 means 30 s.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request.
	// 0 means 2 min.
	IdleTimeout time.Duration
	// ShutdownTimeout is how long requests under way may take after a stop.
	// 0 means 10 s.
	ShutdownTimeout time.Duration

	// RateLimit is how many requests per second one client (an IPv4 address or an
	// IPv6 /64) may make in the long run. 0 means no limit.
	RateLimit float64
	// RateBurst is how many requests one client may make at once. 0 means ten
	// seconds' worth of RateLimit.
	RateBurst int
	// MaxInFlight is how many requests are answered at the same time; the next
	// one is told to come back. 0 means no limit.
	MaxInFlight int
	// TrustedProxies are the addresses whose X-Forwarded-For and X-Request-Id are
	// believed. Empty means that nobody's are, so behind a proxy everybody is one client.
	// See ParseProxies.
	TrustedProxies []netip.Prefix
}

// ParseProxies reads addresses and ranges of trusted proxies, like 127.0.0.1 and
// 10.0.0.0/8.
func ParseProxies(raw []string) (proxies []netip.Prefix, err error) {
	for _, r := range raw {
		if r == "" {
			continue
		}
		if addr, err := netip.ParseAddr(r); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			proxies = append(proxies, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(r)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a range of them, like 127.0.0.1 or 10.0.0.0/8", r)
		}
		if err := checkProxies(p); err != nil {
			return nil, fmt.Errorf("%q: %w", r, err)
		}
		proxies = append(proxies, p.Masked())
	}
	return proxies, nil
}

func checkProxies(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return errors.New("is an invalid address range")
	case p.Addr().Is4In6():
		return errors.New("is a range of IPv4, and has to be written as one")
	case p.Bits() == 0:
		return errors.New("is everybody, and then anybody can claim to be anybody")
	}
	return nil
}

// Options is what the service brings: its contract, its functions and, for tests,
// other clocks and stricter checks.
type Options struct {
	// Catalog resolves every lexicon that Methods and their schemas mention.
	Catalog lexicon.Catalog
	// Methods are the queries and procedures that the service declares. A declared
	// method without a handler answers MethodNotImplemented.
	Methods []syntax.NSID
	// MapError turns a domain error into a wire error, and returns nil for one that
	// it does not know, which then becomes InternalServerError. It is not asked
	// about an *Error. Nil knows no errors.
	MapError func(error) *Error

	// Identities finds the keys that clients sign their tokens with. It should
	// neither cache nor resolve handles: the server keeps keys, and bounds how often
	// it asks. Strangers choose which DIDs, so it must not reach private networks.
	// Nil means that the service knows no accounts, and refuses every token.
	Identities identity.Directory

	// Answers keeps answers of queries. Nil keeps none.
	Answers Answers

	// ServiceID is the fragment of the service in the DID document, like
	// "stratos_appview". Empty means that no DID document is served.
	ServiceID string
	// ServiceType is the service's type there, like "StratosAppView".
	ServiceType string
	// Account completes the DID document of a service whose did:web also is the DID of
	// an account with a repository.
	Account *Account
	// Health gives the JSON of /xrpc/_health: an object with at least a version.
	// With an error the status is 503, the object is sent all the same, and the
	// error goes to the log only. Nil means an empty object.
	Health func(context.Context) (any, error)

	// Log receives the access log and what clients must not see. Nil discards.
	Log *slog.Logger
	// Registry receives the metrics. Nil means none.
	Registry prometheus.Registerer

	// CheckOutput validates every result and error name against the lexicon; what
	// violates it becomes InternalServerError. For tests and demonstrations.
	CheckOutput bool
	// Now is the clock of tokens, rate limits and durations. Nil means time.Now.
	Now func() time.Time
}

// Validate reports everything that is wrong with c at once.
func (c Config) Validate() error {
	var errs []error
	if _, err := WebDID(c.PublicURL); err != nil {
		errs = append(errs, err)
	}
	if c.Bind != "" {
		if _, _, err := net.SplitHostPort(c.Bind); err != nil {
			errs = append(errs, fmt.Errorf("bind: must be host:port: %w", err))
		}
	}
	c = c.withDefaults()
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"read-timeout", c.ReadTimeout}, {"request-timeout", c.RequestTimeout}, {"write-timeout", c.WriteTimeout},
		{"idle-timeout", c.IdleTimeout}, {"shutdown-timeout", c.ShutdownTimeout},
	} {
		if d.d < 0 {
			errs = append(errs, fmt.Errorf("%s: must not be negative, got %v", d.name, d.d))
		}
	}
	if c.WriteTimeout <= c.RequestTimeout {
		errs = append(errs, fmt.Errorf("write-timeout: must be longer than request-timeout (%v), got %v", c.RequestTimeout, c.WriteTimeout))
	}
	if c.MaxBody < 0 {
		errs = append(errs, fmt.Errorf("max-body: must not be negative, got %d", c.MaxBody))
	}
	if c.MaxHeader < 0 {
		errs = append(errs, fmt.Errorf("max-header: must not be negative, got %d", c.MaxHeader))
	}
	if c.RateLimit != 0 && !(c.RateLimit >= 0.001 && c.RateLimit <= 1e6) { // written so that NaN fails too
		errs = append(errs, fmt.Errorf("rate-limit: must be 0 or between 0.001 and 1000000 requests per second, got %v", c.RateLimit))
	}
	if c.RateBurst < 0 || c.RateBurst > 1e6 {
		errs = append(errs, fmt.Errorf("rate-burst: must be between 0 and 1000000, got %d", c.RateBurst))
	}
	if c.MaxInFlight < 0 {
		errs = append(errs, fmt.Errorf("max-in-flight: must not be negative, got %d", c.MaxInFlight))
	}
	for _, p := range c.TrustedProxies {
		if err := checkProxies(p); err != nil {
			errs = append(errs, fmt.Errorf("trusted-proxies: %v: %w", p, err))
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	setDefault(&c.MaxBody, 256<<10)
	setDefault(&c.MaxHeader, 32<<10)
	setDefault(&c.ReadTimeout, 15*time.Second)
	setDefault(&c.RequestTimeout, 20*time.Second)
	setDefault(&c.WriteTimeout, 30*time.Second)
	setDefault(&c.IdleTimeout, 2*time.Minute)
	setDefault(&c.ShutdownTimeout, 10*time.Second)
	setDefault(&c.RateBurst, int(min(1e6, max(1, 10*c.RateLimit))))
	return c
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
