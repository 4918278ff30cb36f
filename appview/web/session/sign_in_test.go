package session

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

func TestSomebodySignsInAtTheirPDSAndOut(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	if got := b.get("/do"); got.text != "nobody" {
		t.Fatalf("before signing in the site sees %q", got.text)
	}
	b.signIn(ana, Backing)
	if got := b.get("/do"); got.text != ana.Handle.String() || !strings.Contains(got.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("signed in, the site sees %q and may be kept: %q", got.text, got.Header.Get("Cache-Control"))
	}
	var tokens session
	b.as(func(ctx context.Context, v *Visitor) {
		var err error
		if tokens, err = w.store.get(ctx, v.id); err != nil {
			t.Fatal(err)
		}
	})
	if got := b.post(SignOutPath, nil); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/" {
		t.Errorf("signing out leads to %d %q", got.StatusCode, got.Header.Get("Location"))
	}
	if got := b.get("/do"); got.text != "nobody" {
		t.Errorf("signed out, the site sees %q", got.text)
	}
	// The tokens are worth nothing any more, whoever may have kept them.
	resumed, err := w.resume(tokens)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resumed.RefreshTokens(t.Context()); err == nil {
		t.Error("signed out, the refresh token still works at the PDS")
	}
}

func TestASessionOutlivesARestart(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(t)
	if got := b.get("/do"); got.text != ana.Handle.String() {
		t.Errorf("after a restart the site sees %q", got.text)
	}
}

func TestASessionEndsWithItsTime(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	w.clock.forward(defaultLifetime - time.Minute)
	if got := b.get("/do"); got.text != ana.Handle.String() {
		t.Errorf("a minute before its end the site sees %q", got.text)
	}
	w.clock.forward(2 * time.Minute)
	if got := b.get("/do"); got.text != "nobody" {
		t.Errorf("after its end the site sees %q", got.text)
	}
}

func TestASignInBelongsToTheBrowserThatBeganIt(t *testing.T) {
	w := newWorld(t)
	mallory := atmospheretest.NewAccount(t, w.network, "mallory")
	theirs, victims := w.browser(t), w.browser(t)
	back, err := owner(mallory).Agree(t.Context(), theirs.leave(mallory, Backing, "/do"))
	if err != nil {
		t.Fatal(err)
	}
	if got := victims.get(back); got.StatusCode != http.StatusBadRequest || got.Header.Values("Set-Cookie") != nil {
		t.Errorf("somebody else's way back has status %d and sets %q", got.StatusCode, got.Header.Values("Set-Cookie"))
	}
	// Also when the victim is on the way to sign in.
	victims.leave(mallory, Backing, "/do")
	if got := victims.get(back); got.StatusCode != http.StatusBadRequest {
		t.Errorf("somebody else's way back has status %d during a sign-in", got.StatusCode)
	}
	if got := victims.get("/do"); got.text != "nobody" {
		t.Errorf("the victim is signed in as %q", got.text)
	}
	if got := theirs.get(back); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the right browser's way back has status %d", got.StatusCode)
	}
	if got := theirs.get(back); got.StatusCode != http.StatusBadRequest {
		t.Errorf("the way back works a second time, with status %d", got.StatusCode)
	}
}

func TestASignInIsOverAfterAWhile(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	back, err := owner(ana).Agree(t.Context(), b.leave(ana, Backing, "/do"))
	if err != nil {
		t.Fatal(err)
	}
	w.clock.forward(signInWithin)
	if got := b.get(back); got.StatusCode != http.StatusBadRequest {
		t.Errorf("half an hour later it is finished with status %d", got.StatusCode)
	}
}

func TestSigningInMakesANewIDAndEndsTheOldSession(t *testing.T) {
	w := newWorld(t)
	ana, ben := atmospheretest.NewAccount(t, w.network, "ana"), atmospheretest.NewAccount(t, w.network, "ben")
	b := w.browser(t)
	// Somebody put a cookie into this browser, hoping that it will be a session.
	origin, err := url.Parse(w.client.origin)
	if err != nil {
		t.Fatal(err)
	}
	const planted = "planted-by-somebody"
	b.Jar.SetCookies(origin, []*http.Cookie{{Name: sessionName, Value: planted, Path: "/"}})
	b.signIn(ana, Backing)
	if _, err := w.store.get(t.Context(), hashOf(planted)); err == nil {
		t.Fatal("the planted id became a session")
	}
	var first hash
	b.as(func(_ context.Context, v *Visitor) { first = v.id })
	b.signIn(ben, Backing)
	b.as(func(_ context.Context, v *Visitor) {
		if v.id == first || v.DID != ben.DID {
			t.Errorf("the session is still %s's", v.Handle)
		}
	})
	if _, err := w.store.get(t.Context(), first); err == nil {
		t.Error("the session before lives on")
	}
}

func TestCookiesAreForThisSiteAndNoScript(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	got := w.browser(t).signIn(ana, Backing)
	found := false
	for _, c := range got.Cookies() {
		if c.Name == sessionName {
			found = true
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != int(defaultLifetime/time.Second) || len(c.Value) < 26 {
				t.Errorf("the session's cookie is %q", c)
			}
		}
	}
	if !found {
		t.Error("there is no cookie of a session")
	}
	secure := cookies{secure: true}.cookie(sessionName, "x", 1)
	if !secure.Secure || !strings.HasPrefix(secure.Name, hostPrefix) || !secure.HttpOnly || secure.SameSite != http.SameSiteLaxMode || secure.Domain != "" {
		t.Errorf("with https the cookie is %q", secure)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	b.signIn(ana, Backing)
	if got := b.postFrom("cross-site", SignOutPath, nil); got.StatusCode != http.StatusForbidden {
		t.Errorf("another site signs people out, with status %d", got.StatusCode)
	}
	if got := b.postFrom("cross-site", SignInPath, url.Values{fieldAccount: {ana.Handle.String()}}); got.StatusCode != http.StatusForbidden {
		t.Errorf("another site begins a sign-in, with status %d", got.StatusCode)
	}
	if got := b.get("/do"); got.text != ana.Handle.String() {
		t.Errorf("the site sees %q", got.text)
	}
}

func TestNobodyIsSentToAnotherSiteAfterSigningInOrOut(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	const elsewhere = "//evil.example/"
	back, err := owner(ana).Agree(t.Context(), b.leave(ana, Backing, elsewhere))
	if err != nil {
		t.Fatal(err)
	}
	if got := b.get(back).Header.Get("Location"); got != "/" {
		t.Errorf("signed in, one is sent to %q", got)
	}
	if got := b.post(SignOutPath, url.Values{fieldReturn: {elsewhere}}).Header.Get("Location"); got != "/" {
		t.Errorf("signed out, one is sent to %q", got)
	}
}

func TestWhoSaysNoIsNotSignedIn(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	b := w.browser(t)
	back, err := owner(ana).Refuse(t.Context(), b.leave(ana, Building, "/do"))
	if err != nil {
		t.Fatal(err)
	}
	got := b.get(back)
	if got.StatusCode != http.StatusForbidden || !strings.Contains(got.text, "did not agree") || !strings.Contains(got.text, "for=building") {
		t.Errorf("who said no sees %d %q", got.StatusCode, got.text)
	}
	if got := b.get("/do"); got.text != "nobody" {
		t.Errorf("the site sees %q", got.text)
	}
}

func TestWhatWasTypedStaysWithASentence(t *testing.T) {
	w := newWorld(t)
	ana := atmospheretest.NewAccount(t, w.network, "ana")
	for name, c := range map[string]struct {
		account string
		cut     bool
		status  int
		says    string
	}{
		"no name":             {account: "no name at all!", status: http.StatusUnprocessableEntity, says: "no name of an account"},
		"an unknown account":  {account: "nobody-at-all.test", status: http.StatusUnprocessableEntity, says: "Nobody is found"},
		"a PDS that is down":  {account: ana.Handle.String(), cut: true, status: http.StatusBadGateway, says: "does not answer"},
		"a reserved domain":   {account: "who.invalid", status: http.StatusUnprocessableEntity, says: "Nobody is found"},
		"a DID without a PDS": {account: "did:plc:ewvi7nxzyoun6zhxrhs64oiz", status: http.StatusUnprocessableEntity, says: "Nobody is found"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.cut {
				w.wire.cutWhen(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/.well-known/oauth") })
				defer w.wire.cutWhen(nil)
			}
			got := w.browser(t).post(SignInPath, url.Values{fieldAccount: {c.account}, fieldReturn: {"/kept"}})
			if got.StatusCode != c.status || !strings.Contains(got.text, c.says) || !strings.Contains(got.text, c.account) || !strings.Contains(got.text, "/kept") {
				t.Errorf("the page is %d %q, want %d and %q", got.StatusCode, got.text, c.status, c.says)
			}
		})
	}
}

func TestNamesAreTakenAsTheyArePasted(t *testing.T) {
	for _, raw := range []string{"ana.test", "@ana.test", " ana.test\n", "\u202aana.test\u202c", "at://ana.test", "ANA.test"} {
		if got, err := parseAccount(raw); err != nil || got != "ana.test" {
			t.Errorf("%q is %q, %v", raw, got, err)
		}
	}
}

func TestOnLocalhostPeopleSignInWhereOAuthWantsThem(t *testing.T) {
	w := newWorld(t)
	elsewhere := strings.Replace(w.client.origin, "127.0.0.1", "localhost", 1)
	got := w.browser(t).get(elsewhere + "/sign-in?return=%2Fdo")
	if want := w.client.origin + "/sign-in?return=%2Fdo"; got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != want {
		t.Errorf("the form leads to %d %q, want %q", got.StatusCode, got.Header.Get("Location"), want)
	}
}
