package xrpc

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// WebDID returns the did:web of a service by its public URL. As in atproto, that is
// an https host without port or path; localhost may have a port and go without TLS.
func WebDID(publicURL string) (syntax.DID, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		return "", fmt.Errorf("public-url: %w", err)
	}
	host := strings.ToLower(u.Hostname())
	local := host == "localhost"
	_, ipErr := netip.ParseAddr(host)
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && local):
		return "", fmt.Errorf("public-url: must begin with https:// (http:// only for localhost), got %q", publicURL)
	case host == "":
		return "", fmt.Errorf("public-url: must name a host, got %q", publicURL)
	case ipErr == nil:
		return "", fmt.Errorf("public-url: must name a host and not an address, got %q", publicURL)
	case u.Port() != "" && !local:
		return "", fmt.Errorf("public-url: did:web allows a port only for localhost, got %q", publicURL)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("public-url: must have no more than scheme and host, got %q", publicURL)
	}
	id := host
	if u.Port() != "" {
		id += "%3A" + u.Port()
	}
	did, err := syntax.ParseDID("did:web:" + id)
	if err != nil {
		return "", fmt.Errorf("public-url: %q makes no did:web: %w", publicURL, err)
	}
	return did, nil
}

// Account is what the DID document of an account says.
type Account struct {
	Handle syntax.Handle // empty for none
	// Key signs the account's repository: the multibase of its did:key.
	Key string
	// PDS is the address of the account's PDS.
	PDS string
	// Others are further keys of the account: multibase by fragment.
	Others map[string]string
}

type didDocument struct {
	Context []string     `json:"@context"`
	ID      syntax.DID   `json:"id"`
	Names   []string     `json:"alsoKnownAs,omitempty"`
	Keys    []didKey     `json:"verificationMethod,omitempty"`
	Service []didService `json:"service"`
}

type didKey struct {
	ID         string     `json:"id"`
	Type       string     `json:"type"`
	Controller syntax.DID `json:"controller"`
	Key        string     `json:"publicKeyMultibase"`
}

type didService struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Endpoint string `json:"serviceEndpoint"`
}

func (s *Server) didDocument() didDocument {
	doc := didDocument{
		Context: []string{"https://www.w3.org/ns/did/v1"},
		ID:      s.did,
		Service: []didService{{
			ID:       "#" + s.opts.ServiceID,
			Type:     s.opts.ServiceType,
			Endpoint: strings.TrimSuffix(s.cfg.PublicURL, "/"),
		}},
	}
	if a := s.opts.Account; a != nil {
		doc.Keys = []didKey{s.key("atproto", a.Key)}
		for _, id := range slices.Sorted(maps.Keys(a.Others)) {
			doc.Keys = append(doc.Keys, s.key(id, a.Others[id]))
		}
		doc.Service = append(doc.Service, didService{ID: "#atproto_pds", Type: "AtprotoPersonalDataServer", Endpoint: a.PDS})
		if a.Handle != "" {
			doc.Names = []string{"at://" + a.Handle.String()}
		}
	}
	return doc
}

func (s *Server) key(id, multibase string) didKey {
	return didKey{ID: s.did.String() + "#" + id, Type: "Multikey", Controller: s.did, Key: multibase}
}
