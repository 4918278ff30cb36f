package escrow

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

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
	account, err := w.network.Directory().LookupDID(t.Context(), w.cfg.DID)
	w.ok(err)
	key, err := account.GetPublicKey(checkout.KeyID)
	w.ok(err)
	said, err := checkout.ParseAcknowledgement(out.Acknowledgement, account.DID, key)
	if err != nil || said.Payment != out.Payment || said.Subject != subject {
		t.Errorf("%+v, %v", said, err)
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
		if strings.Contains(policy, "[") {
			t.Errorf("%s: the policy %q names an IPv6 address, which no browser reads", path, policy)
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

func TestPaymentView_SaysWhenARefundShouldArrive(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for status, want := range map[checkout.Status]string{"refunding": "2026-11-16T09:00:00Z", "held": "", "refunded": ""} {
		v := (&Service{}).paymentView(checkout.View{Status: status, Since: since})
		got := ""
		if v.ExpectedAt != nil {
			got = *v.ExpectedAt
		}
		if got != want {
			t.Errorf("%s is expected at %q, want %q", status, got, want)
		}
	}
}
