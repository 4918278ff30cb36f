package store

import (
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Pledges, donations, disputes and verifications are listed alike.

// all gathers a whole list by pages of two.
func all[R any](t *testing.T, w *world, proposal syntax.ATURI, key func(R) Key,
	list func(r *Reader, proposal syntax.ATURI, after *Key, limit int) ([]R, error),
) []R {
	t.Helper()
	var out []R
	var after *Key
	for {
		var page []R
		mustRead(t, w.s, func(r *Reader) (err error) {
			page, err = list(r, proposal, after, 2)
			return err
		})
		out = append(out, page...)
		if len(page) < 2 {
			return out
		}
		last := key(page[1])
		after = &last
	}
}

func (w *world) pledges(t *testing.T, proposal syntax.ATURI) []PledgeRow {
	t.Helper()
	return all(t, w, proposal, func(p PledgeRow) Key { return p.Key },
		func(r *Reader, proposal syntax.ATURI, after *Key, limit int) ([]PledgeRow, error) {
			return r.ListPledges(t.Context(), proposal, after, limit)
		})
}

// pending is how many pledges the funding of a proposal says are wishes.
func (w *world) pending(t *testing.T, proposal syntax.ATURI, currency money.Currency) (n int64) {
	t.Helper()
	for _, f := range w.state(proposal).Funding {
		if f.Currency == currency {
			n += f.Pending
		}
	}
	return n
}

func (w *world) disputes(t *testing.T, proposal syntax.ATURI) []Key {
	t.Helper()
	return all(t, w, proposal, func(k Key) Key { return k },
		func(r *Reader, proposal syntax.ATURI, after *Key, limit int) ([]Key, error) {
			return r.ListDisputes(t.Context(), proposal, after, limit)
		})
}

func pledgeURI(author syntax.DID, n int) syntax.ATURI {
	return recordURI(author, lexicons.CollectionPledge, key(n))
}

func receiptURI(by syntax.DID, subject syntax.ATURI) syntax.ATURI {
	return recordURI(by, lexicons.CollectionReceipt, lexicons.DerivedKey(subject))
}

func keyAt(hours float64, uri syntax.ATURI) Key {
	return Key{start.Add(time.Duration(hours * float64(time.Hour))).UnixMilli(), uri}
}

// A pledge is a wish until the trusted escrow that it names says otherwise.
func TestRule9_ListedPledgesSayWhereTheMoneyIs(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil),
		pledge(t, alice, 1, uri, dev, escrow, fields{"createdAt": at(-3)}),
		pledge(t, alice, 2, uri, dev, escrow, fields{"createdAt": at(-2)}),
		pledge(t, dave, 1, uri, dev, shady, fields{"createdAt": at(-1)}),
		pledge(t, dave, 2, uri, dev, escrow, fields{"createdAt": at(-1)}),
		pledge(t, dave, 3, uri, dev, escrow, fields{"createdAt": at(1)}), // not yet
		pledge(t, dave, 4, proposalURI(carol, 2), dev, escrow, nil),      // for another one
		pledge(t, bob, 1, uri, dev, escrow, nil),                         // of a hidden account
		receipt(t, escrow, alice, 1, dev, 1000, "USD", "held", fields{"proposal": ref(uri)}),
		receipt(t, shady, alice, 2, dev, 1000, "USD", "held", nil),                  // not the escrow that it names
		receipt(t, shady, dave, 1, dev, 1000, "USD", "held", nil),                   // trusted by nobody
		receipt(t, escrow, dave, 2, dev, 1000, "USD", "held", fields{"test": true}), // no real money
		receipt(t, escrow, dave, 4, dev, 1000, "USD", "released", nil),              // for another one
		pledge(t, carol, 2, uri, dev, escrow, fields{"createdAt": at(-5)}),
		receipt(t, escrow, carol, 2, dev, 1000, "USD", "held", fields{"createdAt": at(2)}), // not yet
	)
	w.status(bob, AccountDeactivated)
	want := []PledgeRow{
		{Key: keyAt(-1, pledgeURI(dave, 2)), Author: dave, Development: dev},
		{Key: keyAt(-1, pledgeURI(dave, 1)), Author: dave, Development: dev},
		{Key: keyAt(-2, pledgeURI(alice, 2)), Author: alice, Development: dev},
		{Key: keyAt(-3, pledgeURI(alice, 1)), Author: alice, Development: dev, Receipt: receiptURI(escrow, pledgeURI(alice, 1)), Status: lifecycle.ReceiptStatus("held")},
		{Key: keyAt(-5, pledgeURI(carol, 2)), Author: carol, Development: dev},
	}
	if diff := gocmp.Diff(want, w.pledges(t, uri)); diff != "" {
		t.Errorf("pledges (-want +got):\n%s", diff)
	}
	if got := w.pending(t, uri, "USD"); got != 4 {
		t.Errorf("%d pledges are pending, and 4 are listed so", got)
	}
	w.s.clock.advance(time.Hour)
	if got := w.pledges(t, uri); len(got) != 6 {
		t.Errorf("an hour later %d pledges", len(got))
	}
	w.status(escrow, AccountSuspended)
	for _, p := range w.pledges(t, uri) {
		if p.Status != "" {
			t.Errorf("a hidden escrow says %s of %s", p.Status, p.URI)
		}
	}
}

// Money that is held for one proposal is not shown at another, whatever its backer
// makes of the pledge afterwards.
func TestRule9_AReceiptIsForTheProposalThatWasPaidFor(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	paid, other := proposalURI(carol, 1), proposalURI(carol, 2)
	one, two := developmentURI(bob, 1), developmentURI(bob, 2)
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil), proposal(t, carol, 2, onAccount(bob), nil),
		development(t, bob, 1, paid, nil), development(t, bob, 2, other, nil),
		development(t, dave, 1, paid, nil),
		development(t, bob, 3, paid, nil), development(t, bob, 4, paid, nil),
		campaign(t, escrow, developmentURI(bob, 4), paid, payees(bob)),
		development(t, bob, 3, other, nil), development(t, bob, 4, other, nil),
	)
	for n, c := range []struct {
		name    string
		pledged pledged
		receipt Record
		held    bool
	}{
		{"as it was", pledged{paid, one}, receipt(t, escrow, alice, 0, one, 1000, "USD", "held", nil), true},
		{"moved to another", pledged{other, two}, receipt(t, escrow, alice, 1, one, 1000, "USD", "held", nil), false},
		{"moved with its attempt", pledged{other, one}, receipt(t, escrow, alice, 2, one, 1000, "USD", "held", nil), false},
		{"moved from where the receipt pins it", pledged{other, two},
			receipt(t, escrow, alice, 3, two, 1000, "USD", "held", fields{"proposal": ref(paid)}), false},
		{"of nobody knows which", pledged{paid, developmentURI(bob, 9)},
			receipt(t, escrow, alice, 4, developmentURI(bob, 9), 1000, "USD", "held", nil), false},
		{"of an attempt of somebody who may not act", pledged{paid, developmentURI(dave, 1)},
			receipt(t, escrow, alice, 5, developmentURI(dave, 1), 1000, "USD", "held", nil), false},
		{"of an attempt that was moved", pledged{other, developmentURI(bob, 3)},
			receipt(t, escrow, alice, 6, developmentURI(bob, 3), 1000, "USD", "held", nil), true},
		{"from before it was moved", pledged{paid, developmentURI(bob, 3)},
			receipt(t, escrow, alice, 7, developmentURI(bob, 3), 1000, "USD", "held", nil), false},
		{"of an attempt that was moved after it was frozen", pledged{paid, developmentURI(bob, 4)},
			receipt(t, escrow, alice, 8, developmentURI(bob, 4), 1000, "USD", "held", nil), true},
		{"where it was moved to then", pledged{other, developmentURI(bob, 4)},
			receipt(t, escrow, alice, 9, developmentURI(bob, 4), 1000, "USD", "held", nil), false},
	} {
		w.put(pledge(t, alice, n, c.pledged.proposal, c.pledged.development, escrow, nil), c.receipt)
		listed := w.pledges(t, c.pledged.proposal)
		i := slices.IndexFunc(listed, func(p PledgeRow) bool { return p.URI == pledgeURI(alice, n) })
		if i < 0 {
			t.Errorf("%s: the pledge is not listed", c.name)
		} else if held := listed[i].Status == lifecycle.ReceiptHeld; held != c.held {
			t.Errorf("%s: held is %v", c.name, held)
		}
	}
}

// pledged is what a pledge names.
type pledged struct{ proposal, development syntax.ATURI }

func TestRule5_ListedDonationsSayWhetherTheyArrived(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	one, two := donation(t, alice, 1, uri, dev, escrow, nil), donation(t, dave, 1, uri, dev, escrow, fields{"createdAt": at(-1)})
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil), one, two,
		receiptFor(t, escrow, two.URI(), dev, 700, "USD", "paid", fields{"proposal": ref(uri)}),
	)
	got := all(t, w, uri, func(d DonationRow) Key { return d.Key },
		func(r *Reader, proposal syntax.ATURI, after *Key, limit int) ([]DonationRow, error) {
			return r.ListDonations(t.Context(), proposal, after, limit)
		})
	want := []DonationRow{
		{Key: keyAt(0, one.URI()), Author: alice, Development: dev},
		{Key: keyAt(-1, two.URI()), Author: dave, Development: dev, Receipt: receiptURI(escrow, two.URI()), Status: lifecycle.ReceiptPaid},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("donations (-want +got):\n%s", diff)
	}
}

func TestRule13_DisputesAreListedWithTheAttemptThatTheyAreAbout(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	of := func(did syntax.DID, n int) syntax.ATURI { return recordURI(did, lexicons.CollectionDispute, key(n)) }
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil), development(t, bob, 1, uri, nil),
		dispute(t, alice, 1, uri, dev, fields{"createdAt": at(-3)}),
		dispute(t, alice, 2, uri, dev, fields{"createdAt": at(-2)}),
		dispute(t, dave, 1, uri, dev, fields{"createdAt": at(-1)}),
		dispute(t, dave, 2, uri, developmentURI(bob, 2), nil),         // about another attempt
		dispute(t, dave, 3, uri, dev, fields{"createdAt": at(1)}),     // not yet
		dispute(t, shady, 1, uri, dev, fields{"createdAt": at(-1)}),   // of a hidden account
		campaign(t, escrow, developmentURI(bob, 3), uri, payees(bob)), // the record of that attempt is gone
		dispute(t, dave, 4, uri, developmentURI(bob, 3), fields{"createdAt": at(-4)}),
	)
	w.status(shady, AccountDeactivated)
	want := []Key{keyAt(-1, of(dave, 1)), keyAt(-2, of(alice, 2)), keyAt(-3, of(alice, 1)), keyAt(-4, of(dave, 4))}
	if diff := gocmp.Diff(want, w.disputes(t, uri)); diff != "" {
		t.Errorf("disputes (-want +got):\n%s", diff)
	}
	w.put(campaign(t, escrow, dev, uri, payees(bob)))
	w.delete(dev) // the campaign pins that the attempt is this proposal's
	if diff := gocmp.Diff(want, w.disputes(t, uri)); diff != "" {
		t.Errorf("without the development's record (-want +got):\n%s", diff)
	}
}

func TestRule13_VerificationsAreListedWithWhatTheySay(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	one, two := verification(t, alice, 1, dev, false, nil), verification(t, dave, 1, dev, true, fields{"createdAt": at(-1)})
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil), development(t, bob, 1, uri, nil), one, two,
		verification(t, alice, 2, developmentURI(bob, 2), true, nil), // of another release
	)
	got := all(t, w, uri, func(v VerificationRow) Key { return v.Key },
		func(r *Reader, proposal syntax.ATURI, after *Key, limit int) ([]VerificationRow, error) {
			return r.ListVerifications(t.Context(), proposal, after, limit)
		})
	want := []VerificationRow{{Key: keyAt(0, one.URI())}, {Key: keyAt(-1, two.URI()), Matches: true}}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("verifications (-want +got):\n%s", diff)
	}
}

// Of what an account writes about a release its first dispute counts for the escrow, and its
// newest verification for everybody.
func TestRule13_OneDisputeAndOneVerificationOfEachAccountCount(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	of := func(did syntax.DID, n int) syntax.ATURI { return recordURI(did, lexicons.CollectionDispute, key(n)) }
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil), development(t, bob, 1, uri, nil),
		dispute(t, alice, 1, uri, dev, fields{"createdAt": at(-2)}),
		dispute(t, alice, 2, uri, dev, fields{"createdAt": at(-3)}),
		dispute(t, alice, 3, uri, developmentURI(bob, 2), fields{"createdAt": at(-4)}), // about another
		dispute(t, dave, 1, uri, dev, fields{"createdAt": at(1)}),                      // not yet
		dispute(t, shady, 1, uri, dev, fields{"createdAt": at(-1)}),                    // of a hidden account
		dispute(t, carol, 1, uri, dev, fields{"createdAt": at(-1)}),
		verification(t, alice, 1, dev, false, fields{"createdAt": at(-2)}),
		verification(t, alice, 2, dev, true, fields{"createdAt": at(-1)}),
		verification(t, dave, 1, dev, false, fields{"createdAt": at(-3)}),
		verification(t, carol, 1, dev, false, fields{"createdAt": at(1)}), // not yet
	)
	w.status(shady, AccountDeactivated)
	release := recordURI(bob, lexicons.CollectionRelease, key(1))
	mustRead(t, w.s, func(r *Reader) error {
		first, err := r.FirstDisputes(t.Context(), release, []syntax.DID{alice, dave, shady})
		if err != nil {
			return err
		}
		if len(first) != 1 || first[0].URI != of(alice, 2) || first[0].Author != alice || first[0].CID == "" {
			t.Errorf("the first disputes are %+v", first)
		}
		about, err := r.DisputesAbout(t.Context(), dev, 2)
		if err != nil {
			return err
		}
		if len(about) != 2 || about[0].URI != of(carol, 1) || about[1].URI != of(alice, 1) || about[0].IndexedAt.IsZero() {
			t.Errorf("the newest disputes are %+v", about)
		}
		said, err := r.VerdictsAbout(t.Context(), dev, 1)
		if err != nil {
			return err
		}
		newest := recordURI(alice, lexicons.CollectionVerification, key(2))
		if said.Matching != 1 || said.Differing != 1 || len(said.Newest) != 1 || said.Newest[0].URI != newest || !said.Newest[0].Matches {
			t.Errorf("what people say is %+v", said)
		}
		return nil
	})
}

// Who pledged or donated is a backer, as is who estimated.
func TestListProposals_BackersAreOfAllKinds(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	for n := range 4 {
		w.put(proposal(t, carol, n, onAccount(bob), nil))
	}
	dev := developmentURI(bob, 1)
	w.put(
		estimate(t, alice, 1, proposalURI(carol, 0), 100, "USD", nil),
		pledge(t, alice, 1, proposalURI(carol, 1), dev, escrow, nil),
		donation(t, alice, 1, proposalURI(carol, 2), dev, escrow, nil),
		donation(t, alice, 2, proposalURI(carol, 3), dev, escrow, fields{"createdAt": at(1)}), // not yet
	)
	want := []syntax.ATURI{proposalURI(carol, 2), proposalURI(carol, 1), proposalURI(carol, 0)}
	if diff := gocmp.Diff(want, w.list(ProposalFilter{Sort: SortNew, Backer: alice})); diff != "" {
		t.Errorf("backed by alice (-want +got):\n%s", diff)
	}
}
