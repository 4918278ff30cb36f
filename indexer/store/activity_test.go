package store

import (
	"errors"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
)

func (w *world) activity(t *testing.T, did syntax.DID) (a Activity) {
	t.Helper()
	mustRead(t, w.s, func(r *Reader) (err error) {
		a, err = r.Activity(t.Context(), did)
		return err
	})
	return a
}

func TestActivity_CountsWhatTrustedEscrowsSay(t *testing.T) {
	l := newLife(t)
	for did, want := range map[syntax.DID]Activity{
		alice: {Backed: 1, IndexedAt: start},
		bob:   {Built: 1, Completed: 1, IndexedAt: start},
		carol: {Proposed: 1, IndexedAt: start},
		dave:  {IndexedAt: start}, // the money went back
		shady: {IndexedAt: start}, // nobody asked it to develop, or to hold money
	} {
		if diff := gocmp.Diff(want, l.activity(t, did)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", did, diff)
		}
	}

	// Another attempt of bob ends in refunds, after a dispute that was upheld.
	second, other := developmentURI(bob, 2), proposalURI(carol, 2)
	disputed := recordURI(dave, lexicons.CollectionDispute, key(2))
	l.put(
		proposal(t, carol, 2, onAccount(bob), nil),
		development(t, bob, 2, other, nil),
		campaignAs(t, escrow, second, other, fields{
			"phase": "refunding", "pauses": []fields{{"from": at(0), "to": at(0), "dispute": ref(disputed)}},
		}),
		ruling(t, escrow, 2, disputed, "upheld", nil), // of a dispute that is gone
		receipt(t, escrow, dave, 2, second, 500, "USD", "held", nil),
	)
	if diff := gocmp.Diff(Activity{Built: 2, Completed: 1, Refunded: 1, DisputesUpheld: 1, IndexedAt: start}, l.activity(t, bob)); diff != "" {
		t.Errorf("bob (-want +got):\n%s", diff)
	}
	if got := l.activity(t, dave).Backed; got != 1 {
		t.Errorf("dave backed %d", got)
	}
	l.delete(second)
	if got := l.activity(t, dave).Backed; got != 1 {
		t.Errorf("without the development's record dave backed %d", got)
	}
	l.status(escrow, AccountDeactivated)
	if got := l.activity(t, bob); got.Completed != 0 || got.Refunded != 0 || got.DisputesUpheld != 0 {
		t.Errorf("a hidden escrow counts: %+v", got)
	}
}

func TestActivity_FutureProposalsAreNoneYet(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), fields{"createdAt": stamp(start.Add(time.Hour))}))
	if got := w.activity(t, alice).Proposed; got != 0 {
		t.Errorf("%d proposed", got)
	}
	w.s.clock.advance(time.Hour)
	if got := w.activity(t, alice).Proposed; got != 1 {
		t.Errorf("%d proposed an hour later", got)
	}
}

func TestActivity_OfHiddenAndUnknownAccountsIsNotFound(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	w.status(alice, AccountSuspended)
	mustRead(t, w.s, func(r *Reader) error {
		for _, did := range []syntax.DID{alice, carol} {
			if _, err := r.Activity(t.Context(), did); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", did, err)
			}
		}
		return nil
	})
}
