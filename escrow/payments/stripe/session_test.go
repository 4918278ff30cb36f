package stripe

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

const goodSession = `{"object":"checkout.session","id":"cs_1","amount_total":2500,"currency":"usd","status":"open","payment_status":"unpaid"}`

// sent returns the order that a call makes: its header and form.
func sent(t *testing.T, answer string, call func(*Client) error) (http.Header, url.Values) {
	t.Helper()
	type request struct {
		header http.Header
		form   url.Values
	}
	requests := make(chan request, 1)
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		requests <- request{r.Header, r.Form}
		_, _ = w.Write([]byte(answer))
	})
	if err := call(client); err != nil {
		t.Fatal(err)
	}
	got := <-requests
	return got.header, got.form
}

func marked(form url.Values, prefix string) url.Values {
	meta, err := testMark.Metadata()
	if err != nil {
		panic(err)
	}
	for name, value := range meta {
		form.Set(prefix+"["+name+"]", value)
	}
	return form
}

func TestR9_PledgeIsCheckedOutByCardAtOnceWithoutConversion(t *testing.T) {
	t.Parallel()
	header, form := sent(t, goodSession, func(c *Client) error {
		_, err := c.OpenCheckout(t.Context(), testCheckout)
		return err
	})
	want := marked(marked(url.Values{
		"mode":                    {"payment"},
		"payment_method_types[0]": {"card"},
		"payment_method_options[card][request_three_d_secure]": {"any"},
		"line_items[0][quantity]":                              {"1"},
		"line_items[0][price_data][currency]":                  {"usd"},
		"line_items[0][price_data][unit_amount]":               {"2500"},
		"line_items[0][price_data][product_data][name]":        {"Dark mode"},
		"line_items[0][price_data][product_data][description]": {"Held until it is released"},
		"payment_intent_data[capture_method]":                  {"automatic"},
		"payment_intent_data[description]":                     {"Dark mode"},
		"payment_intent_data[transfer_group]":                  {string(payments.GroupOf(testMark.Attempt))},
		"success_url":                                          {testCheckout.SuccessURL},
		"cancel_url":                                           {testCheckout.CancelURL},
		"expires_at":                                           {"1777636800"},
		"adaptive_pricing[enabled]":                            {"false"},
	}, "metadata"), "payment_intent_data[metadata]")
	if diff := cmp.Diff(want, form); diff != "" {
		t.Error(diff)
	}
	if header.Get("Idempotency-Key") != "checkout:41" || header.Get("Stripe-Account") != "" {
		t.Error(header)
	}
}

func TestR5_DonationGoesStraightToTheDevelopersAccount(t *testing.T) {
	t.Parallel()
	donation := testCheckout
	donation.Account = "acct_1"
	header, form := sent(t, goodSession, func(c *Client) error {
		got, err := c.OpenCheckout(t.Context(), donation)
		if got.Account != "acct_1" {
			t.Errorf("the session is on %q", got.Account)
		}
		return err
	})
	if header.Get("Stripe-Account") != "acct_1" {
		t.Error(header)
	}
	for _, name := range []string{
		"payment_intent_data[transfer_group]", "payment_intent_data[application_fee_amount]", "payment_intent_data[transfer_data][destination]",
	} {
		if form.Has(name) {
			t.Errorf("%s is %s", name, form.Get(name))
		}
	}
}

func TestR14_RefundIsOfTheWholeChargeAndTransferFromIt(t *testing.T) {
	t.Parallel()
	header, form := sent(t, goodRefund, func(c *Client) error { _, err := c.SendRefund(t.Context(), testRefund); return err })
	want := marked(url.Values{"charge": {"ch_1"}, "amount": {"2500"}, "reason": {"requested_by_customer"}}, "metadata")
	if diff := cmp.Diff(want, form); diff != "" || header.Get("Idempotency-Key") != "refund:41" {
		t.Error(diff, header)
	}

	header, form = sent(t, `{"object":"transfer","id":"tr_1","amount":2500,"currency":"usd"}`, func(c *Client) error {
		_, err := c.SendTransfer(t.Context(), testTransfer)
		return err
	})
	want = marked(url.Values{
		"amount": {"2500"}, "currency": {"usd"}, "destination": {"acct_1"}, "source_transaction": {"ch_1"},
		"transfer_group": {string(payments.GroupOf(testMark.Attempt))},
	}, "metadata")
	if diff := cmp.Diff(want, form); diff != "" || header.Get("Idempotency-Key") != "transfer:41" {
		t.Error(diff, header)
	}

	header, form = sent(t, `{"object":"transfer_reversal","id":"trr_1","amount":2500,"currency":"usd"}`, func(c *Client) error {
		_, err := c.SendReversal(t.Context(), testReversal)
		return err
	})
	want = marked(url.Values{"amount": {"2500"}}, "metadata")
	if diff := cmp.Diff(want, form); diff != "" || header.Get("Idempotency-Key") != "reversal:41" {
		t.Error(diff, header)
	}
}

func TestPayeesAccountIsExpressAndTakesTransfers(t *testing.T) {
	t.Parallel()
	for donations, want := range map[bool]string{true: "true", false: ""} {
		order := testAccount
		order.Donations = donations
		header, form := sent(t, `{"object":"account","id":"acct_1"}`, func(c *Client) error {
			_, err := c.OpenAccount(t.Context(), order)
			return err
		})
		if form.Get("type") != "express" || form.Get("country") != "DE" || form.Get("capabilities[transfers][requested]") != "true" ||
			form.Get("capabilities[card_payments][requested]") != want || form.Get("metadata[payee]") != "did:web:payee.example" ||
			header.Get("Idempotency-Key") != "account:7" {
			t.Error(header, form)
		}
	}
}

// Accept looks at all of it, so all of it is asked for.
func TestR9_SessionIsFetchedWithItsPaymentChargeAndMovement(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(*Client) error{
		"get": func(c *Client) error { _, err := c.Session(t.Context(), payments.Platform, "cs_1"); return err },
		"expire": func(c *Client) error {
			_, err := c.ExpireSession(t.Context(), payments.Platform, "cs_1")
			return err
		},
	} {
		if _, form := sent(t, goodSession, call); form.Get("expand[0]") != "payment_intent.latest_charge.balance_transaction" {
			t.Errorf("%s: %v", name, form)
		}
	}
}

// What is not fit to be sent is not sent.
func TestInvalidOrdersAreNotSent(t *testing.T) {
	t.Parallel()
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("sent %s", r.URL) })
	inexact := testDollars
	inexact.Currency, inexact.Amount = "KWD", 5124
	checkout, refund, transfer, reversal := testCheckout, testRefund, testTransfer, testReversal
	checkout.Amount, refund.Amount, transfer.Amount, reversal.Amount = inexact, inexact, inexact, inexact
	ctx := t.Context()
	for name, send := range map[string]func() error{
		"checkout without key": func() error { _, err := client.OpenCheckout(ctx, payments.Checkout{}); return err },
		"checkout, inexact":    func() error { _, err := client.OpenCheckout(ctx, checkout); return err },
		"refund without key":   func() error { _, err := client.SendRefund(ctx, payments.RefundOrder{}); return err },
		"refund, inexact":      func() error { _, err := client.SendRefund(ctx, refund); return err },
		"transfer without key": func() error { _, err := client.SendTransfer(ctx, payments.TransferOrder{}); return err },
		"transfer, inexact":    func() error { _, err := client.SendTransfer(ctx, transfer); return err },
		"reversal without key": func() error { _, err := client.SendReversal(ctx, payments.ReversalOrder{}); return err },
		"reversal, inexact":    func() error { _, err := client.SendReversal(ctx, reversal); return err },
		"account without key":  func() error { _, err := client.OpenAccount(ctx, payments.AccountOrder{}); return err },
		"link for nobody":      func() error { _, err := client.Link(ctx, payments.LinkOrder{}); return err },
	} {
		if err := send(); !errors.Is(err, payments.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestR5_WhatADonationDidToThePayeesBalanceNeedsNotBeReadable: the account may have a
// currency that nobody here can count, and the donation is paid all the same.
func TestR5_WhatADonationDidToThePayeesBalanceNeedsNotBeReadable(t *testing.T) {
	t.Parallel()
	const movement = `{"object":"balance_transaction","id":"txn_1","amount":9300000,"currency":"ugx","fee":1,"net":9299999,"exchange_rate":3720.0}`
	const charge = `{"object":"charge","id":"ch_1","amount":2500,"currency":"usd","balance_transaction":` + movement + `}`
	const dispute = `{"object":"dispute","id":"dp_1","amount":2500,"currency":"usd","status":"lost","balance_transactions":[` + movement + `]}`
	for account, readable := range map[payments.AccountID]bool{"acct_payee": true, payments.Platform: false} {
		c, err := serve(t, answers(http.StatusOK, charge)).Charge(t.Context(), account, "ch_1")
		if readable != (err == nil) || readable && (c.Movement == nil || c.Movement.ID != "txn_1") {
			t.Errorf("a charge on %q: %+v, %v", account, c, err)
		}
		d, err := serve(t, answers(http.StatusOK, dispute)).Dispute(t.Context(), account, "dp_1")
		if readable != (err == nil) || readable && len(d.Movements) != 1 {
			t.Errorf("a dispute on %q: %+v, %v", account, d, err)
		}
	}
}

// A session that nobody has tried to pay yet has no payment; one in a list only its id.
func TestSessionIsReadAtEachOfItsStages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		id     payments.PaymentID
		reason payments.Reason
	}{
		"open":          {`{"object":"checkout.session","id":"cs_1","amount_total":2500,"currency":"usd","status":"open"}`, "", payments.ReasonMark},
		"not expanded":  {`{"object":"checkout.session","id":"cs_1","amount_total":2500,"currency":"usd","payment_intent":"pi_1"}`, "pi_1", payments.ReasonMark},
		"without money": {`{"object":"checkout.session","id":"cs_1","amount_total":null,"currency":null,"mode":"setup"}`, "", payments.ReasonMark},
	} {
		got, err := serve(t, answers(http.StatusOK, c.body)).Session(t.Context(), payments.Platform, "cs_1")
		if err != nil || got.Payment != nil || got.PaymentID != c.id {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		_, err = payments.Accept(got, testCheckout, payments.Simulator)
		if no, ok := errors.AsType[*payments.Rejection](err); !ok || no.Reason != c.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A charge whose movement is only an id would hide a conversion.
	body := `{"object":"checkout.session","id":"cs_1","amount_total":2500,"currency":"usd","payment_intent":{"object":"payment_intent","id":"pi_1",
		"amount":2500,"currency":"usd","latest_charge":{"object":"charge","id":"ch_1","amount":2500,"currency":"usd","balance_transaction":"txn_1"}}}`
	if _, err := serve(t, answers(http.StatusOK, body)).Session(t.Context(), payments.Platform, "cs_1"); !errors.Is(err, payments.ErrUncertain) {
		t.Error(err)
	}
}
