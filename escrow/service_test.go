package escrow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	someCID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
	apiKey  = simulator.KeyPrefix + "tests"
)

// world is a whole service at a did:web of its own, with a real PDS and PLC, and a
// simulated processor.
type world struct {
	t         *testing.T
	network   *atmosphere.Network
	service   *Service
	url       string
	control   simulator.Control
	backer    *atmosphere.Account
	developer *atmosphere.Account
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// runs lets something work until the test ends.
func (w *world) runs(name string, run func(context.Context) error, closer io.Closer) {
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, closer.Close()); err != nil {
			w.t.Errorf("%s ended: %v", name, err)
		}
	})
}

func newWorld(t *testing.T) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	w := &world{t: t, network: network, backer: atmospheretest.NewAccount(t, network, "backer"), developer: atmospheretest.NewAccount(t, network, "developer")}
	dir, quiet := t.TempDir(), slog.New(slog.DiscardHandler)

	processor, err := simulator.Build(t.Context(), simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(dir, "simulator.db"), Key: apiKey, Terms: simulator.StripeTerms(),
	}, simulator.Options{Log: quiet, Clock: time.Now})
	w.ok(err)
	w.runs("the simulator", processor.Run, processor)
	w.control = simulator.Control{URL: processor.URL()}
	client, err := stripe.New(stripe.Config{Mode: payments.Simulator, Key: payments.NewSecret(apiKey), URL: processor.URL()}, stripe.Options{})
	w.ok(err)

	const day = 24 * 60 * 60
	numbers, err := json.Marshal(map[string]any{
		"currencies":     []any{map[string]any{"currency": "USD", "minimum": 100, "maximum": 100_000}},
		"feeBasisPoints": 500, "previewSeconds": map[string]any{"minimum": 7 * day, "maximum": 14 * day},
		"releaseSeconds": 14 * day, "verificationSeconds": 14 * day, "rulingSeconds": 10 * day,
		"disputeReserveSeconds": 14 * day, "maximumHoldSeconds": 80 * day, "text": "terms.md",
	})
	w.ok(err)
	w.ok(os.WriteFile(filepath.Join(dir, "terms.json"), numbers, 0o600))
	w.ok(os.WriteFile(filepath.Join(dir, "terms.md"), []byte("Be kind, and <b>read</b> this.\n"), 0o600))
	secret, _, err := checkout.NewKey()
	w.ok(err)
	_, signing, err := checkout.NewKey() // of a repository that nobody writes to here
	w.ok(err)
	// The port is in the DID, and so has to be known before.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.ok(err)
	bind := l.Addr().String()
	w.ok(l.Close())
	_, port, err := net.SplitHostPort(bind)
	w.ok(err)
	w.url = "http://localhost:" + port
	w.service, err = Build(t.Context(), Config{
		Mode: payments.Simulator, Bind: bind, DatabaseURL: "sqlite://" + filepath.Join(dir, "escrow.db"), PublicURL: w.url,
		RelayURLs: []string{network.PDSURL()}, PLCURL: network.PLCURL(),
		DID: syntax.DID("did:web:localhost%3A" + port), Identifier: "escrow.test", AppPassword: payments.NewSecret("none"),
		PDSURL: network.PDSURL(), SigningKey: signing, Name: "Test Escrow", TermsFile: filepath.Join(dir, "terms.json"),
		AcknowledgementKey: payments.NewSecret(secret), Costs: checkout.DefaultCosts(), Version: "test",
	}, Options{Log: quiet, Clock: time.Now, Processor: client, CheckOutput: true})
	w.ok(err)
	w.runs("the escrow", w.service.Run, w.service)
	w.update(func(ctx context.Context, tx *store.Tx) error {
		return w.service.ledger.Operator(ctx, tx, ledger.TopUp, ledger.Transaction{ID: "txn_top", Amount: 100_000, Currency: "USD"})
	})
	return w
}

func (w *world) update(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	w.ok(w.service.store.Update(w.t.Context(), fn))
}

// open opens a campaign of the developer, and returns its development.
func (w *world) open() syntax.ATURI {
	w.t.Helper()
	at := func(collection syntax.NSID, rkey string) comatproto.RepoStrongRef {
		return comatproto.RepoStrongRef{Uri: fmt.Sprintf("at://%s/%s/%s", w.developer.DID, collection, rkey), Cid: someCID}
	}
	now := time.Now()
	development := at(lexicons.CollectionDevelopment, "3l6ovf2k7dk2a")
	w.update(func(ctx context.Context, tx *store.Tx) error {
		terms, err := w.service.repo.CurrentTerms(ctx, tx)
		if err != nil {
			return err
		}
		return campaign.Add(ctx, tx, campaign.Campaign{
			Attempt: ledger.AttemptOf(syntax.ATURI(development.Uri)), Development: development,
			Preview: at(lexicons.CollectionPreview, "3l6ovf2k7dk2a"), Proposal: at(lexicons.CollectionProposal, "3l6ovf2k7dk2a"), Terms: terms,
			Author: w.developer.DID, Title: "Dark mode <script>alert(1)</script>", Currency: "USD", Fee: 525,
			Payees:  []campaign.Payee{{DID: w.developer.DID, Share: 10_000, Account: "acct_1"}},
			OpensAt: now.Add(-time.Hour), ClosesAt: now.Add(7 * 24 * time.Hour), ReleaseBy: now.Add(21 * 24 * time.Hour), FinalAt: now.Add(60 * 24 * time.Hour),
		})
	})
	return syntax.ATURI(development.Uri)
}

// pledge is a record of the backer for the work.
func (w *world) pledge(development syntax.ATURI, amount int64) comatproto.RepoStrongRef {
	w.t.Helper()
	uri, cid, err := w.backer.CreateRecord(w.t.Context(), lexicons.CollectionPledge, map[string]any{
		"proposal":    map[string]any{"uri": strings.Replace(development.String(), "work.development", "feature.proposal", 1), "cid": someCID},
		"development": map[string]any{"uri": development.String(), "cid": someCID},
		"value":       map[string]any{"amount": amount, "currency": "USD"}, "escrow": w.service.cfg.DID.String(),
		"createdAt": time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
	})
	w.ok(err)
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}

// viaPDS is how an application calls: the PDS adds the token.
func (w *world) viaPDS(account *atmosphere.Account) *atclient.APIClient {
	return account.Client.WithService(w.service.cfg.DID.String() + "#" + ServiceID)
}

// token is what an account's PDS gives for a method of some service.
func (w *world) token(account *atmosphere.Account, aud syntax.DID, method syntax.NSID) string {
	w.t.Helper()
	out, err := comatproto.ServerGetServiceAuth(w.t.Context(), account.Client, aud.String(), time.Now().Add(time.Minute).Unix(), method.String())
	w.ok(err)
	return out.Token
}

// call posts to the API directly, and returns the error's name, empty for none.
func (w *world) call(token string, subject comatproto.RepoStrongRef, back string) string {
	w.t.Helper()
	body, err := json.Marshal(stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: back})
	w.ok(err)
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/xrpc/"+createCheckout.String(), bytes.NewReader(body))
	w.ok(err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	w.ok(err)
	defer resp.Body.Close()
	var answer struct{ Error string }
	w.ok(json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Error
}

// browser follows nothing by itself.
var browser = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (w *world) browse(r *http.Request) (*http.Response, string) {
	w.t.Helper()
	resp, err := browser.Do(r.WithContext(w.t.Context()))
	w.ok(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.ok(err)
	return resp, string(body)
}

func (w *world) get(address string) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	w.ok(err)
	return w.browse(r)
}

// submit sends the form of a page, as a browser says where it is from.
func (w *world) submit(address, site string, fields url.Values) (*http.Response, string) {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(fields.Encode()))
	w.ok(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	return w.browse(r)
}

// value finds the field that has to be agreed to.
var agreement = regexp.MustCompile(`name="terms" value="([^"]+)"`)

// TestR9_APledgeIsPaidThroughThePDSAndThePages is the way of a payer: an application asks
// through the PDS's proxy, and a browser does the rest.
func TestR9_APledgeIsPaidThroughThePDSAndThePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.pledge(w.open(), 2500)
	client := w.viaPDS(w.backer)
	out, err := stratos.EscrowCreateCheckout(t.Context(), client, &stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: "https://app.example.org/done"})
	w.ok(err)
	again, err := stratos.EscrowCreateCheckout(t.Context(), client, &stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: "https://app.example.org/done"})
	w.ok(err)
	if *again != *out || out.Url != w.url+"/pay/"+out.Payment {
		t.Errorf("first %+v, then %+v", out, again)
	}

	// The acknowledgement, by what everybody can fetch.
	resp, document := w.get(w.url + "/.well-known/did.json")
	var parsed identity.DIDDocument
	w.ok(json.Unmarshal([]byte(document), &parsed))
	account := identity.ParseIdentity(&parsed)
	key, err := atcrypto.ParsePublicMultibase(account.Keys[checkout.KeyID].PublicKeyMultibase)
	w.ok(err)
	said, err := checkout.ParseAcknowledgement(out.Acknowledgement, account.DID, key)
	if err != nil || said.Payment != out.Payment || said.Subject != subject {
		t.Errorf("%+v, %v (%d)", said, err, resp.StatusCode)
	}

	// The page, the agreement, the processor's page, and back.
	resp, page := w.get(out.Url)
	terms := agreement.FindStringSubmatch(page)
	if resp.StatusCode != http.StatusOK || terms == nil {
		t.Fatalf("%d: %s", resp.StatusCode, page)
	}
	resp, _ = w.submit(out.Url, "same-origin", url.Values{"terms": terms[1:]})
	if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), w.control.URL) {
		t.Fatalf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	resp, _ = w.submit(resp.Header.Get("Location"), "same-origin", url.Values{"card": {"4242424242424242"}})
	if resp.Header.Get("Location") != w.url+"/paid/"+out.Payment {
		t.Fatalf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	if _, page = w.get(resp.Header.Get("Location")); !strings.Contains(page, "Your pledge is held") || !strings.Contains(page, "Go to app.example.org") {
		t.Errorf("the page: %s", page)
	}
	if resp, _ := w.get(out.Url); resp.Header.Get("Location") != "/paid/"+out.Payment {
		t.Errorf("it can be paid once more: %d", resp.StatusCode)
	}

	// What the payer may see, and nobody else.
	got, err := stratos.EscrowGetPayment(t.Context(), client, out.Payment)
	w.ok(err)
	if p := got.Payment; p.Status != "held" || p.Receipt == nil || p.Url != nil || p.Value.Amount != 2500 || p.Subject != subject {
		t.Errorf("%+v", p)
	}
	list, err := stratos.EscrowListPayments(t.Context(), client, "", nil)
	if err != nil || len(list.Payments) != 1 || list.Cursor != nil {
		t.Errorf("%+v, %v", list, err)
	}
	stranger := w.viaPDS(w.developer)
	var refused *atclient.APIError
	if _, err := stratos.EscrowGetPayment(t.Context(), stranger, out.Payment); !errors.As(err, &refused) || refused.Name != "PaymentNotFound" {
		t.Errorf("somebody else's payment: %v", err)
	}
	if _, err := stratos.EscrowListPayments(t.Context(), client, "bm9uc2Vuc2U", nil); !errors.As(err, &refused) || refused.Name != "InvalidCursor" {
		t.Errorf("a cursor of nobody's: %v", err)
	}
	if _, err := stratos.EscrowCreateCheckout(t.Context(), client, &stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: "https://app.example.org"}); !errors.As(err, &refused) || refused.Name != "AlreadyPaid" {
		t.Errorf("paid twice: %v", err)
	}
}

func TestListPayments_Pages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	development := w.open()
	client := w.viaPDS(w.backer)
	for range 3 {
		_, err := stratos.EscrowCreateCheckout(t.Context(), client, &stratos.EscrowCreateCheckout_Input{Subject: w.pledge(development, 2500), ReturnUri: "https://app.example.org"})
		w.ok(err)
	}
	limit, cursor, seen := int64(2), "", map[string]bool{}
	for {
		page, err := stratos.EscrowListPayments(t.Context(), client, cursor, &limit)
		w.ok(err)
		for _, p := range page.Payments {
			seen[p.Id] = true
		}
		if page.Cursor == nil {
			break
		}
		cursor = *page.Cursor
	}
	if len(seen) != 3 {
		t.Errorf("saw %v", seen)
	}
}

func TestCreateCheckout_WhoAsksAndHow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.pledge(w.open(), 2500)
	const back = "https://app.example.org/done"
	own := func() string { return w.token(w.backer, w.service.cfg.DID, createCheckout) }
	once := own()
	for _, c := range []struct {
		name, token, back string
		subject           comatproto.RepoStrongRef
		want              string
	}{
		{"nobody", "", back, subject, "AuthenticationRequired"},
		{"no token", "nonsense", back, subject, "BadJwt"},
		{"a token for another method", w.token(w.backer, w.service.cfg.DID, getPayment), back, subject, "BadJwtLexiconMethod"},
		{"a token for another service", w.token(w.backer, "did:web:example.com", createCheckout), back, subject, "BadJwtAudience"},
		{"somebody else's pledge", w.token(w.developer, w.service.cfg.DID, createCheckout), back, subject, "NotAuthor"},
		{"an open redirect", own(), "javascript:alert(1)", subject, "InvalidReturnUri"},
		{"a host with credentials", own(), "https://app.example.org@evil.example", subject, "InvalidReturnUri"},
		{"another version", own(), back, comatproto.RepoStrongRef{Uri: subject.Uri, Cid: someCID}, "SubjectChanged"},
		{"a good one", once, back, subject, ""},
		{"the same token again", once, back, subject, "BadJwt"},
	} {
		if got := w.call(c.token, c.subject, c.back); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	forged := own()
	if got := w.call(forged[:len(forged)-6]+"AAAAAA", subject, back); got != "BadJwtSignature" {
		t.Errorf("a forged token: %q", got)
	}
}

// TestErrors_AreTheLexicons: each refusal is one that a client can know.
func TestErrors_AreTheLexicons(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	schema, err := lexicons.Catalog().Resolve(createCheckout.String())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(schema.Def)
	if err != nil {
		t.Fatal(err)
	}
	var def struct{ Errors []struct{ Name string } }
	if err := json.Unmarshal(raw, &def); err != nil {
		t.Fatal(err)
	}
	for _, e := range def.Errors {
		listed[e.Name] = true
	}
	for _, name := range checkout.RefusalNames() {
		wire := wireError(fmt.Errorf("wrapped: %w", &checkout.Refusal{Name: name, Message: "Why."}))
		if wire == nil || wire.Name != string(name) || wire.Message != "Why." || !listed[wire.Name] {
			t.Errorf("%s becomes %v", name, wire)
		}
		delete(listed, string(name))
	}
	if len(listed) > 0 {
		t.Errorf("the lexicon lists what nobody answers: %v", listed)
	}
}

func TestPages_AreGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := w.viaPDS(w.backer)
	out, err := stratos.EscrowCreateCheckout(t.Context(), client, &stratos.EscrowCreateCheckout_Input{
		Subject: w.pledge(w.open(), 2500), ReturnUri: `https://app.example.org/"><script>alert(2)</script>`,
	})
	w.ok(err)
	for _, path := range []string{"/", "/pay/" + out.Payment, "/paid/" + out.Payment, "/payout/return", "/nothing", "/pay/nobody", "/terms/3l6ovf2k7dk2a"} {
		resp, page := w.get(w.url + path)
		policy := resp.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, resp.Header)
		}
		if !strings.Contains(page, "Simulation: no money moves") {
			t.Errorf("%s does not say that no money moves", path)
		}
		if strings.Contains(page, "<script") || strings.Contains(page, "style=") {
			t.Errorf("%s: %s", path, page)
		}
	}
	_, page := w.get(out.Url)
	for _, want := range []string{
		"USD 25.00", "public for good", "5.25 %", "USD 1.31", w.developer.DID.String(), "Do not pay, and go to app.example.org",
		"Be kind, and &lt;b&gt;read&lt;/b&gt; this.", "Dark mode &lt;script&gt;",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	terms := url.Values{"terms": agreement.FindStringSubmatch(page)[1:]}
	for _, c := range []struct {
		site   string
		fields url.Values
		want   int
	}{
		{"cross-site", terms, http.StatusForbidden}, {"same-site", terms, http.StatusForbidden},
		{"same-origin", url.Values{}, http.StatusBadRequest}, {"same-origin", url.Values{"terms": {"other"}}, http.StatusBadRequest},
	} {
		if resp, _ := w.submit(out.Url, c.site, c.fields); resp.StatusCode != c.want {
			t.Errorf("from %s with %v: %d, want %d", c.site, c.fields, resp.StatusCode, c.want)
		}
	}
	if resp, _ := w.submit(w.url+"/pay/nobody", "same-origin", terms); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown payment: %d", resp.StatusCode)
	}
	if resp, css := w.get(w.url + "/pages.css"); resp.StatusCode != http.StatusOK || !strings.Contains(css, "prefers-color-scheme") {
		t.Errorf("the style: %d", resp.StatusCode)
	}
}
