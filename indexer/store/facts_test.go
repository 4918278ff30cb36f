package store

import (
	"errors"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func (w *world) facts(t *testing.T, proposal syntax.ATURI) (f lifecycle.Facts) {
	t.Helper()
	mustRead(t, w.s, func(r *Reader) (err error) {
		f, err = r.Facts(t.Context(), proposal)
		return err
	})
	return f
}

func hours(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Hour))) }

// The stage and the sums of a life are what its campaign and receipts say.
func TestF2_TheEscrowsWordMovesStageAndMoney(t *testing.T) {
	l := newLife(t)
	if got := l.state(l.proposal).Stage; got.Stage != lifecycle.StageCompleted || got.Attempt != l.attempt {
		t.Errorf("%s by %s", got.Stage, got.Attempt)
	}
	want := lifecycle.Funding{Currency: "USD", Donated: 700, Donors: 1, Released: 1000, Refunded: 2000}
	if diff := gocmp.Diff(want, l.counted(l.proposal, "USD")); diff != "" {
		t.Errorf("funding (-want +got):\n%s", diff)
	}
	other := proposalURI(carol, 2)
	l.put(
		proposal(t, carol, 2, onAccount(bob), nil), development(t, bob, 2, other, fields{"goal": value(5000, "USD")}),
		campaign(t, escrow, developmentURI(bob, 2), other, payees(bob)),
		receipt(t, escrow, alice, 2, developmentURI(bob, 2), 400, "USD", "held", nil),
	)
	if got := l.state(other).Stage; got.Stage != lifecycle.StagePreview || got.Next.Event != lifecycle.NextPreviewCloses {
		t.Errorf("%s, then %v", got.Stage, got.Next)
	}
	if got := l.counted(other, "USD"); got.Pledged != 400 || got.Pledgers != 1 || *got.Raised != 400 || *got.Goal != 5000 {
		t.Errorf("funding %+v", got)
	}
	for _, sort := range []ProposalSort{SortPledged, SortClosing} {
		if got := l.list(ProposalFilter{Sort: sort, SortCurrency: "USD"}); got[0] != other {
			t.Errorf("first by %s is %s", sort, got[0])
		}
	}
}

func TestFacts_HoldUntilWhenTestTermsTakeCheckouts(t *testing.T) {
	l := newLife(t)
	other, until := proposalURI(carol, 2), start.Add(59*time.Minute)
	l.put(
		proposal(t, carol, 2, onAccount(bob), nil), development(t, bob, 2, other, nil),
		campaignAs(t, escrow, developmentURI(bob, 2), other, fields{"test": true, "checkoutsUntil": stamp(until)}),
	)
	campaigns := l.facts(t, other).Campaigns
	if len(campaigns) != 1 || campaigns[0].CheckoutsUntil == nil || !campaigns[0].CheckoutsUntil.Equal(until) {
		t.Errorf("the campaigns are %+v, want one with checkouts until %s", campaigns, until)
	}
}

func TestFacts_HoldEveryFieldOfACampaign(t *testing.T) {
	l := newLife(t)
	got := l.facts(t, l.proposal).Campaigns
	disputed := func(did syntax.DID, n int) lifecycle.Ref {
		return lifecycle.Ref{URI: recordURI(did, lexicons.CollectionDispute, key(n)), CID: anyCID}
	}
	ends := []time.Time{hours(-1), hours(-0.8), hours(-2.5)}
	want := lifecycle.Campaign{
		Development: lifecycle.Ref{URI: l.attempt, CID: anyCID},
		Preview:     lifecycle.Ref{URI: recordURI(bob, lexicons.CollectionPreview, key(1)), CID: anyCID},
		Proposal:    lifecycle.Ref{URI: l.proposal, CID: anyCID},
		Developer:   bob, Payees: []syntax.DID{bob}, Currency: "USD",
		OpensAt: hours(-5), ClosesAt: hours(-3.5), ReleaseBy: hours(1), FinalAt: hours(2),
		Phase: lifecycle.PhaseReleased, Pot: &money.Money{Amount: 3000, Currency: "USD"},
		Release: &lifecycle.Ref{URI: releaseURI(l.attempt), CID: anyCID}, AcceptedAt: &ends[2],
		Pauses: []lifecycle.Pause{
			{Dispute: disputed(dave, 1), From: hours(-1.9), To: &ends[0]},
			{Dispute: disputed(alice, 7), From: hours(-0.9), To: &ends[1]},
		},
	}
	for _, c := range got {
		if c.Author != escrow {
			continue
		}
		want.Meta = lifecycle.Meta{URI: c.URI, CID: c.CID, Author: escrow, CreatedAt: start}
		if c.CID == "" {
			t.Error("without its version")
		}
		if diff := gocmp.Diff(want, c); diff != "" {
			t.Errorf("campaign (-want +got):\n%s", diff)
		}
	}
	if len(got) != 2 {
		t.Errorf("%d campaigns", len(got)) // that of the untrusted escrow is for lifecycle to leave out
	}
}

// What outlives the records that it is about is found without them.
func TestF1_FactsFindMoneyByWhatTheEscrowPinned(t *testing.T) {
	l := newLife(t)
	l.delete(l.attempt, pledgeURI(alice, 1), pledgeURI(dave, 1))
	f := l.facts(t, l.proposal)
	if len(f.Developments) != 1 || len(f.Campaigns) != 2 || len(f.Receipts) != 4 || len(f.Releases) != 1 {
		t.Errorf("%d developments, %d campaigns, %d receipts, %d releases",
			len(f.Developments), len(f.Campaigns), len(f.Receipts), len(f.Releases))
	}
	if len(f.Disputes) != 1 || len(f.Rulings) != 2 || len(f.Verifications) != 1 || len(f.Donations) != 1 {
		t.Errorf("%d disputes, %d rulings, %d verifications, %d donations",
			len(f.Disputes), len(f.Rulings), len(f.Verifications), len(f.Donations))
	}
	if got := l.counted(l.proposal, "USD").Released; got != 1000 {
		t.Errorf("%d released", got)
	}
	l.status(escrow, AccountDeactivated)
	if f := l.facts(t, l.proposal); len(f.Campaigns) != 1 {
		t.Errorf("%d campaigns while the escrow is hidden", len(f.Campaigns))
	}
}

// Its author cannot date it ahead of what an escrow says of it.
func TestF2_AProposalDatedAheadIsReadWhenItHasACampaign(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(carol, 1)
	w.put(proposal(t, carol, 1, onAccount(bob), fields{"createdAt": stamp(hours(1))}))
	err := w.s.Read(t.Context(), func(r *Reader) error {
		_, err := r.Facts(t.Context(), uri)
		return err
	})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("before it exists: %v", err)
	}
	w.put(campaign(t, escrow, developmentURI(bob, 1), uri, payees(bob)))
	if got := w.state(uri).Stage.Stage; got != lifecycle.StagePreview || w.facts(t, uri).Proposal.URI != uri {
		t.Errorf("it is in %q, and its facts are not read", got)
	}
}
