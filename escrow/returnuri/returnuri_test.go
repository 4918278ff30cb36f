package returnuri

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestParse_TakesAddressesOfWebPages(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://app.example.org":                   "https://app.example.org",
		"https://app.example.org:8443/done?x=1#top": "https://app.example.org:8443/done?x=1#top",
		"https://APP.example.org/":                  "https://app.example.org/",
		"https://bücher.example/":                   "https://xn--bcher-kva.example/",
		"https://аpple.example/":                    "https://xn--pple-43d.example/", // a Cyrillic letter
		"https://192.0.2.1/x":                       "https://192.0.2.1/x",
	} {
		if got, err := Parse(raw, false); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{
		"", "/done", "//evil.example", "app.example.org", "http://app.example.org", "javascript:alert(1)", "data:text/html,x",
		"https:app.example.org", "https:///done", "https://", "https://good.example@evil.example", "https://good.example:x@evil.example/",
		"https://good.example\\@evil.example", "https:\\\\evil.example", "https://good.example\t.evil.example", "https://good.example/\r\nSet-Cookie: x",
		" https://app.example.org", "https://app.example.org/ x", "ftp://app.example.org", "http://localhost/x", "https://exa mple.org",
		"https://app.example.org/" + strings.Repeat("x", MaxLength), "https://a..example", "https://%61pp.example%2f@evil.example",
	} {
		if got, err := Parse(raw, false); err == nil {
			t.Errorf("%q is taken as %q", raw, got)
		} else if !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", raw, err)
		}
	}
	for _, raw := range []string{"http://localhost:3000/x", "http://127.0.0.1/x", "http://[::1]:8080/"} {
		if got, err := Parse(raw, true); err != nil || got != raw {
			t.Errorf("%s on this machine: %q, %v", raw, got, err)
		}
	}
	if got, err := Parse("http://app.example.org", true); err == nil {
		t.Errorf("taken as %q", got)
	}
}

// FuzzParse: what is taken is a plain https address, and reads the same again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"https://app.example.org/done?x=1", "https://bücher.example:1/", "//evil", "https://a@b", "https://[::1]/", "https://0\xbc0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := Parse(raw, false)
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" || len(got) > MaxLength {
			t.Fatalf("%q became %q", raw, got)
		}
		if strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`\/@?#"<>`, r) }) {
			t.Errorf("%q leads to the host %q", raw, u.Host)
		}
		if again, err := Parse(got, false); err != nil || again != got {
			t.Errorf("%q became %q, and that %q, %v", raw, got, again, err)
		}
	})
}
