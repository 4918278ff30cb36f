package simulator_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// stripeMock is Stripe's own stateless mock. It is a tool with Stripe's published
// OpenAPI inside, and no dependency of ours.
const stripeMock = "github.com/stripe/stripe-mock@v0.203.0"

// newerThanOurVersion are answers that API version 2023-10-16 gives and the published
// OpenAPI, which is of a later version, calls otherwise.
var newerThanOurVersion = map[string]map[string]any{
	"checkout.session": {"ui_mode": "hosted_page"}, // was "hosted"
}

// TestEveryCallIsOneThatStripeKnows makes each call of the simulator's once, sends the
// same request to stripe-mock, and holds the simulator's answer against Stripe's schema
// for it. A field that Stripe does not have fails as well as one that is missing.
func TestEveryCallIsOneThatStripeKnows(t *testing.T) {
	w := start(t)
	contract := newContract(t)
	w.api = newAPI(w.control.URL, contract)
	everyCall(w)

	var unasked []string
	for _, call := range simulator.Calls() {
		if !contract.made[call] {
			unasked = append(unasked, call)
		}
	}
	if len(unasked) > 0 {
		t.Errorf("no request was made of:\n%s", strings.Join(unasked, "\n"))
	}
	for _, wrong := range contract.wrong {
		t.Error(wrong)
	}
	contract.checkEvents(w.truth())
}

// everyCall lives through a life that makes each call of the API at least once, with
// all parameters that the escrow sends.
func everyCall(w *world) {
	ctx := w.Context()
	_, err := w.control.TopUp(ctx, 100_000, "usd")
	w.ok(err)
	payee := w.payee()
	_, err = w.api.AccountLinks.New(&stripe.AccountLinkParams{
		Account: &payee.ID, Type: new("account_onboarding"), ReturnURL: new("http://escrow.test/done"), RefreshURL: new("http://escrow.test/again"),
	})
	w.ok(err)
	_, err = w.api.Accounts.Get()
	w.ok(err)
	drain(w, w.api.Accounts.List(nil))
	w.ok(w.control.Restrict(ctx, payee.ID, "rejected.fraud"))
	_, err = w.api.Accounts.GetByID(payee.ID, nil)
	w.ok(err)
	w.ok(w.control.Complete(ctx, payee.ID))

	params := sessionParams(5_000, "usd")
	params.PaymentMethodOptions = &stripe.CheckoutSessionPaymentMethodOptionsParams{Card: &stripe.CheckoutSessionPaymentMethodOptionsCardParams{RequestThreeDSecure: new("any")}}
	params.CustomerEmail = new("backer@escrow.test")
	params.ExpiresAt = new(begin.Add(time.Hour).Unix())
	params.PaymentIntentData.CaptureMethod = new("automatic")
	params.CustomText = &stripe.CheckoutSessionCustomTextParams{Submit: &stripe.CheckoutSessionCustomTextSubmitParams{Message: new("Public for good.")}}
	params.ClientReferenceID = new("i-1")
	params.AddExtra("adaptive_pricing[enabled]", "false")
	session, err := w.api.CheckoutSessions.New(params)
	w.ok(err)
	_, err = w.control.Pay(ctx, session.ID, simulator.Payment{Card: cardDeclined})
	w.ok(err)
	_, err = w.control.Pay(ctx, session.ID, simulator.Payment{Card: cardChallenge, FailChallenge: true})
	w.ok(err)
	intent := expandedSession(w, session.ID).PaymentIntent // with its error
	_, err = w.api.PaymentIntents.Get(intent.ID, nil)
	w.ok(err)
	_, err = w.control.Pay(ctx, session.ID, simulator.Payment{Card: cardChallenge, Email: "backer@escrow.test"})
	w.ok(err)
	charge := expandedSession(w, session.ID).PaymentIntent.LatestCharge
	drain(w, w.api.CheckoutSessions.List(&stripe.CheckoutSessionListParams{PaymentIntent: &intent.ID}))
	unpaid := w.session(5_000, "usd")
	_, err = w.control.Pay(ctx, unpaid.ID, simulator.Payment{Card: cardDeclined})
	w.ok(err)
	_, err = w.api.CheckoutSessions.Expire(unpaid.ID, &stripe.CheckoutSessionExpireParams{})
	w.ok(err)
	drain(w, w.api.PaymentIntents.List(&stripe.PaymentIntentListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: begin.Unix()}}))

	charges := &stripe.ChargeListParams{TransferGroup: new("attempt-1")}
	charges.AddExpand("data.balance_transaction")
	drain(w, w.api.Charges.List(charges))
	w.charge(charge.ID)

	transfer := w.transfer(charge, 2_000, payee.ID)
	_, err = w.api.TransferReversals.New(&stripe.TransferReversalParams{ID: &transfer.ID, Amount: new(int64(500)), Metadata: map[string]string{"intent": "i-2"}})
	w.ok(err)
	_, err = w.api.Transfers.Get(transfer.ID, nil)
	w.ok(err)
	drain(w, w.api.Transfers.List(&stripe.TransferListParams{TransferGroup: new("attempt-1"), Destination: &payee.ID}))
	drain(w, w.api.TransferReversals.List(&stripe.TransferReversalListParams{ID: &transfer.ID}))

	for _, card := range []string{cardInstant, cardFails, cardPends} {
		refund, err := w.api.Refunds.New(&stripe.RefundParams{Charge: new(w.paid(3_000, "usd", card).ID), Reason: new("requested_by_customer"), Metadata: map[string]string{"refund": "r-1"}})
		w.ok(err)
		_, err = w.api.Refunds.Get(refund.ID, nil)
		w.ok(err)
	}
	large, err := w.api.Refunds.New(&stripe.RefundParams{Charge: new(w.paid(900_000, "usd", cardPays).ID)})
	w.ok(err)
	if large.Status != "pending" {
		w.Fatalf("a refund without funds is %s", large.Status)
	}

	disputed := w.paid(3_000, "usd", cardInstant)
	won, err := w.control.Dispute(ctx, disputed.ID, simulator.NewDispute{})
	w.ok(err)
	_, err = w.api.Disputes.Get(won, nil)
	w.ok(err)
	w.ok(w.control.Win(ctx, won, 0))
	_, err = w.control.Dispute(ctx, w.paid(3_000, "usd", cardInstant).ID, simulator.NewDispute{Inquiry: true})
	w.ok(err)
	drain(w, w.api.Disputes.List(&stripe.DisputeListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: begin.Unix()}}))
	warning, err := w.control.WarnOfFraud(ctx, disputed.ID)
	w.ok(err)
	_, err = w.api.RadarEarlyFraudWarnings.Get(warning, nil)
	w.ok(err)
	drain(w, w.api.RadarEarlyFraudWarnings.List(&stripe.RadarEarlyFraudWarningListParams{Charge: &disputed.ID}))

	donations(w, payee.ID)
	w.advance(22 * 24 * time.Hour) // funds arrive, a refund fails, payees are paid out
	drain(w, w.api.Refunds.List(&stripe.RefundListParams{}))
	_, err = w.control.ChargeFee(ctx, 100, "usd", "Radar")
	w.ok(err)
	payout, err := w.control.PayOut(ctx, "", 1_000, "usd")
	w.ok(err)
	_, err = w.api.Payouts.Get(payout, nil)
	w.ok(err)
	drain(w, w.api.Payouts.List(nil))
	topups := w.api.Topups.List(nil)
	topups.Next()
	_, err = w.api.Topups.Get(topups.Topup().ID, nil)
	w.ok(err)

	w.balance("", "usd")
	movements := &stripe.BalanceTransactionListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: begin.Unix()}}
	movements.AddExpand("data.source")
	movements.Limit = new(int64(100))
	drain(w, w.api.BalanceTransactions.List(movements))
	_, err = w.api.BalanceTransactions.Get(charge.BalanceTransaction.ID, nil)
	w.ok(err)
	drain(w, w.api.Events.List(&stripe.EventListParams{Types: []*string{new("charge.succeeded"), new("refund.updated")}}))
	events := w.api.Events.List(nil)
	events.Next()
	_, err = w.api.Events.Get(events.Event().ID, nil)
	w.ok(err)
}

// donations are direct charges on the payee's account.
func donations(w *world, payee string) {
	params := sessionParams(2_000, "usd")
	params.SetStripeAccount(payee)
	donation, err := w.api.CheckoutSessions.New(params)
	w.ok(err)
	_, err = w.control.Pay(w.Context(), donation.ID, simulator.Payment{})
	w.ok(err)
	again := &stripe.CheckoutSessionParams{}
	again.SetStripeAccount(payee)
	again.AddExpand("payment_intent.latest_charge.balance_transaction")
	got, err := w.api.CheckoutSessions.Get(donation.ID, again)
	w.ok(err)
	if got.PaymentIntent.LatestCharge.BalanceTransaction.Net != 1_912 {
		w.Fatalf("the donation's net is %d", got.PaymentIntent.LatestCharge.BalanceTransaction.Net)
	}
}

func expandedSession(w *world, id string) *stripe.CheckoutSession {
	w.Helper()
	params := &stripe.CheckoutSessionParams{}
	params.AddExpand("payment_intent.latest_charge.balance_transaction")
	session, err := w.api.CheckoutSessions.Get(id, params)
	w.ok(err)
	return session
}

// drain reads a list to its end, which must have something.
func drain(w *world, list interface {
	Next() bool
	Err() error
}) {
	w.Helper()
	if !list.Next() {
		w.Fatalf("an empty list (%v)", list.Err())
	}
	for list.Next() {
	}
	w.ok(list.Err())
}

// contract passes requests on to the simulator, and checks both sides.
type contract struct {
	t    *testing.T
	mock string
	spec *openapi3.T
	made map[string]bool

	mu    sync.Mutex
	wrong []string
}

func newContract(t *testing.T) *contract {
	t.Helper()
	return &contract{t: t, mock: startMock(t), spec: loadSpec(t), made: map[string]bool{}}
}

// RoundTrip sends the request to both, and judges.
func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	var form []byte
	if r.Body != nil {
		var err error
		if form, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(form))
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))

	c.mu.Lock()
	defer c.mu.Unlock()
	template, operation := c.find(r)
	if operation == nil {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s is no call of Stripe's", r.Method, r.URL.Path))
		return response, nil
	}
	c.made[r.Method+" "+template] = true
	if response.StatusCode != http.StatusOK {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s: %s", r.Method, r.URL, body))
		return response, nil
	}
	if err := c.judge(operation.Responses.Status(http.StatusOK).Value.Content["application/json"].Schema.Value, body); err != nil {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s: %v", r.Method, template, err))
	}
	if err := c.ask(r, form); err != nil {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s: stripe-mock: %v", r.Method, r.URL, err))
	}
	return response, nil
}

// TestEveryRefusalHasTheFormThatStripeGivesIt holds what is refused, for whatever reason,
// against Stripe's schema of an error.
func TestEveryRefusalHasTheFormThatStripeGivesIt(t *testing.T) {
	w := start(t)
	contract := &contract{t: t, spec: loadSpec(t)}
	judged := &refusals{contract: contract}
	w.wire.Transport = judged
	charge := w.paid(5_000, "usd", cardInstant)
	cases := map[string]struct {
		fault   simulator.Fault
		method  string
		path    string
		form    url.Values
		headers map[string]string
		status  int
	}{
		"a key of nobody":           {method: "GET", path: "/v1/balance", headers: map[string]string{"Authorization": "Bearer " + key + "x"}, status: 401},
		"an account of nobody":      {method: "GET", path: "/v1/balance", headers: map[string]string{"Stripe-Account": "acct_nobody"}, status: 403},
		"another version":           {method: "GET", path: "/v1/balance", headers: map[string]string{"Stripe-Version": "2020-08-27"}, status: 400},
		"no such object":            {method: "GET", path: "/v1/refunds/re_nothing", status: 404},
		"an unknown parameter":      {method: "POST", path: "/v1/refunds", form: url.Values{"colour": {"red"}}, status: 400},
		"a parameter of another":    {method: "POST", path: "/v1/refunds", form: refundForm("ch_nothing"), status: 404},
		"more than was paid":        {method: "POST", path: "/v1/refunds", form: url.Values{"charge": {charge.ID}, "amount": {"5001"}}, status: 400},
		"a key for something else":  {method: "POST", path: "/v1/refunds", form: url.Values{"charge": {charge.ID}, "amount": {"2"}}, headers: map[string]string{"Idempotency-Key": "taken"}, status: 400},
		"too many requests":         {fault: simulator.FaultRateLimit, method: "GET", path: "/v1/balance", status: 429},
		"an error before anything":  {fault: simulator.FaultErrorBefore, method: "GET", path: "/v1/balance", status: 500},
		"an error after everything": {fault: simulator.FaultErrorAfter, method: "GET", path: "/v1/balance", status: 500},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if response, body := w.call("POST", "/v1/refunds", url.Values{"charge": {charge.ID}, "amount": {"1"}}, map[string]string{"Idempotency-Key": "taken"}); response.StatusCode != http.StatusOK {
				t.Fatalf("the first request under the key: %s", body)
			}
			if c.fault != "" {
				w.next(c.fault, "")
			}
			if response, body := w.call(c.method, c.path, c.form, c.headers); response.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", response.StatusCode, c.status, body)
			}
		})
	}
	if judged.count != len(cases) {
		t.Errorf("%d refusals were judged, want %d", judged.count, len(cases))
	}
	for _, wrong := range contract.wrong {
		t.Error(wrong)
	}
}

// refusals holds what is not answered against Stripe's schema.
type refusals struct {
	*contract
	count int
}

// RoundTrip passes a request on, and judges a refusal.
func (c *refusals) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || response.StatusCode == http.StatusOK {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	_, operation := c.find(r)
	if operation == nil {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s is no call of Stripe's", r.Method, r.URL.Path))
		return response, nil
	}
	if err := c.judge(operation.Responses.Default().Value.Content["application/json"].Schema.Value, body); err != nil {
		c.wrong = append(c.wrong, fmt.Sprintf("%s %s, status %d: %v: %s", r.Method, r.URL.Path, response.StatusCode, err, body))
	}
	return response, nil
}

// parameter matches what stands for an id in a path of the OpenAPI.
var parameter = regexp.MustCompile(`\{[^}]+\}`)

// find returns the simulator's name of the call, and Stripe's definition. A path
// without a parameter is meant where both fit.
func (c *contract) find(r *http.Request) (string, *openapi3.Operation) {
	paths := c.spec.Paths.Map()
	if item := paths[r.URL.Path]; item != nil {
		return r.URL.Path, item.GetOperation(r.Method)
	}
	for path, item := range paths {
		pattern := regexp.MustCompile("^" + parameter.ReplaceAllString(path, "[^/]+") + "$")
		if operation := item.GetOperation(r.Method); operation != nil && pattern.MatchString(r.URL.Path) {
			return parameter.ReplaceAllString(path, "{id}"), operation
		}
	}
	return "", nil
}

// judge holds an answer against its schema.
func (c *contract) judge(schema *openapi3.Schema, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return err
	}
	return schema.VisitJSON(modern(value), openapi3.MultiErrors())
}

// modern gives what changed since our version its later name.
func modern(value any) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = modern(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = modern(value[name])
		}
		kind, _ := value["object"].(string)
		maps.Copy(value, newerThanOurVersion[kind])
	}
	return value
}

// ask makes the same request of stripe-mock, with the key that it wants to see.
func (c *contract) ask(r *http.Request, form []byte) error {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, c.mock+r.URL.RequestURI(), bytes.NewReader(form))
	if err != nil {
		return err
	}
	request.Header = r.Header.Clone()
	request.Header.Set("Authorization", "Bearer sk_test_123")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	return nil
}

// checkEvents holds what events carry against the schema of its kind.
func (c *contract) checkEvents(truth *simulator.Truth) {
	c.t.Helper()
	types := map[string]bool{}
	for _, account := range truth.Accounts {
		for _, raw := range account.Objects["event"] {
			var event struct {
				Type string
				Data struct{ Object json.RawMessage }
			}
			must(json.Unmarshal(raw, &event))
			var object struct{ Object string }
			must(json.Unmarshal(event.Data.Object, &object))
			types[event.Type] = true
			if err := c.judge(c.spec.Components.Schemas[object.Object].Value, event.Data.Object); err != nil {
				c.t.Errorf("%s: %v", event.Type, err)
			}
		}
	}
	for name := range types {
		if !slices.Contains(c.eventTypes(), name) {
			c.t.Errorf("Stripe has no event %s", name)
		}
	}
}

// eventTypes are those that a webhook endpoint can be subscribed to.
func (c *contract) eventTypes() []string {
	form := c.spec.Paths.Find("/v1/webhook_endpoints").Post.RequestBody.Value.Content["application/x-www-form-urlencoded"]
	var names []string
	for _, name := range form.Schema.Value.Properties["enabled_events"].Value.Items.Value.Enum {
		names = append(names, fmt.Sprint(name))
	}
	return names
}

// loadSpec reads the OpenAPI out of stripe-mock's module, and closes its schemas, so
// that a field that it does not have is a mistake.
func loadSpec(t *testing.T) *openapi3.T {
	t.Helper()
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", stripeMock)
	download.Dir = t.TempDir()
	out, err := download.Output()
	if err != nil {
		t.Fatalf("download %s: %v\n%s", stripeMock, err, out)
	}
	var module struct{ Dir string }
	must(json.Unmarshal(out, &module))
	spec, err := openapi3.NewLoader().LoadFromFile(filepath.Join(module.Dir, "embedded", "openapi", "spec3.json"))
	if err != nil {
		t.Fatalf("read Stripe's OpenAPI: %v", err)
	}
	closed := map[*openapi3.Schema]bool{}
	for _, schema := range spec.Components.Schemas {
		closeSchema(schema, closed)
	}
	for _, path := range spec.Paths.Map() {
		for _, operation := range path.Operations() {
			if ok := operation.Responses.Status(http.StatusOK); ok != nil && ok.Value.Content["application/json"] != nil {
				closeSchema(ok.Value.Content["application/json"].Schema, closed)
			}
		}
	}
	return spec
}

// closeSchema lets an object with named fields have no others.
func closeSchema(ref *openapi3.SchemaRef, closed map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || closed[ref.Value] {
		return
	}
	schema := ref.Value
	closed[schema] = true
	if len(schema.Properties) > 0 && schema.AdditionalProperties.Schema == nil {
		schema.AdditionalProperties.Has = new(false)
	}
	closeSchema(schema.Items, closed)
	for _, property := range schema.Properties {
		closeSchema(property, closed)
	}
	for _, branches := range []openapi3.SchemaRefs{schema.AnyOf, schema.OneOf, schema.AllOf} {
		for _, branch := range branches {
			closeSchema(branch, closed)
		}
	}
}

var listening = regexp.MustCompile(`^Listening for HTTP at address: (\S+)$`)

// startMock builds stripe-mock and runs it on a free port until the test ends.
func startMock(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	install := exec.CommandContext(t.Context(), "go", "install", stripeMock)
	install.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", stripeMock, err, out)
	}
	mock := exec.Command(filepath.Join(folder, "stripe-mock"), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	out, err := mock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(address)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
	})
	t.Cleanup(func() {
		if err := mock.Process.Kill(); err != nil {
			t.Errorf("end stripe-mock: %v", err)
		}
		reading.Wait()
		_ = mock.Wait() // says that it was killed
	})
	found, ok := <-address
	if !ok {
		t.Fatal("stripe-mock ended without listening")
	}
	return "http://" + found
}
