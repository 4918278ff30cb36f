package stripe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// stripeMock is Stripe's own stand-in, which checks requests against the published
// OpenAPI. It is a program of its own, and stays out of go.mod.
const stripeMock = "github.com/stripe/stripe-mock@v0.203.0"

var listening = regexp.MustCompile(`^Listening for HTTP at address: (\S+)$`)

// startMock builds and starts stripe-mock on a free port, and returns its address.
func startMock(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "install", stripeMock)
	build.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", stripeMock, err, out)
	}
	mock := exec.Command(filepath.Join(folder, "stripe-mock"), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	mock.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives the test
	out, err := mock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	var drained sync.WaitGroup
	drained.Go(func() {
		defer close(found)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if match := listening.FindStringSubmatch(lines.Text()); match != nil {
				found <- match[1]
			}
		}
	})
	t.Cleanup(func() {
		_ = mock.Process.Kill()
		drained.Wait()
		_ = mock.Wait()
	})
	address, ok := <-found
	if !ok {
		t.Fatal("stripe-mock ended without listening")
	}
	return "http://" + address
}

// recorder keeps what passed by.
type recorder struct {
	calls []string
	last  []byte
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	r.calls, r.last = append(r.calls, req.Method+" "+req.URL.Path), body
	return res, nil
}

// raw is an answer, read without the library.
type raw map[string]any

func (r raw) of(name string) raw { v, _ := r[name].(map[string]any); return v }

func (r raw) text(name string) string {
	switch v := r[name].(type) {
	case string:
		return v
	case map[string]any:
		return raw(v).text("id")
	}
	return ""
}

func (r raw) flag(name string) bool { v, _ := r[name].(bool); return v }

func (r raw) number(name string) int64 {
	v, _ := r[name].(json.Number)
	n, _ := v.Int64()
	return n
}

func (r raw) cash(name string) money.Money {
	return money.Money{Amount: r.number(name), Currency: money.Currency(strings.ToUpper(r.text("currency")))}
}

func (r raw) time(name string) time.Time {
	if r.number(name) == 0 {
		return time.Time{}
	}
	return time.Unix(r.number(name), 0).UTC()
}

func (r raw) list(name string) (out []raw) {
	all, _ := r[name].([]any)
	for _, one := range all {
		v, _ := one.(map[string]any)
		out = append(out, v)
	}
	return out
}

func (r raw) texts(name string) (out []string) {
	all, _ := r[name].([]any)
	for _, one := range all {
		v, _ := one.(string)
		out = append(out, v)
	}
	return out
}

func (r raw) meta() map[string]string {
	out := make(map[string]string)
	for name := range r.of("metadata") {
		out[name] = r.of("metadata").text(name)
	}
	return out
}

func (r raw) session(account payments.AccountID) payments.Session {
	out := payments.Session{
		ID: payments.SessionID(r.text("id")), Account: account, Live: r.flag("livemode"), Mark: payments.ParseMark(r.meta()),
		Status: payments.SessionStatus(r.text("status")), Paid: r.text("payment_status") == "paid", Converted: r["currency_conversion"] != nil,
		URL: r.text("url"), CreatedAt: r.time("created"), ExpiresAt: r.time("expires_at"),
		PaymentID: payments.PaymentID(r.text("payment_intent")), Amount: r.cash("amount_total"),
	}
	if p := r.of("payment_intent"); p != nil {
		out.Payment = &payments.Payment{
			ID: out.PaymentID, Live: p.flag("livemode"), Mark: payments.ParseMark(p.meta()), Group: payments.Group(p.text("transfer_group")),
			Status: payments.PaymentStatus(p.text("status")), Amount: p.cash("amount"), Received: p.cash("amount_received"), CreatedAt: p.time("created"),
		}
		if c := p.of("latest_charge"); c != nil {
			charge := c.charge(account)
			out.Payment.Charge = &charge
		}
	}
	return out
}

func (r raw) charge(account payments.AccountID) payments.Charge {
	out := payments.Charge{
		ID: payments.ChargeID(r.text("id")), Account: account, Payment: payments.PaymentID(r.text("payment_intent")), Live: r.flag("livemode"),
		Mark: payments.ParseMark(r.meta()), Group: payments.Group(r.text("transfer_group")), Status: payments.ChargeStatus(r.text("status")),
		Method: r.of("payment_method_details").text("type"), Captured: r.flag("captured"), Amount: r.cash("amount"), Refunded: r.cash("amount_refunded"),
		Disputed: r.flag("disputed"), FailureCode: r.text("failure_code"), CreatedAt: r.time("created"),
	}
	if b := r.of("balance_transaction"); b != nil {
		movement := b.movement()
		out.Movement = &movement
	}
	return out
}

func (r raw) movement() payments.Movement {
	return payments.Movement{
		ID: payments.MovementID(r.text("id")), Kind: payments.MovementKind(r.text("type")), Category: r.text("reporting_category"),
		Amount: r.cash("amount"), Fee: r.cash("fee"), Net: r.cash("net"), Source: r.text("source"), Converted: r["exchange_rate"] != nil,
		Available: r.text("status") == "available", CreatedAt: r.time("created"), AvailableAt: r.time("available_on"),
	}
}

func (r raw) refund() payments.Refund {
	return payments.Refund{
		ID: payments.RefundID(r.text("id")), Charge: payments.ChargeID(r.text("charge")), Payment: payments.PaymentID(r.text("payment_intent")),
		Mark: payments.ParseMark(r.meta()), Amount: r.cash("amount"), Status: payments.RefundStatus(r.text("status")),
		Reason: payments.RefundReason(r.text("reason")), Because: r.meta()["because"], FailureReason: r.text("failure_reason"), CreatedAt: r.time("created"),
		Movement: payments.MovementID(r.text("balance_transaction")), Return: payments.MovementID(r.text("failure_balance_transaction")),
	}
}

func (r raw) transfer() payments.Transfer {
	return payments.Transfer{
		ID: payments.TransferID(r.text("id")), To: payments.AccountID(r.text("destination")), Source: payments.ChargeID(r.text("source_transaction")),
		Live: r.flag("livemode"), Mark: payments.ParseMark(r.meta()), Group: payments.Group(r.text("transfer_group")), Amount: r.cash("amount"),
		Reversed: r.cash("amount_reversed"), CreatedAt: r.time("created"), Movement: payments.MovementID(r.text("balance_transaction")),
	}
}

func (r raw) reversal() payments.Reversal {
	return payments.Reversal{
		ID: payments.ReversalID(r.text("id")), Transfer: payments.TransferID(r.text("transfer")), Mark: payments.ParseMark(r.meta()),
		Amount: r.cash("amount"), CreatedAt: r.time("created"), Movement: payments.MovementID(r.text("balance_transaction")),
	}
}

func (r raw) requirements() payments.Requirements {
	q := r.of("requirements")
	out := payments.Requirements{
		Due: q.texts("currently_due"), PastDue: q.texts("past_due"), InReview: q.texts("pending_verification"),
		Deadline: q.time("current_deadline"), Disabled: q.text("disabled_reason"),
	}
	for _, e := range q.list("errors") {
		out.Errors = append(out.Errors, e.text("code"))
	}
	return out
}

func (r raw) account() payments.Account {
	return payments.Account{
		ID: payments.AccountID(r.text("id")), Mark: payments.ParsePayeeMark(r.meta()), Country: r.text("country"),
		Currency: money.Currency(strings.ToUpper(r.text("default_currency"))), Submitted: r.flag("details_submitted"),
		PayoutsEnabled: r.flag("payouts_enabled"), ChargesEnabled: r.flag("charges_enabled"),
		Transfers: payments.Capability(r.of("capabilities").text("transfers")), Cards: payments.Capability(r.of("capabilities").text("card_payments")),
		Requirements: r.requirements(), CreatedAt: r.time("created"),
	}
}

func (r raw) platform() payments.PlatformAccount {
	return payments.PlatformAccount{
		ID: payments.AccountID(r.text("id")), Country: r.text("country"), Currency: money.Currency(strings.ToUpper(r.text("default_currency"))),
		Payouts: r.of("settings").of("payouts").of("schedule").text("interval"), ChargesEnabled: r.flag("charges_enabled"),
		PayoutsEnabled: r.flag("payouts_enabled"), Requirements: r.requirements(),
	}
}

func (r raw) balance() payments.Balance {
	amounts := func(name string) (out []money.Money) {
		for _, a := range r.list(name) {
			out = append(out, a.cash("amount"))
		}
		return out
	}
	return payments.Balance{Live: r.flag("livemode"), Available: amounts("available"), Pending: amounts("pending"), Reserved: amounts("connect_reserved")}
}

func (r raw) dispute() payments.Dispute {
	out := payments.Dispute{
		ID: payments.DisputeID(r.text("id")), Charge: payments.ChargeID(r.text("charge")), Payment: payments.PaymentID(r.text("payment_intent")),
		Live: r.flag("livemode"), Amount: r.cash("amount"), Status: payments.DisputeStatus(r.text("status")), Reason: r.text("reason"),
		Refundable: r.flag("is_charge_refundable"), CreatedAt: r.time("created"), EvidenceBy: r.of("evidence_details").time("due_by"),
	}
	for _, b := range r.list("balance_transactions") {
		out.Movements = append(out.Movements, b.movement())
	}
	return out
}

func (r raw) warning() payments.Warning {
	return payments.Warning{
		ID: payments.WarningID(r.text("id")), Charge: payments.ChargeID(r.text("charge")), Payment: payments.PaymentID(r.text("payment_intent")),
		Live: r.flag("livemode"), Actionable: r.flag("actionable"), Kind: r.text("fraud_type"), CreatedAt: r.time("created"),
	}
}

func (r raw) topup() payments.Topup {
	return payments.Topup{
		ID: payments.TopupID(r.text("id")), Live: r.flag("livemode"), Amount: r.cash("amount"), Status: payments.TopupStatus(r.text("status")),
		CreatedAt: r.time("created"), Movement: payments.MovementID(r.text("balance_transaction")),
	}
}

func (r raw) hint() payments.Hint {
	object := r.of("data").of("object")
	return payments.Hint{
		ID: payments.EventID(r.text("id")), Live: r.flag("livemode"), Type: r.text("type"), Kind: object.text("object"), Object: object.text("id"),
		Account: payments.AccountID(r.text("account")), CreatedAt: r.time("created"),
	}
}

func (r raw) link() payments.Link {
	return payments.Link{URL: r.text("url"), ExpiresAt: r.time("expires_at")}
}

// asked is one call: the request that it makes, and what it gave beside what the answer
// says.
type asked struct {
	method, request string
	call            func(*testing.T, *Client) (got any, want func(raw) any)
}

func object[T any](method, request string, call func(*testing.T, *Client) (T, error), want func(raw) T) asked {
	return asked{method, request, func(t *testing.T, c *Client) (any, func(raw) any) {
		got, err := call(t, c)
		if err != nil {
			t.Errorf("%s: %v", request, err)
		}
		return got, func(r raw) any { return want(r) }
	}}
}

func objects[T any](method, request string, call func(*testing.T, *Client) iter.Seq2[T, error], want func(raw) T) asked {
	return asked{method, request, func(t *testing.T, c *Client) (any, func(raw) any) {
		var got []T
		for one, err := range call(t, c) {
			if err != nil {
				t.Errorf("%s: %v", request, err)
				break
			}
			got = append(got, one)
		}
		if len(got) == 0 {
			t.Errorf("%s: an empty list shows nothing", request)
		}
		return got, func(r raw) any {
			var all []T
			for _, one := range r.list("data") {
				all = append(all, want(one))
			}
			return all
		}
	}}
}

// on fixes the account of an object.
func on[T any](account payments.AccountID, read func(raw, payments.AccountID) T) func(raw) T {
	return func(r raw) T { return read(r, account) }
}

var (
	testSince = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

	contract = []asked{
		object("OpenCheckout", "POST /v1/checkout/sessions", func(t *testing.T, c *Client) (payments.Session, error) {
			return c.OpenCheckout(t.Context(), testCheckout)
		}, on(payments.Platform, raw.session)),
		object("OpenCheckout", "POST /v1/checkout/sessions", func(t *testing.T, c *Client) (payments.Session, error) {
			donation := testCheckout
			donation.Account, donation.Note = "acct_1", ""
			return c.OpenCheckout(t.Context(), donation)
		}, on("acct_1", raw.session)),
		object("Session", "GET /v1/checkout/sessions/cs_1", func(t *testing.T, c *Client) (payments.Session, error) {
			return c.Session(t.Context(), payments.Platform, "cs_1")
		}, on(payments.Platform, raw.session)),
		object("ExpireSession", "POST /v1/checkout/sessions/cs_1/expire", func(t *testing.T, c *Client) (payments.Session, error) {
			return c.ExpireSession(t.Context(), "acct_1", "cs_1")
		}, on("acct_1", raw.session)),
		objects("Sessions", "GET /v1/checkout/sessions", func(t *testing.T, c *Client) iter.Seq2[payments.Session, error] {
			return c.Sessions(t.Context(), payments.Platform, payments.SessionQuery{Payment: "pi_1", Since: testSince})
		}, on(payments.Platform, raw.session)),
		object("Charge", "GET /v1/charges/ch_1", func(t *testing.T, c *Client) (payments.Charge, error) {
			return c.Charge(t.Context(), payments.Platform, "ch_1")
		}, on(payments.Platform, raw.charge)),
		objects("Charges", "GET /v1/charges", func(t *testing.T, c *Client) iter.Seq2[payments.Charge, error] {
			return c.Charges(t.Context(), "acct_1", payments.ChargeQuery{Payment: "pi_1", Since: testSince})
		}, on("acct_1", raw.charge)),
		objects("Charges", "GET /v1/charges", func(t *testing.T, c *Client) iter.Seq2[payments.Charge, error] {
			return c.Charges(t.Context(), payments.Platform, payments.ChargeQuery{Group: "abc", Since: testSince})
		}, on(payments.Platform, raw.charge)),
		object("SendRefund", "POST /v1/refunds", func(t *testing.T, c *Client) (payments.Refund, error) {
			return c.SendRefund(t.Context(), testRefund)
		}, raw.refund),
		object("Refund", "GET /v1/refunds/re_1", func(t *testing.T, c *Client) (payments.Refund, error) {
			return c.Refund(t.Context(), "re_1")
		}, raw.refund),
		objects("Refunds", "GET /v1/refunds", func(t *testing.T, c *Client) iter.Seq2[payments.Refund, error] {
			return c.Refunds(t.Context(), payments.RefundQuery{Charge: "ch_1", Since: testSince})
		}, raw.refund),
		object("SendTransfer", "POST /v1/transfers", func(t *testing.T, c *Client) (payments.Transfer, error) {
			return c.SendTransfer(t.Context(), testTransfer)
		}, raw.transfer),
		object("Transfer", "GET /v1/transfers/tr_1", func(t *testing.T, c *Client) (payments.Transfer, error) {
			return c.Transfer(t.Context(), "tr_1")
		}, raw.transfer),
		objects("Transfers", "GET /v1/transfers", func(t *testing.T, c *Client) iter.Seq2[payments.Transfer, error] {
			return c.Transfers(t.Context(), payments.TransferQuery{Group: "abc", To: "acct_1", Since: testSince})
		}, raw.transfer),
		object("SendReversal", "POST /v1/transfers/tr_1/reversals", func(t *testing.T, c *Client) (payments.Reversal, error) {
			return c.SendReversal(t.Context(), testReversal)
		}, raw.reversal),
		objects("Reversals", "GET /v1/transfers/tr_1/reversals", func(t *testing.T, c *Client) iter.Seq2[payments.Reversal, error] {
			return c.Reversals(t.Context(), "tr_1")
		}, raw.reversal),
		object("OpenAccount", "POST /v1/accounts", func(t *testing.T, c *Client) (payments.Account, error) {
			return c.OpenAccount(t.Context(), testAccount)
		}, raw.account),
		object("Account", "GET /v1/accounts/acct_1", func(t *testing.T, c *Client) (payments.Account, error) {
			return c.Account(t.Context(), "acct_1")
		}, raw.account),
		objects("Accounts", "GET /v1/accounts", func(t *testing.T, c *Client) iter.Seq2[payments.Account, error] {
			return c.Accounts(t.Context(), testSince)
		}, raw.account),
		object("Link", "POST /v1/account_links", func(t *testing.T, c *Client) (payments.Link, error) {
			return c.Link(t.Context(), testLink)
		}, raw.link),
		object("Platform", "GET /v1/account", func(t *testing.T, c *Client) (payments.PlatformAccount, error) {
			return c.Platform(t.Context())
		}, raw.platform),
		object("Balance", "GET /v1/balance", func(t *testing.T, c *Client) (payments.Balance, error) {
			return c.Balance(t.Context())
		}, raw.balance),
		object("Movement", "GET /v1/balance_transactions/txn_1", func(t *testing.T, c *Client) (payments.Movement, error) {
			return c.Movement(t.Context(), "txn_1")
		}, raw.movement),
		objects("Movements", "GET /v1/balance_transactions", func(t *testing.T, c *Client) iter.Seq2[payments.Movement, error] {
			return c.Movements(t.Context(), payments.MovementQuery{Since: testSince, Source: "ch_1", Kind: payments.MovementCharge})
		}, raw.movement),
		objects("Topups", "GET /v1/topups", func(t *testing.T, c *Client) iter.Seq2[payments.Topup, error] {
			return c.Topups(t.Context(), testSince)
		}, raw.topup),
		object("Dispute", "GET /v1/disputes/dp_1", func(t *testing.T, c *Client) (payments.Dispute, error) {
			return c.Dispute(t.Context(), "acct_1", "dp_1")
		}, raw.dispute),
		objects("Disputes", "GET /v1/disputes", func(t *testing.T, c *Client) iter.Seq2[payments.Dispute, error] {
			return c.Disputes(t.Context(), payments.Platform, payments.DisputeQuery{Charge: "ch_1", Since: testSince})
		}, raw.dispute),
		objects("Disputes", "GET /v1/disputes", func(t *testing.T, c *Client) iter.Seq2[payments.Dispute, error] {
			return c.Disputes(t.Context(), "acct_1", payments.DisputeQuery{})
		}, raw.dispute),
		object("Warning", "GET /v1/radar/early_fraud_warnings/issfr_1", func(t *testing.T, c *Client) (payments.Warning, error) {
			return c.Warning(t.Context(), "issfr_1")
		}, raw.warning),
		objects("Warnings", "GET /v1/radar/early_fraud_warnings", func(t *testing.T, c *Client) iter.Seq2[payments.Warning, error] {
			return c.Warnings(t.Context(), payments.WarningQuery{Charge: "ch_1", Since: testSince})
		}, raw.warning),
		objects("Hints", "GET /v1/events", func(t *testing.T, c *Client) iter.Seq2[payments.Hint, error] {
			return c.Hints(t.Context(), payments.HintQuery{Types: []string{"charge.refund.updated", "refund.updated"}, Since: testSince})
		}, raw.hint),
		objects("Hints", "GET /v1/events", func(t *testing.T, c *Client) iter.Seq2[payments.Hint, error] {
			return c.Hints(t.Context(), payments.HintQuery{Since: testSince}) // of any type
		}, raw.hint),
	}
)

// Each call that the client can make is one of Stripe's by its published OpenAPI, and
// what comes back arrives whole.
func TestEachCallIsOneThatStripeKnows(t *testing.T) {
	t.Parallel()
	passed := &recorder{}
	client := clientOf(t, startMock(t), Options{Transport: passed})
	for _, c := range contract {
		passed.calls = nil
		got, want := c.call(t, client)
		if diff := cmp.Diff([]string{c.request}, passed.calls); diff != "" {
			t.Error(diff)
		}
		compare(t, c.request, got, passed.last, want)
	}
	// The stand-in does refuse: without this the above would show nothing.
	_, err := client.sessions().New(&sdk.CheckoutSessionParams{Params: order(t.Context(), payments.Platform, "k"), Mode: sdk.String("given")})
	if f, ok := errors.AsType[*payments.Failure](err); !ok || f.Status != http.StatusBadRequest {
		t.Errorf("an unknown mode is accepted: %v", err)
	}
}

// compare shows what was lost between an answer and what the client made of it.
func compare(t *testing.T, name string, got any, answer []byte, want func(raw) any) {
	t.Helper()
	var r raw
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if diff := cmp.Diff(want(r), got, cmp.Comparer(func(a, b []string) bool { return strings.Join(a, " ") == strings.Join(b, " ") })); diff != "" {
		t.Errorf("%s:\n%s", name, diff)
	}
}

func TestContractKnowsEachMethod(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, c := range contract {
		known[c.method] = true
	}
	processor := reflect.TypeFor[payments.Processor]()
	for i := range processor.NumMethod() {
		if name := processor.Method(i).Name; !known[name] {
			t.Errorf("%s is not called", name)
		}
	}
}
