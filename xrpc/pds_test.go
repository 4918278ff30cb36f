package xrpc_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/auth"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/xrpc"
)

// startService runs a service that answers getStats with who asks, where the
// network's PDS finds it by its did:web.
func startService(t *testing.T, network *atmosphere.Network) (srv *xrpc.Server, url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	dir := network.Directory()
	dir.SkipHandleVerification = true
	srv = newServer(t, xrpc.Config{PublicURL: url}, xrpc.Options{ServiceID: "stratos_appview", ServiceType: "StratosAppView", Identities: dir})
	xrpc.Query(srv, statsNSID, func(ctx context.Context, _ struct{}) (*statsOutput, error) {
		did, _ := xrpc.Viewer(ctx)
		return &statsOutput{HTML: did.String()}, nil
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return srv, url
}

// whoAmI asks the service, or the PDS for it, and returns whom it answered.
func whoAmI(t *testing.T, base string, header http.Header) (status int, viewer, errorName string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+statsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct{ HTML, Error string }
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body.HTML, body.Error
}

func bearerHeader(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

func serviceToken(t *testing.T, account *atmosphere.Account, aud string, method syntax.NSID) string {
	t.Helper()
	out, err := comatproto.ServerGetServiceAuth(t.Context(), account.Client, aud, time.Now().Add(30*time.Minute).Unix(), method.String())
	if err != nil {
		t.Fatal(err)
	}
	return out.Token
}

func TestARealPDSsTokensAreAcceptedDirectlyAndThroughItsProxy(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	account := atmospheretest.NewAccount(t, network, "viewer")
	srv, url := startService(t, network)

	token := serviceToken(t, account, srv.DID().String(), statsNSID)
	for range 2 { // clients use a token until it expires
		if status, viewer, name := whoAmI(t, url, bearerHeader(token)); viewer != account.DID.String() {
			t.Errorf("with a token of its own the account got %d %s as %q", status, name, viewer)
		}
	}
	other := serviceToken(t, account, srv.DID().String(), "com.example.ping")
	if status, _, name := whoAmI(t, url, bearerHeader(other)); status != http.StatusUnauthorized || name != "BadJwtLexiconMethod" {
		t.Errorf("a token for another method got %d %s", status, name)
	}
	elsewhere := serviceToken(t, account, "did:web:example.com", statsNSID)
	if status, _, name := whoAmI(t, url, bearerHeader(elsewhere)); status != http.StatusUnauthorized || name != "BadJwtAudience" {
		t.Errorf("a token for another service got %d %s", status, name)
	}

	var out statsOutput
	client := account.Client.WithService(srv.DID().String() + "#stratos_appview")
	if err := client.Get(t.Context(), statsNSID, nil, &out); err != nil || out.HTML != account.DID.String() {
		t.Errorf("through its PDS the account is %q: %v", out.HTML, err)
	}
}

func TestAKeyRotatedAtThePLCWorksAtOnce(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	recovery, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	recoveryKey, err := recovery.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	account := atmospheretest.NewAccount(t, network, "rotates", atmosphere.WithRecoveryKey(recoveryKey.DIDKey()))
	srv, url := startService(t, network)
	old := serviceToken(t, account, srv.DID().String(), statsNSID)
	if status, viewer, name := whoAmI(t, url, bearerHeader(old)); viewer != account.DID.String() {
		t.Fatalf("before the rotation: %d %s", status, name)
	}

	signing, err := atcrypto.GeneratePrivateKeyP256()
	if err != nil {
		t.Fatal(err)
	}
	rotateKey(t, network, account.DID, recovery, signing)
	method := syntax.NSID(statsNSID)
	token, err := auth.SignServiceAuth(account.DID, srv.DID().String()+"#stratos_appview", time.Minute, &method, signing)
	if err != nil {
		t.Fatal(err)
	}
	if status, viewer, name := whoAmI(t, url, bearerHeader(token)); viewer != account.DID.String() {
		t.Errorf("with the new key: %d %s", status, name)
	}
	if status, _, name := whoAmI(t, url, bearerHeader(old)); status != http.StatusUnauthorized || name != "BadJwtSignature" {
		t.Errorf("with the old key: %d %s", status, name)
	}
}

// rotateKey gives the account another signing key by a PLC operation that its
// recovery key signs.
func rotateKey(t *testing.T, network *atmosphere.Network, did syntax.DID, recovery, signing atcrypto.PrivateKey) {
	t.Helper()
	resp, err := http.Get(network.PLCURL() + "/" + did.String() + "/log/audit")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var log []struct {
		CID       string         `json:"cid"`
		Operation map[string]any `json:"operation"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&log); err != nil {
		t.Fatal(err)
	}
	last := log[len(log)-1]
	pub, err := signing.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	op := last.Operation
	delete(op, "sig")
	op["prev"] = last.CID
	op["verificationMethods"].(map[string]any)["atproto"] = pub.DIDKey()
	unsigned, err := atdata.MarshalCBOR(op)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := recovery.HashAndSign(unsigned)
	if err != nil {
		t.Fatal(err)
	}
	op["sig"] = base64.RawURLEncoding.EncodeToString(sig)
	body, err := json.Marshal(op)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(network.PLCURL()+"/"+did.String(), "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var reason bytes.Buffer
		_, _ = reason.ReadFrom(answer.Body)
		t.Fatalf("the PLC refused the rotation: %s %s", answer.Status, strings.TrimSpace(reason.String()))
	}
}
