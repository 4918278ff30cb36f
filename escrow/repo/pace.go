package repo

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// longestPause bounds what a PDS can ask for. After it we look whether it means it.
const longestPause = 15 * time.Minute

// firstEpoch tells a moment from a number of seconds: servers send both in
// RateLimit-Reset.
const firstEpoch = 1_000_000_000

// pace remembers until when the PDS wants to be left alone, as its answers say.
type pace struct {
	base  http.RoundTripper
	now   func() time.Time
	mu    sync.Mutex
	until time.Time
}

func (p *pace) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := p.base.RoundTrip(req)
	if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.Header.Get("RateLimit-Remaining") == "0") {
		p.rest(pauseOf(resp.Header, p.now()))
	}
	return resp, err
}

func (p *pace) rest(pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.now().Add(min(pause, longestPause)); until.After(p.until) {
		p.until = until
	}
}

// remaining is how long the PDS is to be left alone.
func (p *pace) remaining() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.until.Sub(p.now()))
}

// pauseOf reads how long to wait: Retry-After, or the end of the window of
// RateLimit-Reset. Zero when an answer says neither.
func pauseOf(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"Retry-After", "RateLimit-Reset"} {
		value := h.Get(name)
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= firstEpoch {
			return time.Unix(n, 0).Sub(now)
		} else if err == nil && n >= 0 {
			return time.Duration(n) * time.Second
		}
		if at, err := http.ParseTime(value); err == nil {
			return at.Sub(now)
		}
	}
	return 0
}
