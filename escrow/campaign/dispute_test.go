package campaign_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	index "github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// offline is a network that is away.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("the network is away")
}

func (w *world) endsAt() time.Time { w.t.Helper(); return w.campaign().Accepted.EndsAt }

func TestR13_ADisputeByAHolderStopsClockAndPayout(t *testing.T) {
	t.Parallel()
	w := released(t)
	end := w.endsAt()
	w.dispute("did:plc:strangerstrangerstranger", "source-mismatch")
	w.pass(day)
	w.wantPhase("verifying") // who holds nothing stops nothing
	w.dispute(payerOf("h1"), "source-mismatch")
	w.pass(time.Second)
	w.wantPhase("disputed")
	seen := w.clock
	r := w.record()
	if len(r.Pauses) != 1 || r.Pauses[0].From != stamp(seen) || r.Pauses[0].To != nil || *r.Pauses[0].RulingBy != stamp(seen.Add(10*day)) {
		t.Errorf("the record says %+v", r.Pauses)
	}
	w.pass(5 * day)
	w.wantPhase("disputed")
	w.rule(w.dispute(payerOf("h1"), "source-mismatch"), "rejected")
	stood := w.clock.Sub(seen)
	w.pass(time.Second)
	w.wantPhase("verifying")
	if got, want := w.endsAt(), end.Add(stood); !got.Equal(want) {
		t.Errorf("verification ends at %s, want %s", got, want)
	}
	if r := w.record(); r.Pauses[0].To == nil || *r.VerificationEndsAt != stamp(w.endsAt()) {
		t.Errorf("the record says %+v, and %s", r.Pauses, *r.VerificationEndsAt)
	}
}

func TestR13_AnUpheldDisputeRefundsEverybody(t *testing.T) {
	t.Parallel()
	w := released(t)
	uri := w.dispute(payerOf("h2"), "source-mismatch")
	other := w.dispute(payerOf("h1"), "other")
	w.pass(time.Second)
	w.rule(uri, "upheld")
	w.pass(time.Second)
	w.wantPhase("refunding(dispute-upheld)")
	w.wantReceipt("h1", "held refunding(dispute-upheld)")
	w.wantReceipt("h2", "held refunding(dispute-upheld)")
	w.do(func(ctx context.Context, tx *store.Tx) error {
		d, err := campaign.LoadDispute(ctx, tx, other)
		if err != nil {
			return err
		}
		if d.Ended != campaign.EndedOver {
			t.Errorf("the other dispute is %q", d.Ended)
		}
		_, err = campaign.Rule(ctx, tx, campaign.Ruling{Dispute: d.Ref(), Outcome: "rejected", Rationale: "late"})
		if !errors.Is(err, campaign.ErrNotStanding) {
			t.Errorf("it could be ruled on: %v", err)
		}
		return nil
	})
}

func TestR13_ADeletedDisputeIsWithdrawnAndNotAHiddenOne(t *testing.T) {
	t.Parallel()
	w := released(t)
	uri := w.dispute(payerOf("h1"), "other")
	w.pass(time.Second)
	w.wantPhase("disputed")
	w.status(payerOf("h1"), index.AccountDeactivated)
	w.pass(day)
	w.wantPhase("disputed")
	w.status(payerOf("h1"), index.AccountActive)
	w.remove(uri)
	w.pass(time.Second)
	w.wantPhase("verifying")
	if got := w.disputes(); got != "withdrawn" {
		t.Errorf("the disputes are %s", got)
	}
	w.dispute(payerOf("h1"), "other") // once is all
	w.pass(time.Second)
	w.wantPhase("verifying")
}

func TestR13_AnAccountDisputesOnceAlsoAfterARejection(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.at(w.endsAt().Add(-time.Second))
	uri := w.dispute(payerOf("h1"), "other")
	w.pass(0)
	w.wantPhase("disputed")
	w.rule(uri, "rejected")
	w.pass(time.Second)
	if left := w.endsAt().Sub(w.clock); left != 72*time.Hour {
		t.Errorf("after the rejection there are %s left", left)
	}
	w.put(payerOf("h1"), "3lbqxkdzvqk2b", &stratos.FeatureDispute{
		LexiconTypeID: "fund.stratos.feature.dispute", Proposal: w.campaign().Proposal, Release: w.campaign().Accepted.Release,
		Reason: "other", Statement: "Again.", CreatedAt: stamp(w.clock),
	})
	w.pass(time.Second)
	w.wantPhase("verifying")
	w.at(w.endsAt())
	w.wantPhase("settling")
	w.dispute(payerOf("h2"), "other") // too late
	w.pass(time.Second)
	w.wantPhase("settling")
}

func TestR13_NotRuledInTimeTheChecksDecide(t *testing.T) {
	t.Parallel()
	w := released(t) // its tree is the one that was committed to
	w.dispute(payerOf("h1"), "source-mismatch")
	w.pass(time.Second)
	w.pass(10*day - time.Second)
	w.wantPhase("disputed")
	w.behind = true // perhaps it was withdrawn
	w.pass(time.Second)
	w.wantPhase("disputed")
	w.behind = false
	w.pass(time.Second)
	w.wantPhase("verifying")
	if got := w.disputes(); got != "rejected by default" {
		t.Errorf("the disputes are %s", got)
	}

	bare := newWorld(t)
	bare.announce()
	bare.put(ann, rkey, &stratos.WorkPreview{
		LexiconTypeID: "fund.stratos.work.preview", Development: bare.ref(development),
		Uri: "https://preview.example.org/", Instructions: "Look.", OpensAt: stamp(opensAt), ClosesAt: stamp(closesAt), CreatedAt: stamp(noon),
	})
	bare.at(opensAt)
	bare.paid("h1", 2500)
	bare.verdict = withoutTree
	bare.release()
	bare.at(closesAt)
	bare.examined()
	bare.wantPhase("verifying")
	bare.dispute(payerOf("h1"), "source-mismatch")
	bare.pass(time.Second)
	bare.pass(10 * day)
	bare.wantPhase("refunding(dispute-upheld)")
}

func TestR13_AllPausesTogetherAreAtMostTheReserve(t *testing.T) {
	t.Parallel()
	w := released(t)
	accepted := w.clock
	first := w.dispute(payerOf("h1"), "other")
	w.pass(time.Second)
	w.pass(9 * day)
	w.rule(first, "rejected")
	w.pass(time.Second)
	w.at(w.endsAt().Add(-time.Minute))
	w.dispute(payerOf("h2"), "other")
	w.pass(0)
	w.wantPhase("disputed")
	last := accepted.Add(verification + 14*day)
	if by := *w.record().Pauses[1].RulingBy; by != stamp(last) {
		t.Errorf("it is ruled on by %s, and the reserve ends at %s", by, stamp(last))
	}
	w.at(last)
	w.wantPhase("settling")
	if got := w.disputes(); got != "rejected, rejected by default" {
		t.Errorf("the disputes are %s", got)
	}
}

// TestR13_TheClockStoodStillHoweverSeldomAnybodyLooks: the process dies right after it noted
// a dispute, or its end, and the next look is days later. What counts is when disputes stood.
func TestR13_TheClockStoodStillHoweverSeldomAnybodyLooks(t *testing.T) {
	t.Parallel()
	w := opened(t)
	for _, hold := range []ledger.HoldID{"h1", "h2", "h3"} {
		w.paid(hold, 1000)
	}
	w.at(closesAt)
	w.release()
	w.pass(time.Second)
	w.examined()
	end := w.endsAt()
	first := w.dispute(payerOf("h1"), "other")
	w.pass(time.Second) // notes it
	w.restart(nil)
	w.clock = w.clock.Add(2 * day)
	w.rule(first, "rejected") // before the next look
	w.restart(nil)
	w.pass(3 * day)
	w.wantPhase("verifying")
	if got, want := w.endsAt(), end.Add(2*day); !got.Equal(want) {
		t.Errorf("a dispute stood for two days, and verification ends at %s, want %s", got, want)
	}
	if r := w.record(); *r.VerificationEndsAt != stamp(w.endsAt()) || len(r.Pauses) != 1 {
		t.Errorf("the record says %s, with %+v", *r.VerificationEndsAt, r.Pauses)
	}

	// Another one, withdrawn, and a third before anybody looked whether the clock goes on.
	second := w.dispute(payerOf("h2"), "other")
	w.pass(time.Second)
	w.clock = w.clock.Add(day)
	w.rule(second, "rejected")
	w.clock = w.clock.Add(day)
	w.dispute(payerOf("h3"), "other")
	w.pass(0)
	w.wantPhase("disputed")
	w.pass(day)
	w.remove(uriOf(payerOf("h3"), "fund.stratos.feature.dispute"))
	w.pass(0)
	w.wantPhase("verifying")
	if got, want := w.endsAt(), end.Add(4*day); !got.Equal(want) {
		t.Errorf("disputes stood for four days, and verification ends at %s, want %s", got, want)
	}
}

func TestR13_RulingsAreGivenOnceAndOnWhatStands(t *testing.T) {
	t.Parallel()
	w := released(t)
	uri := w.dispute(payerOf("h1"), "other")
	w.pass(time.Second)
	ruling := func(ref comatproto.RepoStrongRef, outcome string) error {
		var err error
		w.do(func(ctx context.Context, tx *store.Tx) error {
			_, err = campaign.Rule(ctx, tx, campaign.Ruling{Dispute: ref, Outcome: "rejected", Rationale: "It is the same."})
			if outcome == "upheld" {
				_, err = campaign.Rule(ctx, tx, campaign.Ruling{Dispute: ref, Outcome: "upheld", Rationale: "It is not."})
			}
			return nil
		})
		return err
	}
	ref := w.ref(uri)
	if err := ruling(comatproto.RepoStrongRef{Uri: uri.String(), Cid: w.campaign().Preview.Cid}, "rejected"); !errors.Is(err, campaign.ErrDisputeChanged) {
		t.Errorf("another version: %v", err)
	}
	if err := ruling(comatproto.RepoStrongRef{Uri: proposal.String(), Cid: ref.Cid}, "rejected"); !errors.Is(err, campaign.ErrNotFound) {
		t.Errorf("something else: %v", err)
	}
	w.ok(ruling(ref, "rejected"))
	w.ok(ruling(ref, "rejected"))
	if err := ruling(ref, "upheld"); !errors.Is(err, campaign.ErrRuled) {
		t.Errorf("the other outcome: %v", err)
	}
	var n int
	w.read(func(ctx context.Context, q querier) error {
		return q.QueryRowContext(ctx, `SELECT count(*) FROM outbox WHERE collection = 'fund.stratos.escrow.ruling'`).Scan(&n)
	})
	if n != 1 {
		t.Errorf("%d rulings are published", n)
	}
}

func TestR15_TheFinalDateEndsADispute(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.dispute(payerOf("h1"), "other")
	w.pass(time.Second)
	w.wantPhase("disputed")
	w.ok(w.index.RequestResync(t.Context(), ann)) // and nobody fetches it: the index knows nothing
	w.at(finalAt)
	w.wantPhase("refunding(undecided)")
	if got := w.disputes(); got != "over" {
		t.Errorf("the disputes are %s", got)
	}
}
