package campaign_test

import (
	"errors"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checks"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// paidOut wants both payees to get what is held in the end.
func (w *world) paidOut() {
	w.t.Helper()
	w.at(w.endsAt())
	w.wantPhase("settling")
	w.transferred("h1", ann)
	w.transferred("h1", ben)
	w.transferred("h2", ann)
	w.transferred("h2", ben)
	w.pass(time.Second)
	w.wantPhase("released")
}

// about changes whom the proposal is about: its author edits it.
func (w *world) about(subject syntax.DID) {
	w.t.Helper()
	w.put(payer, rkey, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: "Something else", Description: "So that nobody can release it.",
		Subject:   stratos.FeatureProposal_Subject{FeatureProposal_AccountSubject: &stratos.FeatureProposal_AccountSubject{LexiconTypeID: lexicons.CollectionProposal.String() + "#accountSubject", Did: subject.String()}},
		CreatedAt: stamp(noon.Add(-day)),
	})
}

func TestR3_AuthorityIsPinnedWhateverBecomesOfTheProposal(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*world){
		"its subject is changed":    func(w *world) { w.about(ben) },
		"it is deleted":             func(w *world) { w.remove(proposal) },
		"its account is taken down": func(w *world) { w.status(payer, index.AccountTakendown) },
		"its account is deleted":    func(w *world) { w.deleted(payer) },
	} {
		w := opened(t)
		w.paid("h1", 2500)
		w.paid("h2", 1000)
		change(w)
		w.at(closesAt)
		w.release()
		w.pass(time.Second)
		w.examined()
		if w.phase() != "verifying" {
			t.Errorf("when %s, the campaign is %s", name, w.phase())
			continue
		}
		w.paidOut()
	}
}

// TestR3_ADroppedMaintainerGoesOnAndIsPaid: who may act was decided at the opening, and the
// project's owner cannot take the money of people who work for it.
func TestR3_ADroppedMaintainerGoesOnAndIsPaid(t *testing.T) {
	t.Parallel()
	const owner syntax.DID = "did:plc:ownerownerownerownerowne"
	project := uriOf(owner, lexicons.CollectionProject)
	w := newWorld(t)
	maintained := func(by ...syntax.DID) {
		p := &stratos.ProjectProfile{LexiconTypeID: lexicons.CollectionProject.String(), Name: "It", CreatedAt: stamp(noon.Add(-2 * day))}
		for _, did := range by {
			p.Maintainers = append(p.Maintainers, stratos.ProjectProfile_Maintainer{Did: did.String()})
		}
		w.put(owner, rkey, p)
	}
	maintained(ann)
	w.announce()
	w.put(payer, rkey, &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: "Larger text", Description: "So that I can read it.",
		Subject:   stratos.FeatureProposal_Subject{FeatureProposal_ProjectSubject: &stratos.FeatureProposal_ProjectSubject{LexiconTypeID: lexicons.CollectionProposal.String() + "#projectSubject", Project: project.String()}},
		CreatedAt: stamp(noon.Add(-day)),
	})
	maintained()
	w.at(opensAt)
	if got := w.obstacles(); got != "not-developer" {
		t.Fatalf("against the opening stands %q: who is no maintainer opens nothing", got)
	}
	maintained(ann)
	w.pass(day)
	w.wantPhase("open")
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	maintained()
	w.pass(time.Hour)
	w.wantPhase("open")
	w.at(closesAt)
	w.remove(project)
	w.release()
	w.pass(time.Second)
	w.examined()
	w.wantPhase("verifying")
	w.paidOut()
}

func TestR8_ABackdatedSecondAttemptMovesNothing(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.paid("h1", 2500)
	w.paid("h2", 1000)
	second := uriOf(ann, lexicons.CollectionDevelopment)[:len(uriOf(ann, lexicons.CollectionDevelopment))-1] + "b"
	w.put(ann, second.RecordKey(), &stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Proposal: w.ref(proposal), Title: "Earlier", Summary: "It was there first.",
		Currency: "USD", Escrow: escrowDID.String(), CreatedAt: stamp(noon.Add(-300 * day)),
	})
	w.put(ann, second.RecordKey(), &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Development: w.ref(second), Uri: "https://preview.example.org/",
		Instructions: "Look.", OpensAt: stamp(w.clock), ClosesAt: stamp(w.clock.Add(10 * day)), CreatedAt: stamp(noon.Add(-300 * day)),
	})
	w.put(ann, second.RecordKey(), &stratos.WorkCancellation{
		LexiconTypeID: lexicons.CollectionCancellation.String(), Development: w.ref(second), CreatedAt: stamp(noon.Add(-300 * day)),
	})
	w.pass(time.Minute)
	w.wantPhase("open")
	w.at(closesAt)
	w.release()
	w.pass(time.Second)
	w.examined()
	w.paidOut()
}

func TestF5_HiddenOrDeletedAccountsMoveNothingInAnyPhase(t *testing.T) {
	t.Parallel()
	pledged := func(t *testing.T) *world {
		w := opened(t)
		w.paid("h1", 2500)
		w.paid("h2", 1000)
		return w
	}
	closed := func(t *testing.T) *world { w := pledged(t); w.at(closesAt); return w }
	phases := map[string]struct {
		come    func(*testing.T) *world
		receipt string
	}{
		"open":   {pledged, "held"},
		"closed": {closed, "held"},
		"checking": {func(t *testing.T) *world {
			w := closed(t)
			w.release()
			w.pass(time.Second)
			return w
		}, "held"},
		"verifying": {released, "held"},
		"disputed": {func(t *testing.T) *world {
			w := released(t)
			w.dispute(payerOf("h1"), "other")
			w.pass(time.Second)
			return w
		}, "held"},
		"settling": {func(t *testing.T) *world {
			w := released(t)
			w.unable[ben] = unpayable(ben)
			w.at(w.endsAt())
			return w
		}, "held"},
		"refunding(not-released)": {func(t *testing.T) *world { w := closed(t); w.at(releaseBy); return w }, "held refunding(not-released)"},
	}
	for phase, test := range phases {
		for _, status := range []index.AccountStatus{index.AccountDeactivated, index.AccountTakendown, index.AccountDeleted} {
			w := test.come(t)
			w.wantPhase(phase)
			for _, did := range []syntax.DID{ann, ben, payer, payerOf("h1")} {
				if status == index.AccountDeleted {
					if phase == "open" && did == payerOf("h1") {
						continue // takes its pledge along, as another test shows
					}
					w.deleted(did)
				} else {
					w.status(did, status)
				}
			}
			w.pass(time.Hour)
			w.pass(day)
			if w.phase() != phase {
				t.Errorf("%s while it is %s, it comes to be %s", status, phase, w.phase())
			}
			w.wantReceipt("h1", test.receipt)
			w.wantReceipt("h2", test.receipt)
		}
	}
}

func TestR12_ARepositoryThatVanishesOrIsForcePushedAfterAcceptanceChangesNothing(t *testing.T) {
	t.Parallel()
	w := released(t)
	w.verdict = func(checks.Release) (checks.Report, error) {
		t.Error("what was accepted is looked at again")
		return checks.Report{}, errors.New("it is gone")
	}
	w.edit("d")
	for range 3 {
		w.pass(day)
		w.ok(w.examiner.Pass(t.Context()))
	}
	if len(w.mirrored) != 1 {
		t.Error("the mirror is gone as well")
	}
	w.paidOut()
}

func TestR10_ReleasesAndTheClosingInBothOrders(t *testing.T) {
	t.Parallel()
	for name, release := range map[string]func(*world){
		"before": func(w *world) { w.at(closesAt.Add(-time.Second)); w.release(); w.pass(0); w.at(closesAt) },
		"after":  func(w *world) { w.at(closesAt); w.release(); w.pass(time.Second) },
	} {
		w := opened(t)
		w.paid("h1", 2500)
		w.paid("h2", 1000)
		release(w)
		if w.phase() != "checking" || *w.campaign().Pot != 3500 {
			t.Errorf("released %s the closing, it is %s with %d", name, w.phase(), *w.campaign().Pot)
		}
		w.examined()
		w.paidOut()
	}
}

func TestR10_ChargesAndReleasesInBothOrders(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.pledge("h1", 2500)
	w.sessions["h1"] = true // paid after the release, in time
	w.paid("h2", 1000)      // and before
	w.release()
	w.pass(time.Second)
	w.at(closesAt)
	w.wantPhase("checking")
	w.wantReceipt("h1", "held")
	w.wantReceipt("h2", "held")
	w.examined()
	w.paidOut()

	late := opened(t)
	late.paid("h1", 1000)
	late.pledge("h2", 2500)
	late.release()
	late.pass(time.Second)
	late.at(closesAt) // its session expires
	late.examined()
	late.charge("h2", 2500)
	late.wantReceipt("h2", "refunding(late)")
	late.at(late.endsAt())
	late.wantReceipt("h1", "held releasing")
	late.wantReceipt("h2", "refunding(late)")
}

func TestR11_CancellationsAndWithdrawalsInBothOrders(t *testing.T) {
	t.Parallel()
	first := opened(t)
	first.paid("h1", 2500)
	first.remove(pledgeOf("h1"))
	first.pass(time.Second)
	first.cancel()
	first.pass(time.Second)
	first.wantReceipt("h1", "held refunding(withdrawn)")
	first.wantPhase("refunding(cancelled)")

	last := opened(t)
	last.paid("h1", 2500)
	last.cancel()
	last.pass(time.Second)
	last.remove(pledgeOf("h1"))
	last.pass(time.Second)
	last.wantReceipt("h1", "held refunding(cancelled)")
}

func TestR11_CancellationsAndTheClosingInBothOrders(t *testing.T) {
	t.Parallel()
	first := opened(t)
	first.paid("h1", 2500)
	first.at(closesAt.Add(-time.Second))
	first.cancel()
	first.at(closesAt)
	first.wantPhase("refunding(cancelled)")
	if pot := first.campaign().Pot; pot != nil {
		t.Errorf("cancelled before the closing, and the pot is final: %d", *pot)
	}

	last := opened(t)
	last.paid("h1", 2500)
	last.at(closesAt)
	last.cancel()
	last.pass(time.Second)
	last.wantPhase("refunding(cancelled)")
	if pot := last.campaign().Pot; *pot != 2500 {
		t.Errorf("cancelled after the closing, and the pot is %d", *pot)
	}
}

// TestR10_PaymentsAndWithdrawalsInBothOrders: who deletes the pledge and pays all the same,
// on a page that is still open, gets the money back as who paid before.
func TestR10_PaymentsAndWithdrawalsInBothOrders(t *testing.T) {
	t.Parallel()
	for name, both := range map[string]func(*world){
		"paid and taken back": func(w *world) { w.paid("h1", 2500); w.remove(pledgeOf("h1")) },
		"taken back and paid": func(w *world) {
			w.pledge("h1", 2500)
			w.remove(pledgeOf("h1"))
			w.pass(time.Second)
			delete(w.sessions, "h1")
			w.charge("h1", 2500)
		},
		"taken back and paid at the closing": func(w *world) {
			w.pledge("h1", 2500)
			w.sessions["h1"] = true
			w.remove(pledgeOf("h1"))
			w.at(closesAt)
		},
	} {
		w := opened(t)
		w.paid("h2", 1000)
		both(w)
		w.pass(time.Second)
		w.at(closesAt)
		w.pass(time.Second)
		w.wantPhase("closed")
		if pot := *w.campaign().Pot; pot != 1000 {
			t.Errorf("%s, and the pot is %d", name, pot)
		}
		w.wantReceipt("h1", "held refunding(withdrawn)")
		w.wantReceipt("h2", "held")
	}
}
