package firehose

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// MaxFrame bounds one frame in bytes. The protocol allows blocks of
	// 2,000,000 bytes in a frame; the rest is room for the other fields.
	MaxFrame = 5 << 20
	// Live is the cursor of a subscription that begins with what happens next.
	Live int64 = -1

	// pingEvery is how often a silent connection is asked whether it lives.
	pingEvery = 20 * time.Second
	// pongWithin is how long the answer may take.
	pongWithin  = 10 * time.Second
	dialTimeout = 15 * time.Second
	// maxGreeting bounds what an upstream may send before it has accepted the
	// subscription: certificates, headers, and as much as one read brings in.
	maxGreeting = 1 << 20
	// readAhead is how much is asked of the socket at once: a system call for
	// some thirty frames, where a call for each would cost more than the rest.
	readAhead = 128 << 10
)

// Client subscribes to one upstream.
type Client struct {
	endpoint url.URL
	tls      *tls.Config
	agent    string

	pingEvery  time.Duration
	pongWithin time.Duration
}

// NewClient makes a client for the host of base, an http(s) or ws(s) URL.
// tlsConfig may be nil; userAgent is sent with the subscription.
func NewClient(base string, tlsConfig *tls.Config, userAgent string) (*Client, error) {
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
	if u.User != nil {
		return nil, fmt.Errorf("firehose: upstream %q: want no user in the URL", u.Redacted())
	}
	u.Path, u.RawQuery, u.Fragment = "/xrpc/com.atproto.sync.subscribeRepos", "", ""
	return &Client{endpoint: *u, tls: tlsConfig, agent: userAgent, pingEvery: pingEvery, pongWithin: pongWithin}, nil
}

// Host is the upstream's host and port.
func (c *Client) Host() string { return c.endpoint.Host }

// Stream subscribes from after cursor (0: from the oldest that the upstream
// keeps; [Live]: from now on), calls opened once when the upstream has accepted,
// and then handle for each frame, in order, on the caller's goroutine.
//
// The frame's bytes are handle's until it returns; the next frame overwrites
// them. What handle keeps, it copies.
//
// Stream returns the first error of handle, ctx's error when it ends, or why the
// connection broke; it never returns nil.
func (c *Client) Stream(ctx context.Context, cursor int64, opened func(), handle func(frame []byte) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop(nil)

	conn, err := c.subscribe(ctx, cursor)
	if err != nil {
		return fmt.Errorf("firehose: subscribe to %s: %w", c.Host(), causeOr(ctx, err))
	}
	defer conn.Close()
	opened()

	pongs := make(chan struct{}, 1)
	conn.SetPongHandler(func(string) error {
		select {
		case pongs <- struct{}{}:
		default:
		}
		return nil
	})
	var pulse pulse
	watch.Go(func() { c.keepAlive(ctx, conn, pongs, &pulse, stop) })

	var frame bytes.Buffer
	for {
		kind, r, err := conn.NextReader()
		if err == nil && kind != websocket.BinaryMessage {
			continue // the next NextReader passes over it
		}
		if err == nil {
			frame.Reset()
			_, err = frame.ReadFrom(r)
		}
		if err != nil {
			return fmt.Errorf("firehose: read from %s: %w", c.Host(), causeOr(ctx, err))
		}
		pulse.Add(1)
		err = handle(frame.Bytes())
		pulse.Add(1)
		if err != nil {
			return err
		}
	}
}

// causeOr is why ctx ended, when it did: then err is only a consequence.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// subscribe opens the connection. It is closed when ctx ends, at the latest.
func (c *Client) subscribe(ctx context.Context, cursor int64) (*websocket.Conn, error) {
	endpoint := c.endpoint
	if cursor != Live {
		endpoint.RawQuery = url.Values{"cursor": {strconv.FormatInt(cursor, 10)}}.Encode()
	}
	var greeting *greetingConn
	dialer := websocket.Dialer{
		// gorilla looks at the context only while it connects; closing the
		// socket is what ends a handshake or a read that is under way.
		NetDialContext: func(dialCtx context.Context, network, addr string) (net.Conn, error) {
			var d net.Dialer
			socket, err := d.DialContext(dialCtx, network, addr)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = socket.Close() })
			greeting = &greetingConn{Conn: socket, left: maxGreeting}
			return greeting, nil
		},
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: c.tls,
		ReadBufferSize:  readAhead,
	}
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, resp, err := dialer.DialContext(dialCtx, endpoint.String(), http.Header{"User-Agent": {c.agent}})
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
		}
		return nil, err
	}
	// gorilla would inflate although we did not offer it, and its read limit
	// counts the bytes before that: a few megabytes could become gigabytes.
	if resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		_ = conn.Close()
		return nil, errExtension
	}
	greeting.left = -1
	conn.SetReadLimit(MaxFrame)
	return conn, nil
}

var (
	errSilent    = errors.New("upstream stopped answering")
	errExtension = errors.New("upstream uses an extension that was not offered")
	errGreeting  = errors.New("upstream sends too much before it accepts")
)

// greetingConn is a connection that may bring only so much: gorilla does not
// bound the headers of the answer. It is read by one goroutine.
type greetingConn struct {
	net.Conn
	left int // bytes; negative: no limit any more
}

func (g *greetingConn) Read(p []byte) (int, error) {
	if g.left < 0 {
		return g.Conn.Read(p)
	}
	if g.left == 0 {
		return 0, errGreeting
	}
	n, err := g.Conn.Read(p[:min(len(p), g.left)])
	g.left -= n
	return n, err
}

// pulse counts the beginnings and ends of handled frames: while it is odd, we
// are the ones who are busy.
type pulse struct{ atomic.Int64 }

// keepAlive ends the connection of a peer from which nothing comes and that no
// longer answers pings. It returns when ctx ends.
//
// An answer is only seen by a connection that is being read, and behind all the
// frames that were sent before it. So a ping that stays without answer while
// frames are handled says nothing about the peer.
func (c *Client) keepAlive(ctx context.Context, conn *websocket.Conn, pongs <-chan struct{}, pulse *pulse, stop context.CancelCauseFunc) {
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
		if !c.answers(ctx, conn, pongs) && ctx.Err() == nil && pulse.Load() == last {
			stop(errSilent)
			return
		}
	}
}

// answers sends a ping and reports whether a pong came in time. One that was due
// to an earlier ping is as good a sign of life.
func (c *Client) answers(ctx context.Context, conn *websocket.Conn, pongs <-chan struct{}) bool {
	select {
	case <-pongs: // too old to tell
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, c.pongWithin)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if err := conn.WriteControl(websocket.PingMessage, nil, deadline); err != nil {
		return false
	}
	select {
	case <-pongs:
		return true
	case <-ctx.Done():
		return false
	}
}
