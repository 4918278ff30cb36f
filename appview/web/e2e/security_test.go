package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session/sessiontest"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// These need no picture of the pages, and look at what browsers are told.

// visitor speaks HTTP, signed in or not.
type visitor struct {
	t      *testing.T
	origin string
	http.Client
}

func (s *site) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, origin: strings.Replace(s.url, "localhost", "127.0.0.1", 1), Client: http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) get(address string) (*http.Response, string) {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.origin + address
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.send(req)
}

func (v *visitor) post(from, path string, form url.Values) (*http.Response, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", from)
	return v.send(req)
}

func (v *visitor) send(req *http.Request) (*http.Response, string) {
	v.t.Helper()
	resp, err := v.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(text)
}

var refreshes = regexp.MustCompile(`^0; url=(.*)$`)

func (v *visitor) signIn(as *atmosphere.Account) {
	v.t.Helper()
	resp, text := v.post("same-origin", "/sign-in", url.Values{"account": {as.Handle.String()}, "for": {"building"}, "return": {"/me"}})
	found := refreshes.FindStringSubmatch(resp.Header.Get("Refresh"))
	if found == nil {
		v.t.Fatalf("signing in answers %d: %.500s", resp.StatusCode, text)
	}
	back, err := sessiontest.Owner{Handle: as.Handle.String(), Password: as.Password}.Agree(v.t.Context(), found[1])
	if err != nil {
		v.t.Fatal(err)
	}
	if resp, text := v.get(back); resp.StatusCode != http.StatusSeeOther {
		v.t.Fatalf("coming back answers %d: %.500s", resp.StatusCode, text)
	}
}

// unknownEstimate is where one would be taken back that is not there.
const unknownEstimate = "/me/take-back/fund.stratos.feature.estimate/3kabcdefghijk"

// forms are all addresses that a form can be sent to.
func forms() []string {
	out := []string{
		"/sign-in", "/sign-out", "/propose", "/claim", "/me/payout", "/me/pledge/3kabc/pay", "/me/donation/3kabc/pay", "/project/x.test/y/edit",
		unknownEstimate,
	}
	for _, act := range append(lifecycle.Acts(), web.ActRevise) {
		out = append(out, "/p/x.test/3kabc/"+string(act))
	}
	return out
}

func TestNoOtherSiteSendsAForm(t *testing.T) {
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	v := s.visitor(t)
	v.signIn(ana)
	for _, path := range forms() {
		for _, from := range []string{"cross-site", "same-site"} {
			if resp, _ := v.post(from, path, nil); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s, sent %s, answers %d", path, from, resp.StatusCode)
			}
		}
	}
	if resp, text := v.get("/me"); resp.StatusCode != http.StatusOK || !strings.Contains(text, ana.DID.String()) {
		t.Errorf("afterwards /me answers %d", resp.StatusCode)
	}
}

func TestEveryFormIsThere(t *testing.T) {
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	v := s.visitor(t)
	v.signIn(ana)
	for _, path := range forms() {
		resp, _ := v.post("same-origin", path, nil)
		if resp.StatusCode == http.StatusMethodNotAllowed || resp.StatusCode >= http.StatusInternalServerError && path != "/me/payout" {
			t.Errorf("%s answers %d", path, resp.StatusCode)
		}
		if path == "/sign-out" {
			v.signIn(ana)
		}
	}
}

func TestPrivatePagesAreKeptAndFramedByNobody(t *testing.T) {
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	v := s.visitor(t)
	v.signIn(ana)
	for _, path := range []string{"/", "/me", "/me.csv", "/propose", "/claim", "/me/payout", "/sign-in", "/about", "/me/pledge/3kabcdefghijk", "/me/work", unknownEstimate} {
		resp, _ := v.get(path)
		h := resp.Header
		if !strings.Contains(h.Get("Cache-Control"), "no-store") || !strings.Contains(h.Get("Vary"), "Cookie") {
			t.Errorf("%s may be kept: %q, %q", path, h.Get("Cache-Control"), h.Get("Vary"))
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be framed, or guessed at: %q", path, h.Get("Content-Security-Policy"))
		}
		if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s has the policy %q", path, h.Get("Content-Security-Policy"))
		}
	}
}

func TestPrivatePagesAreForWhoIsSignedIn(t *testing.T) {
	s := newSite(t)
	v := s.visitor(t)
	for _, path := range []string{"/me", "/me.csv", "/propose", "/claim", "/me/payout", "/me/pledge/3kabcdefghijk", "/me/written?uri=at://did:plc:x/a.b.c/d", "/p/x.test/3kabc/pledge", "/p/x.test/3kabc/revise", "/me/work", unknownEstimate} {
		resp, _ := v.get(path)
		if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/sign-in?") {
			t.Errorf("%s answers %d, and leads to %q", path, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

func TestAddressesOfNothingAreNobodysFault(t *testing.T) {
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	v := s.visitor(t)
	v.signIn(ana)
	for _, path := range []string{"/p/x.test/3kabc/pledge", "/p/no%20handle/3kabc/pledge", "/p/x.test/%00/pledge", "/project/x.test/y/edit", "/project/%3C/y/edit", "/me/pledge/%3C", "/me/written?uri=x", "/p/x.test/3kabc/revise", "/me/take-back/fund.stratos.feature.estimate/%3C", "/me/take-back/x.y.z/3kabcdefghijk", unknownEstimate} {
		if resp, text := v.get(path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %d: %.200s", path, resp.StatusCode, text)
		}
	}
}

func TestNoPageLeadsElsewhere(t *testing.T) {
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	v := s.visitor(t)
	v.signIn(ana)
	const elsewhere = "//evil.example/"
	for _, path := range []string{
		"/me/written?cid=&back=" + elsewhere + "&uri=at://" + ana.DID.String() + "/fund.stratos.feature.pledge/3kabcdefghijk",
		"/sign-in?return=" + elsewhere,
	} {
		resp, text := v.get(path)
		if strings.Contains(resp.Header.Get("Location"), "evil") || strings.Contains(resp.Header.Get("Refresh"), "evil") || strings.Contains(text, "evil") {
			t.Errorf("%s leads to %q, %q, or says so", path, resp.Header.Get("Location"), resp.Header.Get("Refresh"))
		}
	}
	resp, _ := v.post("same-origin", "/sign-out", url.Values{"return": {elsewhere}})
	if got := resp.Header.Get("Location"); got != "/" {
		t.Errorf("signing out leads to %q", got)
	}
}

func TestOthersPaymentsAreNobodysBusiness(t *testing.T) {
	s := newSite(t)
	ana, ben := atmospheretest.NewAccount(t, s.network, "ana"), atmospheretest.NewAccount(t, s.network, "ben")
	v := s.visitor(t)
	v.signIn(ana)
	resp, text := v.get("/me/written?cid=x&back=/&uri=at://" + ben.DID.String() + "/fund.stratos.feature.pledge/3kabcdefghijk")
	if resp.StatusCode != http.StatusNotFound || strings.Contains(text, ben.DID.String()) {
		t.Errorf("what another one wrote answers %d", resp.StatusCode)
	}
}

func TestWhatIsTypedIsShownAsText(t *testing.T) {
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	v := s.visitor(t)
	v.signIn(ana)
	const script = `"><script>alert(1)</script>`
	_, text := v.post("same-origin", "/propose", url.Values{"title": {script}, "subject": {script}, "description": {script}, "tags": {script}, "links": {script}, "key": {script}})
	if strings.Contains(text, script) || !strings.Contains(text, "&lt;script&gt;") {
		t.Error("what was typed into the form runs")
	}
	_, text = v.post("same-origin", "/sign-in", url.Values{"account": {script}, "return": {script}, "for": {script}})
	if strings.Contains(text, script) {
		t.Error("what was typed as a name runs")
	}
}
