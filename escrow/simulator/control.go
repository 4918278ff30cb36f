package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// What the control API is asked for. Each has a method of [Control].

// Payment pays a session as its page does.
type Payment struct {
	// Card is the number of a test card; empty is one that pays.
	Card  string `json:"card"`
	Email string `json:"email"`
	// FailChallenge lets the payer fail 3-D Secure where the card asks for it.
	FailChallenge bool `json:"fail_challenge"`
}

// PaymentResult is "paid", "declined", "challenge" or "closed", and the session after it.
type PaymentResult struct {
	Outcome string   `json:"outcome"`
	Session *Session `json:"session"`
}

// StrangerCharge is a charge that no session of ours made.
type StrangerCharge struct {
	Amount   int64             `json:"amount"`
	Currency string            `json:"currency"`
	Account  string            `json:"account"` // the platform's when empty
	Card     string            `json:"card"`
	Metadata map[string]string `json:"metadata"`
}

// NewDispute opens a dispute of a charge.
type NewDispute struct {
	Amount  int64  `json:"amount"` // everything that is left when 0
	Reason  string `json:"reason"` // "fraudulent" when empty
	Inquiry bool   `json:"inquiry"`
}

// Transaction is an amount that is put into or taken from a balance.
type Transaction struct {
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
	Account     string `json:"account"` // for payouts; the platform's when empty
	Description string `json:"description"`
}

// change says how something ends, where it needs saying.
type change struct {
	Amount   int64  `json:"amount"`   // of a dispute that is won; all when 0
	Reason   string `json:"reason"`   // of a refund's failure, of a restriction
	Interval string `json:"interval"` // of payouts
	Currency string `json:"currency"` // of an account
}

// leap moves the clock.
type leap struct {
	Seconds int64 `json:"seconds"`
}

type nothing struct{}

func (s *Server) routeControl(mux *http.ServeMux) {
	const root = "/_simulator/"
	control(s, mux, "GET "+root+"truth", func(t *tx, _ *http.Request, _ nothing) (any, error) { return t.truth() })
	control(s, mux, "GET "+root+"clock", func(*tx, *http.Request, nothing) (any, error) { return s.clock.show(), nil })
	control(s, mux, "GET "+root+"faults", func(*tx, *http.Request, nothing) (any, error) { return s.dice.show(), nil })
	control(s, mux, "GET "+root+"faults/fired", func(t *tx, _ *http.Request, _ nothing) (any, error) { return t.counts() })
	control(s, mux, "PUT "+root+"faults", setFaults)
	control(s, mux, "PUT "+root+"endpoints", setEndpoints)
	control(s, mux, "POST "+root+"sessions/{id}/pay", paySession)
	control(s, mux, "POST "+root+"charges", chargeStranger)
	control(s, mux, "POST "+root+"charges/{id}/dispute", disputeCharge)
	control(s, mux, "POST "+root+"charges/{id}/fraud-warning", warnOfCharge)
	control(s, mux, "POST "+root+"disputes/{id}/{change}", changeDispute)
	control(s, mux, "POST "+root+"refunds/{id}/{change}", changeRefund)
	control(s, mux, "POST "+root+"accounts/{id}/{change}", changeAccount)
	control(s, mux, "POST "+root+"topups", func(t *tx, _ *http.Request, in Transaction) (any, error) {
		return checked(in, func() (any, error) { return t.topUp(in.Amount, in.Currency) })
	})
	control(s, mux, "POST "+root+"fees", func(t *tx, _ *http.Request, in Transaction) (any, error) {
		return checked(in, func() (any, error) { return t.chargeFee(in.Amount, in.Currency, in.Description) })
	})
	control(s, mux, "POST "+root+"reserves", func(t *tx, _ *http.Request, in Transaction) (any, error) {
		return checked(in, func() (any, error) { return t.reserve(in.Amount, in.Currency) })
	})
	control(s, mux, "POST "+root+"reserves/release", func(t *tx, _ *http.Request, in Transaction) (any, error) {
		return checked(in, func() (any, error) { return t.reserve(-in.Amount, in.Currency) })
	})
	control(s, mux, "POST "+root+"payouts", func(t *tx, _ *http.Request, in Transaction) (any, error) {
		return checked(in, func() (any, error) { return t.payOut(t.accountOr(in.Account), in.Amount, in.Currency, false) })
	})
	control(s, mux, "GET "+root+"webhooks", func(t *tx, _ *http.Request, _ nothing) (any, error) { return t.deliveries(`true ORDER BY seq`) })
	mux.HandleFunc("PUT "+root+"clock", s.setClock)
	mux.HandleFunc("POST "+root+"clock/advance", s.advanceClock)
	mux.HandleFunc("POST "+root+"webhooks/{change}", s.changeWebhooks)
}

// control routes a request with a JSON body to what does it, in one transaction.
func control[In any](s *Server, mux *http.ServeMux, route string, do func(*tx, *http.Request, In) (any, error)) {
	mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := readControl(w, r, &in); err != nil {
			s.refuse(w, r, err)
			return
		}
		var body []byte
		err := s.transact(r.Context(), cause{}, func(t *tx) error {
			out, err := do(t, r, in)
			if err != nil {
				return err
			}
			body, err = t.written(out)
			return err
		})
		s.replyControl(w, r, body, err)
	})
}

// written encodes what a control request is answered with; objects as the API shows them.
func (t *tx) written(out any) ([]byte, error) {
	if o, ok := out.(object); ok {
		shown, err := t.show(o)
		if err != nil {
			return nil, err
		}
		out = shown
	}
	return json.Marshal(out)
}

// readControl reads the JSON body of a request that has one.
func readControl(w http.ResponseWriter, r *http.Request, in any) error {
	if r.Method == http.MethodGet || r.ContentLength == 0 {
		return nil
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(in); err != nil {
		return malformed("", "", "control: %s", err)
	}
	return nil
}

func (s *Server) replyControl(w http.ResponseWriter, r *http.Request, body []byte, err error) {
	if errors.Is(err, errAbsent) {
		err = &apiError{status: http.StatusNotFound, Type: invalidRequest, Code: "resource_missing", Message: err.Error()}
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.stir()
	writeAnswer(w, answer{http.StatusOK, body})
}

// checked refuses amounts that are none.
func checked(in Transaction, do func() (any, error)) (any, error) {
	if _, ok := minimums[in.Currency]; !ok || in.Amount < 1 {
		return nil, malformed("", "amount", "control: want a positive amount and a currency, got %d %q", in.Amount, in.Currency)
	}
	return do()
}

func (t *tx) accountOr(named string) string {
	if named == "" {
		return t.server.platform
	}
	return named
}

// setClock replaces the clock. Everything that is due by then is done before the answer.
func (s *Server) setClock(w http.ResponseWriter, r *http.Request) {
	var in Clock
	if err := readControl(w, r, &in); err != nil {
		s.refuse(w, r, err)
		return
	}
	s.moveClock(w, r, func() (savedClock, error) { return s.clock.set(time.Unix(in.Now, 0), in.Manual) })
}

// advanceClock moves the clock ahead.
func (s *Server) advanceClock(w http.ResponseWriter, r *http.Request) {
	var in leap
	if err := readControl(w, r, &in); err != nil {
		s.refuse(w, r, err)
		return
	}
	if in.Seconds < 0 {
		s.refuse(w, r, malformed("", "seconds", "Time does not run backwards."))
		return
	}
	s.moveClock(w, r, func() (savedClock, error) { return s.clock.advance(time.Duration(in.Seconds) * time.Second), nil })
}

// moveClock moves the clock and does what is due by then, or leaves both as they were.
func (s *Server) moveClock(w http.ResponseWriter, r *http.Request, move func() (savedClock, error)) {
	var body []byte
	err := s.transact(r.Context(), cause{}, func(t *tx) error {
		before := s.clock.saved()
		err := func() error {
			saved, err := move()
			if err != nil {
				return malformed("", "now", "%s", err)
			}
			if err := t.set("clock", saved); err != nil {
				return err
			}
			t.now, t.cause = s.clock.now(), cause{}
			if err := t.catchUp(); err != nil {
				return err
			}
			body, err = json.Marshal(s.clock.show())
			return err
		}()
		if err != nil {
			s.clock.restore(before)
		}
		return err
	})
	s.replyControl(w, r, body, err)
}

// setFaults replaces the faults. Those that happen for certain do not outlive a restart.
func setFaults(t *tx, _ *http.Request, in Faults) (any, error) {
	if err := in.Validate(); err != nil {
		return nil, malformed("", "", "%s", err)
	}
	t.server.dice.set(in)
	return in, t.set("faults", Faults{Seed: in.Seed, Probability: in.Probability})
}

func setEndpoints(t *tx, _ *http.Request, in []Endpoint) (any, error) {
	for _, e := range in {
		if err := e.Validate(); err != nil {
			return nil, malformed("", "", "%s", err)
		}
	}
	return in, t.set("endpoints", in)
}

func paySession(t *tx, r *http.Request, in Payment) (any, error) {
	if in.Card == "" {
		in.Card = cards[0].Number
	}
	c, ok := cardOf(in.Card)
	if !ok {
		return nil, malformed("", "card", "control: %q is none of the simulator's test cards", in.Card)
	}
	session, err := load[Session](t, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	result, err := t.pay(session, c, in.Email)
	if err == nil && result == outcomeChallenge {
		result, err = t.authenticate(session, !in.FailChallenge)
	}
	if err != nil {
		return nil, err
	}
	return PaymentResult{string(result), session}, nil
}

func chargeStranger(t *tx, _ *http.Request, in StrangerCharge) (any, error) {
	if in.Card == "" {
		in.Card = cards[0].Number
	}
	c, ok := cardOf(in.Card)
	least, known := minimums[in.Currency]
	if !ok || !known || in.Amount < least || in.Amount > maxAmount {
		return nil, malformed("", "amount", "control: want a test card, a currency and an amount that Stripe would take")
	}
	account := t.accountOr(in.Account)
	if err := t.mayActFor(account); err != nil {
		return nil, err
	}
	h, err := t.newHeader("pi", kindPaymentIntent, account)
	if err != nil {
		return nil, err
	}
	if in.Metadata == nil {
		in.Metadata = map[string]string{}
	}
	intent := &PaymentIntent{
		Header: h, Amount: in.Amount, CaptureMethod: "automatic", ConfirmationMethod: "automatic", Currency: in.Currency, Metadata: in.Metadata,
		PaymentMethodTypes: []string{"card"}, Status: intentWantsMethod, PaymentOptions: paymentMethodOptions{cardOptions{"automatic"}},
	}
	if err := t.insert(intent); err != nil {
		return nil, err
	}
	charge, err := t.chargeCard(intent, c, "")
	if err != nil || !charge.Paid {
		return charge, err
	}
	intent.LatestCharge, intent.Status, intent.AmountReceived = &charge.ID, intentSucceeded, intent.Amount
	if err := t.save(intent); err != nil {
		return nil, err
	}
	if err := t.emit("charge.succeeded", charge); err != nil {
		return nil, err
	}
	return charge, t.emit("payment_intent.succeeded", intent)
}

func disputeCharge(t *tx, r *http.Request, in NewDispute) (any, error) {
	if in.Reason == "" {
		in.Reason = "fraudulent"
	}
	return t.dispute(r.PathValue("id"), in.Amount, in.Reason, in.Inquiry)
}

func warnOfCharge(t *tx, r *http.Request, _ nothing) (any, error) {
	charge, err := load[Charge](t, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return t.warn(charge)
}

func changeDispute(t *tx, r *http.Request, in change) (any, error) {
	d, err := load[Dispute](t, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	switch what := r.PathValue("change"); what {
	case "escalate":
		err = t.escalate(d)
	case "review":
		err = t.review(d)
	case "win":
		err = t.win(d, in.Amount)
	case "lose":
		err = t.lose(d)
	default:
		err = unknownChange(what)
	}
	return d, err
}

func changeRefund(t *tx, r *http.Request, in change) (any, error) {
	refund, err := load[Refund](t, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if refund.Status == refundFailed || refund.SourceTransferReversal != nil {
		return nil, refused("", "", "Refund %s is on its way to no card: %s.", refund.ID, refund.Status)
	}
	switch what := r.PathValue("change"); what {
	case "fail":
		if in.Reason == "" {
			in.Reason = "lost_or_stolen_card"
		}
		err = t.failRefund(refund, in.Reason)
	case "settle":
		if err = settleDue(t, refund.ID); err == nil {
			refund, err = load[Refund](t, refund.ID)
		}
	default:
		err = unknownChange(what)
	}
	return refund, err
}

func changeAccount(t *tx, r *http.Request, in change) (any, error) {
	a, err := load[Account](t, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	switch what := r.PathValue("change"); what {
	case "complete":
		err = t.lift(a)
	case "verify":
		err = t.verify(a)
	case "restrict":
		if in.Reason == "" {
			in.Reason = "requirements.past_due"
		}
		err = t.restrict(a, in.Reason)
	case "payouts":
		if in.Interval != intervalDaily && in.Interval != intervalManual {
			return nil, malformed("", "interval", "control: want daily or manual, got %q", in.Interval)
		}
		a.Settings.Payouts.Schedule.Interval = in.Interval
		if err = t.tellOfAccount(a); err == nil {
			err = t.schedulePayout(a.ID)
		}
	case "currency":
		if _, ok := minimums[in.Currency]; !ok || a.ID == t.server.platform {
			return nil, malformed("", "currency", "control: want a currency of the simulator's, of a connected account, got %q", in.Currency)
		}
		if moved, err := t.totals(a.ID); err != nil || len(moved) > 0 {
			return nil, cmp.Or(err, error(malformed("", "", "control: money has moved on %s, in another currency", a.ID)))
		}
		a.DefaultCurrency = in.Currency
		err = t.tellOfAccount(a)
	default:
		err = unknownChange(what)
	}
	return a, err
}

func unknownChange(what string) error {
	return malformed("", "", "control: unknown change %q", what)
}

// changeWebhooks lets webhooks go or keeps them. Deliver answers when each that waited
// was attempted once.
func (s *Server) changeWebhooks(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	var err error
	switch what := r.PathValue("change"); what {
	case "deliver":
		err = s.sendAll(ctx)
	case "lose":
		err = s.transact(ctx, cause{}, func(t *tx) error {
			return t.exec("lose webhooks", `UPDATE delivery SET state = 'lost' WHERE state = 'waiting'`)
		})
	case "hold", "release":
		hold := what == "hold"
		err = s.transact(ctx, cause{}, func(t *tx) error { return t.set("webhooks-held", hold) })
		s.held.Store(hold && err == nil)
	default:
		err = unknownChange(what)
	}
	var body []byte
	if err == nil {
		err = s.transact(ctx, cause{}, func(t *tx) error {
			all, err := t.deliveries(`true ORDER BY seq`)
			if err != nil {
				return err
			}
			if body, err = json.Marshal(all); err != nil {
				return fmt.Errorf("simulator: show deliveries: %w", err)
			}
			return nil
		})
	}
	s.replyControl(w, r, body, err)
}
