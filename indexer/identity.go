package indexer

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
)

const (
	// didTimeout bounds fetching one DID document.
	didTimeout = 30 * time.Second
	// maxDIDDocument bounds its size: whoever hosts a did:web chooses it.
	maxDIDDocument = 1 << 20
)

// NewDirectory resolves DIDs as the index does: from the configured PLC, never from
// private networks unless all upstreams are on this machine, and within bounds. It
// neither caches nor resolves handles, on which a key does not depend. A transport
// replaces the guarded one; nil in production.
func NewDirectory(cfg Config, transport http.RoundTripper) *identity.BaseDirectory {
	if transport == nil {
		transport = outgoing(cfg.Local())
	}
	dir := directory(cfg, transport, nil)
	dir.SkipHandleVerification = true
	return dir
}

// NewAccounts resolves handles as well, in both directions, for people who type theirs.
// Its guards are those of [NewDirectory].
func NewAccounts(cfg Config, transport http.RoundTripper) *identity.BaseDirectory {
	if transport == nil {
		transport = outgoing(cfg.Local())
	}
	return directory(cfg, transport, nil)
}

// NewTransport makes connections to hosts that strangers choose: to public addresses
// only, unless all upstreams are on this machine.
func NewTransport(cfg Config) http.RoundTripper { return outgoing(cfg.Local()) }

// directory resolves DIDs and handles within bounds. DNS goes to the resolver of this
// machine, or to what dialDNS reaches, and nowhere else: the name servers that a
// stranger's domain names would be asked past the transport's guard.
func directory(cfg Config, transport http.RoundTripper, dialDNS func(ctx context.Context, network, address string) (net.Conn, error)) *identity.BaseDirectory {
	return &identity.BaseDirectory{
		PLCURL:                cfg.PLCURL,
		HTTPClient:            http.Client{Transport: boundedBodies{transport}, Timeout: didTimeout},
		Resolver:              net.Resolver{Dial: dialDNS, PreferGo: dialDNS != nil},
		UserAgent:             cfg.UserAgent,
		SkipDNSDomainSuffixes: []string{".test", ".bsky.social"}, // the one has no DNS, the other only the web
	}
}

// boundedBodies cuts off answers that are larger than a DID document may be.
type boundedBodies struct{ http.RoundTripper }

func (b boundedBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxDIDDocument)
	return resp, nil
}
