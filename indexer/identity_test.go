package indexer_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
)

func TestADIDDocumentIsReadWithinBounds(t *testing.T) {
	t.Parallel()
	const did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
	var padding string
	plc := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"id": %q, "padding": %q}`, did, padding)
	}))
	t.Cleanup(plc.Close)
	dir := indexer.NewDirectory(indexer.Config{RelayURLs: []string{plc.URL}, PLCURL: plc.URL}, nil)
	if ident, err := dir.LookupDID(t.Context(), did); err != nil || ident.DID != did {
		t.Errorf("a small document: %v, %v", ident, err)
	}
	padding = strings.Repeat("x", 1<<20)
	if _, err := dir.LookupDID(t.Context(), did); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a document of more than a megabyte: %v", err)
	}
}

func TestDIDsAreNotResolvedFromPrivateNetworks(t *testing.T) {
	t.Parallel()
	asked := false
	plc := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(plc.Close)
	dir := indexer.NewDirectory(indexer.Config{RelayURLs: []string{"https://relay.example.com"}, PLCURL: plc.URL}, nil)
	if _, err := dir.LookupDID(t.Context(), "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"); err == nil || asked {
		t.Errorf("asked a directory on this machine for an index of the network: %v, %v", asked, err)
	}
}

// indigo could ask the name servers that a domain names, which may be anywhere.
func TestHandlesAreLookedUpByOurResolverAndNoOther(t *testing.T) {
	t.Parallel()
	web := claimstest.New(t)
	web.TXT("_atproto.alice.strangers.org", "did=did:plc:alice")
	dir := indexer.Directory(indexer.Config{}, web, web.DialDNS)
	if did, err := dir.ResolveHandle(t.Context(), "alice.strangers.org"); err != nil || did != "did:plc:alice" {
		t.Errorf("a handle in DNS: %q, %v", did, err)
	}
	if _, err := dir.ResolveHandle(t.Context(), "bob.strangers.org"); !errors.Is(err, identity.ErrHandleNotFound) {
		t.Errorf("a handle of nobody: %v", err)
	}
	want := []string{"TXT _atproto.alice.strangers.org", "TXT _atproto.bob.strangers.org"}
	if diff := cmp.Diff(want, web.Asked()); diff != "" {
		t.Errorf("DNS was asked (-want +got):\n%s", diff)
	}
}
