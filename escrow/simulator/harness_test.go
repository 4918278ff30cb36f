package simulator_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
	"github.com/stripe/stripe-go/v76/webhook"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

const key = simulator.KeyPrefix + "tests"

// begin is when the world of a test begins; its time stands until the test moves it.
var begin = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// reporter is a test, or one of the many that rapid makes of one.
type reporter interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Context() context.Context
}

// world is a running simulator with a client of Stripe's own library.
type world struct {
	reporter
	config  simulator.Config
	control simulator.Control
	api     *client.API
	wire    *http.Client
	stop    func()
	clock   func() time.Time // real time, which need not be the simulator's
}

// start runs a simulator until the test ends.
func start(t *testing.T, change ...func(*simulator.Config)) *world {
	t.Helper()
	config := simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(t.TempDir(), "simulator.db"), Key: key, Terms: simulator.StripeTerms(),
	}
	for _, f := range change {
		f(&config)
	}
	real := time.Now()
	w := &world{reporter: t, config: config, clock: func() time.Time { return begin.Add(-time.Hour + time.Since(real)) }, wire: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	w.run()
	w.ok(w.control.SetClock(t.Context(), begin, true))
	t.Cleanup(func() { w.stop() })
	return w
}

// run starts the simulator on the world's file, at a new address.
func (w *world) run() {
	w.Helper()
	server, err := simulator.Build(w.Context(), w.config, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: w.clock})
	w.ok(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, server.Close()); err != nil {
			w.Errorf("the simulator ended: %v", err)
		}
	})
	w.control = simulator.Control{URL: server.URL()}
	w.api = newAPI(server.URL(), http.DefaultTransport)
}

// restart stops the simulator and starts it on the same file.
func (w *world) restart() {
	w.Helper()
	w.stop()
	w.run()
}

func newAPI(url string, transport http.RoundTripper) *client.API {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: new(url), MaxNetworkRetries: new(int64(0)), HTTPClient: &http.Client{Transport: transport},
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}, EnableTelemetry: new(false),
	})
	return client.New(key, &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused insists on an error of Stripe's with this status and code.
func (w *world) refused(err error, status int, code stripe.ErrorCode) {
	w.Helper()
	refusal, ok := errors.AsType[*stripe.Error](err)
	if !ok || refusal.HTTPStatusCode != status || refusal.Code != code {
		w.Fatalf("want status %d and code %q, got %v", status, code, err)
	}
}

func sessionParams(amount int64, currency string) *stripe.CheckoutSessionParams {
	return &stripe.CheckoutSessionParams{
		Mode: new("payment"), SuccessURL: new("http://escrow.test/done?s={CHECKOUT_SESSION_ID}"), CancelURL: new("http://escrow.test/back"),
		PaymentMethodTypes: []*string{new("card")},
		LineItems: []*stripe.CheckoutSessionLineItemParams{{
			Quantity: new(int64(1)),
			PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{
				Currency: &currency, UnitAmount: &amount,
				ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: new("A feature"), Description: new("for everybody")},
			},
		}},
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{
			TransferGroup: new("attempt-1"), Description: new("A feature"), Metadata: map[string]string{"intent": "i-1"},
		},
		Metadata: map[string]string{"intent": "i-1"},
	}
}

func (w *world) session(amount int64, currency string) *stripe.CheckoutSession {
	w.Helper()
	s, err := w.api.CheckoutSessions.New(sessionParams(amount, currency))
	w.ok(err)
	return s
}

// paid opens a session, pays it with the card, and returns its charge.
func (w *world) paid(amount int64, currency, card string) *stripe.Charge {
	w.Helper()
	result, err := w.control.Pay(w.Context(), w.session(amount, currency).ID, simulator.Payment{Card: card})
	w.ok(err)
	if result.Outcome != "paid" {
		w.Fatalf("the payment was %s", result.Outcome)
	}
	intent, err := w.api.PaymentIntents.Get(*result.Session.PaymentIntent, nil)
	w.ok(err)
	return w.charge(intent.LatestCharge.ID)
}

func (w *world) charge(id string) *stripe.Charge {
	w.Helper()
	params := &stripe.ChargeParams{}
	params.AddExpand("balance_transaction")
	charge, err := w.api.Charges.Get(id, params)
	w.ok(err)
	return charge
}

func (w *world) refund(charge string) *stripe.Refund {
	w.Helper()
	refund, err := w.api.Refunds.New(&stripe.RefundParams{Charge: &charge})
	w.ok(err)
	return refund
}

func (w *world) refundNow(id string) *stripe.Refund {
	w.Helper()
	refund, err := w.api.Refunds.Get(id, nil)
	w.ok(err)
	return refund
}

// payee opens an account that can be paid.
func (w *world) payee() *stripe.Account {
	w.Helper()
	a, err := w.api.Accounts.New(accountParams())
	w.ok(err)
	w.ok(w.control.Complete(w.Context(), a.ID))
	a, err = w.api.Accounts.GetByID(a.ID, nil)
	w.ok(err)
	return a
}

func accountParams() *stripe.AccountParams {
	return &stripe.AccountParams{
		Type: new("express"), Country: new("US"),
		Capabilities: &stripe.AccountCapabilitiesParams{
			CardPayments: &stripe.AccountCapabilitiesCardPaymentsParams{Requested: new(true)},
			Transfers:    &stripe.AccountCapabilitiesTransfersParams{Requested: new(true)},
		},
	}
}

func transferParams(charge *stripe.Charge, amount int64, to string) *stripe.TransferParams {
	return &stripe.TransferParams{
		Amount: &amount, Currency: new(string(charge.Currency)), Destination: &to, SourceTransaction: &charge.ID, TransferGroup: &charge.TransferGroup,
	}
}

func (w *world) transfer(charge *stripe.Charge, amount int64, to string) *stripe.Transfer {
	w.Helper()
	transfer, err := w.api.Transfers.New(transferParams(charge, amount, to))
	w.ok(err)
	return transfer
}

// balance is what an account has in a currency; the platform when account is empty.
func (w *world) balance(account, currency string) (available, pending int64) {
	w.Helper()
	params := &stripe.BalanceParams{}
	if account != "" {
		params.SetStripeAccount(account)
	}
	b, err := w.api.Balance.Get(params)
	w.ok(err)
	for _, a := range b.Available {
		if string(a.Currency) == currency {
			available = a.Amount
		}
	}
	for _, a := range b.Pending {
		if string(a.Currency) == currency {
			pending = a.Amount
		}
	}
	return available, pending
}

func (w *world) wantBalance(account, currency string, available, pending int64) {
	w.Helper()
	if gotAvailable, gotPending := w.balance(account, currency); gotAvailable != available || gotPending != pending {
		w.Fatalf("balance of %q is %d available and %d pending, want %d and %d", account, gotAvailable, gotPending, available, pending)
	}
}

func (w *world) advance(by time.Duration) {
	w.Helper()
	w.ok(w.control.Advance(w.Context(), by))
}

func (w *world) truth() *simulator.Truth {
	w.Helper()
	truth, err := w.control.Truth(w.Context())
	w.ok(err)
	return truth
}

// events lists the types of the platform's events, oldest first.
func (w *world) events() []string {
	w.Helper()
	params := &stripe.EventListParams{}
	params.Limit = new(int64(100))
	list := w.api.Events.List(params)
	var names []string
	for list.Next() {
		names = append(names, string(list.Event().Type))
	}
	w.ok(list.Err())
	slices.Reverse(names)
	return names
}

// sums insists that every balance is the sum of its balance transactions, and that no
// charge gave more than it took.
func (w *world) sums() {
	w.Helper()
	if wrong := unsound(w.truth()); len(wrong) > 0 {
		w.Fatal(strings.Join(wrong, "\n"))
	}
}

// receiver is an endpoint that keeps the events that it could verify, and refuses as
// often as it was told to.
type receiver struct {
	*httptest.Server
	secret string

	mu       sync.Mutex
	more     *sync.Cond
	refusals int
	got      []stripe.Event
	errs     []error
}

func receive(t *testing.T, secret string) *receiver {
	r := &receiver{secret: secret}
	r.more = sync.NewCond(&r.mu)
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusals > 0 {
		r.refusals--
		http.Error(w, "not now", http.StatusInternalServerError)
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	event, err := webhook.ConstructEventWithOptions(body, request.Header.Get("Stripe-Signature"), r.secret, webhook.ConstructEventOptions{IgnoreTolerance: true})
	if err != nil {
		r.errs = append(r.errs, err)
		http.Error(w, "forged", http.StatusBadRequest)
		return
	}
	r.got = append(r.got, event)
	r.more.Broadcast()
}

// await waits for the n-th event.
func (r *receiver) await(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.got) < n {
		r.more.Wait()
	}
}

// received returns the types of what came, in the order in which it came.
func (r *receiver) received(t *testing.T) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) > 0 {
		t.Fatal(errors.Join(r.errs...))
	}
	names := make([]string, 0, len(r.got))
	for _, e := range r.got {
		names = append(names, string(e.Type))
	}
	return names
}
