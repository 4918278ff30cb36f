package session

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
)

// hosts find out who signs in the accounts of a PDS.
type hosts interface {
	// authority returns what the PDS's authorisation server says of itself, checked.
	authority(ctx context.Context, pds string) (*oauth.AuthServerMetadata, error)
}

func newHosts(client *http.Client, cfg Config) hosts {
	public := publicHosts{&oauth.Resolver{Client: client, UserAgent: cfg.UserAgent}}
	if cfg.Local {
		return localHosts{client: client, public: public}
	}
	return public
}

// publicHosts are those that OAuth is made for: https, no port.
type publicHosts struct{ *oauth.Resolver }

func (h publicHosts) authority(ctx context.Context, pds string) (*oauth.AuthServerMetadata, error) {
	server, err := h.ResolveAuthServerURL(ctx, pds)
	if err != nil {
		return nil, fmt.Errorf("session: ask %s who signs in there: %w", pds, err)
	}
	metadata, err := h.ResolveAuthServerMetadata(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("session: ask %s how to sign in: %w", server, err)
	}
	return metadata, nil
}

// localHosts also know PDSs of this machine, which go without TLS and have ports; those
// sign in their accounts themselves.
type localHosts struct {
	client *http.Client
	public publicHosts
}

func (h localHosts) authority(ctx context.Context, pds string) (*oauth.AuthServerMetadata, error) {
	u, err := url.Parse(pds)
	if err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) {
		return h.public.authority(ctx, pds)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Scheme+"://"+u.Host+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return nil, fmt.Errorf("session: ask %s how to sign in: %w", pds, err)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("session: ask %s how to sign in: %w", pds, err)
	}
	defer resp.Body.Close()
	var metadata oauth.AuthServerMetadata
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("session: ask %s how to sign in: status %d", pds, resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(&metadata); err != nil {
		return nil, fmt.Errorf("session: ask %s how to sign in: %w", pds, err)
	}
	for _, address := range []string{metadata.Issuer, metadata.AuthorizationEndpoint, metadata.TokenEndpoint, metadata.PushedAuthorizationRequestEndpoint} {
		if at, err := url.Parse(address); err != nil || at.Host != u.Host {
			return nil, fmt.Errorf("session: %s signs in at another host: %q", pds, address)
		}
	}
	return &metadata, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
