package session

import (
	"fmt"
	"strings"
	"testing"
)

func mustKey(t *testing.T) (Key, string) {
	t.Helper()
	secret, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key, secret
}

func TestAConfidentialClientIsDescribedByItsKeys(t *testing.T) {
	newer, secret := mustKey(t)
	older, _ := mustKey(t)
	c, err := newClient(Config{PublicURL: "https://fund.example", Name: "Fund", Keys: []Key{newer, older}})
	if err != nil {
		t.Fatal(err)
	}
	m := c.metadata()
	if err := m.Validate("https://fund.example/oauth/client-metadata.json"); err != nil {
		t.Error(err)
	}
	if !m.IsConfidential() || m.RedirectURIs[0] != "https://fund.example/oauth/callback" || *m.JWKSURI != "https://fund.example/oauth/jwks.json" {
		t.Errorf("the client is %+v", m)
	}
	if *c.by[c.current].KeyID != newer.id {
		t.Error("the client does not sign with the first key")
	}
	keys := c.jwks().Keys
	if len(keys) != 2 || *keys[0].KeyID != newer.id || *keys[1].KeyID != older.id {
		t.Errorf("%d keys are published", len(keys))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if shown := fmt.Sprintf(verb, newer); strings.Contains(shown, secret) || shown != newer.id {
			t.Errorf("%s shows %q of a key", verb, shown)
		}
	}
}

func TestAClientAsksForNoMoreThanIsNeeded(t *testing.T) {
	for _, p := range []Purpose{Backing, Building} {
		for _, scope := range scopesFor(p) {
			if strings.HasPrefix(scope, "transition:") || strings.Contains(scope, "collection=*") || strings.Contains(scope, "lxm=*") || scope == "repo:*" {
				t.Errorf("%s asks for %q", p, scope)
			}
			if scope != accountScope && !strings.Contains(scope, "=fund.stratos.") {
				t.Errorf("%s asks for %q, which is not ours", p, scope)
			}
		}
	}
	if len(scopesFor(Backing)) >= len(scopesFor(Building)) {
		t.Error("who comes to pay is asked for as much as a developer")
	}
}

func TestAConfigurationSaysEverythingThatIsWrong(t *testing.T) {
	key, _ := mustKey(t)
	for name, c := range map[string]struct {
		cfg  Config
		want []string
	}{
		"http elsewhere":  {Config{PublicURL: "http://fund.example", Path: "x"}, []string{"public-url"}},
		"a path":          {Config{PublicURL: "https://fund.example/x", Path: "x"}, []string{"public-url"}},
		"nothing":         {Config{Lifetime: -1}, []string{"public-url", "sessions-url", "lifetime"}},
		"keys at home":    {Config{PublicURL: "http://localhost:8080", Path: "x", Keys: []Key{key}}, []string{"oauth-keys"}},
		"the same twice":  {Config{PublicURL: "https://fund.example", Path: "x", Keys: []Key{key, key}}, []string{"oauth-keys"}},
		"as it should be": {Config{PublicURL: "https://fund.example", Path: "x", Keys: []Key{key}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.cfg.Validate()
			if (err == nil) != (c.want == nil) {
				t.Fatalf("it is %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not speak of %s", err, part)
				}
			}
		})
	}
}
