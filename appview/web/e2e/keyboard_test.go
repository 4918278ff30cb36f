package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// tabsAtMost is how often somebody presses the key until they give up.
const tabsAtMost = 60

// key presses one.
func (b *Browser) key(key string) {
	b.t.Helper()
	b.do("press a key", chromedp.KeyEvent(key))
}

// focus is what the next key goes to: its label, or what it says.
func (b *Browser) focus() string {
	b.t.Helper()
	var says string
	b.do("look where the focus is", chromedp.Evaluate(
		`((at) => (at.labels?.[0] ?? at).textContent.trim())(document.activeElement)`, &says))
	return says
}

// tabTo presses the tabulator until something has the focus, which must be seen.
func (b *Browser) tabTo(says string) {
	b.t.Helper()
	for range tabsAtMost {
		b.key(kb.Tab)
		if b.focus() != says {
			continue
		}
		var seen bool
		b.do("look for the mark of the focus", chromedp.Evaluate(
			`((at) => at.matches(":focus-visible") && getComputedStyle(at).outlineStyle !== "none")(document.activeElement)`, &seen))
		if !seen {
			b.t.Errorf("%q has the focus, and nobody sees it", says)
		}
		return
	}
	b.t.Fatalf("%q is not within %d tabs", says, tabsAtMost)
}

func TestTheKeyboardIsEnough(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana, ben, lin := atmospheretest.NewAccount(t, s.network, "ana"), atmospheretest.NewAccount(t, s.network, "ben"), atmospheretest.NewAccount(t, s.network, "lin")
	_, path := forLin(t, b, s, lin, ana)
	b.Go(path + "/estimate")
	b.SignIn(ben.Handle.String(), ben.Password)
	b.Go(path)

	b.key(kb.Tab)
	if got := b.focus(); got != "Skip to the content" {
		t.Errorf("the first tab leads to %q", got)
	}
	b.key(kb.Enter)
	b.tabTo("Say what it is worth to you")
	b.key(kb.Enter)
	b.See("What is it worth to you?")
	b.tabTo("Amount")
	b.key("3")
	b.tabTo("USD")
	b.tabTo("Sign the estimate")
	b.key(kb.Enter)
	b.Arrive("/p/" + ana.Handle.String() + "/3mbellsbells2") // as links have it
	b.See("$3")
	got := recordsOf[stratos.FeatureEstimate](t, ben, lexicons.CollectionEstimate)
	if len(got) != 1 || got[0].Value.Amount != 300 {
		t.Errorf("the estimates are %+v", got)
	}
}
