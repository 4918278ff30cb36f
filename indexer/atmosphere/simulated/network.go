package simulated

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Network is an atmosphere: accounts, and the servers that know them.
type Network struct {
	mu       sync.Mutex
	clock    func() time.Time
	accounts map[syntax.DID]*Account
	blobs    map[string]bool // by CID
	armed    []Fault
	fired    map[Fault]int
	stream   stream
	serial   int // of sessions

	plc, pds, relay *httptest.Server
	closing         context.Context
	close           context.CancelFunc
}

// NewNetwork starts the servers of an empty network.
func NewNetwork(clock func() time.Time) *Network {
	n := &Network{clock: clock, accounts: map[syntax.DID]*Account{}, blobs: map[string]bool{}, fired: map[Fault]int{}}
	n.closing, n.close = context.WithCancel(context.Background())
	n.stream.grew = make(chan struct{})
	n.stream.down, n.stream.hangUp = context.WithCancel(n.closing)
	n.plc = httptest.NewServer(http.HandlerFunc(n.servePLC))
	n.pds = httptest.NewServer(n.pdsRoutes())
	n.relay = httptest.NewServer(n.relayRoutes())
	return n
}

// Close ends the servers.
func (n *Network) Close() {
	n.close()
	for _, s := range []*httptest.Server{n.relay, n.pds, n.plc} {
		s.CloseClientConnections()
		s.Close()
	}
}

// PLCURL is the directory of did:plc.
func (n *Network) PLCURL() string { return n.plc.URL }

// PDSURL is where every account is.
func (n *Network) PDSURL() string { return n.pds.URL }

// RelayURL is the upstream.
func (n *Network) RelayURL() string { return n.relay.URL }

// handleSuffix is the domain of handles, which no resolver of this machine knows.
const handleSuffix = ".test"

// Transport reaches the network's servers, and handles by the PDS of this address. It
// reaches nothing outside this machine.
func Transport(pdsURL string) http.RoundTripper {
	address := strings.TrimPrefix(pdsURL, "http://")
	t := http.DefaultTransport.(*http.Transport).Clone()
	dialer := net.Dialer{Timeout: time.Second}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(addr); strings.HasSuffix(host, handleSuffix) {
			addr = address
		}
		return dialer.DialContext(ctx, network, addr)
	}
	t.MaxIdleConnsPerHost = 16
	return plain{t}
}

// plain asks handles without TLS.
type plain struct{ next http.RoundTripper }

func (p plain) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Hostname(), handleSuffix) {
		req = req.Clone(req.Context())
		req.URL.Scheme = "http"
	}
	return p.next.RoundTrip(req)
}

// NewAccount makes an account with an empty repository that was told to the relay.
func (n *Network) NewAccount(did syntax.DID, handle syntax.Handle, key *atcrypto.PrivateKeyK256) (*Account, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := &Account{Repository: NewRepository(did, key), Handle: handle, net: n, sessions: map[string]*session{}}
	n.accounts[did] = a
	return a, a.commit()
}

func (n *Network) servePLC(w http.ResponseWriter, req *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.accounts[syntax.DID(strings.TrimPrefix(req.URL.Path, "/"))]
	if a == nil {
		http.Error(w, "unknown", http.StatusNotFound)
		return
	}
	answer(w, a.document())
}

// dids are all accounts with a repository, in order.
func (n *Network) dids() []syntax.DID { return slices.Sorted(maps.Keys(n.accounts)) }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client sees a broken answer
}

func refuse(w http.ResponseWriter, status int, name string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": name, "message": "says the simulation"})
}
