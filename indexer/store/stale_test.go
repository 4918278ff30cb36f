package store

import (
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// What each record makes stale is queued, as lifecycle's documentation says it:
// disputes, rulings and verifications move no stage and no sum.
func TestStale_RecordsOfEscrowsAndBackersDirtyTheirProposals(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	w.put(proposal(t, carol, 1, onAccount(bob), nil))
	for _, did := range everybody {
		w.join(did)
	}
	w.behind = true
	queued := func(what string, want bool) {
		t.Helper()
		got, err := collect(t.Context(), w.s.read, `SELECT uri FROM dirty_proposal`, scanString)
		if err != nil {
			t.Fatal(err)
		}
		if want && !slices.Equal(got, []string{uri.String()}) || !want && len(got) > 0 {
			t.Errorf("%s queues %v", what, got)
		}
		mustDrain(t, w.s)
	}
	disputed := recordURI(dave, lexicons.CollectionDispute, key(1))
	pinned := fields{"proposal": ref(uri)}
	for _, c := range []struct {
		what   string
		record Record
		stale  bool
	}{
		{"a receipt of nothing", receipt(t, escrow, alice, 9, dev, 1000, "USD", "held", nil), false},
		{"a receipt that pins it", receipt(t, escrow, alice, 8, developmentURI(bob, 9), 1000, "USD", "held", pinned), true},
		{"a pledge", pledge(t, alice, 9, uri, dev, escrow, nil), true},
		{"its receipt", receipt(t, escrow, alice, 9, dev, 1000, "USD", "released", nil), true},
		{"a donation", donation(t, alice, 1, uri, dev, escrow, nil), true},
		{"the receipt for it", receiptFor(t, escrow, recordURI(alice, lexicons.CollectionDonation, key(1)), developmentURI(bob, 9), 700, "USD", "paid", nil), true},
		{"a campaign", campaign(t, escrow, dev, uri, payees(bob)), true},
		{"a receipt for the campaign", receipt(t, escrow, dave, 9, dev, 1000, "USD", "held", nil), true},
		{"a dispute", dispute(t, dave, 1, uri, dev, fields{"reason": "other"}), false},
		{"a ruling", ruling(t, escrow, 1, disputed, "rejected", nil), false},
		{"a verification", verification(t, dave, 1, dev, true, nil), false},
	} {
		w.put(c.record)
		queued(c.what, c.stale)
	}
	for _, did := range []syntax.DID{escrow, alice} {
		w.status(did, AccountDeactivated)
		queued("hiding "+did.String(), true)
	}
}
