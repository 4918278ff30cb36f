package lifecycle_test

import (
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

type warningCase struct {
	name string
	f    lifecycle.Facts
	when time.Duration
	want []lifecycle.Warning
}

func runWarnings(t *testing.T, tests []warningCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lifecycle.WarningsAt(tt.f, t0.Add(tt.when))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func warn(code lifecycle.WarningCode, uri syntax.ATURI) []lifecycle.Warning {
	return []lifecycle.Warning{{Code: code, URI: uri}}
}

// edit changes the facts that the parts made.
func edit(f lifecycle.Facts, change func(*lifecycle.Facts)) lifecycle.Facts {
	f = clone(f)
	change(&f)
	return f
}

var (
	workOfOwner    = attemptURI(owner, "d")
	campaignOfWork = meta(escrow, "escrow.campaign", "ownerd", 0).URI
)

func TestF4_AnotherVersionIsAWarning(t *testing.T) {
	t.Parallel()
	f := facts(byAccount, develop(owner, "d", 0), answer(owner, "a", 0, lifecycle.AnswerPlanned), estimate(backer, "e", 0, 100, "USD", 0))
	now := edit(f, func(f *lifecycle.Facts) {
		f.Proposal.CID = "now"
		f.Developments[0].Proposal.CID, f.Responses[0].Proposal.CID, f.Estimates[0].Proposal.CID = "now", "now", "now"
	})
	before := func(change func(*lifecycle.Facts)) lifecycle.Facts { return edit(now, change) }
	old := lifecycle.WarnOutdatedEstimates
	runWarnings(t, []warningCase{
		{"all of one version", now, day, nil},
		{"the development", before(func(f *lifecycle.Facts) { f.Developments[0].Proposal.CID = "then" }), day, warn(lifecycle.WarnCIDMismatch, workOfOwner)},
		{"the answer", before(func(f *lifecycle.Facts) { f.Responses[0].Proposal.CID = "then" }), day, warn(lifecycle.WarnCIDMismatch, f.Responses[0].URI)},
		{"an estimate", before(func(f *lifecycle.Facts) { f.Estimates[0].Proposal.CID = "then" }), day, warn(old, f.Proposal.URI)},
		{"an estimate that does not count", before(func(f *lifecycle.Facts) {
			f.Estimates[0].Proposal.CID, f.Estimates[0].Value.Currency = "then", "CHF"
		}), day, nil},
		{"a stranger's development", before(develop(stranger, "s", 0)), day, nil},
	})

	for _, c := range lifecycle.CountEstimates(before(func(f *lifecycle.Facts) { f.Estimates[0].Proposal.CID = "then" }), t0.Add(day)) {
		if !c.Outdated || c.Counted != 100 {
			t.Errorf("an estimate for another version: %+v", c)
		}
	}
}

func TestR8_WhatWasFrozenAndChangedIsAWarning(t *testing.T) {
	t.Parallel()
	f := facts(byAccount, develop(owner, "d", 0), preview(owner, "d", day, 10*day), release(owner, "d", 25*day),
		campaignOf(owner, "d", 10*day, verifying, verifiedUntil(50*day), func(c *lifecycle.Campaign) {
			c.Proposal.CID, c.Development.CID, c.Preview.CID, c.Release = "p", "d", "v", &lifecycle.Ref{URI: releaseURI(owner, "d"), CID: "r"}
		}))
	f.Proposal.CID, f.Developments[0].CID, f.Previews[0].CID, f.Releases[0].CID = "p", "d", "v", "r"
	with := func(change func(*lifecycle.Facts)) lifecycle.Facts { return edit(f, change) }
	changed, gone, against := lifecycle.WarnChangedAfterOpening, lifecycle.WarnRecordUnavailable, lifecycle.WarnContradictsCampaign
	runWarnings(t, []warningCase{
		{"nothing changed", f, 30 * day, nil},
		{"the proposal", with(func(f *lifecycle.Facts) { f.Proposal.CID = "x" }), 30 * day, warn(changed, f.Proposal.URI)},
		{"the development", with(func(f *lifecycle.Facts) { f.Developments[0].CID = "x" }), 30 * day, warn(changed, workOfOwner)},
		{"the development is gone", with(func(f *lifecycle.Facts) { f.Developments = nil }), 30 * day, warn(gone, workOfOwner)},
		{"the preview", with(func(f *lifecycle.Facts) { f.Previews[0].CID = "x" }), 30 * day, warn(lifecycle.WarnPreviewMoved, f.Previews[0].URI)},
		{"the preview is gone", with(func(f *lifecycle.Facts) { f.Previews = nil }), 30 * day, warn(gone, f.Previews[0].URI)},
		{"the release", with(func(f *lifecycle.Facts) { f.Releases[0].CID = "x" }), 30 * day, warn(changed, f.Releases[0].URI)},
		{"the release is gone", with(func(f *lifecycle.Facts) { f.Releases = nil }), 30 * day, warn(gone, f.Releases[0].URI)},
		{"a cancellation after acceptance", with(cancel(owner, "d", 29*day)), 30 * day, warn(against, meta(owner, "work.cancellation", "d", 0).URI)},
		{"a stranger's cancellation", with(cancelOf(stranger, owner, "d", 29*day)), 30 * day, nil},
		{"another escrow than the one that was named", with(func(f *lifecycle.Facts) { f.Developments[0].Escrow = second }), 30 * day, warn(against, workOfOwner)},
		{"the author may act no longer", with(func(f *lifecycle.Facts) { f.Proposal.Subject = byURL }), 30 * day, warn(lifecycle.WarnUnauthorizedAuthor, workOfOwner)},
		{"when it is over nobody asks", with(func(f *lifecycle.Facts) {
			f.Campaigns[0].Phase, f.Previews, f.Proposal.CID = released, nil, "x"
		}), 90 * day, nil},
	})
}

func TestR8_AnEscrowThatIsNotTrustedIsShownAsSuch(t *testing.T) {
	t.Parallel()
	named := func(did syntax.DID, parts ...part) lifecycle.Facts {
		f := facts(byAccount, develop(owner, "d", 0))
		f.Developments[0].Escrow = did
		for _, p := range parts {
			p(&f)
		}
		return f
	}
	untrusted := meta(shady, "escrow.campaign", "ownerd", 0).URI
	opens := func(changes ...func(*lifecycle.Campaign)) part {
		return campaignOf(owner, "d", 10*day, open, changes...)
	}
	tests := []warningCase{
		{"a trusted one is named", named(escrow), day, nil},
		{"one is named", named(shady), day, warn(lifecycle.WarnUntrustedEscrow, workOfOwner)},
		{"one is named and claims a campaign", named(shady, opens(by(shady))), 11 * day, warn(lifecycle.WarnUntrustedEscrow, untrusted)},
		{"before the campaign", named(shady, opens(by(shady))), 9 * day, warn(lifecycle.WarnUntrustedEscrow, workOfOwner)},
		{"one that nobody named is not heard", named(escrow, opens(by(shady))), 11 * day, nil},
		{"test money that does not count", named(escrow, opens(inTest)), 11 * day, warn(lifecycle.WarnTestMoney, campaignOfWork)},
		{"a phase that we do not know", named(escrow, opens(func(c *lifecycle.Campaign) { c.Phase = "frozen" })), 11 * day, warn(lifecycle.WarnInvalidRecord, campaignOfWork)},
		{"test money that counts", named(escrow, counting, opens(inTest), preview(owner, "d", 0, 10*day)), 11 * day, warn(lifecycle.WarnTestMoney, campaignOfWork)},
	}
	runWarnings(t, tests)

	attempts := lifecycle.AttemptsAt(tests[2].f, t0.Add(11*day))
	if len(attempts) != 1 || attempts[0].Campaign != nil || attempts[0].Claimed == nil || attempts[0].Claimed.URI != untrusted {
		t.Errorf("the campaign is not shown beside the attempt: %+v", attempts)
	}
}

func TestR8_ASecondCampaignIsAWarning(t *testing.T) {
	t.Parallel()
	f := phased(open)
	with := func(parts ...part) lifecycle.Facts {
		return edit(f, func(f *lifecycle.Facts) {
			for _, p := range parts {
				p(f)
			}
		})
	}
	runWarnings(t, []warningCase{
		{"one", f, 12 * day, nil},
		{"of another attempt", with(campaignOf(maintainer, "m", 11*day, closed)), 12 * day, warn(lifecycle.WarnSecondCampaign, meta(escrow, "escrow.campaign", "maintainerm", 0).URI)},
		{"of another escrow", with(campaignOf(owner, "d", 11*day, open, by(second))), 12 * day, warn(lifecycle.WarnSecondCampaign, meta(second, "escrow.campaign", "ownerd", 0).URI)},
		{"of one that is not trusted", with(campaignOf(owner, "d", 11*day, open, by(shady))), 12 * day, nil},
		{"of another proposal", with(campaignOf(owner, "x", 11*day, open, func(c *lifecycle.Campaign) {
			c.Proposal.URI = meta(backer, "feature.proposal", "another", 0).URI
		})), 12 * day, nil},
		{"one that is over", with(campaignOf(maintainer, "m", 5*day, refunded)), 12 * day, nil},
	})
}

func TestR7_APreviewThatCannotBeReachedIsAWarning(t *testing.T) {
	t.Parallel()
	saw := func(phase lifecycle.Phase, passed ...bool) lifecycle.Facts {
		f := phased(phase)
		for i, p := range passed {
			f.Campaigns[0].Checks = append(f.Campaigns[0].Checks, lifecycle.Check{
				Name: lifecycle.CheckPreviewReachable, Passed: p, CheckedAt: t0.Add(11*day + time.Duration(i)*time.Hour),
			})
		}
		return f
	}
	otherwise := saw(open, false)
	otherwise.Campaigns[0].Checks[0].Name = "commit-present"
	backwards := saw(open, true, false)
	slices.Reverse(backwards.Campaigns[0].Checks)
	bad := warn(lifecycle.WarnPreviewUnreachable, campaignOfWork)
	runWarnings(t, []warningCase{
		{"reachable", saw(open, true), 12 * day, nil},
		{"unreachable", saw(open, false), 12 * day, bad},
		{"again", saw(open, false, true), 12 * day, nil},
		{"not any more", saw(open, true, false), 12 * day, bad},
		{"in whatever order", backwards, 12 * day, bad},
		{"another check", otherwise, 12 * day, nil},
		{"until the attempt is over", saw(settling, false), 12 * day, bad},
		{"not after", saw(released, false), 12 * day, nil},
	})
}

func TestR15_ADeadlineWithoutTheEscrowsWordIsOverdue(t *testing.T) {
	t.Parallel()
	const late = lifecycle.OverdueTolerance
	in := func(phase lifecycle.Phase, parts ...part) lifecycle.Facts {
		return phased(phase, parts...)
	}
	held := func(rkey string, until time.Duration, changes ...func(*lifecycle.Receipt)) part {
		changes = append(changes, func(r *lifecycle.Receipt) { r.HeldUntil = ptr(t0.Add(until)) })
		return receipt(backer, rkey, 11*day, workOfOwner, 500, "held", changes...)
	}
	receiptURI := func(rkey string) syntax.ATURI { return meta(escrow, "escrow.receipt", "backer"+rkey, 0).URI }
	overdue := warn(lifecycle.WarnOverdue, campaignOfWork)
	var tests []warningCase
	for phase, due := range map[lifecycle.Phase]time.Duration{
		open: 24 * day, closed: 38 * day, checking: 38 * day, verifying: 50 * day, disputed: 90 * day, settling: 90 * day, refunding: 90 * day,
	} {
		tests = append(tests,
			warningCase{string(phase) + ", its word may be on its way", in(phase), due + late, nil},
			warningCase{string(phase) + ", it is overdue", in(phase), due + late + ms, overdue},
		)
	}
	runWarnings(t, append(tests, []warningCase{
		{"released is never overdue", in(released), 900 * day, nil},
		{"refunded is never overdue", in(refunded), 900 * day, nil},
		{"of an escrow that is not trusted", facts(byURL, campaignOf(owner, "d", 10*day, open, by(shady))), 900 * day, nil},
		{"held money", in(released, held("p", 60*day)), 60*day + late + ms, warn(lifecycle.WarnOverdue, receiptURI("p"))},
		{"held money, in time", in(released, held("p", 60*day)), 60*day + late, nil},
		{"held money, at the latest at the final date", in(released, held("p", 100*day)), 90*day + late + ms, warn(lifecycle.WarnOverdue, receiptURI("p"))},
		{"the first is enough", in(released, held("q", 61*day), held("p", 60*day)), 70 * day, warn(lifecycle.WarnOverdue, receiptURI("p"))},
		{"of two the smaller uri", in(released, held("q", 60*day), held("p", 60*day)), 70 * day, warn(lifecycle.WarnOverdue, receiptURI("p"))},
		{"held by nobody we trust", in(released, held("p", 60*day, receiptBy(shady))), 70 * day, nil},
	}...))
}

func TestWarningCodes_AreInTheLexicon(t *testing.T) {
	t.Parallel()
	known := knownValues(t, "warning", "code")
	for _, code := range lifecycle.WarningCodes() {
		if !slices.Contains(known, string(code)) {
			t.Errorf("the lexicon does not know %q", code)
		}
	}
}
