package store

import (
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func TestAnAccountFindsAllThatItOfferedAndPaid(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil),
		development(t, bob, 1, uri, nil),
		estimate(t, alice, 1, uri, 700, "USD", fields{"createdAt": at(-5)}),
		pledge(t, alice, 1, uri, dev, escrow, fields{"createdAt": at(-4)}),
		receipt(t, escrow, alice, 1, dev, 1000, "USD", "held", fields{"createdAt": at(-3.5)}),
		pledge(t, alice, 2, uri, dev, escrow, fields{"createdAt": at(-3)}),
		receipt(t, escrow, alice, 3, dev, 900, "USD", "refunded", fields{"createdAt": at(-2), "history": []fields{{"status": "held", "at": stamp(start)}, {"status": "refunding", "at": stamp(start)}, {"status": "refunded", "at": stamp(start)}}}), // its record is deleted
		receipt(t, shady, alice, 4, dev, 5000, "USD", "held", fields{"createdAt": at(-1)}), // anybody can say that
		pledge(t, dave, 1, uri, dev, escrow, nil),
		estimate(t, alice, 9, uri, 800, "USD", fields{"createdAt": at(2)}), // not yet
	)
	held, refunded := receiptURI(escrow, pledgeURI(alice, 1)), receiptURI(escrow, pledgeURI(alice, 3))
	want := []OwnRow{
		{Key: keyAt(-2, pledgeURI(alice, 3)), Collection: lexicons.CollectionPledge, Proposal: uri, Money: usd(900), Receipt: refunded, Status: lifecycle.ReceiptRefunded, Deleted: true},
		{Key: keyAt(-3, pledgeURI(alice, 2)), Collection: lexicons.CollectionPledge, Proposal: uri, Money: usd(1000)},
		{Key: keyAt(-3.5, pledgeURI(alice, 1)), Collection: lexicons.CollectionPledge, Proposal: uri, Money: usd(1000), Receipt: held, Status: lifecycle.ReceiptHeld},
		{Key: keyAt(-5, recordURI(alice, lexicons.CollectionEstimate, key(1))), Collection: lexicons.CollectionEstimate, Proposal: uri, Money: usd(700)},
	}
	got := all(t, w, uri, func(o OwnRow) Key { return o.Key },
		func(r *Reader, _ syntax.ATURI, after *Key, limit int) ([]OwnRow, error) {
			return r.ListOwn(t.Context(), alice, after, limit)
		})
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("what alice offered and paid (-want +got):\n%s", diff)
	}
}

// After paying, a backer can write anything into the record. The money is where it was paid.
func TestRule9_MoneyIsFoundWhateverItsPledgeSaysByNow(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	paid, other := proposalURI(carol, 1), proposalURI(carol, 2)
	one, two, unpinned := developmentURI(bob, 1), developmentURI(bob, 2), developmentURI(bob, 3)
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil), proposal(t, carol, 2, onAccount(bob), nil),
		development(t, bob, 1, paid, nil), development(t, bob, 2, other, nil),
		pledge(t, alice, 1, paid, one, escrow, nil), pledge(t, alice, 2, paid, one, escrow, nil),
		pledge(t, alice, 3, paid, one, escrow, nil), pledge(t, alice, 4, paid, unpinned, escrow, nil),
		donation(t, alice, 5, paid, one, escrow, nil),
		receipt(t, escrow, alice, 1, one, 1000, "USD", "held", fields{"proposal": ref(paid), "createdAt": at(-1)}),
		receipt(t, escrow, alice, 2, one, 900, "USD", "refunded", fields{"createdAt": at(-2)}),
		receipt(t, escrow, alice, 3, one, 800, "USD", "held", fields{"proposal": ref(paid), "createdAt": at(-3)}),
		receipt(t, escrow, alice, 4, unpinned, 700, "USD", "held", fields{"createdAt": at(-4)}),
		receiptFor(t, escrow, donation(t, alice, 5, paid, one, escrow, nil).URI(), one, 600, "USD", "paid", fields{"proposal": ref(paid), "createdAt": at(-5)}),
		receipt(t, escrow, dave, 1, one, 500, "USD", "held", fields{"proposal": ref(paid)}), // another's
		receipt(t, escrow, alice, 6, one, 400, "USD", "held", fields{"createdAt": at(2)}),   // not yet
		pledge(t, alice, 6, paid, one, escrow, fields{"createdAt": at(-6)}),
	)
	w.put(
		pledge(t, alice, 1, other, two, escrow, nil),                                     // names another proposal
		pledge(t, alice, 2, other, two, escrow, nil),                                     // as well, and its receipt pins none
		pledge(t, alice, 3, paid, one, shady, fields{"value": value(5, "EUR")}),          // names another escrow, and amount
		donation(t, alice, 5, other, two, escrow, fields{"value": value(70_000, "USD")}), // as a donation
	)
	want := []OwnRow{
		{Key: keyAt(-1, pledgeURI(alice, 1)), Collection: lexicons.CollectionPledge, Proposal: paid, Money: usd(1000), Receipt: receiptURI(escrow, pledgeURI(alice, 1)), Status: lifecycle.ReceiptHeld, Moved: true},
		{Key: keyAt(-2, pledgeURI(alice, 2)), Collection: lexicons.CollectionPledge, Proposal: paid, Money: usd(900), Receipt: receiptURI(escrow, pledgeURI(alice, 2)), Status: lifecycle.ReceiptRefunded, Moved: true},
		{Key: keyAt(-3, pledgeURI(alice, 3)), Collection: lexicons.CollectionPledge, Proposal: paid, Money: usd(800), Receipt: receiptURI(escrow, pledgeURI(alice, 3)), Status: lifecycle.ReceiptHeld},
		{Key: keyAt(-4, pledgeURI(alice, 4)), Collection: lexicons.CollectionPledge, Proposal: paid, Money: usd(700), Receipt: receiptURI(escrow, pledgeURI(alice, 4)), Status: lifecycle.ReceiptHeld},
		{Key: keyAt(-5, recordURI(alice, lexicons.CollectionDonation, key(5))), Collection: lexicons.CollectionDonation, Proposal: paid, Money: usd(600), Receipt: receiptURI(escrow, recordURI(alice, lexicons.CollectionDonation, key(5))), Status: lifecycle.ReceiptPaid, Moved: true},
		{Key: keyAt(-6, pledgeURI(alice, 6)), Collection: lexicons.CollectionPledge, Proposal: paid, Money: usd(1000)},
	}
	got := all(t, w, paid, func(o OwnRow) Key { return o.Key },
		func(r *Reader, _ syntax.ATURI, after *Key, limit int) ([]OwnRow, error) {
			return r.ListOwn(t.Context(), alice, after, limit)
		})
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("what alice paid (-want +got):\n%s", diff)
	}
	for _, st := range record(t, w.s, func(r *Reader) error {
		_, err := r.ListOwn(t.Context(), alice, nil, 10)
		return err
	}) {
		if scans := tableScans(plan(t, w.s, st.query, st.args...)); len(scans) > 0 {
			t.Errorf("%s", scans)
		}
	}
}

func TestADeveloperFindsWhatTheyBuildAndBuilt(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := func(n int) syntax.ATURI { return proposalURI(carol, n) }
	for n := 1; n <= 5; n++ {
		w.put(proposal(t, carol, n, onAccount(bob), nil))
	}
	w.put(
		development(t, bob, 1, uri(1), fields{"createdAt": at(-5)}),
		development(t, bob, 2, uri(2), fields{"createdAt": at(-3)}),
		development(t, bob, 3, uri(1), fields{"createdAt": at(-1)}),                        // another attempt at the first
		development(t, dave, 1, uri(3), nil),                                               // another's
		development(t, bob, 4, uri(4), fields{"createdAt": at(2)}),                         // not yet
		campaignAs(t, escrow, developmentURI(bob, 5), uri(5), fields{"createdAt": at(-4)}), // its record is deleted
		campaignAs(t, shady, developmentURI(bob, 6), uri(3), nil),                          // anybody can say that
	)
	want := []syntax.ATURI{uri(1), uri(2), uri(5)}
	mustRead(t, w.s, func(r *Reader) error {
		got, err := r.ListBuilt(t.Context(), bob, 10)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("what bob builds (-want +got):\n%s", diff)
		}
		if err != nil {
			return err
		}
		got, err = r.ListBuilt(t.Context(), bob, 2)
		if diff := gocmp.Diff(want[:2], got); diff != "" {
			t.Errorf("the newest two (-want +got):\n%s", diff)
		}
		return err
	})
	for _, st := range record(t, w.s, func(r *Reader) error {
		_, err := r.ListBuilt(t.Context(), bob, 10)
		return err
	}) {
		if scans := tableScans(plan(t, w.s, st.query, st.args...)); len(scans) > 0 {
			t.Errorf("%s", scans)
		}
	}
}

func usd(amount int64) money.Money { return money.Money{Amount: amount, Currency: "USD"} }
