package escrow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/payments/stripe"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// scene is a whole escrow on a real PDS, with a simulated processor.
type scene struct {
	t       *testing.T
	network *atmosphere.Network
	account *atmosphere.Account
	control simulator.Control
	service *Service
}

func newScene(t *testing.T) *scene {
	t.Helper()
	w := &scene{t: t, network: atmospheretest.Shared(t)}
	w.account = atmospheretest.NewAccount(t, w.network, "escrow")
	const key = simulator.KeyPrefix + "campaigns"
	processor, err := simulator.Build(t.Context(), simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(t.TempDir(), "simulator.db"), Key: key, Terms: simulator.StripeTerms(),
	}, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	w.ok(err)
	w.run("the simulator", processor.Run, processor.Close)
	w.control = simulator.Control{URL: processor.URL()}
	client, err := stripe.New(stripe.Config{Mode: payments.Simulator, Key: payments.NewSecret(key), URL: processor.URL()}, stripe.Options{})
	w.ok(err)
	dir := t.TempDir()
	terms, err := json.Marshal(map[string]any{
		"currencies":     []any{map[string]any{"currency": "USD", "minimum": 100, "maximum": 100_000}},
		"feeBasisPoints": 500, "previewSeconds": map[string]any{"minimum": 60, "maximum": 7200},
		"releaseSeconds": 3600, "verificationSeconds": 3600, "rulingSeconds": 60, "disputeReserveSeconds": 60, "maximumHoldSeconds": 20_000, "text": "terms.md",
	})
	w.ok(err)
	w.ok(os.WriteFile(filepath.Join(dir, "terms.json"), terms, 0o600))
	w.ok(os.WriteFile(filepath.Join(dir, "terms.md"), []byte("The terms.\n"), 0o600))
	w.service, err = Build(t.Context(), Config{
		Mode: payments.Simulator, Bind: "127.0.0.1:0", DatabaseURL: "sqlite://" + filepath.Join(dir, "escrow.db"), PublicURL: "https://escrow.example.org",
		RelayURLs: []string{w.network.PDSURL()}, PLCURL: w.network.PLCURL(), DID: w.account.DID, Identifier: w.account.Handle.String(),
		AppPassword: payments.NewSecret(w.account.Password), Name: "Test Escrow", TermsFile: filepath.Join(dir, "terms.json"), Version: "test",
	}, Options{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Clock: time.Now, Processor: client, CheckOutput: true})
	w.ok(err)
	w.run("the escrow", w.service.Run, w.service.Close)
	return w
}

// run runs a server until the test ends.
func (w *scene) run(name string, run func(context.Context) error, stop func() error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, stop()); err != nil {
			w.t.Errorf("%s ended: %v", name, err)
		}
	})
}

func (w *scene) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// ask calls a method, as an account if one is given, and returns the name of the error.
func (w *scene) ask(as *atmosphere.Account, method string, params url.Values, input, out any) (name, message string) {
	w.t.Helper()
	verb, body := http.MethodGet, io.Reader(nil)
	if input != nil {
		b, err := json.Marshal(input)
		w.ok(err)
		verb, body = http.MethodPost, bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), verb, "http://"+w.service.Addr().String()+"/xrpc/"+method+"?"+params.Encode(), body)
	w.ok(err)
	if input != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if as != nil {
		var token struct{ Token string }
		w.ok(as.Client.Get(w.t.Context(), "com.atproto.server.getServiceAuth", map[string]any{"aud": w.account.DID.String(), "lxm": method}, &token))
		req.Header.Set("Authorization", "Bearer "+token.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	w.ok(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	w.ok(err)
	if resp.StatusCode != http.StatusOK {
		var e struct{ Error, Message string }
		w.ok(json.Unmarshal(answer, &e))
		return e.Error, e.Message
	}
	if out != nil {
		w.ok(json.Unmarshal(answer, out))
	}
	return "", ""
}

func (w *scene) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("it never came that %s", what)
		}
	}
}

func (w *scene) write(as *atmosphere.Account, rkey syntax.RecordKey, content lexicons.Record) comatproto.RepoStrongRef {
	w.t.Helper()
	uri, cid, err := as.PutRecord(w.t.Context(), content.NSID(), rkey, content)
	w.ok(err)
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: cid}
}

// onboard makes an account one that can be paid.
func (w *scene) onboard(as *atmosphere.Account) {
	w.t.Helper()
	var begun stratos.EscrowCreatePayoutAccount_Output
	input := map[string]string{"country": "US", "returnUri": "https://work.example.org/"}
	if name, message := w.ask(as, "fund.stratos.escrow.createPayoutAccount", nil, input, &begun); name != "" {
		w.t.Fatalf("%s: %s", name, message)
	}
	if begun.Account.Status != "onboarding" || begun.Url == "" || begun.Account.Did != as.DID.String() {
		w.t.Errorf("begun is %+v", begun)
	}
	known, err := w.service.payees.Account(w.t.Context(), as.DID)
	w.ok(err)
	w.ok(w.control.Complete(w.t.Context(), string(known.ID)))
	var got stratos.EscrowGetPayoutAccount_Output
	if name, message := w.ask(as, "fund.stratos.escrow.getPayoutAccount", nil, nil, &got); name != "" || got.Account.Status != "ready" {
		w.t.Fatalf("onboarded, the account is %+v, %s %s", got, name, message)
	}
}

const onlyKey syntax.RecordKey = "3lbqxkdzvqk2a"

func TestACampaignOpensOnTheNetworkAndIsToldToEverybody(t *testing.T) {
	t.Parallel()
	w := newScene(t)
	ann, backer := atmospheretest.NewAccount(t, w.network, "ann"), atmospheretest.NewAccount(t, w.network, "backer")
	now := time.Now()
	proposal := w.write(backer, onlyKey, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: "Larger text", Description: "So that I can read it.", CreatedAt: stamp(now),
		Subject: stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{LexiconTypeID: lexicons.CollectionProposal.String() + "#accountSubject", Did: ann.DID.String()}},
	})
	development := w.write(ann, onlyKey, &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: proposal, Title: "Larger text", Summary: "It grows.",
		Currency: "USD", Escrow: w.account.DID.String(), CreatedAt: stamp(now),
	})
	w.write(ann, onlyKey, &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Development: development, Uri: "https://preview.example.org/", Instructions: "Look at it.",
		OpensAt: stamp(now.Add(-time.Second)), ClosesAt: stamp(now.Add(time.Hour)), CreatedAt: stamp(now),
	})
	of := url.Values{"development": {development.Uri}}
	var name, message string
	w.until("the developer hears what stands against the opening", func() bool {
		name, message = w.ask(nil, "fund.stratos.escrow.getCampaign", of, nil, nil)
		return strings.Contains(message, "createPayoutAccount")
	})
	if name != "CampaignNotFound" || !strings.Contains(message, ann.DID.String()) {
		t.Errorf("%s: %s", name, message)
	}
	w.onboard(ann)
	var got stratos.EscrowGetCampaign_Output
	w.until("the campaign is open", func() bool {
		name, _ = w.ask(nil, "fund.stratos.escrow.getCampaign", of, nil, &got)
		return name == ""
	})
	if c := got.Campaign; c.Phase != "open" || *c.Next.At != stamp(now.Add(time.Hour)) || c.Next.Event != "preview-closes" || len(c.Trail) != 0 {
		t.Errorf("the campaign is %+v", c)
	}
	uri := syntax.ATURI(got.Campaign.Uri)
	w.until("its record is published", func() bool {
		var value json.RawMessage
		cid, err := backer.GetRecord(t.Context(), uri, &value)
		return err == nil && cid == got.Campaign.Cid
	})

	pledge := w.write(backer, onlyKey, &stratos.FeaturePledge{
		LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: proposal, Development: development,
		Value: stratos.Defs_Money{Amount: 2500, Currency: "USD"}, Escrow: w.account.DID.String(), CreatedAt: stamp(now),
	})
	w.pay(pledge)
	if name, message := w.ask(nil, "fund.stratos.escrow.getCampaign", of, nil, &got); name != "" {
		t.Fatalf("%s: %s", name, message)
	}
	if c := got.Campaign; c.Totals.Held != 2500 || c.Totals.Pledgers != 1 || len(c.Receipts) != 1 || c.Receipts[0].Status != "held" ||
		len(c.Trail) != 1 || c.Trail[0].Event != "held" || *c.Trail[0].Subject != pledge.Uri {
		t.Errorf("with a pledge held the campaign is %+v", c)
	}
	for query, want := range map[string]int{
		"": 1, "payer=" + backer.DID.String(): 1, "payer=" + ann.DID.String(): 0, "status=held": 1, "status=refunded": 0,
		"development=" + url.QueryEscape(development.Uri) + "&payer=" + backer.DID.String(): 1,
	} {
		params, err := url.ParseQuery(query)
		w.ok(err)
		var list stratos.EscrowListReceipts_Output
		if name, message := w.ask(nil, "fund.stratos.escrow.listReceipts", params, nil, &list); name != "" || len(list.Receipts) != want {
			t.Errorf("receipts by %q: %d, want %d; %s %s", query, len(list.Receipts), want, name, message)
		}
	}

	w.write(ann, onlyKey, &stratos.WorkCancellation{LexiconTypeID: lexicons.CollectionCancellation.String(), Development: development, CreatedAt: stamp(now)})
	w.until("everything goes back", func() bool {
		name, _ = w.ask(nil, "fund.stratos.escrow.getCampaign", of, nil, &got)
		return got.Campaign.Phase == "refunding" && got.Campaign.Totals.Refunded == 2500
	})
	w.until("and that is published", func() bool {
		var record stratos.EscrowCampaign
		_, err := backer.GetRecord(t.Context(), uri, &record)
		return err == nil && record.Phase == "refunding" && *record.Reason == "cancelled" && record.Totals.Refunded == 2500
	})
}

// pay lets a pledge be held, as a checkout does.
func (w *scene) pay(pledge comatproto.RepoStrongRef) {
	w.t.Helper()
	s, value := w.service, money.Money{Amount: 2500, Currency: "USD"}
	w.ok(s.store.Update(w.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		keys, err := campaign.Unfinished(ctx, tx, "", 1)
		if err != nil {
			return err
		}
		c, err := campaign.Load(ctx, tx, keys[0])
		if err != nil {
			return err
		}
		err = s.repo.PinReceipt(ctx, tx, repo.Pin{Pledge: syntax.ATURI(pledge.Uri), Development: c.Development, Proposal: c.Proposal, Terms: c.Terms, HeldUntil: c.FinalAt})
		if err != nil {
			return err
		}
		checkout := ledger.Checkout{Hold: "h1", Pledge: syntax.ATURI(pledge.Uri), CID: syntax.CID(pledge.Cid), Attempt: c.Attempt, Value: value}
		if err := s.ledger.OpenHold(ctx, tx, checkout); err != nil {
			return err
		}
		return s.ledger.Charge(ctx, tx, ledger.Charged{Hold: "h1", Charge: "ch_1", Transaction: ledger.Transaction{ID: "txn_1", Amount: 2500, Currency: "USD"}})
	}))
}

func TestPayouts_EachErrorHasItsName(t *testing.T) {
	t.Parallel()
	w := newScene(t)
	ann := atmospheretest.NewAccount(t, w.network, "ann")
	const create, get = "fund.stratos.escrow.createPayoutAccount", "fund.stratos.escrow.getPayoutAccount"
	input := func(country, back string) map[string]string {
		in := map[string]string{"returnUri": back}
		if country != "" {
			in["country"] = country
		}
		return in
	}
	refuse := func(want string, as *atmosphere.Account, method string, in map[string]string) {
		t.Helper()
		var body any
		if in != nil {
			body = in
		}
		if name, message := w.ask(as, method, nil, body, nil); name != want || message == "" {
			t.Errorf("%s %v: %s, %q, want %s", method, in, name, message, want)
		}
	}
	refuse("AuthenticationRequired", nil, create, input("US", "https://work.example.org/"))
	refuse("AuthenticationRequired", nil, get, nil)
	refuse("PayoutAccountNotFound", ann, get, nil)
	refuse("InvalidReturnUri", ann, create, input("US", "http://work.example.org/"))
	refuse("InvalidRequest", ann, create, input("", "https://work.example.org/"))
	w.ok(w.control.SetFaults(t.Context(), simulator.Faults{Next: []simulator.NextFault{{Fault: simulator.FaultCloseAfter, On: "POST /v1/accounts"}}}))
	refuse("ProcessorUnavailable", ann, create, input("US", "https://work.example.org/"))
	w.onboard(ann)
}

func TestQueries_EachErrorHasItsName(t *testing.T) {
	t.Parallel()
	w := newScene(t)
	for _, test := range []struct{ method, param, value, want string }{
		{"getCampaign", "development", "at://did:plc:ann/fund.stratos.work.development/3lbqxkdzvqk2a", "CampaignNotFound"},
		{"listReceipts", "cursor", "x.y", "InvalidCursor"},
		{"listReceipts", "cursor", "0123456789abcdef.1", "InvalidCursor"}, // of another list
		{"listReceipts", "payer", "nobody.test", "ActorNotFound"},
	} {
		name, message := w.ask(nil, "fund.stratos.escrow."+test.method, url.Values{test.param: {test.value}}, nil, nil)
		if name != test.want || message == "" {
			t.Errorf("%s with %s %s: %s, %q, want %s", test.method, test.param, test.value, name, message, test.want)
		}
	}
}

func TestPayouts_ARefreshedVisitLeadsToTheProcessorAndNobodyElse(t *testing.T) {
	t.Parallel()
	w := newScene(t)
	ann := atmospheretest.NewAccount(t, w.network, "ann")
	_, _, err := w.service.payees.Begin(t.Context(), ann.DID, "US", "http://127.0.0.1:1234/back") // all is local here
	w.ok(err)
	var token string
	w.ok(w.service.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT token FROM payee_visit`).Scan(&token)
	}))
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	visit := func(token string) *http.Response {
		t.Helper()
		resp, err := browser.Get("http://" + w.service.Addr().String() + payee.RefreshPath + "?" + url.Values{payee.VisitParam: {token}}.Encode())
		w.ok(err)
		w.ok(resp.Body.Close())
		return resp
	}
	if resp := visit(token); resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(resp.Header.Get("Location"), w.control.URL+"/onboarding/") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d to %q, %v", resp.StatusCode, resp.Header.Get("Location"), resp.Header)
	}
	if resp := visit("somebody-elses"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another token has status %d", resp.StatusCode)
	}
}

func TestF5_AnAccountIsGoneWhenItsPDSSaysSoAndNotWhenItIsHidden(t *testing.T) {
	t.Parallel()
	w := newScene(t)
	ann := atmospheretest.NewAccount(t, w.network, "ann")
	gone := func() bool {
		t.Helper()
		gone, err := w.service.accountGone(t.Context(), ann.DID)
		w.ok(err)
		return gone
	}
	if gone() {
		t.Error("an active account is gone")
	}
	w.ok(ann.Client.Post(t.Context(), "com.atproto.server.deactivateAccount", map[string]any{}, nil))
	if gone() {
		t.Error("a deactivated account is gone")
	}
	w.ok(w.network.Admin().Post(t.Context(), "com.atproto.admin.deleteAccount", map[string]any{"did": ann.DID.String()}, nil))
	if !gone() {
		t.Error("a deleted account is not gone")
	}
	if _, err := w.service.accountGone(t.Context(), "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"); err == nil {
		t.Error("what nobody knows is no error")
	}
}
