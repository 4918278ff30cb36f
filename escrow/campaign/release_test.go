package campaign_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const verification = 14 * day

// edit is another version of the release.
func (w *world) edit(commit string) {
	w.t.Helper()
	w.put(ann, rkey, &stratos.WorkRelease{
		LexiconTypeID: lexicons.CollectionRelease.String(), Development: w.campaign().Development, Repository: "https://git.example.org/it",
		Commit: strings.Repeat(commit, 40), License: "MIT", CreatedAt: stamp(w.clock),
	})
}

func TestR12_AReleaseThatPassesItsChecksIsMirroredAndAccepted(t *testing.T) {
	t.Parallel()
	w := released(t)
	r := w.record()
	key := string(w.campaign().Attempt)
	if r.Release.Uri != uriOf(ann, lexicons.CollectionRelease).String() || *r.Mirror != "https://escrow.example.org/git/"+key ||
		*r.AcceptedAt != stamp(w.clock) || *r.VerificationEndsAt != stamp(w.clock.Add(verification)) || len(r.Checks) != 2 || !r.Checks[0].Passed {
		t.Errorf("the record says %+v of release %+v", r, r.Release)
	}
	if w.mirrored[w.campaign().Attempt] != strings.Repeat("b", 40) {
		t.Errorf("the mirror holds %v", w.mirrored)
	}
}

func TestR12_AFailedCheckSaysWhatToFixAndCanBeCorrected(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.verdict = fails
	w.release()
	w.pass(time.Second)
	w.examined()
	w.wantPhase("closed")
	if r := w.record(); len(r.Checks) != 1 || r.Checks[0].Passed || *r.Checks[0].Evidence != "There is no LICENSE." {
		t.Errorf("the record says %+v", r.Checks)
	}
	w.verdict = passes
	w.pass(day)
	w.wantPhase("closed") // nobody looks twice at the same
	w.edit("c")
	w.pass(time.Minute)
	w.wantPhase("checking")
	w.examined()
	w.wantPhase("verifying")
}

func TestR12_CorrectionsAfterTheWindowAreThreeAndHave72Hours(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.verdict = fails
	w.at(releaseBy.Add(-time.Second))
	w.release()
	w.pass(0)
	for i, commit := range []string{"c", "d", "e"} {
		w.at(w.clock.Add(time.Hour)) // the checks took their time
		w.wantPhase("checking")
		w.examined()
		w.wantPhase("closed")
		due := w.campaign().ReleaseDue()
		if left := due.Sub(w.clock); left > 72*time.Hour || left < 72*time.Hour-time.Minute {
			t.Fatalf("after failure %d there are %s left", i+1, left)
		}
		w.at(due.Add(-2 * time.Hour))
		w.wantPhase("closed")
		w.edit(commit)
		w.pass(time.Second)
	}
	w.pass(time.Hour)
	w.examined()
	w.pass(time.Hour)
	w.wantPhase("refunding(not-released)")
	w.wantReceipt("h1", "held refunding(not-released)")
}

func TestR12_AReleaseInTimeCountsHoweverLongItsChecksTake(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.at(releaseBy.Add(-time.Second))
	w.release()
	w.pass(0)
	w.at(releaseBy.Add(20 * time.Hour))
	w.wantPhase("checking")
	w.edit("c") // too late, and beside one that was in time
	w.pass(time.Second)
	w.examined()
	w.wantPhase("verifying")
	if w.mirrored[w.campaign().Attempt] != strings.Repeat("b", 40) {
		t.Errorf("the mirror holds %v", w.mirrored)
	}
}

// trouble is that of a network.
func trouble(c *checks.Checker) func(checks.Release) (checks.Report, error) {
	return func(r checks.Release) (checks.Report, error) { return c.Check(context.Background(), r, nil) }
}

func TestR12_WhatNobodyCanHaveForADayCountsAgainstARelease(t *testing.T) {
	t.Parallel()
	w := opened(t)
	checker, err := checks.New(checks.Config{Folder: t.TempDir(), Transport: offline{}, Limits: checks.DefaultLimits(), Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return w.clock }})
	w.ok(err)
	w.verdict = trouble(checker)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.release()
	w.pass(time.Second)
	for range 23 {
		w.ok(w.examiner.Pass(t.Context()))
		w.pass(time.Hour)
		w.wantPhase("checking")
	}
	w.pass(2 * time.Hour)
	w.examined()
	w.wantPhase("closed")
	if r := w.record(); len(r.Checks) != 1 || r.Checks[0].Passed || !strings.Contains(*r.Checks[0].Evidence, "again and again") {
		t.Errorf("the record says %+v", r.Checks)
	}
}

// TestR12_EverybodyReckonsTheTimeToCorrect from the check that is published, also where it
// was begun long before anybody heard of it: as on a machine that was paused.
func TestR12_EverybodyReckonsTheTimeToCorrect(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.pass(time.Second)
	w.verdict = func(r checks.Release) (checks.Report, error) {
		report, err := fails(r)
		w.clock = releaseBy.Add(-time.Hour)
		report.Checks[0].CheckedAt = closesAt
		return report, err
	}
	w.release()
	w.pass(time.Second)
	w.examined()
	w.wantPhase("closed")
	checked, err := time.Parse(time.RFC3339, w.record().Checks[0].CheckedAt)
	w.ok(err)
	if due := w.campaign().ReleaseDue(); !due.Equal(checked.Add(lifecycle.CorrectionTime)) {
		t.Errorf("it may be corrected until %s, and the failure is published for %s", due, checked)
	}
}

func TestR12_ACommitThatWasEditedAwayMakesRoomInTheMirror(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.release()
	w.pass(time.Second)
	w.examined() // it passes while people still pledge
	w.edit("c")
	w.pass(time.Minute)
	w.examined()
	w.at(closesAt)
	w.pass(time.Second)
	w.wantPhase("verifying")
	if w.mirrored[w.campaign().Attempt] != strings.Repeat("c", 40) || w.campaign().Accepted.Release.Cid != w.ref(uriOf(ann, lexicons.CollectionRelease)).Cid {
		t.Errorf("the mirror holds %v", w.mirrored)
	}
}

func TestR12_WhatWasAcceptedStaysWhateverBecomesOfTheRecord(t *testing.T) {
	t.Parallel()
	w := released(t)
	before := w.campaign().Accepted.Release
	w.edit("c")
	w.pass(time.Hour)
	w.examined()
	w.remove(uriOf(ann, lexicons.CollectionRelease))
	w.cancel()
	w.pass(time.Hour)
	w.wantPhase("verifying")
	if got := w.campaign().Accepted.Release; got != before {
		t.Errorf("%+v is accepted, and was %+v", got, before)
	}
}

func TestR11_AReleaseThatIsTakenBackBeforeItWasAcceptedIsNone(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.release()
	w.pass(time.Second)
	w.remove(uriOf(ann, lexicons.CollectionRelease))
	w.pass(time.Second)
	w.wantPhase("closed")
	w.examined()
	w.wantPhase("closed")
	w.at(releaseBy)
	w.wantPhase("refunding(not-released)")
}

// TestR12_WhoReleasesAllTheTimeIsLookedAtRarely: each phase is a record of the escrow's, and
// its PDS takes only so many.
func TestR12_WhoReleasesAllTheTimeIsLookedAtRarely(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	before := w.wanted()
	for range 100 { // for seven minutes
		w.release()
		w.pass(2 * time.Second)
		w.remove(uriOf(ann, lexicons.CollectionRelease))
		w.pass(2 * time.Second)
	}
	if n := w.wanted() - before; n > 10 {
		t.Errorf("the campaign's record was to be written %d times", n)
	}
	w.release()
	w.pass(2 * time.Second)
	w.at(releaseBy.Add(time.Minute))
	w.examined()
	w.wantPhase("verifying") // it was there in time
}

func TestR11_CancellationsAndReleasesInBothOrders(t *testing.T) {
	t.Parallel()
	first := opened(t)
	first.paid("h1", 2500)
	first.at(closesAt)
	first.cancel()
	first.release()
	first.pass(time.Second) // together, the author's last word is to receive nothing
	first.wantPhase("refunding(cancelled)")
	first.examined()
	first.wantPhase("refunding(cancelled)")

	last := released(t)
	last.cancel()
	last.pass(time.Second)
	last.wantPhase("verifying")
}

func TestR9_AJunkReleaseLocksNobodyIn(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.verdict = fails
	w.paid("h1", 2500)
	w.release()
	w.pass(time.Second)
	w.remove(pledgeOf("h1"))
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
	w.remove(uriOf(ann, lexicons.CollectionRelease)) // so that nobody looks at it
	w.pass(time.Second)
	w.wantReceipt("h1", "held")
	w.examined()
	w.pass(time.Second)
	w.wantReceipt("h1", "held refunding(withdrawn)")
}

func TestR9_AWithdrawalInTheMinuteOfTheReleaseInBothOrders(t *testing.T) {
	t.Parallel()
	first := opened(t)
	first.paid("h1", 2500)
	first.remove(pledgeOf("h1"))
	first.pass(time.Second)
	first.release()
	first.pass(time.Second)
	first.wantReceipt("h1", "held refunding(withdrawn)")

	last := opened(t)
	last.paid("h1", 2500)
	last.release()
	last.pass(time.Second)
	last.remove(pledgeOf("h1"))
	last.pass(time.Second)
	last.examined()
	last.at(closesAt)
	last.pass(time.Second)
	last.wantPhase("verifying")
	last.wantReceipt("h1", "held")
}

func TestR12_AnEscrowThatWasDownThroughTheWindowStillTakesTheRelease(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.at(closesAt)
	w.clock = closesAt.Add(day)
	w.release()
	w.at(releaseBy.Add(3 * day))
	w.wantPhase("checking")
	w.examined()
	w.wantPhase("verifying")
}

func TestF5_AnAuthorWhoIsHiddenOrGoneTakesNoReleaseBack(t *testing.T) {
	t.Parallel()
	for name, hide := range map[string]func(*world){
		"deactivated": func(w *world) { w.status(ann, index.AccountDeactivated) },
		"taken down":  func(w *world) { w.status(ann, index.AccountTakendown) },
		"deleted":     func(w *world) { w.deleted(ann) },
	} {
		w := opened(t)
		w.paid("h1", 2500)
		w.at(closesAt)
		w.release()
		w.pass(time.Second)
		hide(w)
		w.pass(time.Second)
		w.examined()
		if w.phase() != "verifying" {
			t.Errorf("%s while it is checked, it is %s", name, w.phase())
		}
	}
}

func TestR14_ASettlementPaysEachPayeeOnceAndReleasedIsSaidAtTheEnd(t *testing.T) {
	t.Parallel()
	w := settling(t)
	w.wantReceipt("h1", "held releasing")
	for i, of := range []struct {
		hold  ledger.HoldID
		payee didT
	}{{"h1", ann}, {"h1", ben}, {"h2", ann}, {"h2", ben}} {
		w.pass(time.Second)
		w.wantPhase("settling")
		w.transferred(of.hold, of.payee)
		if i == 1 {
			w.wantReceipt("h1", "held releasing released")
		}
	}
	w.pass(time.Second)
	w.wantPhase("released")
	if r := w.record(); r.Totals.Released != 3500 || r.Totals.Fee != 175 || r.Totals.Held != 0 {
		t.Errorf("the record says %+v", r.Totals)
	}
	w.at(finalAt.Add(day))
	w.wantPhase("released")
}

func TestR14_ASettlementWaitsForAPayeeUntilTheFinalDate(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.unable[ben] = unpayable(ben)
	w.at(w.campaign().Accepted.EndsAt)
	w.wantPhase("settling")
	w.wantReceipt("h1", "held")
	w.pass(day)
	w.wantReceipt("h1", "held")
	delete(w.unable, ben)
	w.pass(day)
	w.wantReceipt("h1", "held releasing")
	w.unable[ben] = unpayable(ben) // too late to change anything
	w.at(finalAt.Add(day))
	w.wantReceipt("h1", "held releasing")

	never := released(t)
	never.unable[ben] = unpayable(ben)
	never.at(never.campaign().Accepted.EndsAt)
	never.at(finalAt.Add(-time.Second))
	never.wantPhase("settling")
	never.at(finalAt)
	never.wantPhase("refunding(payee-unpayable)")
	never.wantReceipt("h1", "held refunding(payee-unpayable)")
}

// TestR17_WhatTheProcessorKnowsActsBeforeTheDecision: nobody had heard that a card was
// stolen when verification ended.
func TestR17_WhatTheProcessorKnowsActsBeforeTheDecision(t *testing.T) {
	t.Parallel()
	w := released(t)
	asked := 0
	w.news = func(ctx context.Context) error {
		asked++
		return w.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			return w.ledger.DecideRefund(ctx, tx, "h1", ledger.ReasonFraud)
		})
	}
	w.at(w.campaign().Accepted.EndsAt.Add(-time.Second))
	if asked != 0 {
		t.Error("the processor was asked before there was anything to decide")
	}
	w.pass(time.Second)
	w.wantPhase("settling")
	w.wantReceipt("h1", "held refunding(fraud)")
	w.wantReceipt("h2", "held releasing")
	w.pass(time.Second)
	if asked != 1 {
		t.Errorf("the processor was asked %d times", asked)
	}
}

func TestR14_ASettlementWaitsForTheProcessorsNewsUntilTheFinalDate(t *testing.T) {
	t.Parallel()
	away := func(context.Context) error { return &payments.Failure{Kind: payments.ErrUnreachable} }
	w := released(t)
	w.news = away
	w.at(w.campaign().Accepted.EndsAt)
	w.wantPhase("settling")
	w.pass(day)
	w.wantReceipt("h1", "held")
	w.news = func(context.Context) error { return nil }
	w.pass(day)
	w.wantReceipt("h1", "held releasing")

	never := released(t)
	never.news = away
	never.at(never.campaign().Accepted.EndsAt)
	never.at(finalAt.Add(-time.Second))
	never.wantReceipt("h1", "held")
	never.at(finalAt)
	never.wantReceipt("h1", "held refunding(payee-unpayable)")

	damaged := released(t)
	damage := errors.New("the disk is gone")
	damaged.news = func(context.Context) error { return damage }
	damaged.clock = damaged.campaign().Accepted.EndsAt
	if _, err := damaged.driver.Pass(t.Context()); !errors.Is(err, damage) {
		t.Errorf("damage of ours is %v", err)
	}
}

func TestR14_AChargebackBeforeTheSettlementTakesNothingOfTheOthers(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.moved++
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.ledger.DecideRefund(ctx, tx, "h1", ledger.ReasonFraud)
	})
	w.at(w.campaign().Accepted.EndsAt)
	w.wantReceipt("h1", "held refunding(fraud)")
	w.wantReceipt("h2", "held releasing")
}

func TestR14_WhereAllOfItWasTakenBackNobodyIsPaid(t *testing.T) {
	t.Parallel()
	w := released(t)
	for _, hold := range []ledger.HoldID{"h1", "h2"} {
		w.do(func(ctx context.Context, tx *store.Tx) error {
			return w.ledger.DecideRefund(ctx, tx, hold, ledger.ReasonFraud)
		})
	}
	w.refunded("h1", 2500)
	w.refunded("h2", 1000)
	w.at(w.campaign().Accepted.EndsAt)
	w.wantPhase("refunded(nothing-pledged)")
}

func TestR15_NothingIsPaidEarlyByAClockThatLeaps(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.present = w.clock
	w.at(w.campaign().Accepted.EndsAt.Add(day))
	for range 120 {
		w.pass(30 * time.Second)
	}
	w.wantPhase("verifying")
	w.wantReceipt("h1", "held")
}

// Wherever the process dies, the next one goes on, and nothing is done twice.
func TestKilledWhileAReleaseIsCheckedAndPaidTheNextProcessGoesOn(t *testing.T) {
	t.Parallel()
	dead := errors.New("the process died")
	for _, point := range []crashpoint.Point{crashpoint.AfterMirror, crashpoint.BeforeSettlement} {
		w := opened(t)
		w.paid("h1", 2500)
		w.at(closesAt)
		w.release()
		fired := false
		mortal := func(do func() error) {
			t.Helper()
			w.restart(func(p crashpoint.Point) error {
				if p == point {
					fired = true
					return dead
				}
				return nil
			})
			if err := do(); err != nil && !errors.Is(err, dead) {
				t.Fatal(err)
			}
			w.restart(nil)
			w.ok(do())
		}
		look := func() error { _, err := w.driver.Pass(t.Context()); return err }
		w.pass(time.Second)
		mortal(func() error { return w.examiner.Pass(t.Context()) })
		mortal(look)
		w.wantPhase("verifying")
		w.clock = w.campaign().Accepted.EndsAt
		mortal(look)
		w.wantPhase("settling")
		w.wantReceipt("h1", "held releasing")
		if !fired {
			t.Errorf("nothing passed %s", point)
		}
	}
}

// TestPass_NoReleaseWaitsForWhatTheCheckerLearnsOnce: an examiner has its checker prepared
// as soon as a release may come, and not before.
func TestPass_NoReleaseWaitsForWhatTheCheckerLearnsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok(w.examiner.Pass(t.Context()))
	if w.prepared != 0 {
		t.Error("the checker was prepared for nobody")
	}
	w.announce()
	w.at(opensAt)
	for range 2 {
		w.ok(w.examiner.Pass(t.Context()))
	}
	if w.prepared != 1 {
		t.Errorf("before there was a release the checker was prepared %d times", w.prepared)
	}
	w.release()
	w.pass(time.Second)
	w.examined()
	if w.prepared != 1 {
		t.Errorf("in the end the checker was prepared %d times", w.prepared)
	}
}

func TestMirror_WhatWasAcceptedStaysForNinetyDaysAndWhatWasNotForNone(t *testing.T) {
	t.Parallel()
	w := settling(t)
	for _, hold := range []ledger.HoldID{"h1", "h2"} {
		w.transferred(hold, ann)
		w.transferred(hold, ben)
	}
	w.pass(time.Second)
	w.wantPhase("released")
	over := w.clock
	w.clock = over.Add(90*day - time.Second)
	w.ok(w.examiner.Tidy(t.Context()))
	if len(w.mirrored) != 1 {
		t.Error("it was removed early")
	}
	w.clock = over.Add(90 * day)
	w.ok(w.examiner.Tidy(t.Context()))
	if len(w.mirrored) != 0 {
		t.Error("it is still there")
	}

	never := opened(t)
	never.release()
	never.pass(time.Second)
	never.examined()
	never.cancel()
	never.pass(time.Second)
	never.wantPhase("refunded(cancelled)")
	never.mirrored["nobodyknows"] = "x"
	never.ok(never.examiner.Tidy(t.Context()))
	if len(never.mirrored) != 1 {
		t.Errorf("the mirror holds %v", never.mirrored)
	}
}

func TestR8_NothingThatIsEditedAfterTheReleaseChangesWhoIsPaid(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.develop(ann, func(d *stratos.WorkDevelopment) { d.Payees, d.Escrow = nil, "did:plc:otherotherotherotherothe" })
	w.remove(proposal, uriOf(ben, lexicons.CollectionConsent), uriOf(ann, lexicons.CollectionPreview))
	w.pass(day)
	w.remove(development)
	w.at(w.campaign().Accepted.EndsAt)
	w.wantPhase("settling")
	w.transferred("h1", ben)
	w.transferred("h1", ann)
	w.wantReceipt("h1", "held releasing released")
}
