package simulator_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// call is a request as a client without a library would make it.
func (w *world) call(method, path string, form url.Values, headers map[string]string) (*http.Response, string) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, w.control.URL+path, strings.NewReader(form.Encode()))
	w.ok(err)
	request.Header.Set("Authorization", "Bearer "+key)
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := w.wire.Do(request)
	w.ok(err)
	body, err := io.ReadAll(response.Body)
	w.ok(errors.Join(err, response.Body.Close()))
	return response, string(body)
}

func refundForm(charge string) url.Values { return url.Values{"charge": {charge}} }

func TestNobodyTakesItForTheRealOne(t *testing.T) {
	w := start(t)
	session := w.session(5_000, "usd")
	if session.Livemode || !strings.HasPrefix(session.ID, "cs_test_Simulator") {
		t.Errorf("session %s, livemode %v", session.ID, session.Livemode)
	}
	if got := session.LastResponse.Header.Get("Simulator"); got != "true" {
		t.Errorf("the header says %q", got)
	}
	response, page := w.call("GET", strings.TrimPrefix(session.URL, w.control.URL), nil, nil)
	if !strings.Contains(page, "THIS IS A SIMULATOR") || response.Header.Get("Simulator") != "true" {
		t.Error("the page does not say what it is")
	}
	for id, account := range w.truth().Accounts {
		for kind, objects := range account.Objects {
			for _, raw := range objects {
				var object struct {
					ID       string
					Livemode bool
				}
				must(json.Unmarshal(raw, &object))
				if object.Livemode || object.ID != "" && !strings.Contains(object.ID, "_Simulator") {
					t.Errorf("%s of %s: id %s, livemode %v", kind, id, object.ID, object.Livemode)
				}
			}
		}
	}
}

func TestOnlyItsOwnKeyAndVersionAreTaken(t *testing.T) {
	w := start(t)
	for name, headers := range map[string]map[string]string{
		"none":       {"Authorization": ""},
		"live":       {"Authorization": "Bearer sk_live_4eC39HqLyjWDarjtT1zdp7dc"},
		"real test":  {"Authorization": "Bearer sk_test_4eC39HqLyjWDarjtT1zdp7dc"},
		"other":      {"Authorization": "Bearer " + key + "x"},
		"no bearer":  {"Authorization": key},
		"basic auth": {"Authorization": "Basic " + key},
	} {
		response, body := w.call("GET", "/v1/balance", nil, headers)
		if response.StatusCode != http.StatusUnauthorized || strings.Contains(body, "4eC39") {
			t.Errorf("%s: status %d: %s", name, response.StatusCode, body)
		}
	}
	if response, body := w.call("GET", "/v1/balance", nil, map[string]string{"Stripe-Version": "2020-08-27"}); response.StatusCode != http.StatusBadRequest {
		t.Errorf("another version: status %d: %s", response.StatusCode, body)
	}
	if response, body := w.call("GET", "/v1/balance", nil, map[string]string{"Stripe-Version": stripe.APIVersion}); response.StatusCode != http.StatusOK {
		t.Errorf("our version: status %d: %s", response.StatusCode, body)
	}
	if response, _ := w.call("GET", "/v1/customers", nil, nil); response.StatusCode != http.StatusNotFound {
		t.Errorf("a call that is not simulated: status %d", response.StatusCode)
	}
}

func TestParametersAreRefusedAsStripeRefusesThem(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant).ID
	const sessions, amount, currency = "/v1/checkout/sessions", "line_items[0][price_data][unit_amount]", "line_items[0][price_data][currency]"
	whole := func(change url.Values) url.Values {
		form := url.Values{
			"mode": {"payment"}, "success_url": {"http://escrow.test/"}, "cancel_url": {"http://escrow.test/"}, "line_items[0][quantity]": {"1"},
			amount: {"5000"}, currency: {"usd"}, "line_items[0][price_data][product_data][name]": {"A feature"},
		}
		for name, values := range change {
			form[name] = values
		}
		return form
	}
	for name, c := range map[string]struct {
		path   string
		form   url.Values
		status int
		code   string
		param  string
	}{
		"unknown":            {sessions, whole(url.Values{"colour": {"red"}}), 400, "parameter_unknown", "colour"},
		"missing":            {sessions, whole(url.Values{currency: nil}), 400, "parameter_missing", currency},
		"empty":              {sessions, whole(url.Values{currency: {""}}), 400, "parameter_invalid_empty", currency},
		"unknown currency":   {sessions, whole(url.Values{currency: {"doge"}}), 400, "", currency},
		"another mode":       {sessions, whole(url.Values{"mode": {"setup"}}), 400, "", "mode"},
		"fraction":           {sessions, whole(url.Values{amount: {"50.5"}}), 400, "parameter_invalid_integer", amount},
		"negative":           {sessions, whole(url.Values{amount: {"-5000"}}), 400, "parameter_invalid_integer", amount},
		"overflow":           {sessions, whole(url.Values{amount: {"9223372036854775808"}}), 400, "parameter_invalid_integer", amount},
		"product overflow":   {sessions, whole(url.Values{amount: {"99999999"}, "line_items[0][quantity]": {"99999999"}}), 400, "amount_too_large", ""},
		"too much":           {sessions, whole(url.Values{amount: {"99999999"}, "line_items[0][quantity]": {"2"}}), 400, "amount_too_large", ""},
		"too little":         {sessions, whole(url.Values{amount: {"49"}}), 400, "amount_too_small", ""},
		"too few yen":        {sessions, whole(url.Values{amount: {"49"}, currency: {"jpy"}}), 400, "amount_too_small", ""},
		"zero":               {sessions, whole(url.Values{amount: {"0"}}), 400, "amount_too_small", ""},
		"no address":         {sessions, whole(url.Values{"success_url": {"javascript:alert(1)"}}), 400, "url_invalid", "success_url"},
		"ends too soon":      {sessions, whole(url.Values{"expires_at": {jsonInt(begin.Add(29 * time.Minute))}}), 400, "", "expires_at"},
		"ends too late":      {sessions, whole(url.Values{"expires_at": {jsonInt(begin.Add(25 * time.Hour))}}), 400, "", "expires_at"},
		"long metadata":      {sessions, whole(url.Values{"metadata[uri]": {strings.Repeat("a", 501)}}), 400, "", "metadata[uri]"},
		"twice":              {sessions, whole(url.Values{"mode": {"payment", "payment"}}), 400, "", "mode"},
		"not expandable":     {sessions, whole(url.Values{"expand[]": {"customer"}}), 400, "", "expand[]"},
		"no charge":          {"/v1/refunds", refundForm("ch_nothing"), 404, "resource_missing", "charge"},
		"nothing to refund":  {"/v1/refunds", url.Values{"amount": {"100"}}, 400, "parameter_missing", "charge"},
		"unknown reason":     {"/v1/refunds", url.Values{"charge": {charge}, "reason": {"bored"}}, 400, "", "reason"},
		"another kind's id":  {"/v1/refunds", url.Values{"payment_intent": {charge}}, 404, "resource_missing", "payment_intent"},
		"unknown account":    {"/v1/account_links", url.Values{"account": {"acct_nobody"}, "type": {"account_onboarding"}, "return_url": {"http://e.test/"}, "refresh_url": {"http://e.test/"}}, 404, "resource_missing", "account"},
		"no kind of account": {"/v1/accounts", url.Values{"country": {"US"}}, 400, "parameter_missing", "type"},
	} {
		response, body := w.call("POST", c.path, c.form, nil)
		var got struct {
			Error struct{ Type, Code, Param, Message string }
		}
		must(json.Unmarshal([]byte(body), &got))
		if response.StatusCode != c.status || got.Error.Type != "invalid_request_error" || got.Error.Code != c.code || got.Error.Param != c.param || got.Error.Message == "" {
			t.Errorf("%s: status %d: %s", name, response.StatusCode, body)
		}
	}
	if got := len(w.truth().Accounts[w.truth().Platform].Objects["checkout.session"]); got != 1 {
		t.Errorf("a refused request left something: %d sessions", got)
	}
}

func jsonInt(at time.Time) string {
	raw, err := json.Marshal(at.Unix())
	must(err)
	return string(raw)
}

func TestAPostIsAForm(t *testing.T) {
	w := start(t)
	response, _ := w.call("POST", "/v1/refunds?charge=ch_1", url.Values{}, nil)
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("parameters in the query: status %d", response.StatusCode)
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST", w.control.URL+"/v1/refunds", strings.NewReader(`{"charge":"ch_1"}`))
	w.ok(err)
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	json, err := w.wire.Do(request)
	w.ok(err)
	w.ok(json.Body.Close())
	if json.StatusCode != http.StatusBadRequest {
		t.Errorf("JSON: status %d", json.StatusCode)
	}
	if response, _ := w.call("POST", "/v1/refunds", url.Values{"charge": {strings.Repeat("a", 2<<20)}}, nil); response.StatusCode != http.StatusBadRequest {
		t.Errorf("two megabytes: status %d", response.StatusCode)
	}
}

func TestListsComeInPagesNewestFirst(t *testing.T) {
	w := start(t)
	var ids []string // newest first
	for range 7 {
		ids = append([]string{w.paid(1_000, "usd", cardInstant).ID}, ids...)
		w.advance(time.Minute)
	}
	got := func(params *stripe.ChargeListParams) string {
		t.Helper()
		params.Single = true
		list := w.api.Charges.List(params)
		var found []string
		for list.Next() {
			found = append(found, list.Charge().ID)
		}
		w.ok(list.Err())
		if list.ChargeList().HasMore {
			found = append(found, "more")
		}
		return strings.Join(found, " ")
	}
	want := func(what, got string, want ...string) {
		t.Helper()
		if expected := strings.Join(want, " "); got != expected {
			t.Errorf("%s: %s instead of %s", what, got, expected)
		}
	}
	limit := func(n int64) stripe.ListParams { return stripe.ListParams{Limit: &n} }
	want("first", got(&stripe.ChargeListParams{ListParams: limit(3)}), ids[0], ids[1], ids[2], "more")
	after := limit(3)
	after.StartingAfter = &ids[3]
	want("last", got(&stripe.ChargeListParams{ListParams: after}), ids[4], ids[5], ids[6])
	before := limit(2)
	before.EndingBefore = &ids[4]
	want("before", got(&stripe.ChargeListParams{ListParams: before}), ids[3], ids[2], "more") // turned around by the library
	since := &stripe.ChargeListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: begin.Add(5 * time.Minute).Unix()}}
	want("since", got(since), ids[0], ids[1])
	until := &stripe.ChargeListParams{CreatedRange: &stripe.RangeQueryParams{LesserThan: begin.Add(2 * time.Minute).Unix()}}
	want("until", got(until), ids[5], ids[6])
	want("at", got(&stripe.ChargeListParams{Created: new(begin.Add(time.Minute).Unix())}), ids[5])
	want("another group", got(&stripe.ChargeListParams{TransferGroup: new("attempt-2")}))

	for _, wrong := range []string{"limit=0", "limit=101", "starting_after=ch_none", "colour=red", "starting_after=" + ids[0] + "&ending_before=" + ids[1]} {
		if response, _ := w.call("GET", "/v1/charges?"+wrong, nil, nil); response.StatusCode != 400 && response.StatusCode != 404 {
			t.Errorf("%s: status %d", wrong, response.StatusCode)
		}
	}
}

func TestAnAccountSeesOnlyItsOwn(t *testing.T) {
	w := start(t)
	payee := w.payee()
	charge := w.paid(5_000, "usd", cardInstant)
	params := &stripe.ChargeParams{}
	params.SetStripeAccount(payee.ID)
	_, err := w.api.Charges.Get(charge.ID, params)
	w.refused(err, 404, stripe.ErrorCodeResourceMissing)
	params.SetStripeAccount("acct_nobody")
	_, err = w.api.Charges.Get(charge.ID, params)
	w.refused(err, 403, stripe.ErrorCodeAccountInvalid)
	_, err = w.api.Accounts.GetByID("acct_nobody", nil)
	w.refused(err, 403, stripe.ErrorCodeAccountInvalid)
}

func TestTheSameKeyIsTheSameAnswer(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant).ID
	form := url.Values{"charge": {charge}, "amount": {"1000"}}
	keyed := map[string]string{"Idempotency-Key": "refund-1"}
	first, body := w.call("POST", "/v1/refunds", form, keyed)
	if first.StatusCode != http.StatusOK || first.Header.Get("Idempotent-Replayed") != "" {
		t.Fatalf("status %d: %s", first.StatusCode, body)
	}
	w.restart()
	second, again := w.call("POST", "/v1/refunds", form, keyed)
	if again != body || second.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("answered differently: %s", again)
	}
	form.Set("amount", "2000")
	response, other := w.call("POST", "/v1/refunds", form, keyed)
	if response.StatusCode != http.StatusBadRequest || !strings.Contains(other, "idempotency_error") {
		t.Errorf("other parameters: status %d: %s", response.StatusCode, other)
	}
	if got := w.charge(charge).AmountRefunded; got != 1_000 {
		t.Errorf("refunded %d", got)
	}
	form.Set("amount", "1000")
	w.advance(24*time.Hour - time.Second)
	if response, _ := w.call("POST", "/v1/refunds", form, keyed); response.Header.Get("Idempotent-Replayed") != "true" {
		t.Error("forgotten too early")
	}
	w.advance(time.Second)
	if response, _ := w.call("POST", "/v1/refunds", form, keyed); response.Header.Get("Idempotent-Replayed") != "" {
		t.Error("still remembered after 24 hours")
	}
	if got := w.charge(charge).AmountRefunded; got != 2_000 {
		t.Errorf("with the key forgotten the request is a new one, yet %d is refunded", got)
	}
}

func TestARefusalIsRememberedUnlessTheRequestWasWrong(t *testing.T) {
	w := start(t)
	payee := w.payee()
	form := url.Values{"amount": {"1000"}, "currency": {"usd"}, "destination": {payee.ID}}
	first, body := w.call("POST", "/v1/transfers", form, map[string]string{"Idempotency-Key": "t-1"})
	if first.StatusCode != 400 || !strings.Contains(body, "balance_insufficient") {
		t.Fatalf("status %d: %s", first.StatusCode, body)
	}
	_, err := w.control.TopUp(t.Context(), 5_000, "usd")
	w.ok(err)
	second, again := w.call("POST", "/v1/transfers", form, map[string]string{"Idempotency-Key": "t-1"})
	if again != body || second.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the refusal was forgotten: status %d: %s", second.StatusCode, again)
	}
	form.Set("colour", "red")
	w.call("POST", "/v1/transfers", form, map[string]string{"Idempotency-Key": "t-2"})
	form.Del("colour")
	if response, body := w.call("POST", "/v1/transfers", form, map[string]string{"Idempotency-Key": "t-2"}); response.StatusCode != http.StatusOK {
		t.Errorf("a wrong request used the key up: status %d: %s", response.StatusCode, body)
	}
}

func TestARestrictedAccountReceivesNothing(t *testing.T) {
	w := start(t)
	charge, payee := w.paid(5_000, "usd", cardInstant), w.payee()
	w.ok(w.control.Restrict(t.Context(), payee.ID, "rejected.fraud"))
	got, err := w.api.Accounts.GetByID(payee.ID, nil)
	w.ok(err)
	if got.PayoutsEnabled || got.ChargesEnabled || got.Requirements.DisabledReason != "rejected.fraud" || got.Capabilities.Transfers != "inactive" {
		t.Errorf("payouts %v, reason %s", got.PayoutsEnabled, got.Requirements.DisabledReason)
	}
	_, err = w.api.Transfers.New(transferParams(charge, 100, payee.ID))
	w.refused(err, 400, "insufficient_capabilities_for_transfer")
	donation := sessionParams(2_000, "usd")
	donation.SetStripeAccount(payee.ID)
	_, err = w.api.CheckoutSessions.New(donation)
	w.refused(err, 400, "")
	w.ok(w.control.Complete(t.Context(), payee.ID))
	w.transfer(charge, 100, payee.ID)
}

func TestATransferMayMeetARestrictionThatLifts(t *testing.T) {
	w := start(t)
	charge, payee := w.paid(5_000, "usd", cardInstant), w.payee()
	w.ok(w.control.SetFaults(t.Context(), simulator.Faults{Next: []simulator.NextFault{{Fault: simulator.FaultRestrict}}}))
	_, err := w.api.Transfers.New(transferParams(charge, 100, payee.ID))
	w.refused(err, 400, "insufficient_capabilities_for_transfer")
	_, err = w.api.Transfers.New(transferParams(charge, 100, payee.ID))
	w.refused(err, 400, "insufficient_capabilities_for_transfer")
	w.advance(24 * time.Hour)
	w.transfer(charge, 100, payee.ID)
}
