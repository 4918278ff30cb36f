package atmosphere_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

func TestDirectoryVerifiesHandlesBothWays(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	alice := atmospheretest.NewAccount(t, n, "alice")
	dir := n.Directory()

	byHandle, err := dir.LookupHandle(t.Context(), alice.Handle)
	if err != nil {
		t.Fatal(err)
	}
	byDID, err := dir.LookupDID(t.Context(), alice.DID)
	if err != nil {
		t.Fatal(err)
	}
	if byHandle.DID != alice.DID || byDID.Handle != alice.Handle {
		t.Errorf("%s is %s and %s is %s", alice.Handle, byHandle.DID, alice.DID, byDID.Handle)
	}
	if byDID.PDSEndpoint() != n.PDSURL() {
		t.Errorf("PDS of %s is %s, want %s", alice.DID, byDID.PDSEndpoint(), n.PDSURL())
	}
	if got, err := dir.LookupHandle(t.Context(), syntax.Handle("nobody.test")); err == nil {
		t.Errorf("nobody.test is %s", got.DID)
	}
}

func TestTransportSendsOnlyHandlesToThePDS(t *testing.T) {
	t.Parallel()
	n := atmospheretest.Shared(t)
	alice := atmospheretest.NewAccount(t, n, "alice")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "elsewhere")
	}))
	defer elsewhere.Close()
	client := &http.Client{Transport: n.Transport()}

	for url, want := range map[string]string{
		"https://" + alice.Handle.String() + "/.well-known/atproto-did": alice.DID.String(),
		elsewhere.URL: "elsewhere",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != want {
			t.Errorf("%s answers %q, %v, want %q", url, body, err, want)
		}
		if req.URL.String() != url {
			t.Errorf("the request was changed to %s", req.URL)
		}
	}
}
