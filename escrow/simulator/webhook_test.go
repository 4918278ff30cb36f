package simulator_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// listened runs a simulator whose webhooks wait until the test delivers them, to one
// endpoint of each kind.
func listened(t *testing.T) (w *world, own, connect *receiver) {
	own, connect = receive(t, "whsec_own"), receive(t, "whsec_connect")
	w = start(t)
	w.ok(w.control.SetEndpoints(t.Context(), simulator.Endpoint{URL: own.URL, Secret: own.secret}, simulator.Endpoint{URL: connect.URL, Secret: connect.secret, Connect: true}))
	w.hold()
	return w, own, connect
}

func (w *world) hold() {
	w.Helper()
	_, err := w.control.HoldWebhooks(w.Context())
	w.ok(err)
}

func (w *world) deliver() []simulator.Delivery {
	w.Helper()
	all, err := w.control.DeliverWebhooks(w.Context())
	w.ok(err)
	return all
}

func states(all []simulator.Delivery) map[string]int {
	counts := map[string]int{}
	for _, d := range all {
		counts[d.State]++
	}
	return counts
}

func TestAPaymentIsToldToThePlatformsEndpoint(t *testing.T) {
	w, own, connect := listened(t)
	w.paid(5_000, "usd", cardInstant)
	if got := own.received(t); len(got) != 0 {
		t.Fatalf("held, and yet told: %v", got)
	}
	w.deliver()
	want := []string{"charge.succeeded", "checkout.session.completed", "payment_intent.created", "payment_intent.succeeded"}
	if got := slices.Sorted(slices.Values(own.received(t))); !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
	if got := connect.received(t); len(got) != 0 {
		t.Errorf("the Connect endpoint heard %v", got)
	}
	for _, event := range own.got {
		if event.APIVersion != stripe.APIVersion || event.Livemode || event.Account != "" {
			t.Errorf("%s: version %s, livemode %v, account %q", event.Type, event.APIVersion, event.Livemode, event.Account)
		}
		kept, err := w.api.Events.Get(event.ID, nil)
		w.ok(err)
		if kept.PendingWebhooks != 0 || event.PendingWebhooks != 1 {
			t.Errorf("%s: %d pending, %d when it was sent", event.Type, kept.PendingWebhooks, event.PendingWebhooks)
		}
	}
}

func TestConnectedAccountsAreToldToTheConnectEndpoint(t *testing.T) {
	w, own, connect := listened(t)
	payee := w.payee()
	donation := sessionParams(2_000, "usd")
	donation.SetStripeAccount(payee.ID)
	session, err := w.api.CheckoutSessions.New(donation)
	w.ok(err)
	_, err = w.control.Pay(t.Context(), session.ID, simulator.Payment{})
	w.ok(err)
	w.deliver()
	if got := own.received(t); len(got) != 0 {
		t.Errorf("the platform's endpoint heard %v", got)
	}
	heard := connect.received(t)
	for _, name := range []string{"account.updated", "checkout.session.completed"} {
		if !slices.Contains(heard, name) {
			t.Errorf("no %s among %v", name, heard)
		}
	}
	for _, event := range connect.got {
		if event.Account != payee.ID {
			t.Errorf("%s is of account %q", event.Type, event.Account)
		}
	}
}

func TestAnEventSaysWhichRequestCausedIt(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant)
	params := &stripe.RefundParams{Charge: &charge.ID}
	params.SetIdempotencyKey("refund-1")
	_, err := w.api.Refunds.New(params)
	w.ok(err)
	list := w.api.Events.List(&stripe.EventListParams{Type: new("refund.created")})
	if !list.Next() || list.Event().Request.IdempotencyKey != "refund-1" || list.Event().Request.ID == "" {
		t.Errorf("caused by %+v", list.Event().Request)
	}
}

func TestAnEndpointThatRefusesIsAskedAgainForThreeDays(t *testing.T) {
	w, own, _ := listened(t)
	_, err := w.control.TopUp(t.Context(), 1_000, "usd") // two events
	w.ok(err)
	own.refusals = 2
	first := w.deliver()
	if got := states(first); got["waiting"] != 2 || first[0].Status != 500 || first[0].Due <= begin.Unix() {
		t.Errorf("after a refusal: %v", first)
	}
	if got := states(w.deliver()); got["delivered"] != 2 {
		t.Errorf("after the second attempt: %v", got)
	}
	_, err = w.control.TopUp(t.Context(), 1_000, "usd")
	w.ok(err)
	own.refusals = 1 << 20
	var waits []int64
	for range 40 {
		all := w.deliver()
		last := all[len(all)-1]
		if last.State != "waiting" {
			break
		}
		now, err := w.control.Clock(t.Context())
		w.ok(err)
		waits = append(waits, last.Due-now.Now)
		w.advance(time.Duration(last.Due-now.Now) * time.Second)
	}
	if waits[0] != 10 || waits[1] != 20 || waits[2] != 40 || waits[len(waits)-1] != int64((12*time.Hour).Seconds()) {
		t.Errorf("waited %v seconds", waits)
	}
	if got := states(w.deliver()); got["given-up"] != 2 {
		t.Errorf("in the end: %v", got)
	}
	now, err := w.control.Clock(t.Context())
	w.ok(err)
	if after := time.Unix(now.Now, 0).Sub(begin); after > 3*24*time.Hour || after < 2*24*time.Hour {
		t.Errorf("given up after %s", after)
	}
}

func TestWebhooksGetLostDoubledAndLate(t *testing.T) {
	w, own, _ := listened(t)
	w.ok(w.control.SetFaults(t.Context(), simulator.Faults{Next: []simulator.NextFault{
		{Fault: simulator.FaultWebhookLost, On: "charge.succeeded"},
		{Fault: simulator.FaultWebhookDuplicate, On: "payment_intent.succeeded"},
		{Fault: simulator.FaultWebhookLate, On: "checkout.session.completed"},
	}}))
	w.paid(5_000, "usd", cardInstant)
	all := w.deliver()
	counts := map[string]int{}
	for _, name := range own.received(t) {
		counts[name]++
	}
	want := map[string]int{"payment_intent.created": 1, "payment_intent.succeeded": 2, "checkout.session.completed": 1}
	if !maps.Equal(counts, want) {
		t.Errorf("received %v", counts)
	}
	for _, d := range all {
		if late := d.Due > begin.Unix(); late != (d.Type == "checkout.session.completed") {
			t.Errorf("%s was due at %d", d.Type, d.Due-begin.Unix())
		}
	}
}

func TestWebhooksCanBeLostByCommandAndTheEventStays(t *testing.T) {
	w, own, _ := listened(t)
	w.paid(5_000, "usd", cardInstant)
	_, err := w.control.LoseWebhooks(t.Context())
	w.ok(err)
	w.deliver()
	if got := own.received(t); len(got) != 0 {
		t.Errorf("received %v", got)
	}
	if got := w.events(); !slices.Contains(got, "checkout.session.completed") {
		t.Errorf("events are %v", got)
	}
}

func TestReleasedWebhooksGoByThemselves(t *testing.T) {
	w, own, _ := listened(t)
	w.paid(5_000, "usd", cardInstant)
	_, err := w.control.ReleaseWebhooks(t.Context())
	w.ok(err)
	own.await(4)
}

func TestUndeliveredWebhooksSurviveARestart(t *testing.T) {
	w, own, _ := listened(t)
	w.paid(5_000, "usd", cardInstant)
	w.restart()
	w.deliver()
	if got := own.received(t); len(got) != 4 {
		t.Errorf("received %v", got)
	}
}

func TestAnEventShowsItsObjectAsItWas(t *testing.T) {
	w := start(t)
	_, err := w.control.TopUp(t.Context(), 10_000, "usd")
	w.ok(err)
	charge := w.paid(5_000, "usd", cardInstant)
	w.refund(charge.ID)
	list := w.api.Events.List(&stripe.EventListParams{Type: new("charge.succeeded")})
	if !list.Next() {
		t.Fatal("no event")
	}
	var then stripe.Charge
	must(json.Unmarshal(list.Event().Data.Raw, &then))
	if then.ID != charge.ID || then.Refunded || strings.Contains(string(list.Event().Data.Raw), `"simulator"`) {
		t.Errorf("the event shows %s", list.Event().Data.Raw)
	}
}
