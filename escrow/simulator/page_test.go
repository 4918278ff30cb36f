package simulator_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// browse follows an address of the simulator's, as a browser without JavaScript.
func (w *world) browse(method, address string, form url.Values) (*http.Response, string) {
	w.Helper()
	response, page := w.call(method, strings.TrimPrefix(address, w.control.URL), form, nil)
	return response, html.UnescapeString(page)
}

func insisting(requested string) *stripe.CheckoutSessionParams {
	params := sessionParams(5_000, "usd")
	params.PaymentMethodOptions = &stripe.CheckoutSessionPaymentMethodOptionsParams{Card: &stripe.CheckoutSessionPaymentMethodOptionsCardParams{RequestThreeDSecure: &requested}}
	return params
}

func TestAPayerPaysOnThePage(t *testing.T) {
	w := start(t)
	session := w.session(5_000, "usd")
	if session.PaymentIntent != nil || session.Status != "open" {
		t.Errorf("before anybody paid: %s", session.Status)
	}
	_, page := w.browse("GET", session.URL, nil)
	for _, want := range []string{"A feature", "for everybody", "USD 50.00", cardPays, "http://escrow.test/back"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	response, _ := w.browse("POST", session.URL, url.Values{"card": {cardPays}, "email": {"backer@escrow.test"}})
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || got != "http://escrow.test/done?s="+session.ID {
		t.Fatalf("status %d, to %s", response.StatusCode, got)
	}
	got := expandedSession(w, session.ID)
	if got.Status != "complete" || got.PaymentStatus != "paid" || got.CustomerDetails.Email != "backer@escrow.test" || got.URL != "" {
		t.Errorf("the session is %s and %s", got.Status, got.PaymentStatus)
	}
	intent, charge := got.PaymentIntent, got.PaymentIntent.LatestCharge
	if intent.Status != "succeeded" || intent.AmountReceived != 5_000 || intent.TransferGroup != "attempt-1" || intent.Metadata["intent"] != "i-1" {
		t.Errorf("the intent is %s of %d in %s", intent.Status, intent.AmountReceived, intent.TransferGroup)
	}
	if !charge.Paid || charge.TransferGroup != "attempt-1" || charge.BalanceTransaction.Net != 4_825 || charge.PaymentMethodDetails.Card.Last4 != "4242" {
		t.Errorf("the charge: paid %v, net %d", charge.Paid, charge.BalanceTransaction.Net)
	}

	response, page = w.browse("POST", session.URL, url.Values{"card": {cardPays}})
	if response.StatusCode != http.StatusOK || !strings.Contains(page, "paid already") {
		t.Errorf("a second submit: status %d", response.StatusCode)
	}
	w.wantBalance("", "usd", 0, 4_825)
}

func TestADeclinedCardChargesNothingAndMayBeReplaced(t *testing.T) {
	w := start(t)
	session := w.session(5_000, "usd")
	_, page := w.browse("POST", session.URL, url.Values{"card": {cardDeclined}})
	if !strings.Contains(page, "declined") || !strings.Contains(page, cardPays) {
		t.Error("the page does not offer another card")
	}
	declined := expandedSession(w, session.ID).PaymentIntent
	if declined.Status != "requires_payment_method" || declined.LastPaymentError.Code != "card_declined" || declined.LatestCharge.Status != "failed" || declined.LatestCharge.BalanceTransaction != nil {
		t.Errorf("the intent is %s", declined.Status)
	}
	w.wantBalance("", "usd", 0, 0)
	_, err := w.api.Refunds.New(&stripe.RefundParams{Charge: &declined.LatestCharge.ID})
	w.refused(err, 400, "")
	w.browse("POST", session.URL, url.Values{"card": {cardPays}})
	if got := expandedSession(w, session.ID); got.PaymentIntent.ID != declined.ID || got.PaymentStatus != "paid" {
		t.Errorf("after another card the session is %s", got.PaymentStatus)
	}
}

func TestARealCardNumberIsNotTaken(t *testing.T) {
	w := start(t)
	session := w.session(5_000, "usd")
	if response, page := w.browse("POST", session.URL, url.Values{"card": {"4111111111111111"}}); response.StatusCode != http.StatusBadRequest || strings.Contains(page, "4111") {
		t.Errorf("status %d: %s", response.StatusCode, page)
	}
}

func TestAChallengeIsPassedOrFailed(t *testing.T) {
	w := start(t)
	session, err := w.api.CheckoutSessions.New(insisting("any"))
	w.ok(err)
	challenge := func() string {
		t.Helper()
		response, _ := w.browse("POST", session.URL, url.Values{"card": {cardChallenge}})
		if got := expandedSession(w, session.ID).PaymentIntent; got.Status != "requires_action" || got.LatestCharge != nil {
			t.Errorf("before the bank asked: %s", got.Status)
		}
		return response.Header.Get("Location")
	}
	if _, page := w.browse("GET", challenge(), nil); !strings.Contains(page, "3-D Secure") {
		t.Error("the bank does not ask")
	}
	_, page := w.browse("POST", challenge(), url.Values{"result": {"fail"}})
	got := expandedSession(w, session.ID).PaymentIntent
	if !strings.Contains(page, "declined") || got.Status != "requires_payment_method" || got.LastPaymentError.Code != "payment_intent_authentication_failure" || got.LatestCharge != nil {
		t.Errorf("after a failed challenge: %s", got.Status)
	}
	w.browse("POST", session.URL+"/challenge", url.Values{"result": {"succeed"}}) // back in the browser
	if got := expandedSession(w, session.ID); got.PaymentStatus != "unpaid" || got.PaymentIntent.LatestCharge != nil {
		t.Errorf("a challenge was passed that nobody asked for any more: the session is %s", got.PaymentStatus)
	}
	response, _ := w.browse("POST", challenge(), url.Values{"result": {"succeed"}})
	if response.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d", response.StatusCode)
	}
	if got := expandedSession(w, session.ID).PaymentIntent.LatestCharge.PaymentMethodDetails.Card.ThreeDSecure; got.Result != "authenticated" {
		t.Errorf("3-D Secure: %s", got.Result)
	}
}

func TestAnEnrolledCardIsAskedOnlyWhereTheSellerInsists(t *testing.T) {
	const enrolled = "4000000000003055"
	for requested, asks := range map[string]bool{"automatic": false, "any": true, "challenge": true} {
		w := start(t)
		session, err := w.api.CheckoutSessions.New(insisting(requested))
		w.ok(err)
		w.browse("POST", session.URL, url.Values{"card": {enrolled}})
		if got := expandedSession(w, session.ID).PaymentIntent.Status == "requires_action"; got != asks {
			t.Errorf("%s: asked %v", requested, got)
		}
	}
}

func TestASessionEndsWithItsTime(t *testing.T) {
	w := start(t)
	params := insisting("any")
	params.ExpiresAt = new(begin.Add(30 * time.Minute).Unix())
	session, err := w.api.CheckoutSessions.New(params)
	w.ok(err)
	response, _ := w.browse("POST", session.URL, url.Values{"card": {cardChallenge}})
	w.advance(30 * time.Minute)
	// The payer comes back from the bank too late.
	_, page := w.browse("POST", response.Header.Get("Location"), url.Values{"result": {"succeed"}})
	if !strings.Contains(page, "Too late") {
		t.Error("the page does not say so")
	}
	got := expandedSession(w, session.ID)
	if got.Status != "expired" || got.PaymentStatus != "unpaid" || got.PaymentIntent.Status != "canceled" {
		t.Errorf("the session is %s, its payment %s", got.Status, got.PaymentIntent.Status)
	}
	w.wantBalance("", "usd", 0, 0)
}

func TestASessionIsExpiredOnce(t *testing.T) {
	w := start(t)
	open, paid := w.session(5_000, "usd"), w.session(5_000, "usd")
	got, err := w.api.CheckoutSessions.Expire(open.ID, nil)
	w.ok(err)
	if got.Status != "expired" {
		t.Errorf("the session is %s", got.Status)
	}
	_, err = w.api.CheckoutSessions.Expire(open.ID, nil)
	w.refused(err, 400, "")
	if result, err := w.control.Pay(t.Context(), open.ID, simulator.Payment{}); err != nil || result.Outcome != "closed" {
		t.Errorf("an expired session was %s: %v", result.Outcome, err)
	}
	_, err = w.control.Pay(t.Context(), paid.ID, simulator.Payment{})
	w.ok(err)
	_, err = w.api.CheckoutSessions.Expire(paid.ID, nil)
	w.refused(err, 400, "")
}

func TestAPayeeBecomesPayableByALink(t *testing.T) {
	w := start(t)
	a, err := w.api.Accounts.New(accountParams())
	w.ok(err)
	if a.PayoutsEnabled || a.Capabilities.Transfers != "inactive" || len(a.Requirements.CurrentlyDue) == 0 {
		t.Errorf("a new account: payouts %v, transfers %s", a.PayoutsEnabled, a.Capabilities.Transfers)
	}
	link := func() string {
		t.Helper()
		l, err := w.api.AccountLinks.New(&stripe.AccountLinkParams{
			Account: &a.ID, Type: new("account_onboarding"), ReturnURL: new("http://escrow.test/payable"), RefreshURL: new("http://escrow.test/again"),
		})
		w.ok(err)
		return l.URL
	}
	follow := func(address, result, want string) {
		t.Helper()
		response, page := w.browse("POST", address, url.Values{"result": {result}})
		if got := response.Header.Get("Location"); got != want {
			t.Errorf("%s leads to %q, not %q: %s", result, got, want, page)
		}
	}
	late := link()
	if _, page := w.browse("GET", late, nil); !strings.Contains(page, a.Requirements.CurrentlyDue[0]) {
		t.Error("the page does not say what is missing")
	}
	w.advance(5 * time.Minute)
	follow(late, "complete", "http://escrow.test/again")
	follow(link(), "leave", "http://escrow.test/payable")
	follow(link(), "verify", "http://escrow.test/payable")
	a, err = w.api.Accounts.GetByID(a.ID, nil)
	w.ok(err)
	if a.Capabilities.Transfers != "pending" || !a.DetailsSubmitted || a.PayoutsEnabled || len(a.Requirements.PendingVerification) == 0 {
		t.Errorf("while it is verified: transfers %s", a.Capabilities.Transfers)
	}
	once := link()
	follow(once, "complete", "http://escrow.test/payable")
	follow(once, "complete", "http://escrow.test/again")
	a, err = w.api.Accounts.GetByID(a.ID, nil)
	w.ok(err)
	if !a.PayoutsEnabled || !a.ChargesEnabled || a.Capabilities.Transfers != "active" || len(a.Requirements.CurrentlyDue) > 0 {
		t.Errorf("in the end: payouts %v, transfers %s", a.PayoutsEnabled, a.Capabilities.Transfers)
	}
}

func TestPagesThatAreNotThereSaySo(t *testing.T) {
	w := start(t)
	for _, path := range []string{"/checkout/cs_test_none", "/checkout/cs_test_none/challenge", "/onboarding/acctlink_none"} {
		if response, _ := w.browse("GET", path, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, response.StatusCode)
		}
	}
}
