package weburi_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

func mustNormalize(t *testing.T, raw string) weburi.URI {
	t.Helper()
	u, err := weburi.Normalize(raw)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return u
}

func TestNormalize_SpellingsOfOneAddressAreEqual(t *testing.T) {
	t.Parallel()
	for want, spellings := range map[string][]string{
		"https://example.org": {
			"https://example.org", "https://example.org/", "http://example.org", "HTTPS://EXAMPLE.org//", "https://www.example.org/",
			"https://example.org:443", "http://example.org:80/", "http://example.org:443/", "https://example.org:0443/", "https://example.org:/", "https://example.org./",
			"https://example.org?", "https://example.org/#", "https://example.org/?#", "https://example.org/#top", "https://example.org/./a/..",
			"https://www.www.example.org", "https://ｅxample.org", "https://example.org/#:~:text=a",
		},
		"https://github.com/a/b": {
			"https://github.com/a/b", "https://github.com/a/b/", "https://github.com/a/b.git", "http://www.github.com/a/b.git/",
			"https://github.com/a/./b", "https://github.com/x/../a/b", "https://github.com/%61/%62", "https://github.com/a/b%2Egit",
			"https://github.com/a/%2e%2e/a/b", "https://github.com/a/b#readme", "https://github.com/a/b.git.git", "https://github.com/../a/b",
		},
		"https://xn--bcher-kva.example/b%C3%BCcher": {
			"https://bücher.example/bücher", "https://BÜCHER.example/b%c3%bccher", "https://b%C3%BCcher.example/bücher", "https://xn--bcher-kva.example/b%C3%BCcher", "https://XN--BCHER-KVA.example/bücher",
		},
		"https://example.org:8080/a":          {"http://example.org:8080/a", "https://example.org:8080/a/", "https://example.org:08080/a"},
		"https://example.org?a=%2F%20&b=x":    {"https://example.org/?a=%2f%20&b=x", "http://example.org?a=%2F%20&b=%78"},
		"https://example.org/a%2Fb":           {"https://example.org/a%2fb/"},
		"https://127.0.0.1/a":                 {"http://127.0.0.1:80/a", "http://[::ffff:127.0.0.1]/a"},
		"https://[2001:db8::1]":               {"https://[2001:DB8:0::1]/", "http://[2001:db8::1]:80"},
		"https://[2001:db8::1]:8443/x":        {"https://[2001:db8::1]:8443/x.git"},
		"https://a_b.example.org":             {"https://A_b.example.org"},
		"https://localhost:3000/x":            {"http://localhost:3000/x/"},
		"https://example.org#/rooms/a":        {"https://example.org/#/rooms/a"},
		"https://example.org/%22%5C%7C%3C":    {`https://example.org/"\|<`},
		"https://example.org/.git":            {"https://example.org/.git/"},
		"https://example.org/a//b":            {"https://example.org/a//b//"},
		"https://example.org/a/b;c=d,e(f)":    {"https://example.org/a/b;c=d,e(f)"},
		"https://example.org/~alice/p":        {"https://example.org/%7Ealice/p/"},
		"https://example.org/a?q=%2B&r=+&s=@": {"https://www.example.org/a/?q=%2b&r=+&s=@"},
	} {
		for _, raw := range spellings {
			got := mustNormalize(t, raw)
			if got.String() != want {
				t.Errorf("%s became %s, want %s", raw, got, want)
			}
		}
	}
}

func TestNormalize_OtherAddressesStayApart(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"https://example.org/A", "https://example.org/a"},
		{"https://example.org/a.GIT", "https://example.org/a"},
		{"https://example.org/a?x=1", "https://example.org/a"},
		{"https://example.org/a?x=1&y=2", "https://example.org/a?y=2&x=1"},
		{"https://example.org/a?x=+", "https://example.org/a?x=%2B"},
		{"https://example.org/a%2Fb", "https://example.org/a/b"},
		{"https://example.org/a//b", "https://example.org/a/b"},
		{"https://example.org:8080/", "https://example.org/"},
		{"https://example.org:80/", "https://example.org/"},
		{"https://a.example.org/", "https://example.org/"},
		{"https://www2.example.org/", "https://example.org/"},
		{"https://example.org/#/a", "https://example.org/#/b"},
		{"https://example.org/#!a", "https://example.org/"},
		{"https://example.org/a/.git", "https://example.org/a"},
		{"https://example.org/%3Fx", "https://example.org/?x"},
		{"https://example.org/%23x", "https://example.org/"},
		// Whoever registers "www" where everybody may register a name is not the registry.
		{"https://www.github.io/", "https://github.io/"},
		{"https://www.co.uk/", "https://co.uk/"},
		{"https://www.com/", "https://com/"},
	} {
		if a, b := mustNormalize(t, pair[0]), mustNormalize(t, pair[1]); a == b {
			t.Errorf("%s and %s are both %s", pair[0], pair[1], a)
		}
	}
}

func TestNormalize_RefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"", "example.org", "//example.org/", "https://", "https:///a", "https://:443/", "ftp://example.org/", "javascript:alert(1)",
		"https://alice@example.org/", "https://alice:secret@example.org/", "https://@example.org/", "git@github.com:a/b.git",
		"https://example.org:0/", "https://example.org:65536/", "https://example.org:x/", "https://exa mple.org/", "https://example..org/",
		"https://.example.org/", "https://example.org../", "https://exam%ple.org/", "https://[fe80::1%25eth0]/", "https://[::1/", "https://a<b.example/",
		"https://example.org/%zz", "https://example.org/?q=%4", "https://example.org/?q=%+1", "https://xn--a.example/", "https://１２７.０.０.１/",
		"https://" + strings.Repeat("a", 64) + ".example/", "https://example.org/\x00", "https://\x84xample.org/", "https://example.org%aa/",
	} {
		if u, err := weburi.Normalize(raw); !errors.Is(err, weburi.ErrInvalid) {
			t.Errorf("%q became %q, %v", raw, u, err)
		}
	}
}

// checkForm holds for whatever was accepted.
func checkForm(t interface {
	Errorf(format string, args ...any)
}, raw string, u weburi.URI) {
	again, err := weburi.Normalize(u.String())
	if err != nil || again != u {
		t.Errorf("%q became %q, and that %q, %v", raw, u, again, err)
	}
	parsed, err := url.Parse(u.String())
	if err != nil || parsed.Scheme != "https" || parsed.User != nil || parsed.Hostname() == "" || strings.ToLower(parsed.Host) != parsed.Host {
		t.Errorf("%q became %q: %v", raw, u, err)
	}
}

func TestNormalize_IsItsOwnForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{
			"a", "A", ".", "..", "/", ".git", "www.", "%2e", "%2F", "%41", "%c3%bc", "ü", ":80", ":443", ":8080", "?", "#", "x=1", "&", "+", " ", "~", "@", "//", "%", "ｗｗｗ.", "github.io", "org", "。", "!", "[::1]",
		})
		raw := rapid.SampledFrom([]string{"https://", "http://"}).Draw(t, "scheme") + rapid.SampledFrom([]string{"", "www.", "a.", "WWW.A."}).Draw(t, "sub") +
			rapid.SampledFrom([]string{"example.org", "bücher.example", "127.0.0.1", "github.io", ""}).Draw(t, "host") +
			strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "rest"), "")
		u, err := weburi.Normalize(raw)
		if err != nil {
			return
		}
		checkForm(t, raw, u)
		// What makes no difference makes none to any address.
		if parsed, err := url.Parse(raw); err == nil && parsed.Port() == "" {
			parsed.Scheme = "http"
			if other, err := weburi.Normalize(parsed.String()); err != nil || other != u {
				t.Errorf("%q became %q, and over http %q, %v", raw, u, other, err)
			}
		}
	})
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		"https://example.org/a/b.git", "http://www.bücher.example:80/%2e%2e/a?x=%2f#/r", "https://[2001:db8::1]:8443/", "https://a.git/.git.git//", "https://xn--a/", "https://www.www.com./%2E/.git",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := weburi.Normalize(raw)
		if err != nil {
			return
		}
		checkForm(t, raw, u)
	})
}
