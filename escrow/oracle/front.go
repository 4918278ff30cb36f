package oracle

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// front is the escrow's address on the web: it stays the same while processes come and
// go. Nobody is there between two of them.
type front struct {
	server *httptest.Server
	behind atomic.Pointer[string] // host:port; nil for nobody
}

func newFront() *front {
	f := &front{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: *f.behind.Load()})
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if f.behind.Load() == nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, req)
	}))
	return f
}

// publicHost is the escrow's name on the web, which only browsers of this world know.
const publicHost = "escrow.test"

// publicURL is where people find the escrow.
const publicURL = "https://" + publicHost

// browser reaches the front by its name, without TLS, and every other host as it is. It
// follows no redirect by itself: where it is sent is what the world looks at.
func (f *front) browser() *http.Client {
	return &http.Client{
		Timeout:       askFor,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     byName{map[string]string{publicHost: f.server.Listener.Addr().String()}, &http.Transport{DisableKeepAlives: true}},
	}
}

// byName reaches hosts of this world, which are on this machine and speak no TLS.
type byName struct {
	addresses map[string]string // by host
	next      http.RoundTripper
}

func (t byName) RoundTrip(req *http.Request) (*http.Response, error) {
	addr, ok := t.addresses[req.URL.Host]
	if !ok {
		return t.next.RoundTrip(req)
	}
	there := req.Clone(req.Context())
	there.Host, there.URL.Scheme, there.URL.Host = req.URL.Host, "http", addr
	resp, err := t.next.RoundTrip(there)
	if resp != nil {
		resp.Request = req // whoever asks further goes by the name
	}
	return resp, err
}

func (f *front) lead(to string) {
	if to == "" {
		f.behind.Store(nil)
		return
	}
	f.behind.Store(&to)
}

func (f *front) close() {
	f.server.CloseClientConnections()
	f.server.Close()
}
