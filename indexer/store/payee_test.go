package store

import (
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

func TestRule8_APayeeFindsTheWorkOfOthersThatPaysThem(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := func(n int) syntax.ATURI { return proposalURI(carol, n) }
	both := fields{"payees": payees(bob, alice)}
	for n := 1; n <= 7; n++ {
		w.put(proposal(t, carol, n, onAccount(bob), nil))
	}
	w.put(
		development(t, bob, 1, uri(1), both.with(fields{"createdAt": at(-7)})),
		development(t, bob, 2, uri(2), both.with(fields{"createdAt": at(-6)})),
		development(t, bob, 3, uri(3), both.with(fields{"createdAt": at(-1)})),
		development(t, bob, 4, uri(4), both.with(fields{"createdAt": at(2)})),                         // not yet
		development(t, alice, 5, uri(5), both),                                                        // leads it
		development(t, bob, 6, uri(6), fields{"payees": payees(bob, dave)}),                           // pays others
		campaignAs(t, escrow, developmentURI(bob, 7), uri(7), both.with(fields{"createdAt": at(-9)})), // its record is gone
		campaign(t, shady, developmentURI(bob, 8), uri(6), payees(bob, alice)),                        // anybody can say that
		consent(t, alice, 1, developmentURI(bob, 1), nil),
		consent(t, dave, 1, developmentURI(bob, 2), nil), // another's
	)
	want := []syntax.ATURI{uri(1), uri(7), uri(3), uri(2)}
	mustRead(t, w.s, func(r *Reader) error {
		got, err := r.ListPaying(t.Context(), alice, 10)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("what pays alice (-want +got):\n%s", diff)
		}
		if err != nil {
			return err
		}
		got, err = r.ListPaying(t.Context(), alice, 2)
		if diff := gocmp.Diff(want[:2], got); diff != "" {
			t.Errorf("what she agreed to does not come first (-want +got):\n%s", diff)
		}
		return err
	})
	noScans(t, w.s, func(r *Reader) error {
		_, err := r.ListPaying(t.Context(), alice, 10)
		return err
	})
}

func TestAMaintainerFindsTheProjectsOfOthers(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(
		project(t, bob, "maps", alice), project(t, bob, "other", dave), project(t, alice, "own", alice),
		project(t, carol, "hidden", alice), project(t, dave, "tiles", dave, alice),
	)
	w.status(carol, AccountDeactivated)
	mustRead(t, w.s, func(r *Reader) error {
		got, err := r.ListMaintained(t.Context(), alice, 10)
		if diff := gocmp.Diff([]syntax.ATURI{projectURI(dave, "tiles"), projectURI(bob, "maps")}, got); diff != "" {
			t.Errorf("what alice maintains (-want +got):\n%s", diff)
		}
		return err
	})
	noScans(t, w.s, func(r *Reader) error {
		_, err := r.ListMaintained(t.Context(), alice, 10)
		return err
	})
}

func TestRule14_APayeeFindsWhatTheirCampaignsHoldAndPaid(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := func(n int) syntax.ATURI { return proposalURI(carol, n) }
	dev := func(n int) syntax.ATURI { return developmentURI(bob, n) }
	both := fields{"payees": []fields{{"did": bob.String(), "share": 7000}, {"did": alice.String(), "share": 3000}}}
	due := start.Add(48 * time.Hour)
	fee := func(cents int64) fields { return fields{"fee": value(cents, "USD")} }
	w.put(
		campaignAs(t, escrow, dev(1), uri(1), both.with(fields{"createdAt": at(-1)})),
		receipt(t, escrow, dave, 1, dev(1), 1000, "USD", "held", nil),
		receipt(t, escrow, dave, 2, dev(1), 500, "USD", "held", nil),
		receipt(t, escrow, dave, 3, dev(1), 100, "USD", "refunded", nil),
		receipt(t, escrow, dave, 4, dev(1), 100, "USD", "held", fields{"createdAt": at(2)}), // not yet
		receipt(t, escrow, dave, 5, dev(1), 100, "USD", "held", fields{"test": true}),       // no real money
		receipt(t, shady, dave, 6, dev(1), 100, "USD", "held", nil),                         // of another escrow
		receiptFor(t, escrow, donation(t, dave, 7, uri(1), dev(1), escrow, nil).URI(), dev(1), 100, "USD", "paid", nil),

		campaignAs(t, escrow, dev(2), uri(2), both.with(fields{"createdAt": at(-2), "phase": "settling"})),
		receipt(t, escrow, dave, 8, dev(2), 2000, "USD", "releasing", fee(100).with(fields{"expectedAt": stamp(due)})),
		receipt(t, escrow, dave, 9, dev(2), 4000, "USD", "released", fee(200).with(fields{"expectedAt": stamp(due.Add(time.Hour))})),

		campaignAs(t, escrow, dev(3), uri(3), both.with(fields{"createdAt": at(-3), "phase": "refunded"})),
		campaign(t, escrow, dev(4), uri(4), payees(bob)), // does not pay her
		campaignAs(t, shady, dev(5), uri(5), both),       // trusted by nobody
	)
	of := func(n int) syntax.ATURI { return campaign(t, escrow, dev(n), uri(n), payees(bob)).URI() }
	none := usd(0)
	want := []PayoutRow{
		{Key: keyAt(-1, of(1)), Development: dev(1), Proposal: uri(1), Phase: lifecycle.PhaseOpen, Share: 3000, Held: usd(1500), Releasing: none, Released: none, Fee: none},
		{Key: keyAt(-2, of(2)), Development: dev(2), Proposal: uri(2), Phase: lifecycle.PhaseSettling, Share: 3000, Held: none, Releasing: usd(2000), Released: usd(4000), Fee: usd(300), Expected: &due},
		{Key: keyAt(-3, of(3)), Development: dev(3), Proposal: uri(3), Phase: lifecycle.PhaseRefunded, Share: 3000, Held: none, Releasing: none, Released: none, Fee: none},
	}
	got := all(t, w, uri(1), func(p PayoutRow) Key { return p.Key },
		func(r *Reader, _ syntax.ATURI, after *Key, limit int) ([]PayoutRow, error) {
			return r.ListPayouts(t.Context(), alice, after, limit)
		})
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("what alice is paid (-want +got):\n%s", diff)
	}
	noScans(t, w.s, func(r *Reader) error {
		_, err := r.ListPayouts(t.Context(), alice, nil, 10)
		return err
	})
}

// noScans fails when something reads a table from one end to the other.
func noScans(t *testing.T, s *testStore, read func(*Reader) error) {
	t.Helper()
	for _, st := range record(t, s, read) {
		if scans := tableScans(plan(t, s, st.query, st.args...)); len(scans) > 0 {
			t.Errorf("%s", scans)
		}
	}
}
