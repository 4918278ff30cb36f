package simulator

import (
	"encoding/json"
	"fmt"

	"github.com/stripe/stripe-go/v76"
)

// Event tells what happened to an object, with the object as it was then.
type Event struct {
	Header
	Account         string        `json:"account,omitempty"`
	APIVersion      string        `json:"api_version"`
	Data            eventData     `json:"data"`
	Livemode        bool          `json:"livemode"`
	PendingWebhooks int           `json:"pending_webhooks"`
	Request         *eventRequest `json:"request"`
	Type            string        `json:"type"`
}

type eventData struct {
	Object json.RawMessage `json:"object"`
}

type eventRequest struct {
	ID             *string `json:"id"`
	IdempotencyKey *string `json:"idempotency_key"`
}

// emit records an event of the object's account, and what has to be told to whom. An
// account's own events are its own, not the platform's.
func (t *tx) emit(name string, o object) error {
	account := o.header().account
	if a, ok := o.(*Account); ok {
		account = a.ID
	}
	shown, err := t.show(o)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(shown)
	if err != nil {
		return fmt.Errorf("simulator: event %s: %w", name, err)
	}
	h, err := t.newHeader("evt", kindEvent, account)
	if err != nil {
		return err
	}
	event := &Event{Header: h, APIVersion: stripe.APIVersion, Data: eventData{raw}, Request: &eventRequest{}, Type: name}
	if account != t.server.platform {
		event.Account = account
	}
	if t.cause.request != "" {
		event.Request.ID = &t.cause.request
	}
	if t.cause.key != "" {
		event.Request.IdempotencyKey = &t.cause.key
	}
	if err := t.insert(event); err != nil {
		return err
	}
	return t.deliverLater(event)
}

// prepare counts the endpoints that have not confirmed the event.
func (e *Event) prepare(t *tx) error {
	err := t.QueryRowContext(t.ctx, `SELECT count(DISTINCT url) FROM delivery WHERE event = ? AND state <> 'delivered'`, e.ID).Scan(&e.PendingWebhooks)
	if err != nil {
		return fmt.Errorf("simulator: deliveries of %s: %w", e.ID, err)
	}
	return nil
}
