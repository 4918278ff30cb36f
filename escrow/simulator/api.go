package simulator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"
)

const maxRequest = 1 << 20

// request is one call of the API.
type request struct {
	*params
	method    string
	path      string
	route     string // the pattern that it matched
	id        string // in the path; empty where the pattern has none
	account   string // on whose behalf
	key       string // for idempotency; empty for none
	requestID string
	expand    []string
}

// handler does a call. It takes all parameters that it knows, asks done, then acts.
// What it returns is an object or a list.
type handler func(*tx, *request) (any, error)

// calls is the API: what is not here does not exist.
var calls = map[string]handler{
	"POST /v1/checkout/sessions":             createSession,
	"GET /v1/checkout/sessions":              list[Session](kindSession, filter{"payment_intent", "payment_intent"}, filter{"status", "status"}),
	"GET /v1/checkout/sessions/{id}":         get[Session](kindSession),
	"POST /v1/checkout/sessions/{id}/expire": expireSession,

	"GET /v1/payment_intents":      list[PaymentIntent](kindPaymentIntent),
	"GET /v1/payment_intents/{id}": get[PaymentIntent](kindPaymentIntent),

	"GET /v1/charges":      list[Charge](kindCharge, filter{"payment_intent", "payment_intent"}, filter{"transfer_group", "transfer_group"}),
	"GET /v1/charges/{id}": get[Charge](kindCharge),

	"POST /v1/refunds":     createRefund,
	"GET /v1/refunds":      list[Refund](kindRefund, filter{"charge", "charge"}, filter{"payment_intent", "payment_intent"}),
	"GET /v1/refunds/{id}": get[Refund](kindRefund),

	"POST /v1/transfers":                createTransfer,
	"GET /v1/transfers":                 list[Transfer](kindTransfer, filter{"transfer_group", "transfer_group"}, filter{"destination", "destination"}),
	"GET /v1/transfers/{id}":            get[Transfer](kindTransfer),
	"POST /v1/transfers/{id}/reversals": createReversal,
	"GET /v1/transfers/{id}/reversals":  listReversals,

	"GET /v1/account":        getOwnAccount,
	"POST /v1/accounts":      createAccount,
	"GET /v1/accounts":       list[Account](kindAccount),
	"GET /v1/accounts/{id}":  getAccount,
	"POST /v1/account_links": createAccountLink,

	"GET /v1/balance":                   getBalance,
	"GET /v1/balance_transactions":      list[BalanceTransaction](kindBalanceTransaction, filter{"type", "type"}, filter{"source", "source"}, filter{"currency", "currency"}, filter{"payout", "simulator.payout"}),
	"GET /v1/balance_transactions/{id}": get[BalanceTransaction](kindBalanceTransaction),

	"GET /v1/disputes":                        list[Dispute](kindDispute, filter{"charge", "charge"}, filter{"payment_intent", "payment_intent"}),
	"GET /v1/disputes/{id}":                   get[Dispute](kindDispute),
	"GET /v1/radar/early_fraud_warnings":      list[FraudWarning](kindFraudWarning, filter{"charge", "charge"}, filter{"payment_intent", "payment_intent"}),
	"GET /v1/radar/early_fraud_warnings/{id}": get[FraudWarning](kindFraudWarning),

	"GET /v1/events":       list[Event](kindEvent, filter{"type", "type"}),
	"GET /v1/events/{id}":  get[Event](kindEvent),
	"GET /v1/topups":       list[Topup](kindTopup, filter{"status", "status"}),
	"GET /v1/topups/{id}":  get[Topup](kindTopup),
	"GET /v1/payouts":      list[Payout](kindPayout, filter{"status", "status"}),
	"GET /v1/payouts/{id}": get[Payout](kindPayout),
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for route, do := range calls {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) { s.serveCall(w, r, route, do) })
	}
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		writeAnswer(w, no(&apiError{
			status: http.StatusNotFound, Type: invalidRequest,
			Message: fmt.Sprintf("Unrecognized request URL (%s: %s). Stripe may know it, the simulator does not.", r.Method, r.URL.Path),
		}))
	})
	s.routePages(mux)
	s.routeControl(mux)
	return mux
}

// serveCall is the edge of the API: faults, then the answer to the call.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request, route string, do handler) {
	call, err := s.parse(w, r, route)
	w.Header().Set("Request-Id", call.requestID)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if call.key != "" {
		w.Header().Set("Idempotency-Key", call.key)
	}
	fault := s.dice.request(route)
	if fault != "" {
		if err := s.transact(r.Context(), cause{}, func(t *tx) error { return t.fired(fault) }); err != nil {
			s.refuse(w, r, err)
			return
		}
	}
	switch fault {
	case FaultRateLimit:
		writeAnswer(w, no(&apiError{status: http.StatusTooManyRequests, Type: invalidRequest, Code: "rate_limit", Message: "Request rate limit exceeded. (The simulator was told to.)"}))
		return
	case FaultErrorBefore:
		writeAnswer(w, no(brokenDown()))
		return
	case FaultCloseLate:
		s.delayed.put(call, do, s.clock.now())
		panic(http.ErrAbortHandler)
	case FaultCloseBefore:
		panic(http.ErrAbortHandler)
	}
	given, replayed, err := s.perform(r.Context(), call, do, fault == FaultErrorAfter)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if err := s.catchUp(r.Context(), call); err != nil {
		s.refuse(w, r, err)
		return
	}
	if replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	s.stir()
	switch fault {
	case FaultCloseAfter:
		panic(http.ErrAbortHandler)
	case FaultHangAfter:
		s.hang(r.Context())
		panic(http.ErrAbortHandler)
	case FaultTruncateAfter:
		writeHalf(w, given)
		panic(http.ErrAbortHandler)
	}
	writeAnswer(w, given)
}

// brokenDown is what Stripe says when it is at fault itself.
func brokenDown() *apiError {
	return &apiError{status: http.StatusInternalServerError, Type: apiFailure, Message: "An unknown error occurred. (The simulator was told to.)"}
}

// parse checks what all calls have in common: key, version, account, form.
func (s *Server) parse(w http.ResponseWriter, r *http.Request, route string) (*request, error) {
	call := &request{method: r.Method, path: r.URL.Path, route: route, id: r.PathValue("id"), key: r.Header.Get("Idempotency-Key")}
	call.requestID = "req_Simulator" + rand.Text()
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || bearer != s.config.Key {
		return call, &apiError{status: http.StatusUnauthorized, Type: invalidRequest, Message: "Invalid API Key provided. Keys of the simulator begin with " + KeyPrefix + "."}
	}
	if version := r.Header.Get("Stripe-Version"); version != "" && version != stripe.APIVersion {
		return call, malformed("", "", "Invalid Stripe API version: %s. The simulator speaks %s.", version, stripe.APIVersion)
	}
	if len(call.key) > maxKeyLen {
		return call, malformed("", "", "Idempotency-Key is too long: at most %d characters", maxKeyLen)
	}
	values, err := form(w, r)
	if err != nil {
		return call, err
	}
	call.params = newParams(values)
	call.expand = call.list("expand")
	call.account = s.platform
	if named := r.Header.Get("Stripe-Account"); named != "" {
		call.account = named
	}
	return call, nil
}

// form reads the parameters, which are in the body of a POST and in the query of
// everything else.
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return r.URL.Query(), nil
	}
	if len(r.URL.RawQuery) > 0 {
		return nil, malformed("", "", "Parameters of a POST belong into its body")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil {
		return nil, malformed("", "", "Invalid request body: want application/x-www-form-urlencoded of at most %d bytes", maxRequest)
	}
	if r.ContentLength > 0 && len(r.PostForm) == 0 {
		return nil, malformed("", "", "Invalid request body: want application/x-www-form-urlencoded")
	}
	return r.PostForm, nil
}

// perform answers a call: as before under a known key, else by doing it. Only damage
// is an error; a refusal is an answer. With breakDown the work is done and the answer
// that is kept and given is a 500.
func (s *Server) perform(ctx context.Context, call *request, do handler, breakDown bool) (given answer, replayed bool, err error) {
	keyed := call.key != "" && call.method == http.MethodPost
	if keyed {
		end, busy := s.inFlight.begin(call.account, call.key)
		if busy != nil {
			return no(busy), false, nil
		}
		defer end()
	}
	err = s.transact(ctx, cause{call.requestID, call.key}, func(t *tx) error {
		if err := t.mayActFor(call.account); err != nil {
			return err
		}
		if keyed {
			if given, replayed, err = t.remembered(call); err != nil || replayed {
				return err
			}
		}
		given, err = t.call(call, do)
		if refused, ok := errors.AsType[*apiError](err); ok && refused.committed {
			given, err = no(refused), nil
		}
		if err != nil {
			return err
		}
		if breakDown {
			given = no(brokenDown())
		}
		if !keyed {
			return nil
		}
		return t.remember(call, given)
	})
	refused, ok := errors.AsType[*apiError](err)
	if !ok {
		return given, replayed, err
	}
	// What the handler began was rolled back. That it refused is remembered all the same.
	given = no(refused)
	if !keyed || refused.unsaved {
		return given, false, nil
	}
	return given, false, s.transact(ctx, cause{}, func(t *tx) error { return t.remember(call, given) })
}

// call runs the handler and writes what it returns.
func (t *tx) call(r *request, do handler) (answer, error) {
	result, err := do(t, r)
	if err != nil {
		return answer{}, err
	}
	shown, err := t.expanded(result, r.expand)
	if err != nil {
		return answer{}, err
	}
	body, err := json.MarshalIndent(shown, "", "  ")
	if err != nil {
		return answer{}, fmt.Errorf("simulator: answer %s: %w", r.route, err)
	}
	return answer{http.StatusOK, body}, nil
}

// expanded shows a handler's result with what the client wants to see beside it.
func (t *tx) expanded(result any, paths []string) (map[string]any, error) {
	var shown map[string]any
	var err error
	switch result := result.(type) {
	case *page:
		shown = map[string]any{"object": result.Object, "url": result.URL, "has_more": result.HasMore, "data": result.Data}
	case object:
		shown, err = t.show(result)
	default:
		var raw []byte
		if raw, err = json.Marshal(result); err == nil {
			shown, err = asMap(raw)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := t.expand(shown, path); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// no writes a refusal as Stripe does.
func no(e *apiError) answer {
	body, err := json.MarshalIndent(map[string]*apiError{"error": e}, "", "  ")
	if err != nil {
		panic(err) // strings alone always encode
	}
	return answer{e.status, body}
}

// refuse answers a request that failed. What is no refusal is damage.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*apiError](err); ok {
		writeAnswer(w, no(e))
		return
	}
	s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	s.fail(err)
	writeAnswer(w, no(&apiError{status: http.StatusInternalServerError, Type: apiFailure, Message: "The simulator itself is broken; see its log."}))
}

// hang keeps a client waiting until it leaves, the server stops, or patience ends.
func (s *Server) hang(ctx context.Context) {
	timer := time.NewTimer(s.config.Terms.HangFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func writeAnswer(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that left has its own error
}

// writeHalf breaks off in the middle of an answer.
func writeHalf(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush() // what is buffered would be dropped with the connection
}
