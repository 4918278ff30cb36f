package store

import (
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
)

// A proposal is found by the name that its project has now.
func TestWords_FollowTheProjectsName(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(alice, 1)
	found := func(q string, want bool) {
		t.Helper()
		if got := len(w.search(t, q, ProposalFilter{}, 5)) > 0; got != want {
			t.Errorf("%s finds it: %t", q, got)
		}
	}
	renamed := mustRecord(t, carol, lexicons.CollectionProject, "graysky", fields{"name": "Bluesky"})
	w.put(proposal(t, alice, 1, onProject(projectURI(carol, "graysky")), nil))
	found("graysky", false)
	w.put(project(t, carol, "graysky"))
	found("graysky", true)
	w.put(renamed)
	found("graysky", false)
	found("bluesky dark", true)
	w.status(carol, AccountSuspended)
	found("bluesky", false)
	found("dark", true)
	w.status(carol, AccountActive)
	found("bluesky", true)
	w.put(proposal(t, alice, 1, onAccount(bob), fields{"title": "Light"}))
	found("bluesky", false)
	found("dark", false)
	found("light", true)
	w.delete(uri)
	found("light", false)
	if words := dumpWords(t, w.s); len(words) > 0 {
		t.Errorf("words of nothing: %v", words)
	}
}

// More proposals than one transaction indexes again.
func TestWords_AWideFanOutIsQueued(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	var records []Record
	for n := range reindexAtOnce + 10 {
		records = append(records, proposal(t, alice, n, onProject(projectURI(carol, "graysky")), nil))
	}
	w.apply(w.join(alice).commit(records))
	w.join(carol)
	w.behind = true
	w.put(project(t, carol, "graysky"))
	if n := count(t, w.s, "dirty_words"); n != len(records) {
		t.Fatalf("%d proposals are queued", n)
	}
	mustDrain(t, w.s)
	if n := count(t, w.s, "dirty_words"); n != 0 {
		t.Errorf("%d proposals are left", n)
	}
	q := "graysky"
	if got := len(w.list(ProposalFilter{Sort: SortNew, Words: &q})); got != len(records) {
		t.Errorf("%d found", got)
	}
}

func TestRebuild_FindsTheSameWords(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onProject(projectURI(carol, "graysky")), nil), project(t, carol, "graysky"), proposal(t, bob, 1, onAccount(carol), nil))
	before := dumpWords(t, w.s)
	if len(before) == 0 {
		t.Fatal("no words")
	}
	differences, err := w.s.Rebuild(t.Context(), nil)
	if err != nil || len(differences) > 0 {
		t.Fatalf("rebuild: %v, %v", differences, err)
	}
	if diff := gocmp.Diff(before, dumpWords(t, w.s)); diff != "" {
		t.Errorf("words (-before +after):\n%s", diff)
	}
}

// What each record makes stale is queued, whichever comes first.
func TestStale_RecordsOfEscrowsAndBackersDirtyTheirProposals(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri, dev := proposalURI(carol, 1), developmentURI(bob, 1)
	w.put(proposal(t, carol, 1, onAccount(bob), nil))
	for _, did := range everybody {
		w.join(did)
	}
	w.behind = true
	queued := func(what string, n int) {
		t.Helper()
		got, err := collect(t.Context(), w.s.read, `SELECT uri FROM dirty_proposal`, scanString)
		if err != nil {
			t.Fatal(err)
		}
		if want := make([]string, n); n > 0 {
			want[0] = uri.String()
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		} else if len(got) > 0 {
			t.Errorf("%s queues %v", what, got)
		}
		mustDrain(t, w.s)
	}
	disputed := recordURI(dave, lexicons.CollectionDispute, key(1))
	pinned := fields{"proposal": ref(uri)}
	for _, c := range []struct {
		what   string
		record Record
		stale  int
	}{
		{"a receipt of nothing", receipt(t, escrow, alice, 9, dev, 1000, "USD", "held", nil), 0},
		{"a dispute of nothing", dispute(t, dave, 1, uri, dev, nil), 0},
		{"a ruling on it", ruling(t, escrow, 1, disputed, "upheld", nil), 0},
		{"a receipt that pins it", receipt(t, escrow, alice, 8, developmentURI(bob, 9), 1000, "USD", "held", pinned), 1},
		{"a pledge", pledge(t, alice, 9, uri, dev, escrow, nil), 1},
		{"its receipt", receipt(t, escrow, alice, 9, dev, 1000, "USD", "released", nil), 1},
		{"a donation", donation(t, alice, 1, uri, dev, escrow, nil), 1},
		{"the receipt for it", receiptFor(t, escrow, recordURI(alice, lexicons.CollectionDonation, key(1)), developmentURI(bob, 9), 700, "USD", "paid", nil), 1},
		{"a campaign", campaign(t, escrow, dev, uri, payees(bob)), 1},
		{"a receipt for the campaign", receipt(t, escrow, dave, 9, dev, 1000, "USD", "held", nil), 1},
		{"a dispute", dispute(t, dave, 1, uri, dev, fields{"reason": "other"}), 1},
		{"a ruling", ruling(t, escrow, 1, disputed, "rejected", nil), 1},
		{"a verification", verification(t, dave, 1, dev, true, nil), 0},
	} {
		w.put(c.record)
		queued(c.what, c.stale)
	}
	for _, did := range []syntax.DID{escrow, dave, alice} {
		w.status(did, AccountDeactivated)
		queued("hiding "+did.String(), 1)
	}
}
