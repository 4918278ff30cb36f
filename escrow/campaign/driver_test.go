package campaign_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

var (
	opensAt   = noon.Add(time.Hour)
	closesAt  = opensAt.Add(10 * day)
	releaseBy = closesAt.Add(14 * day)
	finalAt   = opensAt.Add(80 * day)
)

func TestR8_ACampaignOpensWhenThePreviewDoesAndIsPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce()
	w.at(opensAt.Add(-time.Millisecond))
	w.wantPhase("")
	w.at(opensAt)
	w.wantPhase("open")
	r := w.record()
	got := fmt.Sprintf("%s %s %s %s %s %s %s %s %v %s %s test %v", r.Development.Cid, r.Preview.Cid, r.Proposal.Cid, r.OpensAt, r.ClosesAt, r.ReleaseBy, r.FinalAt,
		r.Title, len(r.Payees), *r.Payees[1].Account, r.Commitment.Tree[:3], *r.Test)
	want := fmt.Sprintf("%s %s %s %s %s %s %s Larger text 2 acct_ben aaa test true",
		w.ref(development).Cid, w.ref(uriOf(ann, lexicons.CollectionPreview)).Cid, w.ref(proposal).Cid, stamp(opensAt), stamp(closesAt), stamp(releaseBy), stamp(finalAt))
	if got != want {
		t.Errorf("the record says\n%s, want\n%s", got, want)
	}
	if w.wanted() != 1 {
		t.Errorf("the record was to be published %d times", w.wanted())
	}
	w.pass(time.Second)
	if w.wanted() != 1 {
		t.Errorf("with nothing new it was to be published %d times", w.wanted())
	}
}

func TestR8_EachConditionIsRefusedWithItsObstacleAndThenMet(t *testing.T) {
	t.Parallel()
	for obstacle, test := range map[string]struct {
		without, with func(*world)
	}{
		"consent": {
			func(w *world) { w.remove(uriOf(ben, lexicons.CollectionConsent)) },
			func(w *world) {
				w.put(ben, rkey, &stratos.WorkConsent{LexiconTypeID: lexicons.CollectionConsent.String(), Development: w.ref(development), CreatedAt: stamp(w.clock)})
			},
		},
		"payee": {
			func(w *world) { w.unable[ben] = unpayable(ben) },
			func(w *world) { delete(w.unable, ben) },
		},
		"payee payee": {
			func(w *world) { w.unable[ann], w.unable[ben] = payee.ErrNotFound, payee.ErrNotFound },
			func(w *world) { clear(w.unable) },
		},
		"processor": {
			func(w *world) { w.unable[ann] = payments.ErrUnreachable },
			func(w *world) { clear(w.unable) },
		},
		"currency": {
			func(w *world) { w.develop(ann, func(d *stratos.WorkDevelopment) { d.Currency = "EUR" }) },
			func(w *world) { w.develop(ann) },
		},
		"preview-too-short": {
			func(w *world) { w.preview(ann, opensAt, opensAt.Add(6*day)) },
			func(w *world) { w.preview(ann, opensAt, closesAt) },
		},
		"preview-too-long": {
			func(w *world) { w.preview(ann, opensAt, opensAt.Add(20*day)) },
			func(w *world) { w.preview(ann, opensAt, closesAt) },
		},
		"over": {
			func(w *world) { w.cancel() },
			func(w *world) { w.remove(uriOf(ann, lexicons.CollectionCancellation)) },
		},
		"proposal": {
			func(w *world) { w.status(payer, index.AccountDeactivated) },
			func(w *world) { w.status(payer, index.AccountActive) },
		},
	} {
		t.Run(obstacle, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.announce()
			test.without(w)
			w.at(opensAt)
			w.wantPhase("")
			if got := w.obstacles(); got != obstacle {
				t.Fatalf("%q stands against it, want %q", got, obstacle)
			}
			test.with(w)
			w.pass(2 * time.Minute)
			w.wantPhase("open")
			if got := w.obstacles(); got != "" {
				t.Errorf("it is open, and %q stands against it", got)
			}
		})
	}
}

func TestR8_OnlyWhoMayActForTheSubjectOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce()
	w.remove(development, uriOf(ann, lexicons.CollectionPreview))
	w.develop(ben, func(d *stratos.WorkDevelopment) { d.Payees = nil })
	w.preview(ben, opensAt, closesAt)
	w.at(opensAt)
	w.read(func(ctx context.Context, q querier) error {
		o, err := campaign.LoadOpening(ctx, q, uriOf(ben, lexicons.CollectionDevelopment))
		if err == nil && (len(o.Obstacles) != 1 || o.Obstacles[0].Kind != campaign.ObstacleNotDeveloper) {
			t.Errorf("%+v stand against it", o.Obstacles)
		}
		return err
	})
}

func TestR8_OnlyWorkThatNamesThisEscrowOpensHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce()
	w.develop(ann, func(d *stratos.WorkDevelopment) { d.Escrow = "did:plc:otherotherotherotherothe" })
	w.at(opensAt)
	w.wantPhase("")
	if got := w.obstacles(); got != "" {
		t.Errorf("%q stands against what is none of our business", got)
	}
}

func TestR8_OneCampaignIsUnderWayForAProposal(t *testing.T) {
	t.Parallel()
	w := opened(t)
	other := func() (kind string) {
		second := uriOf(ann, lexicons.CollectionDevelopment)[:len(uriOf(ann, lexicons.CollectionDevelopment))-1] + "b"
		w.put(ann, second.RecordKey(), &stratos.WorkDevelopment{
			LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: w.ref(proposal), Title: "Another", Summary: "It grows.",
			Currency: "USD", Escrow: escrowDID.String(), CreatedAt: stamp(noon),
		})
		w.put(ann, second.RecordKey(), &stratos.WorkPreview{
			LexiconTypeID: lexicons.CollectionPreview.String(), Development: w.ref(second),
			Uri: "https://preview.example.org/", Instructions: "Look.", OpensAt: stamp(w.clock), ClosesAt: stamp(w.clock.Add(10 * day)), CreatedAt: stamp(noon),
		})
		w.pass(time.Second)
		w.read(func(ctx context.Context, q querier) error {
			o, err := campaign.LoadOpening(ctx, q, second)
			if errors.Is(err, campaign.ErrNotFound) {
				_, err = campaign.LoadByDevelopment(ctx, q, second)
				kind = "open"
				return err
			}
			kind = string(o.Obstacles[0].Kind)
			return err
		})
		return kind
	}
	if got := other(); got != "other-campaign" {
		t.Errorf("while the first is open the second is %s", got)
	}
	w.cancel()
	w.pass(time.Minute)
	w.wantPhase("refunded(cancelled)")
	if got := other(); got != "open" {
		t.Errorf("when the first was cancelled the second is %s", got)
	}
}

func TestR8_NothingOpensWhileTheIndexIsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce()
	w.behind = true
	w.at(opensAt)
	w.wantPhase("")
	w.behind = false
	w.pass(time.Second)
	w.wantPhase("open")
}

func TestR8_WhatWasFrozenStaysWhateverIsEditedOrDeleted(t *testing.T) {
	t.Parallel()
	w := opened(t)
	before := w.record()
	w.develop(ann, func(d *stratos.WorkDevelopment) { d.Title, d.Payees = "Mine alone", nil })
	w.preview(ann, opensAt, opensAt.Add(14*day))
	w.remove(proposal, uriOf(ben, lexicons.CollectionConsent))
	w.unable[ben] = unpayable(ben)
	w.pass(time.Hour)
	w.remove(development, uriOf(ann, lexicons.CollectionPreview))
	w.pass(time.Hour)
	w.wantPhase("open")
	if after := w.record(); after.ClosesAt != before.ClosesAt || after.Title != before.Title || len(after.Payees) != 2 {
		t.Errorf("the record says %+v, and said %+v", after, before)
	}
}

func TestR9_ADeletedPledgeGoesBackWhileTheCampaignIsOpen(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.remove(pledgeOf("h1"))
	w.pass(time.Second)
	w.wantReceipt("h1", "held refunding(withdrawn)")
	w.wantReceipt("h2", "held")
}

func TestR9_AnEditedPledgeStaysAsItWasPaid(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.put(payerOf("h1"), pledgeOf("h1").RecordKey(), &stratos.FeaturePledge{
		LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: w.ref(proposal), Development: w.ref(development),
		Escrow: escrowDID.String(), Value: stratos.Defs_Money{Amount: 1, Currency: "USD"}, CreatedAt: stamp(w.clock),
	})
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
}

func TestR9_NothingIsTakenBackOnceAReleaseWasSeen(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.release()
	w.pass(time.Second)
	w.remove(pledgeOf("h1"))
	w.pass(time.Second)
	w.remove(uriOf(ann, lexicons.CollectionRelease)) // it was seen all the same
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
}

func TestR9_WhatOneLookShowsTogetherTheReleaseCameBefore(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.remove(pledgeOf("h1"))
	w.release()
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
}

func TestR9_ADeletionSeenBeforeTheReleaseCountsHoweverLongItsProofTakes(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	proof := w.proof
	w.proof = func(uriT) (bool, error) { return false, errors.New("the PDS is away") }
	w.remove(pledgeOf("h1"))
	w.pass(time.Second)
	w.release()
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
	w.proof = proof
	w.pass(10 * time.Minute)
	w.wantReceipt("h1", "held refunding(withdrawn)")
}

func TestR9_ARecordThatIsThereAllTheSameMovesNothing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	asked := 0
	w.proof = func(uriT) (bool, error) { asked++; return false, nil }
	w.remove(pledgeOf("h1"))
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
	w.proof = func(uriT) (bool, error) { return true, nil }
	w.pass(time.Second) // the index still misses it
	w.wantReceipt("h1", "held")
	w.pass(5 * time.Second)
	w.wantReceipt("h1", "held refunding(withdrawn)")
	if asked != 1 {
		t.Errorf("its PDS was asked %d times", asked)
	}
}

func TestF5_ASilentPDSLeavesItAtTheSignedCommit(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.proof = func(uriT) (bool, error) { return false, errors.New("the PDS is away") }
	w.remove(pledgeOf("h1"))
	for range 5 {
		w.pass(10 * time.Minute)
		w.wantReceipt("h1", "held")
	}
	w.pass(20 * time.Minute)
	w.wantReceipt("h1", "held refunding(withdrawn)")
}

func TestF5_AHiddenAccountMovesNothing(t *testing.T) {
	t.Parallel()
	for _, status := range []index.AccountStatus{index.AccountDeactivated, index.AccountSuspended, index.AccountTakendown} {
		w := opened(t)
		w.paid("h1", 2500)
		w.status(payerOf("h1"), status)
		for range 5 {
			w.pass(day)
		}
		w.wantReceipt("h1", "held")
	}
}

func TestF5_ADeletedAccountTakesItsPledgesAlongOnceThatIsConfirmedTwice(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.deleted(payerOf("h1"))
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
	w.pass(day - time.Second)
	w.wantReceipt("h1", "held")
	w.pass(time.Second)
	w.wantReceipt("h1", "held refunding(withdrawn)")
}

func TestF5_ADeletionThatIsNotConfirmedAgainMovesNothing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.deleted(payerOf("h1"))
	w.pass(time.Second)
	w.account = func(didT) (bool, error) { return false, nil } // it is there after all
	w.pass(day + time.Second)
	w.wantReceipt("h1", "held")
}

func TestR10_AtTheClosingThePotIsFinal(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.pledge("h3", 700) // abandoned
	w.pledge("h4", 300) // paid in the last minute
	w.sessions["h4"] = true
	w.at(closesAt.Add(-time.Millisecond))
	w.wantPhase("open")
	w.at(closesAt)
	w.wantPhase("closed")
	if r := w.record(); r.Pot.Amount != 3800 || r.Totals.Held != 3800 || r.Totals.Pledgers != 3 || r.UpdatedAt != stamp(closesAt) {
		t.Errorf("the record says pot %+v, totals %+v, updated at %s", r.Pot, r.Totals, r.UpdatedAt)
	}
	w.remove(pledgeOf("h1"))
	w.pass(time.Hour)
	w.wantReceipt("h1", "held")
	w.wantReceipt("h4", "held")
}

func TestR10_ChargesAndTheClosingInBothOrders(t *testing.T) {
	t.Parallel()
	first := opened(t)
	first.pledge("h1", 2500)
	delete(first.sessions, "h1")
	first.clock = closesAt
	first.charge("h1", 2500)
	first.pass(0)
	first.wantReceipt("h1", "held")
	if pot := first.campaign().Pot; *pot != 2500 {
		t.Errorf("charged before the closing, and the pot is %d", *pot)
	}

	last := opened(t)
	last.pledge("h1", 2500)
	last.at(closesAt) // its session expires
	last.wantPhase("refunded(nothing-pledged)")
	last.charge("h1", 2500)
	last.wantReceipt("h1", "refunding(late)")
	if pot := last.campaign().Pot; *pot != 0 {
		t.Errorf("charged after the closing, and the pot is %d", *pot)
	}
}

func TestR10_WithdrawalsAndTheClosingInBothOrders(t *testing.T) {
	t.Parallel()
	first := opened(t)
	first.paid("h1", 2500)
	first.paid("h2", 1000)
	first.remove(pledgeOf("h1"))
	first.at(closesAt)
	first.wantPhase("closed")
	first.wantReceipt("h1", "held refunding(withdrawn)")
	if pot := first.campaign().Pot; *pot != 1000 {
		t.Errorf("taken back before the closing, and the pot is %d", *pot)
	}

	last := opened(t)
	last.paid("h1", 2500)
	last.at(closesAt)
	last.remove(pledgeOf("h1"))
	last.pass(time.Second)
	last.wantReceipt("h1", "held")
	if pot := last.campaign().Pot; *pot != 2500 {
		t.Errorf("deleted after the closing, and the pot is %d", *pot)
	}
}

func TestR10_TheClosingWaitsForWhatWasTakenBackInTime(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.at(closesAt.Add(-time.Minute))
	w.proof = func(uriT) (bool, error) { return false, errors.New("the PDS is away") }
	w.remove(pledgeOf("h1"))
	w.pass(0)
	w.at(closesAt)
	w.wantPhase("open")
	w.at(closesAt.Add(2 * time.Hour))
	w.wantPhase("closed")
	w.wantReceipt("h1", "held refunding(withdrawn)")
	if pot := w.campaign().Pot; *pot != 1000 {
		t.Errorf("the pot is %d", *pot)
	}
}

func TestR10_AnAccountThatIsGoneIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt.Add(-time.Hour))
	w.deleted(payerOf("h1"))
	w.pass(time.Second)
	w.at(closesAt)
	w.wantPhase("closed")
	w.pass(2 * day)
	w.wantReceipt("h1", "held")
}

func TestR11_CancellationsAndPaymentsInBothOrders(t *testing.T) {
	t.Parallel()
	first := opened(t)
	first.paid("h1", 2500)
	first.pledge("h2", 1000)
	first.sessions["h2"] = true // paid while it is being cancelled
	first.cancel()
	first.pass(time.Second)
	first.wantPhase("refunding(cancelled)")
	first.wantReceipt("h1", "held refunding(cancelled)")
	first.wantReceipt("h2", "held refunding(cancelled)")

	last := opened(t)
	last.pledge("h1", 2500)
	last.cancel()
	last.pass(time.Second)
	last.wantPhase("refunded(cancelled)")
	last.charge("h1", 2500)
	last.wantReceipt("h1", "refunding(late)")
}

func TestR11_TheAuthorCancelsAfterTheClosing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.cancel()
	w.pass(time.Second)
	w.wantPhase("refunding(cancelled)")
	w.remove(uriOf(ann, lexicons.CollectionCancellation)) // that is too late
	w.pass(time.Second)
	w.refunded("h1", 2500)
	w.pass(time.Second)
	w.wantPhase("refunded(cancelled)")
	w.wantReceipt("h1", "held refunding(cancelled) refunded(cancelled)")
	if r := w.record(); r.Totals.Refunded != 2500 || r.Totals.Held != 0 || r.Pot.Amount != 2500 {
		t.Errorf("the record says pot %+v, totals %+v", r.Pot, r.Totals)
	}
}

func TestR11_AHiddenAuthorCancelsNothing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.cancel()
	w.status(ann, index.AccountSuspended)
	w.pass(time.Second)
	w.wantPhase("open")
}

func TestR11_ACancellationFromTheFutureIsNoneYet(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.put(ann, rkey, &stratos.WorkCancellation{LexiconTypeID: lexicons.CollectionCancellation.String(), Development: w.ref(development), CreatedAt: stamp(w.clock.Add(time.Hour))})
	w.pass(time.Second)
	w.wantPhase("open")
	w.pass(time.Hour - lifecycleTolerance)
	w.wantPhase("refunded(cancelled)")
}

func TestR15_WithoutAReleaseEverybodyIsRefunded(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	w.at(closesAt)
	w.at(releaseBy.Add(-time.Millisecond))
	w.wantPhase("closed")
	w.at(releaseBy)
	w.wantPhase("refunding(not-released)")
	w.refunded("h1", 2500)
	w.pass(time.Second)
	w.wantPhase("refunding(not-released)")
	w.refunded("h2", 1000)
	w.pass(time.Second)
	w.wantPhase("refunded(not-released)")
}

func TestR15_WhereNothingWasPledgedTheAttemptEndsAtTheClosing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.at(closesAt)
	w.wantPhase("refunded(nothing-pledged)")
	if r := w.record(); r.Pot.Amount != 0 {
		t.Errorf("the pot is %d", r.Pot.Amount)
	}
}

func TestR15_ARefundThatCameBackStaysOwedAndTheCampaignIsNotRefunded(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.cancel()
	w.pass(time.Second)
	w.returned("h1", 2500)
	w.at(finalAt.Add(day))
	w.wantPhase("refunding(cancelled)")
	w.wantReceipt("h1", "held refunding(cancelled) refund-failed(cancelled)")
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.PayOtherwise(ctx, tx, "h1", ledger.Digest{1})
	})
	w.pass(time.Second)
	w.wantPhase("refunded(cancelled)")
}

func TestR15_NoDeadlineActsWhileTheIndexIsBehind(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.behind = true
	w.at(closesAt.Add(time.Hour))
	w.wantPhase("open")
	w.behind = false
	w.pass(time.Second)
	w.wantPhase("closed")
	w.behind = true
	w.at(releaseBy.Add(20 * day))
	w.wantPhase("closed")
	w.cancel() // whatever it learns meanwhile counts
	w.pass(time.Second)
	w.wantPhase("refunding(cancelled)")
}

func TestR15_AnUnknownAuthorIsWaitedForUntilTheFinalDate(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.ok(w.index.RequestResync(t.Context(), ann)) // and nobody fetches it
	w.at(finalAt.Add(-time.Millisecond))
	w.wantPhase("closed")
	w.at(finalAt)
	w.wantPhase("refunding(undecided)")
	w.wantReceipt("h1", "held refunding(undecided)")
}

func TestR15_AClockThatIsSetBackTakesNothingBack(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.wantPhase("closed")
	w.at(opensAt.Add(-90 * day))
	w.wantPhase("closed")
	w.cancel()
	w.pass(time.Second)
	w.wantPhase("refunding(cancelled)") // stored with a time that is not before the closing
	if r := w.record(); r.UpdatedAt != stamp(closesAt) {
		t.Errorf("it was updated at %s", r.UpdatedAt)
	}
}

func TestR15_AnEscrowThatWasDownThroughEverythingGivesAllBack(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.pledge("h2", 1000)
	w.sessions["h2"] = true
	w.behind = true
	w.at(finalAt.Add(day)) // perhaps only the clock leapt
	for range 60 {
		w.wantPhase("open")
		w.pass(time.Minute)
	}
	w.wantPhase("refunding(undecided)")
	w.wantReceipt("h1", "held refunding(undecided)")
	w.wantReceipt("h2", "held refunding(undecided)")
}

func TestR15_AClockThatLeapsRefundsNobodyEarly(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.present = w.clock // what happens is of that time
	w.at(finalAt.Add(day))
	for range 120 {
		w.pass(30 * time.Second)
	}
	w.wantPhase("open")
	w.wantReceipt("h1", "held")
}

// Wherever the process dies, the next one goes on, and nothing is done twice.
func TestKilledAtEachPointTheNextProcessGoesOn(t *testing.T) {
	t.Parallel()
	dead := errors.New("the process died")
	for _, point := range []crashpoint.Point{crashpoint.BeforeOpening, crashpoint.AfterProof, crashpoint.AfterFinish} {
		w := newWorld(t)
		fired := false
		step := func(at time.Time) {
			t.Helper()
			w.clock = at
			_, err := w.driver.Pass(t.Context())
			if err != nil && !errors.Is(err, dead) {
				t.Fatal(err)
			}
			w.restart(nil)
			w.pass(time.Second)
			w.restart(func(p crashpoint.Point) error {
				if p == point {
					fired = true
					return dead
				}
				return nil
			})
		}
		w.announce()
		step(noon)
		step(opensAt)
		w.wantPhase("open")
		w.paid("h1", 2500)
		w.paid("h2", 1000)
		w.pledge("h3", 700)
		w.sessions["h3"] = true
		w.remove(pledgeOf("h1"))
		step(opensAt.Add(time.Hour))
		w.wantReceipt("h1", "held refunding(withdrawn)")
		step(closesAt)
		w.wantPhase("closed")
		if pot := w.campaign().Pot; *pot != 1700 {
			t.Errorf("killed at %s the pot is %d", point, *pot)
		}
		if !fired {
			t.Errorf("nothing passed %s", point)
		}
	}
}

// The payees that an opening froze share everything that is held to the cent, whatever
// the shares and amounts are.
func TestR14_FrozenPayeesShareASettlementToTheCent(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		luck := rand.New(rand.NewPCG(seed, 14))
		w := newWorld(t)
		w.announce()
		annsShare := 1 + luck.Int64N(9999)
		w.develop(ann, func(d *stratos.WorkDevelopment) {
			d.Payees = []stratos.WorkDevelopment_Payee{{Did: ann.String(), Share: annsShare}, {Did: ben.String(), Share: 10_000 - annsShare}}
		})
		w.at(opensAt)
		var net int64
		for n := range 1 + luck.IntN(9) {
			amount := 100 + luck.Int64N(100_000)
			w.paid(ledger.HoldID(fmt.Sprintf("h%d", n)), amount)
			net += amount - amount*500/10_000
		}
		w.at(closesAt)
		c := w.campaign()
		w.do(func(ctx context.Context, tx *store.Tx) error {
			return w.ledger.Settle(ctx, tx, ledger.Settlement{Attempt: c.Attempt, Shares: c.Shares(), FeeBasisPoints: c.Fee})
		})
		got := map[string]int64{}
		w.read(func(ctx context.Context, q querier) error {
			rows, err := q.QueryContext(ctx, `SELECT payee, sum(amount) FROM payout GROUP BY payee`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var did string
				var sum int64
				if err := rows.Scan(&did, &sum); err != nil {
					return err
				}
				got[did] = sum
			}
			return rows.Err()
		})
		fee := w.campaignTotals().Fee
		if a, b := got[ann.String()], got[ben.String()]; a+b != net || a+b+fee != *c.Pot || abs(a*10_000-net*annsShare) >= 10_000 {
			t.Errorf("seed %d: of %d, %d net, ann gets %d and ben %d by %d basis points, and the operator %d", seed, *c.Pot, net, a, b, annsShare, fee)
		}
	}
}

func abs(n int64) int64 { return max(n, -n) }
