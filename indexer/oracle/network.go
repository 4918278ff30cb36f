package oracle

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

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Hosts of the network. Whatever ends in .test is on this machine.
const (
	plcHost       = "plc.test"
	directoryHost = "directory.test"
)

// Network is an atmosphere on this machine: accounts, the hosts of their
// repositories and identities, and relays. Its lock guards all of that.
type Network struct {
	mu       sync.Mutex
	clock    *Clock
	accounts []*account
	byDID    map[syntax.DID]*account
	hosts    []*pds
	plc      *plc
	relays   []*Relay
	sites    []*site
	fired    *Fired
	// astray counts who wanted a repository from a PDS that does not host it.
	astray int

	server    *httptest.Server
	transport *http.Transport
	closing   context.Context
	close     context.CancelFunc
}

// Upstream is what the index follows in a world.
type Upstream struct {
	Relays int
	// AtPDS: the first one is no relay, but a PDS.
	AtPDS bool
}

// NewNetwork starts the hosts of an empty network.
func NewNetwork(clock *Clock, pdses int, up Upstream) *Network {
	n := &Network{clock: clock, byDID: map[syntax.DID]*account{}, sites: newSites(), fired: newFired()}
	n.closing, n.close = context.WithCancel(context.Background())
	n.plc = &plc{net: n}
	for i := range pdses {
		n.hosts = append(n.hosts, newPDS(n, i+1))
	}
	n.server = httptest.NewServer(http.HandlerFunc(n.serve))
	dialer := net.Dialer{Timeout: time.Second}
	n.transport = &http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if host, _, _ := net.SplitHostPort(addr); strings.HasSuffix(host, ".test") {
				addr = n.server.Listener.Addr().String()
			}
			return dialer.DialContext(ctx, network, addr)
		},
	}
	for range up.Relays {
		n.relays = append(n.relays, newRelay(n))
	}
	if up.AtPDS {
		// It is known by the name under which the index follows it.
		n.relays[0].pds = n.hosts[0]
		n.hosts[0].name = strings.TrimPrefix(n.relays[0].URL(), "http://")
	}
	return n
}

// Close ends all hosts.
func (n *Network) Close() {
	n.close()
	for _, r := range n.relays {
		r.shut()
	}
	n.transport.CloseIdleConnections()
	n.server.CloseClientConnections()
	n.server.Close()
}

func (n *Network) relayURLs() []string {
	var out []string
	for _, r := range n.relays {
		out = append(out, r.URL())
	}
	return out
}

// PLCURL is the directory of did:plc.
func (n *Network) PLCURL() string { return "https://" + plcHost }

// DirectoryURL is who says which repositories hold records of a collection.
func (n *Network) DirectoryURL() string { return "https://" + directoryHost }

// Transport reaches the network's hosts by their names, without TLS.
func (n *Network) Transport() http.RoundTripper { return plain{n.transport} }

type plain struct{ next http.RoundTripper }

func (p plain) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme = "http"
	return p.next.RoundTrip(req)
}

func (n *Network) serve(w http.ResponseWriter, req *http.Request) {
	switch host := req.Host; {
	case host == plcHost:
		n.plc.serve(w, req)
	case host == directoryHost:
		n.serveLists(w, req)
	case n.site(host) != nil:
		n.serveSite(n.site(host), w, req)
	case req.URL.Path == "/.well-known/atproto-did":
		n.serveHandle(w, syntax.Handle(host))
	case req.URL.Path == "/.well-known/did.json":
		n.plc.serveDocument(w, syntax.DID("did:web:"+host))
	default:
		for _, p := range n.hosts {
			if p.name == host {
				p.serve(w, req)
				return
			}
		}
		http.NotFound(w, req)
	}
}

func (n *Network) serveHandle(w http.ResponseWriter, handle syntax.Handle) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.accounts {
		if a.handle == handle && a.proven {
			_, _ = w.Write([]byte(a.DID)) // the client sees a broken answer
			return
		}
	}
	http.Error(w, "nobody", http.StatusNotFound)
}

// serveLists answers what a relay or a collection directory knows of all
// repositories of the network.
func (n *Network) serveLists(w http.ResponseWriter, req *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	q := req.URL.Query()
	switch req.URL.Path {
	case "/xrpc/com.atproto.sync.listReposByCollection":
		collection := q.Get("collection")
		n.listRepos(w, q.Get("cursor"), func(a *account) bool { return slices.Contains(a.collections(), collection) })
	case "/xrpc/com.atproto.sync.listRepos":
		n.listRepos(w, q.Get("cursor"), func(*account) bool { return true })
	case "/xrpc/com.atproto.sync.getRepoStatus":
		if a := n.byDID[syntax.DID(q.Get("did"))]; a != nil {
			answer(w, a.repoStatus())
			return
		}
		refuse(w, http.StatusBadRequest, "RepoNotFound")
	default:
		refuse(w, http.StatusNotFound, "MethodNotImplemented")
	}
}

// listPage is short, so that lists have many pages.
const listPage = 3

func (n *Network) listRepos(w http.ResponseWriter, cursor string, in func(*account) bool) {
	out := map[string]any{}
	repos := []map[string]any{}
	dids := slices.SortedFunc(maps.Keys(n.byDID), func(a, b syntax.DID) int { return strings.Compare(a.String(), b.String()) })
	for _, did := range dids {
		a := n.byDID[did]
		if did.String() <= cursor || a.Rev == "" || !in(a) {
			continue
		}
		if len(repos) == listPage {
			out["cursor"] = repos[listPage-1]["did"]
			break
		}
		entry := a.repoStatus()
		entry["head"] = a.Commit.CID.String()
		entry["rev"] = a.Rev.String()
		repos = append(repos, entry)
	}
	out["repos"] = repos
	answer(w, out)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client sees a broken answer
}

func refuse(w http.ResponseWriter, status int, name string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": name, "message": "says the simulation"})
}

// pause waits for d, or until the client or the network is gone.
func (n *Network) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-n.closing.Done():
	}
}

func stamp(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }

func sorted[K ~string](set map[K]bool) []K { return slices.Sorted(maps.Keys(set)) }
