package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

const yes lifecycle.Refusal = "" // nothing speaks against it

type mayCase struct {
	name  string
	f     lifecycle.Facts
	when  time.Duration
	actor syntax.DID
	act   lifecycle.Act
	want  lifecycle.Refusal
}

func runMay(t *testing.T, tests []mayCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			permissions := lifecycle.MayAt(tt.f, t0.Add(tt.when), tt.actor)
			i := slices.IndexFunc(permissions, func(p lifecycle.Permission) bool { return p.Act == tt.act })
			if i < 0 {
				t.Fatalf("nothing is said of %s", tt.act)
			}
			if got := permissions[i].Refusal; got != tt.want {
				t.Errorf("%s by %s: %q instead of %q", tt.act, tt.actor, got, tt.want)
			}
		})
	}
}

// phased is an attempt of the owner whose campaign opened at ten days.
func phased(phase lifecycle.Phase, parts ...part) lifecycle.Facts {
	all := append([]part{
		project(-day, maintainer), develop(owner, "d", 0), preview(owner, "d", day, 10*day), campaignOf(owner, "d", 10*day, phase, verifiedUntil(50*day)),
	}, parts...)
	return facts(byProject, all...)
}

func TestR2_WhenAnEstimateIsOneOfTheOptions(t *testing.T) {
	t.Parallel()
	const act = lifecycle.ActEstimate
	no := lifecycle.RefusedStage
	runMay(t, []mayCase{
		{"proposed", facts(byProject), 0, backer, act, yes},
		{"proposed, by the owner", facts(byProject), 0, owner, act, yes},
		{"development", facts(byProject, develop(owner, "d", 0)), day, backer, act, yes},
		{"declined", facts(byProject, answer(owner, "a", 0, lifecycle.AnswerDeclined)), day, backer, act, no},
		{"preview", phased(open), 11 * day, backer, act, no},
		{"releasing", phased(closed), 11 * day, backer, act, no},
		{"verification", phased(verifying), 11 * day, backer, act, no},
		{"settling", phased(settling), 11 * day, backer, act, no},
		{"completed", phased(released), 11 * day, backer, act, no},
		{"cancelled", phased(refunding), 11 * day, backer, act, yes},
	})
	if got := lifecycle.MayAt(facts(byProject), t0.Add(-day), backer); got != nil {
		t.Errorf("before the proposal exists: %v", got)
	}
}

func TestR5_DonationsHappenInDevelopmentOnly(t *testing.T) {
	t.Parallel()
	const act = lifecycle.ActDonate
	f := facts(byProject, develop(owner, "d", 0))
	named := facts(byProject, develop(owner, "d", 0))
	named.Developments[0].Donations = stranger
	runMay(t, []mayCase{
		{"proposed", facts(byProject), 0, backer, act, lifecycle.RefusedStage},
		{"development", f, day, backer, act, yes},
		{"a preview is announced", facts(byProject, develop(owner, "d", 0), preview(owner, "d", 0, 9*day)), day, backer, act, yes},
		{"to oneself", f, day, owner, act, lifecycle.RefusedOwnWork},
		{"to the account that is named", named, day, stranger, act, lifecycle.RefusedOwnWork},
		{"from the author to the account that is named", named, day, owner, act, lifecycle.RefusedOwnWork},
		{"preview", phased(open), 11 * day, backer, act, lifecycle.RefusedStage},
		{"completed", phased(released), 11 * day, backer, act, lifecycle.RefusedStage},
	})
}

func TestR9_WhoMayPledge(t *testing.T) {
	t.Parallel()
	const act = lifecycle.ActPledge
	paid := phased(open)
	paid.Campaigns[0].Payees = []syntax.DID{owner, stranger}
	runMay(t, []mayCase{
		{"anybody else", phased(open), 11 * day, backer, act, yes},
		{"the author", phased(open), 11 * day, owner, act, lifecycle.RefusedOwnWork},
		{"a payee as frozen", paid, 11 * day, stranger, act, lifecycle.RefusedOwnWork},
		{"no payee", phased(open), 11 * day, stranger, act, yes},
		{"a maintainer", phased(open), 11 * day, maintainer, act, lifecycle.RefusedOwnWork},
		{"before the opening", phased(open), 9 * day, backer, act, lifecycle.RefusedStage},
		{"with a cancellation that the escrow has not seen", phased(open, cancel(owner, "d", 11*day)), 12 * day, backer, act, yes},
		{"an escrow that is not trusted", facts(byProject, develop(owner, "d", 0), campaignOf(owner, "d", day, open, by(shady))), 2 * day, backer, act, lifecycle.RefusedStage},
		{"releasing", phased(closed), 11 * day, backer, act, lifecycle.RefusedStage},
	})
}

func TestR10_NoCheckoutStartsInTheLast35Minutes(t *testing.T) {
	t.Parallel()
	const act = lifecycle.ActPledge
	f := phased(open)
	runMay(t, []mayCase{
		{"35 minutes and a bit before", f, 24*day - 35*time.Minute - ms, backer, act, yes},
		{"35 minutes before", f, 24*day - 35*time.Minute, backer, act, lifecycle.RefusedClosing},
		{"just before", f, 24*day - ms, backer, act, lifecycle.RefusedClosing},
		{"at the closing, although the escrow has not said so", f, 24 * day, backer, act, lifecycle.RefusedClosed},
		{"the author has no other chance", f, 24*day - ms, owner, act, lifecycle.RefusedOwnWork},
	})
	// Test terms may be of minutes.
	until := t0.Add(24*day - time.Minute)
	short := facts(byProject, project(-day, maintainer), develop(owner, "d", 0), preview(owner, "d", day, 10*day),
		campaignOf(owner, "d", 10*day, open, func(c *lifecycle.Campaign) { c.CheckoutsUntil = &until }))
	runMay(t, []mayCase{
		{"a bit before the time of test terms", short, 24*day - time.Minute - ms, backer, act, yes},
		{"at the time of test terms", short, 24*day - time.Minute, backer, act, lifecycle.RefusedClosing},
	})
}

func TestR9_APledgeCanBeTakenBackUntilTheClosingOrARelease(t *testing.T) {
	t.Parallel()
	const act = lifecycle.ActWithdraw
	work := attemptURI(owner, "d")
	with := func(status lifecycle.ReceiptStatus, parts ...part) lifecycle.Facts {
		return phased(open, append(parts, pledge(backer, "p", 11*day, work, 500), receipt(backer, "p", 11*day, work, 500, status))...)
	}
	runMay(t, []mayCase{
		{"held", with("held"), 12 * day, backer, act, yes},
		{"a wish", phased(open, pledge(backer, "p", 11*day, work, 500)), 12 * day, backer, act, yes},
		{"in the last 35 minutes as well", with("held"), 24*day - ms, backer, act, yes},
		{"another's", with("held"), 12 * day, stranger, act, lifecycle.RefusedNoPledge},
		{"of another attempt", phased(open, pledge(backer, "p", 11*day, attemptURI(owner, "e"), 500)), 12 * day, backer, act, lifecycle.RefusedNoPledge},
		{"on its way back", with("refunding"), 12 * day, backer, act, lifecycle.RefusedNoPledge},
		{"a wish that was paid for another proposal, and refunded", phased(open, pledge(backer, "p", 11*day, work, 500),
			receipt(backer, "p", 11*day, work, 500, "refunded", func(r *lifecycle.Receipt) { r.Proposal = another })), 12 * day, backer, act, yes},
		{"dated ahead", with("held"), 10 * day, backer, act, lifecycle.RefusedNoPledge},
		{"at the closing", with("held"), 24 * day, backer, act, lifecycle.RefusedClosed},
		{"when a release is seen", with("held", release(owner, "d", 12*day)), 12 * day, backer, act, lifecycle.RefusedReleaseSeen},
		{"a release that is dated ahead is not seen", with("held", release(owner, "d", 20*day)), 12 * day, backer, act, yes},
		{"another's release", with("held", release(stranger, "d", 12*day)), 12 * day, backer, act, yes},
		{"when the campaign has closed", phased(closed, pledge(backer, "p", 11*day, work, 500)), 12 * day, backer, act, lifecycle.RefusedStage},
	})
}

func TestR11_TheDeveloperDecides(t *testing.T) {
	t.Parallel()
	const rel, can = lifecycle.ActRelease, lifecycle.ActCancel
	other := lifecycle.RefusedNotAuthor
	runMay(t, []mayCase{
		{"release when closed", phased(closed), 25 * day, owner, rel, yes},
		{"correct it while it is checked", phased(checking), 25 * day, owner, rel, yes},
		{"until the window ends", phased(closed), 38*day - ms, owner, rel, yes},
		{"not after", phased(closed), 38 * day, owner, rel, lifecycle.RefusedClosed},
		{"not another developer", phased(closed), 25 * day, maintainer, rel, other},
		{"not while the pot is not final", phased(open), 12 * day, owner, rel, lifecycle.RefusedStage},
		{"not after acceptance", phased(verifying), 25 * day, owner, rel, lifecycle.RefusedStage},
		{"not in development", facts(byProject, develop(owner, "d", 0)), day, owner, rel, lifecycle.RefusedStage},

		{"cancel in development", facts(byProject, develop(owner, "d", 0)), day, owner, can, yes},
		{"cancel an attempt that is not the current one", facts(byProject, project(-day, maintainer), develop(owner, "d", 0), develop(maintainer, "m", day)), 2 * day, maintainer, can, yes},
		{"cancel while open", phased(open), 12 * day, owner, can, yes},
		{"cancel when closed", phased(closed), 25 * day, owner, can, yes},
		{"cancel while it is checked", phased(checking), 25 * day, owner, can, yes},
		{"not after acceptance, in verification", phased(verifying), 25 * day, owner, can, lifecycle.RefusedStage},
		{"not twice", phased(open, cancel(owner, "d", 11*day)), 12 * day, owner, can, lifecycle.RefusedStage},
		{"not another developer's", phased(open), 12 * day, maintainer, can, other},
		{"not a backer", phased(open), 12 * day, backer, can, other},
		{"nothing to cancel", facts(byProject), 0, owner, can, lifecycle.RefusedStage},
		{"not what never counted", facts(byProject, develop(stranger, "s", 0)), day, stranger, can, lifecycle.RefusedStage},
		{"not what has lapsed", facts(byProject, develop(owner, "d", 0)), lapse, owner, can, lifecycle.RefusedStage},
	})
}

func TestR3_OnlyDevelopersAnswerAndDevelop(t *testing.T) {
	t.Parallel()
	const res, dev, pre = lifecycle.ActRespond, lifecycle.ActDevelop, lifecycle.ActPreview
	working := facts(byProject, project(-day, maintainer), develop(owner, "d", 0))
	runMay(t, []mayCase{
		{"the owner answers", facts(byProject), 0, owner, res, yes},
		{"a maintainer answers", working, day, maintainer, res, yes},
		{"the answer may change", facts(byProject, answer(owner, "a", 0, lifecycle.AnswerDeclined)), day, owner, res, yes},
		{"the proposer does not answer", facts(byProject), 0, backer, res, lifecycle.RefusedNotDeveloper},
		{"nobody answers in a preview", phased(open), 11 * day, owner, res, lifecycle.RefusedStage},

		{"the owner develops", facts(byProject), 0, owner, dev, yes},
		{"once at a time", working, day, owner, dev, lifecycle.RefusedAlreadyDeveloping},
		{"beside another developer", working, day, maintainer, dev, yes},
		{"again when it has lapsed", working, lapse, owner, dev, yes},
		{"again after refunds", phased(refunded), 11 * day, owner, dev, yes},
		{"again while money goes back", phased(refunding), 11 * day, owner, dev, yes},
		{"not in a preview", phased(open), 11 * day, maintainer, dev, lifecycle.RefusedStage},
		{"not when completed", phased(released), 11 * day, owner, dev, lifecycle.RefusedStage},
		{"a stranger does not develop", facts(byProject), 0, stranger, dev, lifecycle.RefusedNotDeveloper},

		{"the author announces a preview", working, day, owner, pre, yes},
		{"another developer does not", working, day, maintainer, pre, lifecycle.RefusedNotAuthor},
		{"not before there is an attempt", facts(byProject), 0, owner, pre, lifecycle.RefusedStage},
	})
}

func TestR7_APreviewIsKeptReachableUntilTheAttemptIsOver(t *testing.T) {
	t.Parallel()
	const act = lifecycle.ActPreview
	runMay(t, []mayCase{
		{"while it is open", phased(open), 11 * day, owner, act, yes},
		{"while code is waited for", phased(closed), 11 * day, owner, act, yes},
		{"while the release is verified", phased(verifying), 11 * day, owner, act, yes},
		{"by nobody else", phased(open), 11 * day, maintainer, act, lifecycle.RefusedNotAuthor},
		{"not once it is paid for", phased(settling), 11 * day, owner, act, lifecycle.RefusedStage},
		{"not once it is over", phased(released), 11 * day, owner, act, lifecycle.RefusedStage},
		{"not once money goes back", phased(refunding), 11 * day, owner, act, lifecycle.RefusedStage},
	})
}

func TestR8_PayeesConsentBeforeTheOpening(t *testing.T) {
	t.Parallel()
	const act = lifecycle.ActConsent
	work := attemptURI(owner, "d")
	f := facts(byProject, develop(owner, "d", 0))
	f.Developments[0].Payees = []syntax.DID{owner, stranger}
	said := clone(f)
	consent(stranger, work, day)(&said)
	other := clone(f)
	consent(stranger, attemptURI(owner, "e"), day)(&other)
	runMay(t, []mayCase{
		{"a payee", f, 2 * day, stranger, act, yes},
		{"a payee who said so", said, 2 * day, stranger, act, lifecycle.RefusedAlreadyConsented},
		{"a payee who will have said so", said, day / 2, stranger, act, yes},
		{"a payee who said so of another attempt", other, 2 * day, stranger, act, yes},
		{"the author need not", f, 2 * day, owner, act, lifecycle.RefusedNotPayee},
		{"another", f, 2 * day, backer, act, lifecycle.RefusedNotPayee},
		{"not after the opening", phased(open), 11 * day, stranger, act, lifecycle.RefusedStage},
	})
}

func TestR13_HoldersOfAHeldPledgeMayDisputeOncePerRelease(t *testing.T) {
	t.Parallel()
	const dis, ver = lifecycle.ActDispute, lifecycle.ActVerify
	work, code := attemptURI(owner, "d"), releaseURI(owner, "d")
	paid := func(phase lifecycle.Phase, status lifecycle.ReceiptStatus, parts ...part) lifecycle.Facts {
		return phased(phase, append(parts, receipt(backer, "p", 11*day, work, 500, status))...)
	}
	stopped := paid(verifying, "held")
	stopped.Campaigns[0].Pauses = []lifecycle.Pause{{
		From: t0.Add(26 * day), To: ptr(t0.Add(27 * day)), Dispute: lifecycle.Ref{URI: meta(backer, "feature.dispute", "withdrawn", 0).URI},
	}}
	donated := phased(verifying, receipt(backer, "p", 11*day, work, 500, "held", forDonation))
	runMay(t, []mayCase{
		{"a holder", paid(verifying, "held"), 30 * day, backer, dis, yes},
		{"another", paid(verifying, "held"), 30 * day, stranger, dis, lifecycle.RefusedNoHeldPledge},
		{"whose money went back", paid(verifying, "charged-back"), 30 * day, backer, dis, lifecycle.RefusedNoHeldPledge},
		{"by the word of an escrow that is not trusted", phased(verifying, receipt(backer, "p", 11*day, work, 500, "held", receiptBy(shady))), 30 * day, backer, dis, lifecycle.RefusedNoHeldPledge},
		{"by the word of another trusted escrow", phased(verifying, receipt(backer, "p", 11*day, work, 500, "held", receiptBy(second))), 30 * day, backer, dis, lifecycle.RefusedNoHeldPledge},
		{"in test money", phased(verifying, receipt(backer, "p", 11*day, work, 500, "held", func(r *lifecycle.Receipt) { r.Test = true })), 30 * day, backer, dis, lifecycle.RefusedNoHeldPledge},
		{"of another attempt", phased(verifying, receipt(backer, "p", 11*day, attemptURI(owner, "e"), 500, "held")), 30 * day, backer, dis, lifecycle.RefusedNoHeldPledge},
		{"a donation is no pledge", donated, 30 * day, backer, dis, lifecycle.RefusedNoHeldPledge},
		{"twice", paid(verifying, "held", dispute(backer, "x", 26*day, code)), 30 * day, backer, dis, lifecycle.RefusedAlreadyDisputed},
		{"about another release", paid(verifying, "held", dispute(backer, "x", 26*day, releaseURI(owner, "e"))), 30 * day, backer, dis, yes},
		{"after one that was withdrawn", stopped, 30 * day, backer, dis, lifecycle.RefusedAlreadyDisputed},
		{"at the end of verification", paid(verifying, "held"), 50 * day, backer, dis, lifecycle.RefusedClosed},
		{"before a release", paid(closed, "held"), 30 * day, backer, dis, lifecycle.RefusedStage},
		{"when it is decided", paid(settling, "releasing"), 30 * day, backer, dis, lifecycle.RefusedStage},

		{"anybody verifies", phased(verifying), 30 * day, stranger, ver, yes},
		{"nobody verifies before a release", phased(closed), 30 * day, stranger, ver, lifecycle.RefusedStage},
	})
}

func TestActsAndRefusals_AreThoseOfTheLexicon(t *testing.T) {
	t.Parallel()
	var acts, refusals []string
	for _, a := range lifecycle.Acts() {
		acts = append(acts, string(a))
	}
	for _, r := range lifecycle.Refusals() {
		refusals = append(refusals, string(r))
	}
	if diff := cmp.Diff(acts, knownValues(t, "refusal", "act")); diff != "" {
		t.Errorf("acts (-rules +lexicon):\n%s", diff)
	}
	if diff := cmp.Diff(refusals, knownValues(t, "refusal", "reason")); diff != "" {
		t.Errorf("refusals (-rules +lexicon):\n%s", diff)
	}
}
