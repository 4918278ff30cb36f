package escrow

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const onlyKey syntax.RecordKey = "3lbqxkdzvqk2a"

// TestACampaignsWholeLife: a payee is onboarded, a campaign opens, pledges are paid on the
// pages, one is taken back and refunded, and the rest goes back when the developer cancels.
// Everybody is told.
func TestACampaignsWholeLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carol := atmospheretest.NewAccount(t, w.network, "carol")
	x := w.announce(onlyKey)
	of := url.Values{"development": {x.development.Uri}}
	var name, message string
	w.until("the developer hears what stands against the opening", func() bool {
		name, message = w.ask(nil, getCampaign, of, nil, nil)
		return strings.Contains(message, "createPayoutAccount")
	})
	if name != "CampaignNotFound" || !strings.Contains(message, w.developer.DID.String()) {
		t.Errorf("%s: %s", name, message)
	}
	w.onboard(w.developer)
	got := w.opened(x)
	if c := got.Campaign; c.Phase != "open" || c.Next.Event != "preview-closes" || len(c.Trail) != 0 {
		t.Errorf("the campaign is %+v", c)
	}
	uri := syntax.ATURI(got.Campaign.Uri)
	w.until("its record is published", func() bool {
		var value json.RawMessage
		cid, err := w.backer.GetRecord(t.Context(), uri, &value)
		return err == nil && cid == got.Campaign.Cid
	})

	kept, withdrawn := w.pledges(w.backer, onlyKey, x), w.pledges(carol, onlyKey, x)
	w.pay(w.backer, kept)
	w.pay(carol, withdrawn)
	w.ok(carol.DeleteRecord(t.Context(), syntax.ATURI(withdrawn.Uri)))
	w.until("the pledge that was taken back is refunded", func() bool {
		return w.receipts()[syntax.ATURI(withdrawn.Uri)] == "refunded withdrawn"
	})
	if name, message := w.ask(nil, getCampaign, of, nil, &got); name != "" {
		t.Fatalf("%s: %s", name, message)
	}
	if c := got.Campaign; c.Totals.Held != 2500 || c.Totals.Pledgers != 1 || c.Totals.Refunded != 2500 || len(c.Receipts) != 2 || len(c.Trail) < 3 {
		t.Errorf("with one pledge held the campaign is %+v", c)
	}
	for query, want := range map[string]int{
		"": 2, "payer=" + w.backer.DID.String(): 1, "payer=" + w.developer.DID.String(): 0, "status=held": 1, "status=refunded": 1, "status=released": 0,
		"development=" + url.QueryEscape(x.development.Uri) + "&payer=" + w.backer.DID.String(): 1,
	} {
		params, err := url.ParseQuery(query)
		w.ok(err)
		var list stratos.EscrowListReceipts_Output
		if name, message := w.ask(nil, listReceipts, params, nil, &list); name != "" || len(list.Receipts) != want {
			t.Errorf("receipts by %q: %d, want %d; %s %s", query, len(list.Receipts), want, name, message)
		}
	}

	w.write(w.developer, onlyKey, &stratos.WorkCancellation{LexiconTypeID: lexicons.CollectionCancellation.String(), Development: x.development, CreatedAt: stamp(time.Now())})
	w.until("everything goes back", func() bool {
		name, _ = w.ask(nil, getCampaign, of, nil, &got)
		return got.Campaign.Phase == "refunded" && got.Campaign.Totals.Refunded == 5000
	})
	w.until("and that is published", func() bool {
		var record stratos.EscrowCampaign
		_, err := w.backer.GetRecord(t.Context(), uri, &record)
		return err == nil && record.Phase == "refunded" && *record.Reason == "cancelled" && record.Totals.Refunded == 5000 &&
			w.receipts()[syntax.ATURI(kept.Uri)] == "refunded cancelled"
	})
}

// TestR5_ADonationThatABankTookBackIsReversedInPublic: its charge is on the developer's own
// account, and so is the chargeback.
func TestR5_ADonationThatABankTookBackIsReversedInPublic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.onboard(w.developer)
	x := w.develop(onlyKey)
	donation := w.write(w.backer, onlyKey, &stratos.FeatureDonation{
		LexiconTypeID: lexicons.CollectionDonation.String(), Proposal: x.proposal, Development: x.development,
		Value: stratos.Defs_Money{Amount: 2500, Currency: "USD"}, Escrow: w.cfg.DID.String(), CreatedAt: stamp(time.Now()),
	})
	w.payFor(w.backer, donation, "donation")
	account, err := w.service.payees.Account(t.Context(), w.developer.DID)
	w.ok(err)
	var charges []payments.ChargeID
	for c, err := range w.client.Charges(t.Context(), account.ID, payments.ChargeQuery{}) {
		w.ok(err)
		charges = append(charges, c.ID)
	}
	if len(charges) != 1 {
		t.Fatalf("charges on the developer's account: %v", charges)
	}
	dispute, err := w.control.Dispute(t.Context(), string(charges[0]), simulator.NewDispute{})
	w.ok(err)
	w.until("the receipt is published", func() bool { return w.receipts()[syntax.ATURI(donation.Uri)] == "paid" })
	w.ok(w.control.Lose(t.Context(), dispute))
	w.until("it is reversed in public", func() bool {
		return strings.HasPrefix(w.receipts()[syntax.ATURI(donation.Uri)], "reversed")
	})
	if n := w.standing(); n != 0 {
		t.Errorf("%d things stand still", n)
	}
}

func TestPayouts_EachErrorHasItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := atmospheretest.NewAccount(t, w.network, "ann")
	const create, get = createPayoutAccount, getPayoutAccount
	input := func(country, back string) map[string]string {
		in := map[string]string{"returnUri": back}
		if country != "" {
			in["country"] = country
		}
		return in
	}
	refuse := func(want string, as *atmosphere.Account, method syntax.NSID, in map[string]string) {
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
	w := newWorld(t)
	for _, test := range []struct{ method, param, value, want string }{
		{"getCampaign", "development", "at://did:plc:ann/fund.stratos.work.development/3lbqxkdzvqk2a", "CampaignNotFound"},
		{"listReceipts", "cursor", "x.y", "InvalidCursor"},
		{"listReceipts", "cursor", "0123456789abcdef.1", "InvalidCursor"}, // of another list
		{"listReceipts", "payer", "nobody.test", "ActorNotFound"},
	} {
		name, message := w.ask(nil, syntax.NSID("fund.stratos.escrow."+test.method), url.Values{test.param: {test.value}}, nil, nil)
		if name != test.want || message == "" {
			t.Errorf("%s with %s %s: %s, %q, want %s", test.method, test.param, test.value, name, message, test.want)
		}
	}
}

func TestPayouts_ARefreshedVisitLeadsToTheProcessorAndNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
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
	w := newWorld(t)
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
