package store

import (
	"path/filepath"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// counted is what is estimated for a proposal in a currency.
func (w *world) counted(uri syntax.ATURI, currency money.Currency) lifecycle.Funding {
	w.t.Helper()
	state := w.state(uri)
	if state == nil {
		w.t.Fatalf("%s is not visible", uri)
	}
	for _, f := range state.Funding {
		if f.Currency == currency {
			return f
		}
	}
	return lifecycle.Funding{Currency: currency}
}

func (w *world) wantCounted(uri syntax.ATURI, want, proven int64) {
	w.t.Helper()
	if got := w.counted(uri, "USD"); got.Estimated != want || got.EstimatedProven != proven {
		w.t.Fatalf("%s: counted %d, proven %d; want %d, %d", uri, got.Estimated, got.EstimatedProven, want, proven)
	}
}

// capWorld has two proposals, both estimated high by alice, and a development by
// bob of the first.
func capWorld(t *testing.T) (w *world, one, two, dev syntax.ATURI) {
	t.Helper()
	w = newWorld(t, newTestStore(t))
	one, two, dev = proposalURI(carol, 1), proposalURI(carol, 2), developmentURI(bob, 1)
	w.put(project(t, bob, "p", dave))
	w.put(proposal(t, carol, 1, onProject(projectURI(bob, "p")), nil), proposal(t, carol, 2, onAccount(dave), nil))
	w.put(development(t, bob, 1, one, nil))
	w.put(estimate(t, alice, 1, one, 50_000, "USD", nil), estimate(t, alice, 2, two, 50_000, "USD", nil))
	w.wantCounted(one, 2500, 0)
	w.wantCounted(two, 2500, 0)
	return w, one, two, dev
}

func TestRule2_ReceiptRaisesAllEstimatesOfItsPayer(t *testing.T) {
	w, one, two, dev := capWorld(t)
	paid := receipt(t, escrow, alice, 1, dev, 10_000, "USD", "released", nil)
	w.put(paid)
	w.wantCounted(one, 20_000, 20_000)
	w.wantCounted(two, 20_000, 20_000)
	mustRead(t, w.s, func(r *Reader) error {
		s, ok, err := r.Standing(t.Context(), alice, "USD")
		if want := (lifecycle.Standing{Currency: "USD", Largest: 10_000, Receipt: paid.URI()}); !ok || s != want {
			t.Errorf("standing %+v, %t; want %+v", s, ok, want)
		}
		if _, ok, _ := r.Standing(t.Context(), alice, "EUR"); ok {
			t.Error("a standing in another currency")
		}
		return err
	})
	w.delete(paid.URI())
	w.wantCounted(one, 2500, 0)
	w.wantCounted(two, 2500, 0)
}

func TestRule2_WhatTakesAContributionBack(t *testing.T) {
	paid := func(t *testing.T, amount int64, status string) Record {
		return receipt(t, escrow, alice, 1, developmentURI(bob, 1), amount, "USD", status, nil)
	}
	for name, happens := range map[string]func(*testing.T, *world){
		"refund":                   func(t *testing.T, w *world) { w.put(paid(t, 10_000, "refunded")) },
		"chargeback":               func(t *testing.T, w *world) { w.put(paid(t, 10_000, "charged-back")) },
		"the escrow is taken down": func(t *testing.T, w *world) { w.status(escrow, AccountTakendown) },
		"the escrow is deleted":    func(t *testing.T, w *world) { w.status(escrow, AccountDeleted) },
		"the payer becomes maintainer": func(t *testing.T, w *world) {
			w.put(project(t, bob, "p", alice))
		},
		"the payer becomes payee": func(t *testing.T, w *world) {
			w.put(development(t, bob, 1, proposalURI(carol, 1), fields{"payees": payees(bob, alice)}))
		},
		"a campaign pinned the payer as payee": func(t *testing.T, w *world) {
			w.put(campaign(t, escrow, developmentURI(bob, 1), proposalURI(carol, 1), payees(bob, alice)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, one, two, _ := capWorld(t)
			w.put(paid(t, 10_000, "released"))
			w.wantCounted(two, 20_000, 20_000)
			happens(t, w)
			w.wantCounted(one, 2500, 0)
			w.wantCounted(two, 2500, 0)
		})
	}
}

func TestRule2_WhatIsNoContribution(t *testing.T) {
	dev := developmentURI(bob, 1)
	for name, r := range map[string]Record{
		"held":                receipt(t, escrow, alice, 1, dev, 10_000, "USD", "held", nil),
		"of another currency": receipt(t, escrow, alice, 1, dev, 10_000, "EUR", "released", nil),
		"of a shady escrow":   receipt(t, shady, alice, 1, dev, 10_000, "USD", "released", nil),
		"test money":          receipt(t, escrow, alice, 1, dev, 10_000, "USD", "released", fields{"test": true}),
		"to the own work":     receipt(t, escrow, alice, 1, developmentURI(alice, 1), 10_000, "USD", "released", nil),
	} {
		t.Run(name, func(t *testing.T) {
			w, one, two, _ := capWorld(t)
			w.put(r)
			w.wantCounted(one, 2500, 0)
			w.wantCounted(two, 2500, 0)
		})
	}
}

func TestRule2_CampaignPinsPayeesAgainstLaterEdits(t *testing.T) {
	w, _, two, dev := capWorld(t)
	w.put(campaign(t, escrow, dev, proposalURI(carol, 1), payees(bob)))
	w.put(receipt(t, escrow, alice, 1, dev, 10_000, "USD", "released", nil))
	w.put(development(t, bob, 1, proposalURI(carol, 1), fields{"payees": payees(bob, alice)}))
	w.wantCounted(two, 20_000, 20_000)
	// Another escrow's campaign says nothing about this one's receipts.
	w.put(campaign(t, shady, dev, proposalURI(carol, 1), payees(alice)))
	w.wantCounted(two, 20_000, 20_000)
}

// The campaign alone still says which project the money was for.
func TestRule2_MaintainersOfAPinnedProposalAfterTheDevelopmentMoved(t *testing.T) {
	w, _, two, dev := capWorld(t)
	w.put(campaign(t, escrow, dev, proposalURI(carol, 1), payees(bob)))
	w.put(receipt(t, escrow, alice, 1, dev, 10_000, "USD", "released", nil))
	w.put(development(t, bob, 1, two, nil))
	w.wantCounted(two, 20_000, 20_000)
	w.put(project(t, bob, "p", alice))
	w.wantCounted(two, 2500, 0)
}

func TestF5_RecordsOfHiddenAccountsMakeNoTeam(t *testing.T) {
	w, _, two, dev := capWorld(t)
	w.put(project(t, bob, "p", alice))
	w.put(receipt(t, escrow, alice, 1, dev, 10_000, "USD", "released", nil))
	w.wantCounted(two, 2500, 0)
	for _, did := range []syntax.DID{bob, carol} { // whose project it is, and whose proposal
		w.status(did, AccountDeactivated)
		mustRead(t, w.s, func(r *Reader) error {
			if _, ok, err := r.Standing(t.Context(), alice, "USD"); err != nil || !ok {
				t.Errorf("%s is hidden and its record still counts: %v", did, err)
			}
			return nil
		})
		w.status(did, AccountActive)
		w.wantCounted(two, 2500, 0)
	}
}

func TestOpen_PolicyChangeDerivesEverythingAgain(t *testing.T) {
	path, c := filepath.Join(t.TempDir(), "index.db"), newClock()
	uri := proposalURI(carol, 1)
	w := newWorld(t, openTestStore(t, path, trusting, c))
	w.put(proposal(t, carol, 1, onAccount(bob), nil), estimate(t, alice, 1, uri, 50_000, "USD", nil))
	w.put(receipt(t, escrow, alice, 1, developmentURI(bob, 1), 5_000, "USD", "paid", fields{"test": true}))
	w.put(receipt(t, shady, alice, 2, developmentURI(bob, 1), 10_000, "USD", "paid", nil))
	for _, step := range []struct {
		policy lifecycle.Policy
		want   int64
	}{
		{lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow}, TestMoney: true}, 10_000},
		{lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow, shady}}, 20_000},
		{lifecycle.Policy{TrustedEscrows: []syntax.DID{shady, escrow}}, 20_000},
		{lifecycle.Policy{}, 2500},
		{trusting, 2500},
	} {
		mustClose(t, w.s)
		w.s = openTestStore(t, path, step.policy, c)
		mustDrain(t, w.s)
		if got := w.counted(uri, "USD").Estimated; got != step.want {
			t.Errorf("%+v: counted %d, want %d", step.policy, got, step.want)
		}
	}
	mustClose(t, w.s)
}

func TestDerive_WideFanOutGoesOnUntilDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	const wide = 2*deriveAtOnce + 10
	p, q := w.join(carol), w.join(alice)
	var proposals, estimates []Record
	for n := range wide {
		proposals = append(proposals, proposal(t, carol, n, onAccount(bob), nil))
		estimates = append(estimates, estimate(t, alice, n, proposalURI(carol, n), 50_000, "USD", nil))
	}
	w.apply(p.commit(proposals))
	w.apply(q.commit(estimates))

	w.seq++
	paid := w.join(escrow).commit([]Record{receipt(t, escrow, alice, 1, developmentURI(bob, 1), 5_000, "USD", "paid", nil)})
	out, err := w.s.Apply(t.Context(), upstream, w.seq, []Change{paid})
	if err != nil || !out.MoreStale {
		t.Fatalf("%+v, %v", out, err)
	}
	if n := mustDrain(t, w.s); n < 2 {
		t.Errorf("%d transactions for %d proposals", n, wide)
	}
	for n := range wide {
		w.wantCounted(proposalURI(carol, n), 10_000, 10_000)
	}

	// Hiding does not wait for its turn in the queue.
	w.seq++
	if _, err := w.s.Apply(t.Context(), upstream, w.seq, []Change{{Kind: ChangeAccount, DID: carol, Status: AccountTakendown}}); err != nil {
		t.Fatal(err)
	}
	for _, sort := range []ProposalSort{SortHot, SortNew, SortEstimated} {
		if got := w.list(ProposalFilter{Sort: sort, SortCurrency: "USD"}); len(got) != 0 {
			t.Errorf("%s lists %d proposals of a hidden account", sort, len(got))
		}
	}
	if w.state(proposalURI(carol, wide-1)) != nil {
		t.Error("a hidden account's proposal has a state")
	}
}
