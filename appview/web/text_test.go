package web

import (
	"strings"
	"testing"
	"time"
)

func TestAmountsAreExactAndReadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{0, "USD", "$0"}, {5, "USD", "$0.05"}, {2500, "USD", "$25"}, {125050, "EUR", "€1,250.50"}, {3500, "JPY", "¥3,500"}, {700, "CHF", "CHF\u00a07"},
		{123456789012, "GBP", "£1,234,567,890.12"}, {1234, "KWD", "KWD\u00a01.234"}, {-100000, "USD", "-$1,000"}, {-700, "CHF", "-CHF\u00a07"}, {100, "CAD", "CAD\u00a01"},
	} {
		if got := amount(c.minor, c.currency); got != c.want {
			t.Errorf("%d %s is %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
	for points, want := range map[int64]string{10000: "100\u00a0%", 525: "5.25\u00a0%", 550: "5.5\u00a0%", 1: "0.01\u00a0%", 0: "0\u00a0%"} {
		if got := share(points); got != want {
			t.Errorf("%d basis points are %q, want %q", points, got, want)
		}
	}
}

func TestMomentsSayHowFarTheyAre(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "now", 59 * time.Second: "now", -time.Minute: "1 minute ago", 90 * time.Minute: "in 1 hour", 47 * time.Hour: "in 47 hours", 48 * time.Hour: "in 2 days",
		-59 * day: "59 days ago", 60 * day: "in 2 months", -800 * day: "2 years ago",
	} {
		if got := away(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestTextThatMisleadsIsShownAsItIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain": "plain", "two\nlines\t": "two\nlines\t", "a\u202eb": "a[U+202E]b", "\u2066x\u2069": "[U+2066]x[U+2069]", "zero\u200bwidth": "zero[U+200B]width",
		"nul\x00": "nul[U+0000]", "فارسی": "فارسی", "👩‍💻": "👩‍💻",
	} {
		if got := plain(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestNamesThatImitateOthersAreSeenToDoSo(t *testing.T) {
	t.Parallel()
	for handle, want := range map[string]string{
		"xn--pple-43d.com": "@xn--pple-43d.com", "handle.invalid": "did:plc:abc", "": "did:plc:abc", "аpple.com": "did:plc:abc", "a\u202eb.com": "did:plc:abc",
	} {
		if got := personOf("did:plc:abc", handle).Name; got != want {
			t.Errorf("%q is shown as %q, want %q", handle, got, want)
		}
	}
	for address, want := range map[string]string{
		"https://аpple.com/x": "xn--pple-43d.com/x", "https://apple.com": "apple.com", "http://apple.com/a b": "http://apple.com/a%20b",
	} {
		to := linkTo(address)
		if to == nil || to.Text != want {
			t.Errorf("%q is shown as %+v, want %q", address, to, want)
		}
	}
	for _, address := range []string{"javascript:alert(1)", "data:text/html,x", "ftp://a.example", "https://apple.com@evil.example/", "//a.example", "", "https://"} {
		if to := linkTo(address); to != nil {
			t.Errorf("%q is a link to %s", address, to.URL)
		}
	}
}

func TestMarkdownIsFormattingAndNothingElse(t *testing.T) {
	t.Parallel()
	m := newMarkdown()
	for source, want := range map[string]string{
		"**a** _b_ ~~c~~ `d`":      "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code></p>",
		"# a":                      "<h3>a</h3>",
		"###### a":                 "<h6>a</h6>",
		"<b onclick=x>a</b>":       "<p>a</p>",
		"[a](javascript:alert(1))": "<p>a</p>",
		"[a](data:text/html,x)":    "<p>a</p>",
		"[a](https://bank.example@evil.example/)": "<p>a</p>",
		"[a](mailto:b@c.example)":                 `<p><a href="mailto:b@c.example" rel="nofollow noreferrer">a</a></p>`,
		"[a](/sign-out)":                          "<p>a</p>",
		"![a](https://b.example/c.png)":           `<p><a href="https://b.example/c.png" rel="nofollow noreferrer">a</a></p>`,
		"https://b.example":                       `<p><a href="https://b.example" rel="nofollow noreferrer">https://b.example</a></p>`,
		"a\u202eb":                                "<p>a[U+202E]b</p>",
		"3. a":                                    "<ol start=\"3\">\n<li>a</li>\n</ol>",
	} {
		for range 2 { // what is remembered is the same
			got, err := m.html(source)
			if err != nil || strings.TrimSpace(string(got)) != want {
				t.Errorf("%q becomes %q, want %q (%v)", source, got, want, err)
			}
		}
	}
}

func TestShorterCountsWhatPeopleSee(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"abc": "abc", "abcd": "abc…", "👩‍💻👩‍💻👩‍💻": "👩‍💻👩‍💻👩‍💻", "👩‍💻👩‍💻👩‍💻👩‍💻": "👩‍💻👩‍💻👩‍💻…", "ab cd": "ab…", "": ""} {
		if got := shorter(text, 3); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
