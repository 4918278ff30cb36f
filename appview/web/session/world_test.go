package session

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"

	"github.com/stratosfund/stratosfund/appview/web/session/sessiontest"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

// clock is one that tests turn.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// world is a site with nothing on it but sessions, and a real PDS.
type world struct {
	*Sessions
	network *atmosphere.Network
	clock   *clock
	site    *httptest.Server
	wire    *wire
	path    string
	// asVisitor runs within the next request to /do.
	asVisitor func(*Visitor)
}

// wire can be cut.
type wire struct {
	http.RoundTripper
	mu  sync.Mutex
	cut func(*http.Request) bool
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	cut := w.cut
	w.mu.Unlock()
	if cut != nil && cut(req) {
		return nil, fmt.Errorf("the wire to %s is cut", req.URL.Host)
	}
	return w.RoundTripper.RoundTrip(req)
}

func (w *wire) cutWhen(is func(*http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = is
}

// render writes what tests look for.
func render(w http.ResponseWriter, _ *http.Request, status int, page string, data any) {
	w.WriteHeader(status)
	if leaving, ok := data.(Leaving); ok {
		fmt.Fprintf(w, "leaving for <%s>", leaving.URL)
		return
	}
	fmt.Fprintf(w, "%s %+v", page, data)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	w := &world{network: network, clock: &clock{}, wire: &wire{RoundTripper: network.Transport()}, path: filepath.Join(t.TempDir(), "sessions.db")}
	mux := http.NewServeMux()
	w.site = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.NewCrossOriginProtection().Handler(w.Middleware(mux)).ServeHTTP(rw, r)
	}))
	t.Cleanup(w.site.Close)
	w.open(t)
	w.Register(mux)
	mux.HandleFunc("GET /do", func(rw http.ResponseWriter, r *http.Request) {
		v := From(r.Context())
		if v != nil && w.asVisitor != nil {
			w.asVisitor(v)
		}
		if v == nil {
			fmt.Fprint(rw, "nobody")
			return
		}
		fmt.Fprint(rw, v.Handle)
	})
	return w
}

// open opens the sessions, for the second time after a restart.
func (w *world) open(t *testing.T) {
	t.Helper()
	at, err := url.Parse(w.site.URL)
	if err != nil {
		t.Fatal(err)
	}
	directory := w.network.Directory()
	directory.HTTPClient.Transport = w.wire
	w.Sessions, err = Open(t.Context(), Config{
		PublicURL: "http://localhost:" + at.Port(), Path: w.path, Local: true, Name: "The test", UserAgent: "test",
	}, Options{
		Accounts: directory, Transport: w.wire, Render: render, Clock: w.clock.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

var _ identity.Directory = (*identity.BaseDirectory)(nil)

// browser keeps cookies, and stays where it is told to go.
type browser struct {
	t *testing.T
	w *world
	http.Client
}

func (w *world) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, w: w, Client: http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer, read.
type page struct {
	*http.Response
	text string
}

func (b *browser) get(address string) page {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.w.client.origin + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(req)
}

func (b *browser) post(path string, form url.Values) page {
	b.t.Helper()
	return b.postFrom("same-origin", path, form)
}

func (b *browser) postFrom(site, path string, form url.Values) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.w.client.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", site)
	return b.send(req)
}

func (b *browser) send(req *http.Request) page {
	b.t.Helper()
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp, string(text)}
}

var leavingFor = regexp.MustCompile(`leaving for <(.*)>`)

// leave begins a sign-in, and returns the page of the PDS that it leads to.
func (b *browser) leave(as *atmosphere.Account, purpose Purpose, returnTo string) string {
	b.t.Helper()
	got := b.post(SignInPath, url.Values{fieldAccount: {as.Handle.String()}, fieldReturn: {returnTo}, fieldPurpose: {string(purpose)}})
	found := leavingFor.FindStringSubmatch(got.text)
	if found == nil {
		b.t.Fatalf("signing in leads to %d %q, want to the PDS", got.StatusCode, got.text)
	}
	return found[1]
}

func owner(a *atmosphere.Account) sessiontest.Owner {
	return sessiontest.Owner{Handle: a.Handle.String(), Password: a.Password}
}

// signIn is the whole way.
func (b *browser) signIn(as *atmosphere.Account, purpose Purpose) page {
	b.t.Helper()
	back, err := owner(as).Agree(b.t.Context(), b.leave(as, purpose, "/do"))
	if err != nil {
		b.t.Fatal(err)
	}
	got := b.get(back)
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/do" {
		b.t.Fatalf("coming back leads to %d %q %q, want to /do", got.StatusCode, got.Header.Get("Location"), got.text)
	}
	return got
}

// as runs fn as whoever the browser is signed in as.
func (b *browser) as(fn func(context.Context, *Visitor)) {
	b.t.Helper()
	ran := false
	b.w.asVisitor = func(v *Visitor) {
		ran = true
		fn(context.WithValue(b.t.Context(), visitorKey{}, v), v)
	}
	defer func() { b.w.asVisitor = nil }()
	if b.get("/do"); !ran {
		b.t.Fatal("nobody is signed in")
	}
}
