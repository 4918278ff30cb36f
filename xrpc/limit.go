package xrpc

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// maxClients bounds the memory of the client limit. A client that is forgotten
// starts with a full burst, so whoever commands more addresses than this is limited
// by MaxInFlight only.
const maxClients = 16384

// clientLimit is a token bucket per client.
type clientLimit struct {
	rate    rate.Limit
	burst   int
	policy  string // the RateLimit-Policy header
	buckets *lru.Cache[netip.Prefix, *rate.Limiter]
}

func newClientLimit(perSecond float64, burst int) (*clientLimit, error) {
	if perSecond == 0 {
		return nil, nil
	}
	buckets, err := lru.New[netip.Prefix, *rate.Limiter](maxClients)
	if err != nil {
		return nil, fmt.Errorf("xrpc: rate limit: %w", err)
	}
	window := time.Duration(float64(burst) / perSecond * float64(time.Second))
	return &clientLimit{
		rate: rate.Limit(perSecond), burst: burst, buckets: buckets,
		policy: fmt.Sprintf("%d;w=%d", burst, seconds(window)),
	}, nil
}

// take uses one token of a client. It returns the tokens left and how long until
// there is one and until all are back.
func (l *clientLimit) take(client netip.Prefix, now time.Time) (ok bool, left int, next, full time.Duration) {
	bucket, known := l.buckets.Get(client)
	if !known {
		fresh := rate.NewLimiter(l.rate, l.burst)
		if other, raced, _ := l.buckets.PeekOrAdd(client, fresh); raced {
			bucket = other
		} else {
			bucket = fresh
		}
	}
	ok = bucket.AllowN(now, 1)
	tokens := bucket.TokensAt(now)
	until := func(n float64) time.Duration {
		return time.Duration(max(0, n-tokens) / float64(l.rate) * float64(time.Second))
	}
	return ok, max(0, int(tokens)), until(1), until(float64(l.burst))
}

// client is who a limit counts: a whole /64 for IPv6, which is the least that one
// subscriber gets.
func client(ip string) netip.Prefix {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Prefix{} // everybody without an address is one client
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// Client is who asks, as limits count: for pages that have one of their own.
func (s *Server) Client(r *http.Request) netip.Prefix { return client(s.echo.IPExtractor(r)) }

// limitClient answers with the headers of the reference server, whose clients read
// RateLimit-Reset as Unix time.
func (s *Server) limitClient(next echo.HandlerFunc) echo.HandlerFunc {
	if s.clients == nil {
		return next
	}
	return func(c echo.Context) error {
		now := s.opts.Now()
		ok, left, wait, full := s.clients.take(client(c.RealIP()), now)
		h := c.Response().Header()
		h.Set("RateLimit-Limit", strconv.Itoa(s.clients.burst))
		h.Set("RateLimit-Remaining", strconv.Itoa(left))
		h.Set("RateLimit-Reset", strconv.FormatInt(now.Add(full+time.Second-1).Unix(), 10))
		h.Set("RateLimit-Policy", s.clients.policy)
		if ok {
			return next(c)
		}
		s.metrics.refuse("client")
		h.Set("Retry-After", strconv.Itoa(seconds(wait)))
		return &Error{Name: nameRateLimitExceeded, Status: http.StatusTooManyRequests, Message: "too many requests, try again later"}
	}
}

// limitTotal refuses at once instead of queueing: a queue would only make everybody
// wait until their own timeout. Health is answered all the same, because a busy
// service is not a broken one.
func (s *Server) limitTotal(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.places == nil || c.Request().URL.Path == "/xrpc/"+healthPath {
			return next(c)
		}
		select {
		case s.places <- struct{}{}:
			defer func() { <-s.places }()
			return next(c)
		default:
			s.metrics.refuse("total")
			c.Response().Header().Set("Retry-After", "1")
			return NotEnoughResources("too many requests at the same time, try again later")
		}
	}
}

// seconds rounds up, and to at least one.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// clientAddress tells how to find a request's client: the peer, or behind a trusted
// proxy the nearest address in X-Forwarded-For that is none.
func clientAddress(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		trust = append(trust, echo.TrustIPRange(&net.IPNet{
			IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}
