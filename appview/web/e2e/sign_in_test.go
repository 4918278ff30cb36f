package e2e

import (
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

func TestSomebodySignsInAndOut(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	b.Open(s.page("/"))
	b.See("Sign in")
	b.Press("Sign in")
	b.Inspect("sign-in")
	b.SignIn(ana.Handle.String(), ana.Password)
	b.See("@" + ana.Handle.String())
	b.Open(strings.TrimSuffix(b.At(), "/") + "/me")
	b.See("Nothing yet")
	b.Inspect("me-empty")
	b.Press("Sign out")
	b.See("Sign in")
	if strings.Contains(b.Text(), ana.Handle.String()) {
		t.Error("signed out, the page still shows who was signed in")
	}
}

func TestWhoSaysNoAtTheirHostComesBackWithASentence(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	b.Open(s.page("/sign-in?return=/about"))
	b.Fill("Your handle", ana.Handle.String())
	b.Press("Go on to your host")
	b.Reach("/oauth/authorize")
	b.Type(`input[name="password"]`, ana.Password)
	b.Click(`button[type="submit"]`)
	b.Press("Deny access")
	b.See("You did not agree at your host")
	b.Inspect("sign-in-refused")
}

func TestAWrongNameStaysInTheForm(t *testing.T) {
	b := New(t)
	s := newSite(t)
	b.Open(s.page("/sign-in"))
	b.Fill("Your handle", "nobody-at-all.test")
	b.Press("Go on to your host")
	b.See("Nobody is found as nobody-at-all.test")
	if got := b.Value("Your handle"); got != "nobody-at-all.test" {
		t.Errorf("the field holds %q", got)
	}
}
