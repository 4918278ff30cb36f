package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// next lets one fault happen at the next call of the route.
func (w *world) next(fault simulator.Fault, on string) {
	w.Helper()
	w.ok(w.control.SetFaults(w.Context(), simulator.Faults{Next: []simulator.NextFault{{Fault: fault, On: on}}}))
}

// try makes a request that may get no whole answer.
func (w *world) try(ctx context.Context, path string, form url.Values, idempotency string) (status int, body string, err error) {
	w.Helper()
	request, err := http.NewRequestWithContext(ctx, "POST", w.control.URL+path, strings.NewReader(form.Encode()))
	w.ok(err)
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Idempotency-Key", idempotency)
	response, err := w.wire.Do(request)
	if err != nil {
		return 0, "", err
	}
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, string(raw), errors.Join(err, response.Body.Close())
}

func TestAFaultBeforeDoesNothingAndOneAfterDoesItOnce(t *testing.T) {
	for fault, c := range map[simulator.Fault]struct {
		status  int  // of the answer, 0 for none
		done    bool // although it was not said
		replays int  // status under the same key
	}{
		simulator.FaultRateLimit:     {429, false, 200},
		simulator.FaultErrorBefore:   {500, false, 200},
		simulator.FaultCloseBefore:   {0, false, 200},
		simulator.FaultErrorAfter:    {500, true, 500},
		simulator.FaultCloseAfter:    {0, true, 200},
		simulator.FaultTruncateAfter: {0, true, 200},
		simulator.FaultHangAfter:     {0, true, 200},
		simulator.FaultCloseLate:     {0, false, 200},
	} {
		t.Run(string(fault), func(t *testing.T) {
			w := start(t, func(c *simulator.Config) { c.Terms.HangFor = time.Millisecond })
			charge := w.paid(5_000, "usd", cardInstant).ID
			form := url.Values{"charge": {charge}, "amount": {"1000"}}
			w.next(fault, "POST /v1/refunds")
			if status, _, err := w.try(t.Context(), "/v1/refunds", form, "r-1"); (err != nil) != (c.status == 0) || err == nil && status != c.status {
				t.Errorf("status %d: %v", status, err)
			}
			refunded := int64(0)
			if c.done {
				refunded = 1_000
			}
			if got := w.charge(charge).AmountRefunded; got != refunded {
				t.Errorf("refunded %d", got)
			}
			if status, body, err := w.try(t.Context(), "/v1/refunds", form, "r-1"); err != nil || status != c.replays {
				t.Errorf("again: status %d: %s %v", status, body, err)
			}
			if got := w.charge(charge).AmountRefunded; got != 1_000 {
				t.Errorf("in the end %d is refunded", got)
			}
			if fired, err := w.control.Fired(t.Context()); err != nil || fired[fault] != 1 || len(fired) != 1 {
				t.Errorf("fired: %v %v", fired, err)
			}
			w.sums()
		})
	}
}

func TestAnOrderThatIsDoneLateIsTheSameUnderItsKeyOnly(t *testing.T) {
	for name, c := range map[string]struct {
		again    string        // the key of the second try
		pass     time.Duration // between both
		refunded int64
	}{
		"the same key":               {"r-1", time.Second, 1_000},
		"another key":                {"r-2", time.Second, 2_000},
		"after it has been given up": {"r-2", 2 * time.Hour, 1_000},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			charge := w.paid(5_000, "usd", cardInstant).ID
			form := url.Values{"charge": {charge}, "amount": {"1000"}}
			w.next(simulator.FaultCloseLate, "POST /v1/refunds")
			if _, _, err := w.try(t.Context(), "/v1/refunds", form, "r-1"); err == nil {
				t.Error("it was answered")
			}
			if got := w.charge(charge).AmountRefunded; got != 0 {
				t.Errorf("refunded %d at once", got)
			}
			w.advance(c.pass)
			if status, body, err := w.try(t.Context(), "/v1/refunds", form, c.again); err != nil || status != http.StatusOK {
				t.Errorf("status %d: %s %v", status, body, err)
			}
			if got := w.charge(charge).AmountRefunded; got != c.refunded {
				t.Errorf("refunded %d", got)
			}
			w.sums()
		})
	}
}

func TestAClientThatHangsLeavesByItself(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant).ID
	w.next(simulator.FaultHangAfter, "")
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, _, err := w.try(ctx, "/v1/refunds", refundForm(charge), "r-1")
		gone <- err
	}()
	for w.truth().Fired[simulator.FaultHangAfter] == 0 || !w.refundedInTruth(charge) {
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// refundedInTruth asks past the faults whether the charge was refunded.
func (w *world) refundedInTruth(charge string) bool {
	truth := w.truth()
	for _, raw := range truth.Accounts[truth.Platform].Objects["charge"] {
		var c stripe.Charge
		must(json.Unmarshal(raw, &c))
		if c.ID == charge {
			return c.Refunded
		}
	}
	return false
}

// storm asks the same of a simulator with a seed, and says how it went.
func storm(t *testing.T, seed uint64) []int {
	w := start(t)
	w.ok(w.control.SetFaults(t.Context(), simulator.Faults{Seed: seed, Probability: map[simulator.Fault]float64{
		simulator.FaultRateLimit: 0.2, simulator.FaultErrorBefore: 0.2, simulator.FaultErrorAfter: 0.2,
	}}))
	var statuses []int
	for range 40 {
		response, _ := w.call("GET", "/v1/balance", nil, nil)
		statuses = append(statuses, response.StatusCode)
	}
	return statuses
}

func TestLuckFollowsFromTheSeed(t *testing.T) {
	first := storm(t, 1)
	if !slices.Equal(first, storm(t, 1)) {
		t.Error("the same seed brought other luck")
	}
	if slices.Equal(first, storm(t, 2)) {
		t.Error("another seed brought the same luck")
	}
	for _, status := range []int{200, 429, 500} {
		if !slices.Contains(first, status) {
			t.Errorf("%d never happened", status)
		}
	}
}

func TestFaultsOfTheWorldFireAndAreCounted(t *testing.T) {
	hook := receive(t, "whsec_a")
	w := start(t, func(c *simulator.Config) { c.Endpoints = []simulator.Endpoint{{URL: hook.URL, Secret: hook.secret}} })
	payee := w.payee()
	w.ok(w.control.SetFaults(t.Context(), simulator.Faults{Probability: map[simulator.Fault]float64{
		simulator.FaultDispute: 1, simulator.FaultInquiry: 0.5, simulator.FaultDisputeWon: 0.5, simulator.FaultFraudWarning: 1, simulator.FaultRefundFails: 1,
		simulator.FaultRefundPending: 1, simulator.FaultRestrict: 1, simulator.FaultWebhookLost: 0.2, simulator.FaultWebhookDuplicate: 0.2, simulator.FaultWebhookLate: 0.2,
	}}))
	for range 12 {
		charge := w.paid(5_000, "usd", cardInstant)
		_, err := w.api.Transfers.New(transferParams(charge, 100, payee.ID))
		w.refused(err, 400, "insufficient_capabilities_for_transfer")
		w.advance(24 * time.Hour)
	}
	charge := w.paid(5_000, "usd", cardInstant)
	_, err := w.control.TopUp(t.Context(), 100_000, "usd")
	w.ok(err)
	refund := w.refund(charge.ID)
	w.advance(200 * 24 * time.Hour)
	truth := w.truth()
	ofRequests := []simulator.Fault{
		simulator.FaultRateLimit, simulator.FaultErrorBefore, simulator.FaultCloseBefore, simulator.FaultErrorAfter,
		simulator.FaultCloseAfter, simulator.FaultTruncateAfter, simulator.FaultHangAfter, simulator.FaultCloseLate,
	}
	for _, fault := range simulator.AllFaults {
		if (truth.Fired[fault] == 0) != slices.Contains(ofRequests, fault) {
			t.Errorf("%s fired %d times", fault, truth.Fired[fault])
		}
	}
	if got := w.refundNow(refund.ID); got.Status != "failed" {
		t.Errorf("the refund is %s", got.Status)
	}
	states := map[string]int{}
	for _, raw := range truth.Accounts[truth.Platform].Objects["dispute"] {
		var d stripe.Dispute
		must(json.Unmarshal(raw, &d))
		states[string(d.Status)]++
	}
	if want := []string{"lost", "warning_closed", "won"}; !slices.Equal(slices.Sorted(maps.Keys(states)), want) {
		t.Errorf("disputes ended as %v", states)
	}
	if got := len(truth.Accounts[truth.Platform].Objects["radar.early_fraud_warning"]); got != 13 {
		t.Errorf("%d fraud warnings", got)
	}
	w.sums()
}

func TestFaultsThatAreNoneAreRefused(t *testing.T) {
	w := start(t)
	for _, f := range []simulator.Faults{
		{Probability: map[simulator.Fault]float64{"earthquake": 0.1}},
		{Probability: map[simulator.Fault]float64{simulator.FaultErrorAfter: 1.1}},
		{Next: []simulator.NextFault{{Fault: "earthquake"}}},
	} {
		if w.control.SetFaults(t.Context(), f) == nil {
			t.Errorf("%v was taken", f)
		}
	}
}
