package session

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/auth/oauth"
)

// Where PDSs find out who the site is, and send people back to.
const (
	metadataPath = "/oauth/client-metadata.json"
	keysPath     = "/oauth/jwks.json"
	callbackPath = "/oauth/callback"
)

// client is what the site is to PDSs.
type client struct {
	// origin is where people have to be to sign in: scheme and host.
	origin   string
	host     string
	name     string
	loopback bool
	// by has a configuration for each key; sessions stay with theirs.
	by      map[string]*oauth.ClientConfig
	current string
	keys    []Key
}

func newClient(cfg Config) (client, error) {
	u, err := url.Parse(cfg.PublicURL)
	if err != nil {
		return client{}, err
	}
	c := client{loopback: isLoopbackSite(u), name: cfg.Name, keys: cfg.Keys, by: map[string]*oauth.ClientConfig{}}
	if c.loopback {
		// OAuth's rule: a name could be resolved to another machine.
		u.Host = strings.Replace(u.Host, u.Hostname(), "127.0.0.1", 1)
	}
	c.host, c.origin = u.Host, u.Scheme+"://"+u.Host
	for _, k := range cfg.Keys {
		config := c.config(cfg.UserAgent)
		if err := config.SetClientSecret(k.private, k.id); err != nil {
			return client{}, err
		}
		c.by[k.id] = &config
	}
	if len(cfg.Keys) > 0 {
		c.current = cfg.Keys[0].id
		return c, nil
	}
	config := c.config(cfg.UserAgent)
	c.by[c.current] = &config
	return c, nil
}

// config is the client without a key. Its scopes are all that are ever asked for.
func (c client) config(userAgent string) oauth.ClientConfig {
	var config oauth.ClientConfig
	if c.loopback {
		config = oauth.NewLocalhostConfig(c.origin+callbackPath, scopesFor(Building))
	} else {
		config = oauth.NewPublicConfig(c.origin+metadataPath, c.origin+callbackPath, scopesFor(Building))
	}
	config.UserAgent = userAgent
	return config
}

// metadata is what PDSs read of the client.
func (c client) metadata() oauth.ClientMetadata {
	m := c.by[c.current].ClientMetadata()
	home := c.origin + "/"
	m.ClientURI = &home
	if c.name != "" {
		m.ClientName = &c.name
	}
	if len(c.keys) > 0 {
		keys := c.origin + keysPath
		m.JWKSURI = &keys
	}
	return m
}

// jwks are the public halves of all keys, since sessions are renewed with the key that
// they were begun with.
func (c client) jwks() oauth.JWKS {
	all := oauth.JWKS{Keys: []atcrypto.JWK{}}
	for _, k := range c.keys {
		all.Keys = append(all.Keys, c.by[k.id].PublicJWKS().Keys...)
	}
	return all
}

// Origin is where people are signed in: scheme and host. On localhost it is not where the
// site says it is.
func (s *Sessions) Origin() string { return s.client.origin }

func (s *Sessions) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	s.writeJSON(w, s.client.metadata())
}
func (s *Sessions) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.writeJSON(w, s.client.jwks())
}

// writeJSON answers PDSs, in browsers too: some check a client on a page of theirs.
func (s *Sessions) writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.log.Error("metadata not made", "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	_, _ = w.Write(body) // who went away does not matter
}
