package atmosphere

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/bluesky-social/indigo/atproto/identity"
)

// handleSuffix is the domain of the handles that the PDS gives out.
const handleSuffix = ".test"

// Directory returns a directory of the network's identities. Nothing is assumed:
// DIDs are resolved by the PLC, handles by the well-known file of their host, and
// both directions have to agree. It caches nothing.
//
// The lookup of a handle that nobody has fails, but not as
// identity.ErrHandleNotFound: indigo loses that error for suffixes that skip DNS.
func (n *Network) Directory() *identity.BaseDirectory {
	return &identity.BaseDirectory{
		PLCURL:                n.plc,
		HTTPClient:            http.Client{Transport: n.transport},
		SkipDNSDomainSuffixes: []string{handleSuffix},
	}
}

var _ identity.Directory = (*identity.BaseDirectory)(nil)

// transport sends requests for hosts under .test to the PDS.
type transport struct {
	*http.Transport
	pds *url.URL
}

func newTransport(pds string) (*transport, error) {
	u, err := url.Parse(pds)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: read the PDS's address: %w", err)
	}
	return &transport{Transport: http.DefaultTransport.(*http.Transport).Clone(), pds: u}, nil
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(strings.ToLower(req.URL.Hostname()), handleSuffix) {
		return t.Transport.RoundTrip(req)
	}
	local := req.Clone(req.Context())
	if local.Host == "" {
		local.Host = req.URL.Host // how the PDS tells its handles apart
	}
	local.URL.Scheme, local.URL.Host = t.pds.Scheme, t.pds.Host
	return t.Transport.RoundTrip(local)
}
