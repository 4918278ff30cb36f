package intake

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// TestR5_ALostWordOfAChargebackOnADonationIsFoundInTheLists: the platform's own lists have
// nothing of it, and the bank decides long after it asked.
func TestR5_ALostWordOfAChargebackOnADonationIsFoundInTheLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.processor = silent{w.Client} // whose events are older than it keeps any
	w.restart(nil)
	dispute := func(intent payments.IntentID, d simulator.NewDispute) string {
		charge := w.Donated(intent, amount)
		id, err := w.Control.Dispute(t.Context(), string(charge), d)
		w.OK(err)
		return id
	}
	dispute("lost", simulator.NewDispute{})
	dispute("part", simulator.NewDispute{Amount: amount - 1})
	won := dispute("won", simulator.NewDispute{})
	w.Donated("quiet", amount)
	w.sync(false)
	if len(w.Reversed) != 0 {
		t.Errorf("went back while the bank still asks: %v", w.Reversed)
	}
	w.OK(w.Control.Win(t.Context(), won, 0))
	w.Advance(60 * day) // the others' time is over
	for range 2 {
		w.sync(false)
		if want := []payments.IntentID{"lost"}; !slices.Equal(w.Reversed, want) {
			t.Errorf("went back: %v, want %v, once", w.Reversed, want)
		}
		w.Advance(day)
	}
	w.noHalt()
	if waits := w.waiting(); waits.Hints != 0 {
		t.Errorf("%+v wait", waits)
	}
}

// sendsBack lets Ann refund a charge of her own account, at the processor.
func (w *world) sendsBack(charge payments.ChargeID) {
	w.T.Helper()
	w.byHand(w.Account, "/v1/refunds", url.Values{"charge": {string(charge)}})
}

// byHand does something at the processor that the escrow knows nothing of, and returns what
// it made.
func (w *world) byHand(account payments.AccountID, path string, form url.Values) (id string) {
	w.T.Helper()
	req, err := http.NewRequestWithContext(w.T.Context(), http.MethodPost, w.Control.URL+path, strings.NewReader(form.Encode()))
	w.OK(err)
	req.Header.Set("Authorization", "Bearer "+processortest.Key)
	if account != payments.Platform {
		req.Header.Set("Stripe-Account", string(account))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	w.OK(err)
	var made struct{ ID string }
	w.OK(errors.Join(json.NewDecoder(resp.Body).Decode(&made), resp.Body.Close()))
	if resp.StatusCode != http.StatusOK {
		w.T.Fatalf("%s is answered with status %d", path, resp.StatusCode)
	}
	return made.ID
}

// TestR5_WhatTheirEventsTellOfADonationIsLookedAt: a refund that the developer made is in no
// list that is read of their account.
func TestR5_WhatTheirEventsTellOfADonationIsLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	charge := w.Donated("back", amount)
	w.sync(false)
	if !slices.Contains(w.Observed, "back") {
		t.Errorf("donations that were looked at: %v", w.Observed)
	}
	w.Observed = nil
	w.Advance(2 * day)
	w.sync(false)
	if len(w.Observed) != 0 {
		t.Errorf("looked at without a word: %v", w.Observed)
	}
	w.sendsBack(charge)
	w.sync(false)
	if !slices.Contains(w.Observed, "back") {
		t.Errorf("looked at after the refund: %v", w.Observed)
	}
}

// hidden does not show the account of a donee.
type hidden struct{ payments.Processor }

func (h hidden) Disputes(ctx context.Context, account payments.AccountID, q payments.DisputeQuery) iter.Seq2[payments.Dispute, error] {
	if account == payments.Platform {
		return h.Processor.Disputes(ctx, account, q)
	}
	return func(yield func(payments.Dispute, error) bool) {
		yield(payments.Dispute{}, &payments.Failure{Kind: payments.ErrMisconfigured, Status: 403})
	}
}

func (h hidden) Dispute(ctx context.Context, account payments.AccountID, id payments.DisputeID) (payments.Dispute, error) {
	if account == payments.Platform {
		return h.Processor.Dispute(ctx, account, id)
	}
	return payments.Dispute{}, &payments.Failure{Kind: payments.ErrMisconfigured, Status: 403}
}

func TestSync_OfADoneeWhoLeftKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.processor = hidden{w.Client}
	w.restart(nil)
	w.Paid("h1", amount, processortest.Pays)
	w.Donated("d1", amount)
	reads := w.sync(false)
	w.Want("h1", "held")
	if slices.ContainsFunc(reads, func(r Read) bool { return r.List == "events of "+string(w.Account) }) {
		t.Errorf("the account was read: %+v", reads)
	}
}
