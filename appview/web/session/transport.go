package session

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
)

// newHTTP is how PDSs are asked: over TLS unless they are on this machine and may be, for
// no more than so many bytes, and without following them elsewhere.
func newHTTP(next http.RoundTripper, local bool) *http.Client {
	return &http.Client{
		Transport:     transport{next: next, local: local},
		Timeout:       askWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var _ http.RoundTripper = transport{}

type transport struct {
	next  http.RoundTripper
	local bool
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.takes(req.URL) {
		return nil, fmt.Errorf("session: %s is not asked without TLS", req.URL.Host)
	}
	resp, err := t.next.RoundTrip(req)
	seen := seenIn(req.Context())
	if err != nil {
		seen.note(0)
		return nil, err
	}
	seen.note(resp.StatusCode)
	resp.Body = http.MaxBytesReader(nil, resp.Body, longestAnswer)
	return resp, nil
}

func (t transport) takes(u *url.URL) bool {
	return u.Scheme == "https" || t.local && u.Scheme == "http" && isLoopback(u.Hostname())
}

// seen remembers the status of the last answer within a context: what a PDS says when it
// refuses to renew a session reaches callers of the OAuth client as a text only.
type seen struct{ status atomic.Int64 }

type seenKey struct{}

func withSeen(ctx context.Context) (context.Context, *seen) {
	s := &seen{}
	return context.WithValue(ctx, seenKey{}, s), s
}

func seenIn(ctx context.Context) *seen {
	s, _ := ctx.Value(seenKey{}).(*seen)
	return s
}

func (s *seen) note(status int) {
	if s != nil {
		s.status.Store(int64(status))
	}
}

// refused tells whether the last answer said that it is the caller's mistake.
func (s *seen) refused() bool {
	status := s.status.Load()
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusTooManyRequests
}
