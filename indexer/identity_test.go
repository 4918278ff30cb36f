package indexer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/indexer"
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
