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
	"sync/atomic"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	someCID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
	apiKey  = simulator.KeyPrefix + "tests"
	// accountSecret and connectSecret sign webhooks.
	accountSecret = "whsec_account"
	connectSecret = "whsec_connect"
	// float is what the operator put in.
	float = 100_000
	// longest is how long something may take that will come.
	longest = 2 * time.Minute
)

// world is a whole escrow, with its account at a real PDS and PLC, and a simulated
// processor.
type world struct {
	t         *testing.T
	network   *atmosphere.Network
	account   *atmosphere.Account // the escrow's
	backer    *atmosphere.Account
	developer *atmosphere.Account
	control   simulator.Control
	client    *stripe.Client
	cfg       Config
	url       string

	// skew is how far the escrow's clock is ahead, and transport leads somewhere else than
	// to this machine; nil for most worlds.
	skew      atomic.Int64
	transport http.RoundTripper
	// without is a country in which the processor opens no accounts.
	without string
	// silent is whether the processor answers nothing about sessions until it is asked no
	// more.
	silent atomic.Bool

	service *Service
	stop    func() // ends it, as a signal does
}

func newWorld(t *testing.T, change ...func(*world)) *world {
	t.Helper()
	network := atmospheretest.Shared(t)
	rotation, err := atcrypto.GeneratePrivateKeyK256()
	w := &world{t: t, network: network}
	w.ok(err)
	public, err := rotation.PublicKey()
	w.ok(err)
	w.account = atmospheretest.NewAccount(t, network, "escrow", atmosphere.WithRecoveryKey(public.DIDKey()))
	w.backer, w.developer = atmospheretest.NewAccount(t, network, "backer"), atmospheretest.NewAccount(t, network, "developer")
	secret, acknowledges, err := checkout.NewKey()
	w.ok(err)
	bind := w.reserve()
	// By this everybody finds the service.
	w.ok(network.Amend(t.Context(), w.account, rotation, atmosphere.Addition{
		Services: map[string]atmosphere.Service{ServiceID: {Type: ServiceType, Endpoint: w.url}},
		Keys:     map[string]string{checkout.KeyID: acknowledges},
	}))
	dir := t.TempDir()
	w.cfg = Config{
		Mode: payments.Simulator, Bind: bind, DatabaseURL: "sqlite://" + filepath.Join(dir, "escrow.db"), PublicURL: w.url,
		RelayURLs: []string{network.PDSURL()}, PLCURL: network.PLCURL(), DID: w.account.DID, Identifier: w.account.Handle.String(),
		AppPassword: payments.NewSecret(w.account.Password), Name: "Test Escrow", TermsFile: filepath.Join(dir, "terms.json"),
		AcknowledgementKey: payments.NewSecret(secret), Costs: checkout.DefaultCosts(), Version: "test",
	}
	w.terms(500)
	for _, f := range change {
		f(w)
	}
	w.simulate()
	w.start()
	t.Cleanup(func() { w.stop() })
	_, err = w.control.TopUp(t.Context(), float, "usd")
	w.ok(err)
	w.until("the float is in the ledger, and nothing stands still", func() bool {
		_, health := w.get(w.url + "/xrpc/_health")
		return w.free() == float && strings.Contains(health, `"sequence":1`) && w.standing() == 0
	})
	return w
}

// reserve finds a port, which has to be known before.
func (w *world) reserve() (bind string) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.ok(err)
	w.ok(l.Close())
	_, port, err := net.SplitHostPort(l.Addr().String())
	w.ok(err)
	w.url = "http://localhost:" + port
	return l.Addr().String()
}

// simulate starts a processor that tells the service what happens.
func (w *world) simulate() {
	w.t.Helper()
	processor, err := simulator.Build(w.t.Context(), simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(w.t.TempDir(), "simulator.db"), Key: apiKey, Terms: simulator.StripeTerms(),
	}, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	w.ok(err)
	w.t.Cleanup(w.run("the simulator", processor.Run, processor.Close))
	w.control = simulator.Control{URL: processor.URL()}
	w.client, err = stripe.New(stripe.Config{Mode: payments.Simulator, Key: payments.NewSecret(apiKey), URL: processor.URL()}, stripe.Options{})
	w.ok(err)
	w.ok(w.control.SetEndpoints(w.t.Context(),
		simulator.Endpoint{URL: w.url + WebhookPath, Secret: accountSecret},
		simulator.Endpoint{URL: w.url + ConnectWebhookPath, Secret: connectSecret, Connect: true}))
}

// terms are those of the operator, who wants another fee now and then.
func (w *world) terms(fee int) {
	w.t.Helper()
	const day = 24 * 60 * 60
	numbers, err := json.Marshal(map[string]any{
		"currencies":     []any{map[string]any{"currency": "USD", "minimum": 100, "maximum": 100_000, "newBackerMaximum": 50_000}},
		"feeBasisPoints": fee, "previewSeconds": map[string]any{"minimum": 60, "maximum": 14 * day},
		"releaseSeconds": 14 * day, "verificationSeconds": 14 * day, "rulingSeconds": 10 * day,
		"disputeReserveSeconds": 14 * day, "maximumHoldSeconds": 80 * day, "text": "terms.md",
	})
	w.ok(err)
	w.ok(os.WriteFile(w.cfg.TermsFile, numbers, 0o600))
	w.ok(os.WriteFile(filepath.Join(filepath.Dir(w.cfg.TermsFile), "terms.md"), []byte("Be kind, and <b>read</b> this.\n"), 0o600))
}

// start is a process with the world's configuration.
func (w *world) start() {
	w.t.Helper()
	hooks := stripe.Webhooks{
		Mode: payments.Simulator, Account: []payments.Secret{payments.NewSecret(accountSecret)}, Connect: []payments.Secret{payments.NewSecret(connectSecret)},
	}
	w.ok(hooks.Check())
	options := Options{
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Clock: w.now,
		Processor: countries{w.client, w.without, &w.silent}, ParseEvent: hooks.ParseEvent, CheckOutput: true, Transport: w.transport,
	}
	if w.transport != nil {
		options.Progress = func() campaign.Progress {
			return campaign.Progress{Connected: true, Received: 1, Applied: 1, EventAt: w.now()}
		}
	}
	service, err := Build(w.t.Context(), w.cfg, options)
	w.ok(err)
	w.service, w.stop = service, w.run("the escrow", service.Run, service.Close)
}

// countries is a processor that opens no account in some country, and may fall silent.
type countries struct {
	payments.Processor
	without string
	silent  *atomic.Bool
}

func (c countries) Session(ctx context.Context, account payments.AccountID, id payments.SessionID) (payments.Session, error) {
	if c.silent.Load() {
		<-ctx.Done()
		return payments.Session{}, &payments.Failure{Kind: payments.ErrUncertain, Cause: ctx.Err()}
	}
	return c.Processor.Session(ctx, account, id)
}

func (c countries) OpenAccount(ctx context.Context, o payments.AccountOrder) (payments.Account, error) {
	if o.Country == c.without {
		return payments.Account{}, &payments.Failure{Kind: payments.ErrRefused, Status: http.StatusBadRequest, Code: "country_unsupported", Param: "country"}
	}
	return c.Processor.OpenAccount(ctx, o)
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }

// run runs a server until the function that it returns is called.
func (w *world) run(name string, run func(context.Context) error, closing func() error) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	over := false
	return func() {
		if over {
			return
		}
		over = true
		cancel()
		if err := errors.Join(<-ended, closing()); err != nil {
			w.t.Errorf("%s ended: %v", name, err)
		}
	}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(longest); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("it never came that %s", what)
		}
	}
}

func (w *world) update(fn func(context.Context, *store.Tx) error) {
	w.t.Helper()
	w.ok(w.service.store.Update(w.t.Context(), fn))
}

func (w *world) read(fn func(context.Context, sqlite.Querier) error) {
	w.t.Helper()
	w.ok(w.service.store.Read(w.t.Context(), fn))
}

// free is what the operator has.
func (w *world) free() (amount int64) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		p, err := ledger.PositionIn(ctx, q, "USD")
		amount = p.Free()
		return err
	})
	return amount
}

// standing is how much stands still.
func (w *world) standing() (n int) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT count(*) FROM halt WHERE lifted_at IS NULL`).Scan(&n)
	})
	return n
}

// hints counts what is kept of an event.
func (w *world) hints(id string) (n int) {
	w.t.Helper()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT count(*) FROM hint WHERE id = $1`, id).Scan(&n)
	})
	return n
}

// published waits until the repository says all that it is to say.
func (w *world) published() {
	w.t.Helper()
	w.until("everything is published", func() bool {
		var waiting repo.Waiting
		w.read(func(ctx context.Context, q sqlite.Querier) (err error) {
			waiting, err = w.service.repo.Waiting(ctx, q)
			return err
		})
		return waiting.Records == 0
	})
}

// viaPDS is how an application calls for an account: its PDS adds the token.
func (w *world) viaPDS(account *atmosphere.Account) *atclient.APIClient {
	return account.Client.WithService(w.cfg.DID.String() + "#" + ServiceID)
}

// token is what an account's PDS gives for a method of some service.
func (w *world) token(account *atmosphere.Account, aud syntax.DID, method syntax.NSID) string {
	w.t.Helper()
	out, err := comatproto.ServerGetServiceAuth(w.t.Context(), account.Client, aud.String(), w.now().Add(time.Minute).Unix(), method.String())
	w.ok(err)
	return out.Token
}

// ask calls a method directly, as an account if one is given, and returns what the error
// says.
func (w *world) ask(as *atmosphere.Account, method syntax.NSID, params url.Values, input, out any) (name, message string) {
	w.t.Helper()
	token := ""
	if as != nil {
		token = w.token(as, w.cfg.DID, method)
	}
	return w.askWith(token, method, params, input, out)
}

func (w *world) askWith(token string, method syntax.NSID, params url.Values, input, out any) (name, message string) {
	w.t.Helper()
	status, answer := w.answer(token, method, params, input)
	if status != http.StatusOK {
		var e struct{ Error, Message string }
		w.ok(json.Unmarshal(answer, &e))
		return e.Error, e.Message
	}
	if out != nil {
		w.ok(json.Unmarshal(answer, out))
	}
	return "", ""
}

// answer is what a method says, as it is on the wire.
func (w *world) answer(token string, method syntax.NSID, params url.Values, input any) (status int, body []byte) {
	w.t.Helper()
	verb, sent := http.MethodGet, io.Reader(nil)
	if input != nil {
		b, err := json.Marshal(input)
		w.ok(err)
		verb, sent = http.MethodPost, bytes.NewReader(b)
	}
	r, err := http.NewRequest(verb, w.url+"/xrpc/"+method.String()+"?"+params.Encode(), sent)
	w.ok(err)
	if input != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, answer := w.browse(r)
	return resp.StatusCode, []byte(answer)
}

// call asks for a checkout, and returns the error's name, empty for none.
func (w *world) call(token string, subject comatproto.RepoStrongRef, back string) string {
	w.t.Helper()
	name, _ := w.askWith(token, createCheckout, nil, stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: back}, nil)
	return name
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

// agreement finds what has to be agreed to.
var agreement = regexp.MustCompile(`name="terms" value="([^"]+)"`)

// write puts a record into somebody's repository.
func (w *world) write(as *atmosphere.Account, rkey syntax.RecordKey, content lexicons.Record) comatproto.RepoStrongRef {
	w.t.Helper()
	uri, cid, err := as.PutRecord(w.t.Context(), content.NSID(), rkey, content)
	w.ok(err)
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}

// onboard makes an account one that can be paid.
func (w *world) onboard(as *atmosphere.Account) {
	w.t.Helper()
	var begun stratos.EscrowCreatePayoutAccount_Output
	input := map[string]string{"country": "US", "returnUri": "https://work.example.org/"}
	if name, message := w.ask(as, createPayoutAccount, nil, input, &begun); name != "" {
		w.t.Fatalf("%s: %s", name, message)
	}
	if begun.Account.Status != "onboarding" || begun.Url == "" || begun.Account.Did != as.DID.String() {
		w.t.Errorf("begun is %+v", begun)
	}
	known, err := w.service.payees.Account(w.t.Context(), as.DID)
	w.ok(err)
	w.ok(w.control.Complete(w.t.Context(), string(known.ID)))
	var got stratos.EscrowGetPayoutAccount_Output
	if name, message := w.ask(as, getPayoutAccount, nil, nil, &got); name != "" || got.Account.Status != "ready" {
		w.t.Fatalf("onboarded, the account is %+v, %s %s", got, name, message)
	}
}

// work is what somebody pledges for.
type work struct{ proposal, development comatproto.RepoStrongRef }

// develop lets the developer work on a proposal of the backer's.
func (w *world) develop(key syntax.RecordKey, change ...func(*stratos.WorkDevelopment)) work {
	w.t.Helper()
	now := stamp(time.Now())
	proposal := w.write(w.backer, key, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: "Larger text", Description: "So that I can read it.", CreatedAt: now,
		Subject: stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{
			LexiconTypeID: lexicons.CollectionProposal.String() + "#accountSubject", Did: w.developer.DID.String(),
		}},
	})
	d := &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: proposal, Title: "Larger text", Summary: "It grows.",
		Currency: "USD", Escrow: w.cfg.DID.String(), CreatedAt: now,
	}
	for _, f := range change {
		f(d)
	}
	return work{proposal, w.write(w.developer, key, d)}
}

// announce is develop with a preview that is open for an hour.
func (w *world) announce(key syntax.RecordKey) work {
	w.t.Helper()
	x, now := w.develop(key), time.Now()
	w.write(w.developer, key, &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Development: x.development, Uri: "https://preview.example.org/", Instructions: "Look at it.",
		OpensAt: stamp(now.Add(-time.Second)), ClosesAt: stamp(now.Add(time.Hour)), CreatedAt: stamp(now),
	})
	return x
}

// opened waits until the campaign of a work is open.
func (w *world) opened(x work) (got stratos.EscrowGetCampaign_Output) {
	w.t.Helper()
	w.until("the campaign is open", func() bool {
		name, _ := w.ask(nil, getCampaign, url.Values{"development": {x.development.Uri}}, nil, &got)
		return name == ""
	})
	return got
}

// pledges for a work.
func (w *world) pledges(as *atmosphere.Account, key syntax.RecordKey, x work) comatproto.RepoStrongRef {
	w.t.Helper()
	return w.write(as, key, &stratos.FeaturePledge{
		LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: x.proposal, Development: x.development,
		Value: stratos.Defs_Money{Amount: 2500, Currency: "USD"}, Escrow: w.cfg.DID.String(), CreatedAt: stamp(time.Now()),
	})
}

// pay is the way of a payer: asks the escrow, agrees on its page, pays on the processor's,
// and returns.
func (w *world) pay(as *atmosphere.Account, pledge comatproto.RepoStrongRef) {
	w.t.Helper()
	w.payFor(as, pledge, "Your pledge is held")
}

// payFor also says what the page does in the end.
func (w *world) payFor(as *atmosphere.Account, pledge comatproto.RepoStrongRef, says string) {
	w.t.Helper()
	var out stratos.EscrowCreateCheckout_Output
	input := stratos.EscrowCreateCheckout_Input{Subject: pledge, ReturnUri: "https://app.example.org/done"}
	w.until("the index is as new as the pledge", func() bool {
		name, message := w.ask(as, createCheckout, nil, input, &out)
		if name != "" && name != "SubjectUnproven" && name != "NotEligible" && name != "DevelopmentNotFound" {
			w.t.Fatalf("%s: %s", name, message)
		}
		return name == ""
	})
	_, page := w.get(out.Url)
	resp, _ := w.submit(out.Url, "same-origin", url.Values{"terms": agreement.FindStringSubmatch(page)[1:]})
	resp, _ = w.submit(resp.Header.Get("Location"), "same-origin", url.Values{"card": {"4242424242424242"}})
	if _, page = w.get(resp.Header.Get("Location")); !strings.Contains(page, says) {
		w.t.Fatalf("the page: %s", page)
	}
}

// open opens a campaign of the developer without any record, and returns its development.
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
		"value":       map[string]any{"amount": amount, "currency": "USD"}, "escrow": w.cfg.DID.String(),
		"createdAt": time.Now().UTC().Format(syntax.AtprotoDatetimeLayout),
	})
	w.ok(err)
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}
