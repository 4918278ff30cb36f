package appview_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// story is a proposal of carol's for bob with an open campaign, estimated by dave,
// who also pledged.
type story struct {
	*index
	proposal, development, preview, estimate, pledge, campaign comatproto.RepoStrongRef
}

func newStory(t *testing.T, phase string, change func(*stratos.EscrowCampaign)) *story {
	t.Helper()
	s := &story{index: newIndex(t)}
	s.proposal = s.index.proposal(carol, 1, onAccount(bob))
	s.estimate = s.index.estimate(dave, 1, s.proposal, -80)
	s.development = s.index.development(bob, 1, s.proposal, broker)
	s.preview = s.index.preview(bob, 1, s.development)
	s.campaign = s.index.campaign(broker, s.proposal, s.development, s.preview, phase, change)
	s.pledge = s.index.pledge(dave, 1, s.proposal, s.development, broker)
	s.receipt(broker, dave, s.pledge, s.development, "held")
	return s
}

func TestR8_WhatTheCampaignFrozeIsShownBeforeTheRecords(t *testing.T) {
	t.Parallel()
	mirror, evidence, test := "https://mirror.example/it", "HEAD was cloned", false
	checks := []stratos.EscrowCampaign_Check{{Name: "repository-public", Passed: true, Evidence: &evidence, CheckedAt: hoursOn(-2)}}
	ends := hoursOn(300)
	s := newStory(t, "verifying", func(c *stratos.EscrowCampaign) {
		c.Payees = []stratos.EscrowCampaign_Payee{{Did: alice.String(), Share: 2500}, {Did: bob.String(), Share: 7500}}
		c.Mirror, c.Checks, c.VerificationEndsAt, c.Test = &mirror, checks, &ends, &test
		c.Pot = &stratos.Defs_Total{Amount: 4000, Currency: "USD"}
	})
	s.sync()
	got := s.show(s.proposal, "")
	if got.Stage != string(lifecycle.StageVerification) || got.Next == nil || got.Next.Event != string(lifecycle.NextVerificationEnds) {
		t.Errorf("%s, then %+v", got.Stage, got.Next)
	}
	a := got.Attempt
	if a == nil || len(got.Attempts) != 1 {
		t.Fatalf("attempt %+v of %d", a, len(got.Attempts))
	}
	if !a.Trusted || !a.Current || a.Over || *a.Phase != "verifying" || *a.OpensAt != hoursOn(-48) || *a.ClosesAt != hoursOn(48) ||
		*a.ReleaseBy != hoursOn(100) || *a.FinalAt != hoursOn(900) || *a.VerificationEndsAt != ends {
		t.Errorf("the attempt is %+v", a)
	}
	if a.Campaign == nil || a.Campaign.Cid != s.campaign.Cid || *a.Mirror != mirror || *a.Test || a.Pot.Amount != 4000 || a.Claimed != nil {
		t.Errorf("the campaign is %+v, and the attempt %+v", a.Campaign, a)
	}
	if diff := cmp.Diff(checks, a.Checks); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	if len(a.Payees) != 2 || a.Payees[0].Actor.Did != alice.String() || a.Payees[0].Share != 2500 || !a.Payees[0].Consented {
		t.Errorf("payees %+v", a.Payees)
	}
	want := []stratos.FeatureDefs_Funding{{
		Currency: "USD", Estimated: 1000, Estimators: 1, Pledged: 4000, Pledgers: 1,
		Goal: new(int64(50_000)), Raised: new(int64(4000)),
	}}
	if diff := cmp.Diff(want, got.Funding); diff != "" {
		t.Errorf("funding (-want +got):\n%s", diff)
	}
}

// The escrow's copy stands when the developer deletes everything (F1).
func TestF1_AnAttemptIsShownWhenOnlyItsCampaignIsLeft(t *testing.T) {
	t.Parallel()
	s := newStory(t, "open", nil)
	clear(s.repos[bob])
	s.sync()
	got := s.show(s.proposal, "")
	a := got.Attempt
	if a == nil || a.Record != nil || a.IndexedAt != nil || a.Cid != s.development.Cid || a.Currency != "USD" || a.Escrow != broker.String() || len(a.Payees) != 1 {
		t.Fatalf("the attempt is %+v", a)
	}
	for _, w := range got.Warnings {
		if w.Code == string(lifecycle.WarnRecordUnavailable) && *w.Uri == s.development.Uri && w.Message != "" {
			return
		}
	}
	t.Errorf("warnings %+v", got.Warnings)
}

func TestF2_WhatAnUntrustedEscrowClaimsStandsBesideAndDecidesNothing(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	proposal := x.proposal(carol, 1, onAccount(bob))
	development := x.development(bob, 1, proposal, shady)
	claimed := x.campaign(shady, proposal, development, x.preview(bob, 1, development), "released", nil)
	pledge := x.pledge(dave, 1, proposal, development, shady)
	x.receipt(shady, dave, pledge, development, "released")
	x.sync()
	got := x.show(proposal, dave)
	a := got.Attempt
	if got.Stage != string(lifecycle.StageDevelopment) || a == nil || a.Trusted || a.Campaign != nil || a.Phase != nil || a.Claimed == nil || a.Claimed.Uri != claimed.Uri {
		t.Errorf("%s with %+v", got.Stage, a)
	}
	if len(got.Warnings) != 1 || got.Warnings[0].Code != string(lifecycle.WarnUntrustedEscrow) || *got.Warnings[0].Uri != claimed.Uri {
		t.Errorf("warnings %+v", got.Warnings)
	}
	if p := got.Viewer.Pledges; len(p) != 1 || p[0].Status != string(lifecycle.StatusPending) {
		t.Errorf("the backer is told %+v", p)
	}
	if f := got.Funding; len(f) != 1 || f[0].Pledged+f[0].Released != 0 {
		t.Errorf("funding %+v", f)
	}
}

func TestR6_DuplicatesAreThoseWhoseAnswerStands(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	original := x.proposal(carol, 1, onAccount(bob))
	same, strangers, another := x.proposal(carol, 2, onAccount(bob)), x.proposal(carol, 3, onAccount(bob)), x.proposal(carol, 4, onAccount(bob))
	x.response(bob, 2, same, "duplicate", original.Uri)
	x.response(alice, 3, strangers, "duplicate", original.Uri)
	x.response(bob, 3, strangers, "declined", "")
	x.response(bob, 4, another, "duplicate", same.Uri)
	x.sync()
	got := x.show(original, "")
	if len(got.Duplicates) != 1 || got.Duplicates[0].Uri != same.Uri || got.Duplicates[0].Cid != same.Cid {
		t.Errorf("duplicates %+v", got.Duplicates)
	}
	if a := x.show(same, "").Answer; a == nil || a.DuplicateOf == nil || *a.DuplicateOf != original.Uri {
		t.Errorf("the duplicate's answer is %+v", a)
	}
}

func TestR4_AVerifiedClaimShowsTheProject(t *testing.T) {
	t.Parallel()
	x := newIndex(t)
	about := x.proposal(carol, 1, onURI("http://www.it.example/"))
	project := x.add(bob, lexicons.CollectionProject, "it", &stratos.ProjectProfile{
		LexiconTypeID: "fund.stratos.project.profile", Name: "It", CreatedAt: hoursOn(-100),
		Uris: []stratos.ProjectProfile_Uri{{Uri: "https://it.example", Kind: "website"}},
	})
	x.sync()
	listed := func() *stratos.ProjectDefs_ProjectViewBasic {
		views := x.list("", "new", 10)
		if len(views) != 1 {
			t.Fatalf("%d proposals", len(views))
		}
		return views[0].Project
	}
	if got := x.show(about, "").Project; got != nil || listed() != nil {
		t.Errorf("before anybody looked the project is %+v", got)
	}
	x.prove(project)
	for _, got := range []*stratos.ProjectDefs_ProjectViewBasic{x.show(about, "").Project, listed()} {
		if got == nil || got.Uri != project.Uri || got.Name != "It" {
			t.Errorf("the project is %+v", got)
		}
	}
	view := mustGet[stratos.ProjectGetProject_Output](x.offline, "fund.stratos.project.getProject", url.Values{"uri": {project.Uri}})
	if len(view.Project.Claims) != 1 || !view.Project.Claims[0].Verified {
		t.Errorf("the project's claims are %+v", view.Project.Claims)
	}
}

// prove verifies the one claim that is due.
func (x *index) prove(project comatproto.RepoStrongRef) {
	x.t.Helper()
	job, ok, err := x.store.TakeClaim(context.Background(), time.Minute)
	if err != nil || !ok || job.Project != syntax.ATURI(project.Uri) {
		x.t.Fatalf("a claim of %s is due: %t, %v", job.Project, ok, err)
	}
	week := offlineBegins.Add(7 * 24 * time.Hour)
	if err := x.store.ClaimProven(context.Background(), job, lifecycle.ClaimByHost, week, week); err != nil {
		x.t.Fatal(err)
	}
}

func TestR9_AViewerIsToldWhatTheyMayDoAndWhyNot(t *testing.T) {
	t.Parallel()
	s := newStory(t, "open", nil)
	late := s.index.estimate(dave, 2, s.proposal, -1) // after the opening: the older one stands
	s.sync()
	got := s.show(s.proposal, dave).Viewer
	if got == nil || got.Estimate == nil || *got.Estimate != s.estimate.Uri || *got.Estimate == late.Uri {
		t.Fatalf("the backer is told %+v", got)
	}
	if want := []stratos.FeatureDefs_ViewerPledge{{Uri: s.pledge.Uri, Status: "held", Value: usd(4000)}}; !cmp.Equal(want, got.Pledges) {
		t.Errorf("pledges %+v", got.Pledges)
	}
	if want := []string{"pledge", "withdraw"}; !slices.Equal(want, got.May) || len(got.May)+len(got.MayNot) != len(lifecycle.Acts()) {
		t.Errorf("may %v, may not %d", got.May, len(got.MayNot))
	}
	refused := func(v *stratos.FeatureDefs_ViewerState, act lifecycle.Act) string {
		for _, r := range v.MayNot {
			if r.Act == string(act) && r.Description != nil {
				return r.Reason
			}
		}
		return ""
	}
	if why := refused(got, lifecycle.ActEstimate); why != string(lifecycle.RefusedStage) {
		t.Errorf("estimating is refused because of %q", why)
	}
	if why := refused(s.show(s.proposal, bob).Viewer, lifecycle.ActPledge); why != string(lifecycle.RefusedOwnWork) {
		t.Errorf("pledging on own work is refused because of %q", why)
	}
	if v := s.show(s.proposal, "").Viewer; v != nil {
		t.Errorf("the public is told %+v", v)
	}
}

// A list shows what the full view does of what the account wrote, and no more.
func TestR6_AListShowsTheViewersEstimateAndPledges(t *testing.T) {
	t.Parallel()
	s := newStory(t, "open", nil)
	s.index.estimate(dave, 2, s.proposal, -1)
	s.index.proposal(carol, 2, onAccount(bob))
	s.sync()
	views := s.list(dave, "closing", 10)
	if len(views) != 2 || views[0].Uri != s.proposal.Uri {
		t.Fatalf("%+v", views)
	}
	want := *s.show(s.proposal, dave).Viewer
	want.May, want.MayNot = nil, nil
	if diff := cmp.Diff(&want, views[0].Viewer); diff != "" {
		t.Errorf("in the list (-full +list):\n%s", diff)
	}
	if v := views[1].Viewer; v == nil || v.Estimate != nil || v.Pledges != nil || len(v.Caps) != len(lifecycle.CountedCurrencies()) {
		t.Errorf("of another proposal the viewer is told %+v", v)
	}
}

func TestListsAndViewsNeedAFixedNumberOfStatements(t *testing.T) {
	t.Parallel()
	const inList, inView = 100, 25         // what the lexicon lets a client ask for
	const mostOfList, mostOfViews = 28, 27 // to be lowered, not raised
	x := newIndex(t)
	var all []string
	for n := range inList {
		var subject stratos.FeatureProposal_Subject
		switch n % 2 {
		case 0:
			subject = onAccount(bob)
		case 1:
			subject = onURI(fmt.Sprintf("https://it.example/%d", n))
		}
		p := x.proposal(carol, n+1, subject)
		x.estimate(dave, n+1, p, -80)
		d := x.development(bob, n+1, p, broker)
		x.campaign(broker, p, d, x.preview(bob, n+1, d), "open", nil)
		x.receipt(broker, dave, x.pledge(dave, n+1, p, d, broker), d, "held")
		x.response(bob, n+1, p, "planned", "")
		all = append(all, p.Uri)
	}
	again := x.proposal(carol, inList+1, onAccount(bob))
	x.response(bob, inList+1, again, "duplicate", all[0])
	x.sync()

	count := func(ask func() int, want int) int {
		before := x.statements.Load()
		if got := ask(); got != want {
			t.Fatalf("%d proposals, want %d", got, want)
		}
		return int(x.statements.Load() - before)
	}
	list := func(limit int) func() int {
		return func() int { return len(x.list(dave, "new", limit)) }
	}
	views := func(n int) func() int {
		return func() int {
			return len(mustGetAs[stratos.FeatureGetProposals_Output](x.offline, dave, "fund.stratos.feature.getProposals", url.Values{"uris": all[:n]}).Proposals)
		}
	}
	if few, many := count(list(2), 2), count(list(inList), inList); few != many || many > mostOfList {
		t.Errorf("a list of 2 takes %d statements, one of %d takes %d", few, inList, many)
	}
	if few, many := count(views(2), 2), count(views(inView), inView); few != many || many > mostOfViews {
		t.Errorf("2 views take %d statements, %d take %d", few, inView, many)
	}
}

// Developers may write any number of attempts; those that are shown include the
// one that decides.
func TestOfManyAttemptsTheNewestAndTheCurrentAreShown(t *testing.T) {
	t.Parallel()
	s := newStory(t, "open", nil)
	for n := range appview.MostAttempts {
		s.index.development(bob, n+2, s.proposal, broker)
	}
	s.sync()
	got := s.show(s.proposal, "")
	if len(got.Attempts) != appview.MostAttempts || got.Attempt == nil || got.Attempt.Uri != s.development.Uri {
		t.Errorf("%d attempts, the current one %+v", len(got.Attempts), got.Attempt)
	}
	if !slices.ContainsFunc(got.Attempts, func(a stratos.FeatureDefs_AttemptView) bool {
		return strings.HasSuffix(a.Uri, tid(appview.MostAttempts+1).String())
	}) {
		t.Error("the newest is not among them")
	}
}
