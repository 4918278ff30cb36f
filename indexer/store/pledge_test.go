package store

import (
	"testing"
	"time"
)

// A pledge is a wish that is counted, until the escrow that it names has a
// receipt for it.
func TestRule9_PledgesWithoutReceiptArePending(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	pending := func(want int64) {
		t.Helper()
		if got := w.counted(uri, "USD").Pending; got != want {
			t.Errorf("%d pledges pending, want %d", got, want)
		}
	}
	w.put(receipt(t, escrow, alice, 1, dev, 1000, "USD", "held", nil)) // it may come before the pledge
	w.put(proposal(t, carol, 1, onAccount(bob), nil), development(t, bob, 1, uri, nil))
	w.put(pledge(t, alice, 1, uri, dev, escrow, nil))
	w.put(pledge(t, alice, 2, uri, dev, escrow, nil))
	w.put(pledge(t, dave, 1, uri, dev, escrow, fields{"createdAt": stamp(start.Add(10 * time.Minute))}))
	pending(1)
	w.s.clock.advance(5 * time.Minute)
	pending(2)

	second := receipt(t, escrow, alice, 2, dev, 1000, "USD", "held", nil)
	w.put(receipt(t, shady, alice, 2, dev, 1000, "USD", "held", nil)) // not the escrow that it names
	pending(2)
	w.put(second)
	pending(1)
	w.status(escrow, AccountDeactivated)
	pending(3)
	w.status(escrow, AccountActive)
	pending(1)
	w.delete(second.URI())
	pending(2)
	w.status(alice, AccountTakendown)
	pending(1)
	w.delete(pledge(t, dave, 1, uri, dev, escrow, nil).URI())
	pending(0)
}
