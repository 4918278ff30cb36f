package xrpc_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	service   = "did:web:localhost%3A8080"
	alice     = syntax.DID("did:plc:alicealicealicealicealic")
	statsNSID = "com.example.getStats"
	statsPath = "/xrpc/" + statsNSID
)

// testDirectory holds identities and counts how often it is asked.
type testDirectory struct {
	*identity.MockDirectory
	mu    sync.Mutex
	asked int
	// away is what look-ups fail with.
	away error
	// hold makes look-ups wait until it is closed or nobody waits for them.
	hold chan struct{}
}

func newTestDirectory() *testDirectory {
	return &testDirectory{MockDirectory: identity.NewMockDirectory()}
}

func (d *testDirectory) LookupDID(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	d.mu.Lock()
	d.asked++
	away, hold := d.away, d.hold
	d.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if away != nil {
		return nil, away
	}
	return d.MockDirectory.LookupDID(ctx, did)
}

func (d *testDirectory) lookups() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

func (d *testDirectory) setAway(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = err
}

// account gives did a new key of kind K-256 and returns it.
func (d *testDirectory) account(t testing.TB, did syntax.DID) *atcrypto.PrivateKeyK256 {
	t.Helper()
	key, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	d.insert(t, did, key)
	return key
}

func (d *testDirectory) insert(t testing.TB, did syntax.DID, key atcrypto.PrivateKey) {
	t.Helper()
	pub, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	d.Insert(identity.Identity{DID: did, Keys: map[string]identity.VerificationMethod{
		"atproto": {Type: "Multikey", PublicKeyMultibase: pub.Multibase()},
	}})
}

// good are the claims of a token that works.
func good(now time.Time) jwt.MapClaims {
	return jwt.MapClaims{
		"iss": alice, "aud": service, "lxm": statsNSID, "jti": "0123456789abcdef",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
}

// standing is a clock that stands, for tokens that must not expire while a busy
// machine gets around to them.
func standing(now time.Time) func() time.Time { return func() time.Time { return now } }

func sign(t testing.TB, key any, alg string, claims jwt.MapClaims) string {
	t.Helper()
	return signHeader(t, key, map[string]any{"typ": "JWT", "alg": alg}, claims)
}

func signHeader(t testing.TB, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(header["alg"].(string)), claims)
	token.Header = header
	raw, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// authServer answers getStats with who asks.
func authServer(t testing.TB, dir identity.Directory, opts xrpc.Options, more ...xrpc.MethodOption) *xrpc.Server {
	t.Helper()
	opts.Identities = dir
	opts.ServiceID = "stratos_appview"
	srv := newServer(t, xrpc.Config{}, opts)
	xrpc.Query(srv, statsNSID, func(ctx context.Context, _ struct{}) (*statsOutput, error) {
		did, ok := xrpc.Viewer(ctx)
		if ok != (did != "") {
			t.Errorf("viewer %q, %v", did, ok)
		}
		return &statsOutput{HTML: did.String()}, nil
	}, more...)
	return srv
}

func askWith(t testing.TB, srv *xrpc.Server, authorization ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, statsPath, nil)
	r.Header["Authorization"] = authorization
	return send(t, srv, r)
}

func wantViewer(t testing.TB, w *httptest.ResponseRecorder, did syntax.DID) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Errorf("got %d %s, want the answer for %q", w.Code, w.Body, did)
		return
	}
	if got := decode[statsOutput](t, w.Body).HTML; got != did.String() {
		t.Errorf("answered for %q, want %q", got, did)
	}
}

func TestNoTokenIsThePublic(t *testing.T) {
	t.Parallel()
	w := askWith(t, authServer(t, newTestDirectory(), xrpc.Options{}))
	wantViewer(t, w, "")
	if w.Header().Get("Vary") != "Authorization" {
		t.Error("caches may mix the answers of several viewers")
	}
}

func TestGoodTokensNameTheViewer(t *testing.T) {
	t.Parallel()
	now := time.Now()
	dir := newTestDirectory()
	key := dir.account(t, alice)
	p256, err := atcrypto.GeneratePrivateKeyP256()
	if err != nil {
		t.Fatal(err)
	}
	const bob = syntax.DID("did:web:bob.example.com")
	dir.insert(t, bob, p256)
	srv := authServer(t, dir, xrpc.Options{Now: standing(now)})
	change := func(name string, value any) jwt.MapClaims {
		c := good(now)
		c[name] = value
		return c
	}
	plain := sign(t, key, "ES256K", good(now))
	for name, c := range map[string]struct {
		authorization string
		viewer        syntax.DID
	}{
		"the service's DID":              {"Bearer " + plain, alice},
		"scheme in lower case":           {"bearer " + plain, alice},
		"the service's DID and fragment": {"Bearer " + sign(t, key, "ES256K", change("aud", service+"#stratos_appview")), alice},
		"a P-256 key":                    {"Bearer " + sign(t, p256, "ES256", change("iss", bob)), bob},
		"an hour, the most a PDS gives":  {"Bearer " + sign(t, key, "ES256K", change("exp", now.Add(time.Hour).Unix())), alice},
		"no typ":                         {"Bearer " + signHeader(t, key, map[string]any{"alg": "ES256K"}, good(now)), alice},
		"a typ that is still to come":    {"Bearer " + signHeader(t, key, map[string]any{"alg": "ES256K", "typ": "svc+jwt"}, good(now)), alice},
		"expired within the leeway":      {"Bearer " + sign(t, key, "ES256K", change("exp", now.Add(-2*time.Second).Unix())), alice},
		"a signature with high S":        {"Bearer " + highS(t, plain), alice},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantViewer(t, askWith(t, srv, c.authorization), c.viewer)
		})
	}
}

// highS turns the token's signature into its other valid form.
func highS(t *testing.T, token string) string {
	t.Helper()
	signed, encoded, _ := cutLast(token, ".")
	sig, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(order, s).FillBytes(sig[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func TestBadTokensAreRefusedByName(t *testing.T) {
	t.Parallel()
	now := time.Now()
	key := newTestDirectory().account(t, alice)
	mallory, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	const keyless, nobody = "did:plc:keylesskeylesskeylesskey", "did:plc:nobodynobodynobodynobod"
	with := func(name string, value any) string {
		c := good(now)
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
		return "Bearer " + sign(t, key, "ES256K", c)
	}
	typed := func(typ string) string {
		return "Bearer " + signHeader(t, key, map[string]any{"typ": typ, "alg": "ES256K"}, good(now))
	}
	raw := func(parts ...string) string {
		for i, p := range parts {
			parts[i] = base64.RawURLEncoding.EncodeToString([]byte(p))
		}
		return "Bearer " + strings.Join(parts, ".")
	}
	fine := sign(t, key, "ES256K", good(now))
	signed, signature, _ := cutLast(fine, ".")
	header, _, _ := strings.Cut(fine, ".")
	other := good(now)
	other["sub"] = "somebody"
	_, otherSignature, _ := cutLast(sign(t, key, "ES256K", other), ".")

	for name, c := range map[string]struct {
		authorization []string
		want          string
		asks          bool // the token is good but for its issuer or signature
	}{
		"empty":                     {[]string{""}, "AuthenticationRequired", false},
		"two":                       {[]string{"Bearer " + fine, "Bearer " + fine}, "AuthenticationRequired", false},
		"password":                  {[]string{"Basic YWxpY2U6c2VjcmV0"}, "AuthenticationRequired", false},
		"DPoP":                      {[]string{"DPoP " + fine}, "AuthenticationRequired", false},
		"scheme alone":              {[]string{"Bearer"}, "AuthenticationRequired", false},
		"scheme and space":          {[]string{"Bearer "}, "BadJwt", false},
		"no JWT":                    {[]string{"Bearer opaque"}, "BadJwt", false},
		"two parts":                 {[]string{"Bearer " + signed}, "BadJwt", false},
		"four parts":                {[]string{"Bearer " + fine + ".e30"}, "BadJwt", false},
		"no base64":                 {[]string{"Bearer %%.%%.%%"}, "BadJwt", false},
		"more after it":             {[]string{"Bearer " + fine + ", more"}, "BadJwt", false},
		"header no JSON":            {[]string{raw("nonsense", "{}", "x")}, "BadJwt", false},
		"header null":               {[]string{raw("null", "{}", "x")}, "BadJwt", false},
		"claims no JSON":            {[]string{raw(`{"alg":"ES256K"}`, "nonsense", "x")}, "BadJwt", false},
		"claims null":               {[]string{raw(`{"alg":"ES256K"}`, "null", "x")}, "BadJwt", false},
		"no alg":                    {[]string{raw(`{"typ":"JWT"}`, "{}", "x")}, "BadJwt", false},
		"alg a number":              {[]string{raw(`{"alg":7}`, "{}", "x")}, "BadJwt", false},
		"alg unknown":               {[]string{raw(`{"alg":"ES999"}`, "{}", "x")}, "BadJwt", false},
		"alg none":                  {[]string{"Bearer " + sign(t, jwt.UnsafeAllowNoneSignatureType, "none", good(now))}, "BadJwt", false},
		"alg of a shared secret":    {[]string{"Bearer " + sign(t, []byte("secret"), "HS256", good(now))}, "BadJwt", false},
		"an OAuth access token":     {[]string{typed("at+jwt")}, "BadJwtType", false},
		"one with its whole type":   {[]string{typed("application/AT+jwt")}, "BadJwtType", false},
		"a refresh token":           {[]string{typed("refresh+jwt")}, "BadJwtType", false},
		"a DPoP proof":              {[]string{typed("dpop+jwt")}, "BadJwtType", false},
		"exp missing":               {[]string{with("exp", nil)}, "BadJwt", false},
		"exp in words":              {[]string{with("exp", "tomorrow")}, "BadJwt", false},
		"exp in the past":           {[]string{with("exp", now.Add(-time.Minute).Unix())}, "JwtExpired", false},
		"exp of long ago":           {[]string{with("exp", 0)}, "JwtExpired", false},
		"exp in two hours":          {[]string{with("exp", now.Add(2*time.Hour).Unix())}, "BadJwt", false},
		"exp beyond all time":       {[]string{with("exp", 1e300)}, "", false}, // overflows: whichever, but refused
		"iat in the future":         {[]string{with("iat", now.Add(time.Minute).Unix())}, "BadJwt", false},
		"nbf in the future":         {[]string{with("nbf", now.Add(time.Minute).Unix())}, "BadJwt", false},
		"aud missing":               {[]string{with("aud", nil)}, "BadJwtAudience", false},
		"aud of another service":    {[]string{with("aud", "did:web:api.bsky.app")}, "BadJwtAudience", false},
		"aud of another fragment":   {[]string{with("aud", service+"#stratos_escrow")}, "BadJwtAudience", false},
		"aud with an empty one":     {[]string{with("aud", service+"#")}, "BadJwtAudience", false},
		"aud with more after it":    {[]string{with("aud", service+"#stratos_appview2")}, "BadJwtAudience", false},
		"aud of two services":       {[]string{with("aud", []string{service, "did:web:api.bsky.app"})}, "BadJwtAudience", false},
		"aud a number":              {[]string{with("aud", 7)}, "BadJwt", false},
		"lxm missing":               {[]string{with("lxm", nil)}, "BadJwtLexiconMethod", false},
		"lxm of another method":     {[]string{with("lxm", "com.example.ping")}, "BadJwtLexiconMethod", false},
		"lxm for everything":        {[]string{with("lxm", "*")}, "BadJwtLexiconMethod", false},
		"iss missing":               {[]string{with("iss", nil)}, "BadJwtIss", false},
		"iss a handle":              {[]string{with("iss", "alice.example.com")}, "BadJwtIss", false},
		"iss a labeler":             {[]string{with("iss", alice+"#atproto_labeler")}, "BadJwtIss", false},
		"iss unknown":               {[]string{with("iss", nobody)}, "BadJwtIss", true},
		"iss without a key":         {[]string{with("iss", keyless)}, "BadJwtIss", true},
		"signed by another":         {[]string{"Bearer " + sign(t, mallory, "ES256K", good(now))}, "BadJwtSignature", true},
		"alg of the other key type": {[]string{"Bearer " + sign(t, key, "ES256", good(now))}, "BadJwtSignature", true},
		"signature empty":           {[]string{"Bearer " + signed + "."}, "BadJwtSignature", true},
		"signature cut":             {[]string{"Bearer " + signed + "." + signature[:40]}, "BadJwtSignature", true},
		"signature of other claims": {[]string{"Bearer " + signed + "." + otherSignature}, "BadJwtSignature", true},
		"claims of another token":   {[]string{"Bearer " + header + "." + strings.Split(with("jti", "other"), ".")[1] + "." + signature}, "BadJwtSignature", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newTestDirectory()
			dir.insert(t, alice, key)
			dir.Insert(identity.Identity{DID: keyless})
			var log logBuffer
			srv := authServer(t, dir, xrpc.Options{Log: log.logger(), Now: standing(now)})
			w := askWith(t, srv, c.authorization...)
			body := w.Body.String()
			if c.want == "" {
				c.want = decode[wireError](t, strings.NewReader(body)).Error
			}
			wantError(t, w, http.StatusUnauthorized, c.want)
			challenge := `Bearer error="invalid_token"`
			if c.want == "AuthenticationRequired" {
				challenge = "Bearer"
			}
			if got := w.Header().Get("WWW-Authenticate"); got != challenge {
				t.Errorf("WWW-Authenticate: %q, want %q", got, challenge)
			}
			if asked := dir.lookups() > 0; asked != c.asks {
				t.Errorf("asked the directory: %v, want %v", asked, c.asks)
			}
			for _, part := range strings.FieldsFunc(strings.Join(c.authorization, " "), func(r rune) bool { return r == ' ' || r == '.' || r == ',' }) {
				if len(part) > 20 && (strings.Contains(body, part) || strings.Contains(log.String(), part)) {
					t.Errorf("a part of the token is in the answer or the log: %s", part)
				}
			}
		})
	}
}

func TestAMethodCanInsist(t *testing.T) {
	t.Parallel()
	dir := newTestDirectory()
	key := dir.account(t, alice)
	srv := authServer(t, dir, xrpc.Options{CheckOutput: true}, xrpc.RequireAuth)
	wantError(t, askWith(t, srv), http.StatusUnauthorized, "AuthenticationRequired")
	wantViewer(t, askWith(t, srv, "Bearer "+sign(t, key, "ES256K", good(time.Now()))), alice)
}

func TestAServiceWithoutIdentitiesTakesNoTokens(t *testing.T) {
	t.Parallel()
	dir := newTestDirectory()
	token := "Bearer " + sign(t, dir.account(t, alice), "ES256K", good(time.Now()))
	srv := authServer(t, nil, xrpc.Options{})
	wantError(t, askWith(t, srv, token), http.StatusUnauthorized, "AuthenticationRequired")
	wantViewer(t, askWith(t, srv), "")
}

func TestWhatIsNoMethodIgnoresTokens(t *testing.T) {
	t.Parallel()
	srv := authServer(t, newTestDirectory(), xrpc.Options{})
	for path, status := range map[string]int{"/xrpc/_health": 200, "/.well-known/did.json": 200, "/xrpc/com.example.later": 501} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer nonsense")
		if w := send(t, srv, r); w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
	}
}

func TestARotatedKeyWorksAtOnceAndTheOldOneNoMore(t *testing.T) {
	t.Parallel()
	dir := newTestDirectory()
	old := dir.account(t, alice)
	srv := authServer(t, dir, xrpc.Options{})
	oldToken := "Bearer " + sign(t, old, "ES256K", good(time.Now()))
	wantViewer(t, askWith(t, srv, oldToken), alice)

	rotated := dir.account(t, alice)
	wantViewer(t, askWith(t, srv, "Bearer "+sign(t, rotated, "ES256K", good(time.Now()))), alice)
	wantError(t, askWith(t, srv, oldToken), http.StatusUnauthorized, "BadJwtSignature")
	if got := dir.lookups(); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

func TestForgedTokensAskForOneAccountOnlyNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := newTestDirectory()
		dir.account(t, alice)
		mallory, err := atcrypto.GeneratePrivateKeyK256()
		if err != nil {
			t.Fatal(err)
		}
		srv := authServer(t, dir, xrpc.Options{})
		for minute := range 3 {
			for range 20 {
				forged := "Bearer " + sign(t, mallory, "ES256K", good(time.Now()))
				wantError(t, askWith(t, srv, forged), http.StatusUnauthorized, "BadJwtSignature")
			}
			if got, want := dir.lookups(), 2+minute; got != want {
				t.Errorf("asked %d times after minute %d, want %d", got, minute, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestAKeyIsBelievedForMinutesOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := newTestDirectory()
		old := dir.account(t, alice)
		srv := authServer(t, dir, xrpc.Options{})
		wantViewer(t, askWith(t, srv, "Bearer "+sign(t, old, "ES256K", good(time.Now()))), alice)
		dir.account(t, alice)
		time.Sleep(10 * time.Minute)
		wantError(t, askWith(t, srv, "Bearer "+sign(t, old, "ES256K", good(time.Now()))), http.StatusUnauthorized, "BadJwtSignature")
	})
}

func TestUnknownAccountsAreRememberedForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := newTestDirectory()
		key, err := atcrypto.GeneratePrivateKeyK256()
		if err != nil {
			t.Fatal(err)
		}
		srv := authServer(t, dir, xrpc.Options{})
		for range 10 {
			wantError(t, askWith(t, srv, "Bearer "+sign(t, key, "ES256K", good(time.Now()))), http.StatusUnauthorized, "BadJwtIss")
		}
		if got := dir.lookups(); got != 1 {
			t.Errorf("asked %d times, want once", got)
		}
		dir.insert(t, alice, key)
		time.Sleep(30 * time.Second)
		wantViewer(t, askWith(t, srv, "Bearer "+sign(t, key, "ES256K", good(time.Now()))), alice)
	})
}

// inventedIssuers sends tokens of accounts that do not exist from one address.
func inventedIssuers(t *testing.T, srv *xrpc.Server, key *atcrypto.PrivateKeyK256, address string, n int) (limited int) {
	t.Helper()
	for i := range n {
		c := good(time.Now())
		c["iss"] = fmt.Sprintf("did:plc:%s%d", strings.ReplaceAll(address, ".", "-"), i)
		r := httptest.NewRequest(http.MethodGet, statsPath, nil)
		r.RemoteAddr = address + ":4711"
		r.Header.Set("Authorization", "Bearer "+sign(t, key, "ES256K", c))
		switch w := send(t, srv, r); w.Code {
		case http.StatusUnauthorized:
		case http.StatusServiceUnavailable:
			limited++
		default:
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
	return limited
}

func TestLookupsAreBoundedByClientAndInTotal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := newTestDirectory()
		key := dir.account(t, alice)
		srv := authServer(t, dir, xrpc.Options{})
		if limited := inventedIssuers(t, srv, key, "192.0.2.1", 80); limited != 30 || dir.lookups() != 50 {
			t.Errorf("one client: %d of 80 refused and the directory asked %d times, want 30 and 50", limited, dir.lookups())
		}
		wantViewer(t, askWithFrom(t, srv, "192.0.2.2", "Bearer "+sign(t, key, "ES256K", good(time.Now()))), alice)
		for i := range 20 {
			inventedIssuers(t, srv, key, fmt.Sprintf("198.51.100.%d", i), 50)
		}
		if got := dir.lookups(); got != 200 {
			t.Errorf("many clients made us ask %d times, want 200", got)
		}
		// Who is known already does not suffer from it.
		wantViewer(t, askWithFrom(t, srv, "192.0.2.3", "Bearer "+sign(t, key, "ES256K", good(time.Now()))), alice)
	})
}

func askWithFrom(t *testing.T, srv *xrpc.Server, address, authorization string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, statsPath, nil)
	r.RemoteAddr = address + ":4711"
	r.Header.Set("Authorization", authorization)
	return send(t, srv, r)
}

func TestADirectoryThatIsAwayIsNoBadToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := newTestDirectory()
		key := dir.account(t, alice)
		srv := authServer(t, dir, xrpc.Options{})
		token := func() string { return "Bearer " + sign(t, key, "ES256K", good(time.Now())) }
		dir.setAway(fmt.Errorf("%w: status 502", identity.ErrDIDResolutionFailed))
		wantError(t, askWith(t, srv, token()), http.StatusServiceUnavailable, "NotEnoughResources")
		dir.setAway(nil)
		time.Sleep(30 * time.Second)
		wantViewer(t, askWith(t, srv, token()), alice)

		// A forged token meanwhile does not make a good key be forgotten.
		dir.setAway(identity.ErrDIDResolutionFailed)
		mallory, err := atcrypto.GeneratePrivateKeyK256()
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, askWith(t, srv, "Bearer "+sign(t, mallory, "ES256K", good(time.Now()))), http.StatusServiceUnavailable, "NotEnoughResources")
		wantViewer(t, askWith(t, srv, token()), alice)
	})
}

func TestRequestsAtTheSameTimeShareOneLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := newTestDirectory()
		key := dir.account(t, alice)
		dir.hold = make(chan struct{})
		srv := authServer(t, dir, xrpc.Options{})
		token := "Bearer " + sign(t, key, "ES256K", good(time.Now()))

		// The first one goes away while it waits, which is nobody else's failure.
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, statsPath, nil)
			r.Header.Set("Authorization", token)
			send(t, srv, r)
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() { wantViewer(t, askWith(t, srv, token), alice) })
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(dir.hold)
		wg.Wait()
		if got := dir.lookups(); got != 1 {
			t.Errorf("asked %d times, want once", got)
		}
	})
}

func TestALookupIsBoundedInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := newTestDirectory()
		key := dir.account(t, alice)
		dir.hold = make(chan struct{})
		srv := authServer(t, dir, xrpc.Options{})
		started := time.Now()
		wantError(t, askWith(t, srv, "Bearer "+sign(t, key, "ES256K", good(time.Now()))), http.StatusServiceUnavailable, "NotEnoughResources")
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// usedTokens is a UsedTokens that forgets at a restart, as no real one may.
type usedTokens struct {
	mu   sync.Mutex
	used map[string]time.Time
	err  error
}

func (u *usedTokens) Use(_ context.Context, issuer syntax.DID, id string, until time.Time) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return false, u.err
	}
	_, known := u.used[issuer.String()+" "+id]
	u.used[issuer.String()+" "+id] = until
	return !known, nil
}

func TestASingleUseTokenWorksOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	dir := newTestDirectory()
	key := dir.account(t, alice)
	used := &usedTokens{used: map[string]time.Time{}}
	srv := authServer(t, dir, xrpc.Options{Now: standing(now)}, xrpc.SingleUse(used))
	token := func(id any) string {
		c := good(now)
		c["jti"] = id
		return "Bearer " + sign(t, key, "ES256K", c)
	}
	wantError(t, askWith(t, srv), http.StatusUnauthorized, "AuthenticationRequired")
	wantError(t, askWith(t, srv, token("")), http.StatusUnauthorized, "BadJwt")
	if len(used.used) != 0 {
		t.Errorf("refused tokens were used up: %v", used.used)
	}

	one := token("one")
	const together = 8
	var wg sync.WaitGroup
	codes := make(chan int, together)
	for range together {
		wg.Go(func() { codes <- askWith(t, srv, one).Code })
	}
	wg.Wait()
	close(codes)
	passed := 0
	for code := range codes {
		if code == http.StatusOK {
			passed++
		}
	}
	if passed != 1 {
		t.Errorf("one token worked %d times", passed)
	}
	wantViewer(t, askWith(t, srv, token("two")), alice)
	for id, until := range used.used {
		if left := until.Sub(now); left < time.Minute || left > 2*time.Minute {
			t.Errorf("%s is to be remembered for %v, want until it has expired", id, left)
		}
	}

	used.err = errors.New("disk full")
	wantError(t, askWith(t, srv, token("three")), http.StatusInternalServerError, "InternalServerError")
}

func TestAuthenticationIsCounted(t *testing.T) {
	t.Parallel()
	dir := newTestDirectory()
	key := dir.account(t, alice)
	registry := prometheus.NewRegistry()
	srv := authServer(t, dir, xrpc.Options{Registry: registry})
	askWith(t, srv)
	askWith(t, srv, "Bearer nonsense")
	for range 2 {
		askWith(t, srv, "Bearer "+sign(t, key, "ES256K", good(time.Now())))
	}
	want := `
		# HELP xrpc_auth_total Requests with a token, or that need one, by outcome (ok, or the name of the error).
		# TYPE xrpc_auth_total counter
		xrpc_auth_total{outcome="BadJwt"} 1
		xrpc_auth_total{outcome="ok"} 2
		# HELP xrpc_key_lookups_total Look-ups of an account's key, by outcome (ok, not-found, no-key, failed, limited).
		# TYPE xrpc_key_lookups_total counter
		xrpc_key_lookups_total{outcome="ok"} 1
		# HELP xrpc_keys_known Accounts whose key, or the lack of one, is remembered.
		# TYPE xrpc_keys_known gauge
		xrpc_keys_known 1
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "xrpc_auth_total", "xrpc_key_lookups_total", "xrpc_keys_known"); err != nil {
		t.Error(err)
	}
}

func FuzzAuthorization(f *testing.F) {
	now := time.Now()
	dir := newTestDirectory()
	key := dir.account(f, alice)
	valid := "Bearer " + sign(f, key, "ES256K", good(now))
	for _, seed := range []string{
		"", "Bearer", "Bearer ", valid, valid + " ", strings.ToUpper(valid), "Bearer e30.e30.e30", "Bearer ..",
		"Bearer eyJhbGciOiJub25lIn0.e30.", "DPoP x", "Bearer bnVsbA.bnVsbA.bnVsbA",
	} {
		f.Add(seed)
	}
	srv := authServer(f, dir, xrpc.Options{Now: standing(now)})
	signed, _, _ := cutLast(valid, ".")
	f.Fuzz(func(t *testing.T, authorization string) {
		w := askWith(t, srv, authorization)
		switch w.Code {
		case http.StatusOK:
			// Base64 has several spellings of a last byte; what was signed has one.
			if _, token, _ := strings.Cut(authorization, " "); !strings.HasPrefix("Bearer "+token, signed+".") {
				t.Errorf("%q passed", authorization)
			}
			wantViewer(t, w, alice)
		case http.StatusUnauthorized:
			if w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%q: refused without WWW-Authenticate", authorization)
			}
		case http.StatusServiceUnavailable:
			// So many accounts were invented that no more are looked up; alice is known.
			if strings.Contains(authorization, signed) {
				t.Errorf("%q: %s", authorization, w.Body)
			}
		default:
			t.Errorf("%q: %d %s", authorization, w.Code, w.Body)
		}
	})
}
