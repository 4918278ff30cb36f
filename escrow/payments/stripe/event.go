package stripe

import (
	"context"
	"encoding/json"
	"iter"

	sdk "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/event"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// Hints implements payments.Hints.
func (c *Client) Hints(ctx context.Context, q payments.HintQuery) iter.Seq2[payments.Hint, error] {
	var types []*string // nil for all: an empty list would be sent, and refused
	if len(q.Types) > 0 {
		types = sdk.StringSlice(q.Types)
	}
	fetch := func(a after) (page[sdk.Event], error) {
		it := event.Client{B: c.backend}.List(&sdk.EventListParams{
			ListParams: a.list(), Types: types, CreatedRange: since(q.Since),
		})
		got := it.EventList()
		return page[sdk.Event]{got.Data, got.HasMore}, it.Err()
	}
	read := func(e *sdk.Event) (payments.Hint, error) {
		hint, err := hintOf(e)
		// A list of an account's own events does not repeat whose they are.
		if hint.Account == payments.Platform {
			hint.Account = q.Account
		}
		return hint, err
	}
	return all(ctx, q.Account, "events", fetch, func(e *sdk.Event) string { return e.ID }, read)
}

// hintOf reduces an event to what may be believed of it. The object in it is as it was
// in some version of the API; only its kind and id are read.
func hintOf(e *sdk.Event) (payments.Hint, error) {
	var in reading
	in.is("event", e.Object, e.ID)
	var object struct {
		ID     string `json:"id"`
		Object string `json:"object"`
	}
	if e.Data == nil || json.Unmarshal(e.Data.Raw, &object) != nil {
		return payments.Hint{}, uncertain(errUnreadable)
	}
	for _, name := range []string{e.ID, string(e.Type), object.Object} {
		if word(name) == "" {
			return payments.Hint{}, uncertain(errUnreadable)
		}
	}
	for _, name := range []string{object.ID, e.Account} {
		if name != "" && word(name) == "" {
			return payments.Hint{}, uncertain(errUnreadable)
		}
	}
	return payments.Hint{
		ID:        payments.EventID(e.ID),
		Live:      e.Livemode,
		Type:      string(e.Type),
		Kind:      object.Object,
		Object:    object.ID,
		Account:   payments.AccountID(e.Account),
		CreatedAt: at(e.Created),
	}, in.err
}
