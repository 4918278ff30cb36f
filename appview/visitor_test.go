package appview_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session/sessiontest"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// visitor is somebody with a browser, signed in at their own PDS.
type visitor struct {
	t      *testing.T
	origin string
	http.Client
}

// startPages runs an AppView with its pages, and returns where it is.
func startPages(t *testing.T, network *atmosphere.Network) (origin string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // its port is in the addresses that people come back to
	if err != nil {
		t.Fatal(err)
	}
	bind := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	service, err := appview.Build(t.Context(), appview.Config{
		Bind: bind, PublicURL: strings.Replace("http://"+bind, "127.0.0.1", "localhost", 1), DatabaseURL: "sqlite://" + filepath.Join(t.TempDir(), "appview.db"),
		RelayURLs: []string{network.PDSURL()}, PLCURL: network.PLCURL(), Web: true, Version: "test",
	}, appview.Options{Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelError})), Clock: time.Now, Transport: network.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, service.Close()); err != nil {
			t.Errorf("the AppView ended with: %v", err)
		}
	})
	return "http://" + bind
}

func signIn(t *testing.T, origin string, as *atmosphere.Account) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, origin: origin, Client: http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	resp, body := v.send(http.MethodPost, "/sign-in", url.Values{"account": {as.Handle.String()}, "for": {"building"}, "return": {"/me"}})
	to := regexp.MustCompile(`^0; url=(.*)$`).FindStringSubmatch(resp.Header.Get("Refresh"))
	if to == nil {
		t.Fatalf("signing in answers %d: %.300s", resp.StatusCode, body)
	}
	back, err := sessiontest.Owner{Handle: as.Handle.String(), Password: as.Password}.Agree(t.Context(), to[1])
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := v.send(http.MethodGet, back, nil); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("coming back answers %d: %.300s", resp.StatusCode, body)
	}
	return v
}

func (v *visitor) send(method, path string, form url.Values) (*http.Response, string) {
	v.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = v.origin + path
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := v.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(body)
}

// sees waits until a page says something, or does not any more.
func (v *visitor) sees(path, text string, there bool) {
	v.t.Helper()
	eventually(v.t, path+" and "+text, func() bool {
		resp, body := v.send(http.MethodGet, path, nil)
		return resp.StatusCode == http.StatusOK && strings.Contains(body, text) == there
	})
}

func TestSomebodyTakesBackWhatTheyWrote(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	origin := startPages(t, network)
	ana, ben := atmospheretest.NewAccount(t, network, "ana"), atmospheretest.NewAccount(t, network, "ben")
	proposal := mustCreate(t, ben, lexicons.CollectionProposal, proposalFor(aboutURI("https://maps.example/"), "Maps of the night"))
	estimate := mustCreate(t, ana, lexicons.CollectionEstimate, estimateOf(proposal, 1250, "USD"))
	page := "/p/" + ben.DID.String() + "/" + syntax.ATURI(proposal.Uri).RecordKey().String()
	v, owner := signIn(t, origin, ana), signIn(t, origin, ben)
	take, takeProposal := web.TakeBackPathOf(estimate.Uri), web.TakeBackPathOf(proposal.Uri)

	v.sees(page, `"`+take+`"`, true)
	v.sees("/me", `"`+take+`"`, true)
	v.sees(page, `"`+takeProposal+`"`, false)
	owner.sees(page, `"`+takeProposal+`"`, true)
	v.sees(take, "Take your estimate back", true)
	// What is another's is nothing of one's own.
	if resp, _ := v.send(http.MethodPost, takeProposal, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another's proposal answers %d", resp.StatusCode)
	}
	resp, body := v.send(http.MethodPost, take, nil)
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/me/written?") || !strings.Contains(to, url.QueryEscape(page)) {
		t.Fatalf("taking it back answers %d %s: %.300s", resp.StatusCode, to, body)
	}
	v.sees(page, "$12.50", false)
	v.sees("/me", "$12.50", false)
	if resp, _ := v.send(http.MethodGet, take, nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("what is gone answers %d", resp.StatusCode)
	}
	if resp, _ := owner.send(http.MethodPost, takeProposal, nil); !strings.Contains(resp.Header.Get("Location"), url.QueryEscape("/me")) {
		t.Errorf("deleting the proposal answers %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	eventually(t, "the proposal's page is gone", func() bool {
		resp, _ := v.send(http.MethodGet, page, nil)
		return resp.StatusCode == http.StatusNotFound
	})
}

func TestADeveloperFindsTheirWork(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	origin := startPages(t, network)
	ana, ben := atmospheretest.NewAccount(t, network, "ana"), atmospheretest.NewAccount(t, network, "ben")
	about := stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{Did: ana.DID.String()}}
	wanted := mustCreate(t, ben, lexicons.CollectionProposal, proposalFor(about, "Something wanted"))
	begun := mustCreate(t, ben, lexicons.CollectionProposal, proposalFor(about, "Something begun"))
	mustCreate(t, ben, lexicons.CollectionEstimate, estimateOf(wanted, 700, "USD"))
	mustCreate(t, ana, lexicons.CollectionDevelopment, &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: begun, Title: "The beginning of it", Summary: "All of it.", Currency: "USD",
		Escrow: "did:plc:ewvi7nxzyoun6zhxrhs64oiz", CreatedAt: now(),
	})
	v := signIn(t, origin, ana)
	for _, text := range []string{"The beginning of it", "In development", "announce a preview", "/preview", "Something wanted", "$7", "trusts no escrow yet"} {
		v.sees("/me/work", text, true)
	}
	if resp, _ := v.send(http.MethodGet, "/me/work", nil); resp.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("it may be kept: %s", resp.Header.Get("Cache-Control"))
	}
	public := &visitor{t: t, origin: origin, Client: http.Client{CheckRedirect: v.CheckRedirect}}
	for _, path := range []string{"/me/work", web.TakeBackPathOf(wanted.Uri)} {
		if resp, _ := public.send(http.MethodGet, path, nil); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), "/sign-in?") {
			t.Errorf("%s answers %d to the public", path, resp.StatusCode)
		}
	}
}
