package store

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

func (w *world) stats(t *testing.T) (s Stats) {
	t.Helper()
	mustRead(t, w.s, func(r *Reader) (err error) {
		s, err = r.Stats(t.Context())
		return err
	})
	return s
}

func TestStats_CountWhatIsVisibleAndReal(t *testing.T) {
	l := newLife(t)
	l.put(
		project(t, carol, "p"), project(t, shady, "q"),
		proposal(t, alice, 1, onAccount(dave), nil),
		proposal(t, alice, 2, onAccount(dave), fields{"createdAt": stamp(start.Add(time.Hour))}),
		proposal(t, shady, 1, onAccount(dave), nil),
		estimate(t, carol, 1, proposalURI(alice, 1), 9000, "USD", nil),             // counts up to the cap
		estimate(t, carol, 2, proposalURI(shady, 1), 100, "USD", nil),              // for a proposal that is hidden
		estimate(t, carol, 3, l.proposal, 300, "JPY", fields{"createdAt": at(-8)}), // before the preview opened
		receipt(t, escrow, carol, 9, l.attempt, 4000, "USD", "held", fields{"test": true}),
		receipt(t, escrow, carol, 8, l.attempt, 50, "EUR", "held", nil),
	)
	l.status(shady, AccountTakendown)
	got := l.stats(t)
	want := Stats{
		Proposals: 2, Projects: 1, Backers: 2, Developers: 1,
		Stages: map[lifecycle.Stage]int64{},
		Money: []MoneyStats{
			{Currency: "EUR", Pledged: 50},
			{Currency: "JPY", Estimated: 300},
			{Currency: "USD", Estimated: 2500, Released: 1000, Refunded: 2000, Donated: 700},
		},
	}
	for _, uri := range l.list(ProposalFilter{Sort: SortNew}) {
		want.Stages[l.state(uri).Stage.Stage]++
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// Where the operator counts test money it is told apart, so that it never looks like
// real money.
func TestStats_TestMoneyIsNeverAmongRealMoney(t *testing.T) {
	policy := trusting
	policy.TestMoney = true
	s := openTestStore(t, t.TempDir()+"/index.db", policy, newClock())
	defer mustClose(t, s)
	w := newWorld(t, s)
	w.put(
		receipt(t, escrow, carol, 9, developmentURI(bob, 1), 4000, "USD", "held", fields{"test": true}),
		receipt(t, escrow, carol, 8, developmentURI(bob, 1), 100, "EUR", "released", fields{"test": true}),
		receipt(t, escrow, alice, 9, developmentURI(bob, 1), 70, "USD", "held", nil),
		receipt(t, shady, alice, 8, developmentURI(bob, 1), 500, "USD", "held", fields{"test": true}), // trusted by nobody
	)
	got := w.stats(t)
	want := Stats{
		Backers: 1, Stages: map[lifecycle.Stage]int64{},
		Money:     []MoneyStats{{Currency: "USD", Pledged: 70}},
		TestMoney: []MoneyStats{{Currency: "EUR", Released: 100}, {Currency: "USD", Pledged: 4000}},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}
