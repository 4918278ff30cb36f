package firehose

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

const (
	// MaxFrame bounds one frame in bytes. The protocol allows blocks of
	// 2,000,000 bytes in a frame; the rest is room for the other fields.
	MaxFrame = 5 << 20
	// pingEvery is how often a silent connection is asked whether it lives.
	pingEvery = 20 * time.Second
	// pongWithin is how long the answer may take.
	pongWithin  = 10 * time.Second
	dialTimeout = 15 * time.Second
)

// Client subscribes to one upstream.
type Client struct {
	endpoint url.URL
	http     *http.Client
	agent    string

	pingEvery  time.Duration
	pongWithin time.Duration
}

// NewClient makes a client for the host of base, an http(s) or ws(s) URL.
// httpClient may be nil; userAgent is sent with the subscription.
func NewClient(base string, httpClient *http.Client, userAgent string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("firehose: upstream %q: %w", base, err)
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return nil, fmt.Errorf("firehose: upstream %q: want an http(s) or ws(s) URL", base)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("firehose: upstream %q names no host", base)
	}
	u.Path, u.RawQuery, u.Fragment = "/xrpc/com.atproto.sync.subscribeRepos", "", ""
	return &Client{endpoint: *u, http: httpClient, agent: userAgent, pingEvery: pingEvery, pongWithin: pongWithin}, nil
}

// Host is the upstream's host and port.
func (c *Client) Host() string { return c.endpoint.Host }

// Stream subscribes from after cursor (0: from the oldest that the upstream
// keeps) and calls handle for each frame, in order, on one goroutine. handle
// owns the bytes. Stream returns the first error of handle, ctx's error when it
// ends, or why the connection broke; it never returns nil.
func (c *Client) Stream(ctx context.Context, cursor int64, handle func(frame []byte) error) error {
	endpoint := c.endpoint
	endpoint.RawQuery = url.Values{"cursor": {strconv.FormatInt(cursor, 10)}}.Encode()

	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	conn, resp, err := websocket.Dial(dialCtx, endpoint.String(), &websocket.DialOptions{
		HTTPClient: c.http,
		HTTPHeader: http.Header{"User-Agent": {c.agent}},
	})
	cancel()
	if err != nil {
		if resp != nil {
			return fmt.Errorf("firehose: subscribe to %s (status %d): %w", c.Host(), resp.StatusCode, err)
		}
		return fmt.Errorf("firehose: subscribe to %s: %w", c.Host(), err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(MaxFrame)

	ctx, stop := context.WithCancelCause(ctx)
	var pulse pulse
	var watch sync.WaitGroup
	watch.Go(func() { c.keepAlive(ctx, conn, &pulse, stop) })
	defer watch.Wait()
	defer stop(nil)

	for {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return fmt.Errorf("firehose: read from %s: %w", c.Host(), err)
		}
		if kind != websocket.MessageBinary {
			continue
		}
		pulse.Add(1)
		err = handle(frame)
		pulse.Add(1)
		if err != nil {
			return err
		}
	}
}

var errSilent = errors.New("upstream stopped answering")

// pulse counts the beginnings and ends of handled frames: while it is odd, we
// are the ones who are busy.
type pulse struct{ atomic.Int64 }

// keepAlive ends the connection of a peer from which nothing comes and that no
// longer answers pings. It returns when ctx ends.
//
// An answer is only seen by a connection that is being read, and behind all the
// frames that were sent before it. So a ping that stays without answer while
// frames are handled says nothing about the peer.
func (c *Client) keepAlive(ctx context.Context, conn *websocket.Conn, pulse *pulse, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(c.pingEvery)
	defer ticker.Stop()
	last := pulse.Load()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if now := pulse.Load(); now != last || now%2 == 1 {
			last = now
			continue
		}
		pingCtx, cancel := context.WithTimeout(ctx, c.pongWithin)
		err := conn.Ping(pingCtx)
		cancel()
		if err != nil && ctx.Err() == nil && pulse.Load() == last {
			stop(errSilent)
			return
		}
	}
}
