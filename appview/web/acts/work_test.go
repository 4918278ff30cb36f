package acts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// building is a world in which ana builds.
type building struct {
	*world
	built  []syntax.ATURI
	paying []syntax.ATURI
	asked  []web.ProposalsQuery
	lists  map[string][]stratos.FeatureDefs_ProposalViewBasic // by project or account
}

func (b *building) Built(context.Context, syntax.DID, int) ([]syntax.ATURI, error) {
	return b.built, b.err
}

func (b *building) Paying(context.Context, syntax.DID, int) ([]syntax.ATURI, error) {
	return b.paying, b.err
}

func (b *building) Maintained(context.Context, syntax.DID, int) ([]stratos.ProjectDefs_ProjectView, error) {
	return []stratos.ProjectDefs_ProjectView{{
		Uri: at(ben, lexicons.CollectionProject, "shared").String(), Record: json.RawMessage(`{"name":"Shared"}`),
		Author: stratos.ActorDefs_ProfileBasic{Did: ben.String(), Handle: "ben.example"},
	}}, b.err
}

func (b *building) Projects(_ context.Context, q web.ProjectsQuery) (*stratos.ProjectListProjects_Output, error) {
	if q.Owner.String() != ana.String() {
		return nil, errors.New("whose projects?")
	}
	return &stratos.ProjectListProjects_Output{Projects: []stratos.ProjectDefs_ProjectView{
		{Uri: at(ana, lexicons.CollectionProject, "maps").String(), Record: json.RawMessage(`{"name":"Maps"}`), Author: stratos.ActorDefs_ProfileBasic{Did: ana.String()}},
		{Uri: at(ana, lexicons.CollectionProject, "quiet").String(), Record: json.RawMessage(`{"name":"Quiet"}`), Author: stratos.ActorDefs_ProfileBasic{Did: ana.String()}},
	}}, nil
}

func (b *building) Proposals(_ context.Context, q web.ProposalsQuery) (*stratos.FeatureListProposals_Output, error) {
	b.asked = append(b.asked, q)
	return &stratos.FeatureListProposals_Output{Proposals: b.lists[q.Project.String()+q.Subject]}, nil
}

func asksFor(rkey string, cents int64, people int64) stratos.FeatureDefs_ProposalViewBasic {
	return stratos.FeatureDefs_ProposalViewBasic{
		Uri: at(ben, lexicons.CollectionProposal, rkey).String(), Record: json.RawMessage(`{"title":"` + rkey + `"}`),
		Funding: []stratos.FeatureDefs_Funding{{Currency: "EUR"}, {Currency: "USD", Estimated: cents, Estimators: people}},
	}
}

func TestADeveloperSeesWhatPeopleWouldPayForTheirOwnProjectsFirst(t *testing.T) {
	t.Parallel()
	maps, shared := at(ana, lexicons.CollectionProject, "maps").String(), at(ben, lexicons.CollectionProject, "shared").String()
	b := &building{world: newWorld(), lists: map[string][]stratos.FeatureDefs_ProposalViewBasic{
		shared:       {asksFor("legend", 300, 1)},
		maps:         {asksFor("layers", 42000, 37), asksFor("tiles", 100, 1)},
		ana.String(): {asksFor("anything", 500, 2)},
		"":           {asksFor("layers", 42000, 37), asksFor("night", 900, 3), asksFor("anything", 500, 2), asksFor("new", 0, 0)},
	}}
	var shown rendered
	page, err := newActs(t, b, &shown).workOf(t.Context(), ana)
	if err != nil {
		t.Fatal(err)
	}
	say := func(all []Wanted) string {
		var out []string
		for _, one := range all {
			out = append(out, strings.TrimSpace(fmt.Sprint(one.About.Name, " ", one.Worth, " ", one.People)))
		}
		return strings.Join(out, "; ")
	}
	var got []string
	for _, w := range page.Wanted {
		got = append(got, w.About.Name+" "+w.Owner+": "+say(w.All))
	}
	want := []string{"Maps : layers $420 37; tiles $1 1", "Quiet : ", "Shared @ben.example: legend $3 1", "You, without a project : anything $5 2"}
	if !slices.Equal(got, want) {
		t.Errorf("they would pay for %q, want %q", got, want)
	}
	if got := say(page.Elsewhere); got != "night $9 3; new  0" {
		t.Errorf("elsewhere for %q", got)
	}
	for _, q := range b.asked {
		if q.Sort != "estimated" || !slices.Equal(q.Stages, []string{"proposed", "cancelled"}) {
			t.Errorf("it asked for %+v", q)
		}
	}
}

func TestADeveloperSeesWhatIsUpToThem(t *testing.T) {
	t.Parallel()
	proposal, gone := at(ben, lexicons.CollectionProposal, "3kp"), at(ben, lexicons.CollectionProposal, "3kgone")
	work := json.RawMessage(`{"title":"A dark theme"}`)
	attempt := func(by syntax.DID, rkey string, current, over bool) stratos.FeatureDefs_AttemptView {
		return stratos.FeatureDefs_AttemptView{
			Uri: at(by, lexicons.CollectionDevelopment, rkey).String(), Author: stratos.ActorDefs_ProfileBasic{Did: by.String(), Handle: "x.example"},
			Record: &work, Current: current, Over: over,
			Payees: []stratos.FeatureDefs_PayeeView{
				{Actor: stratos.ActorDefs_ProfileBasic{Did: ana.String(), Handle: "ana.example"}, Share: 6000, Consented: true},
				{Actor: stratos.ActorDefs_ProfileBasic{Did: ben.String(), Handle: "ben.example"}, Share: 4000},
			},
		}
	}
	by, says := "2026-06-09T00:00:00Z", "The announced public preview opens."
	view := &stratos.FeatureDefs_ProposalView{
		Uri: proposal.String(), Record: json.RawMessage(`{"title":"Dark mode"}`), Stage: string(lifecycle.StageDevelopment),
		Next:    &stratos.FeatureDefs_Next{At: &by, Description: &says},
		Funding: []stratos.FeatureDefs_Funding{{Currency: "USD", Estimated: 42000, Estimators: 37}},
		Attempts: []stratos.FeatureDefs_AttemptView{
			attempt(ana, "1over", false, true), attempt(ana, "2now", true, false), attempt(ana, "3later", false, false), attempt(ben, "4others", false, false),
		},
		Viewer: &stratos.FeatureDefs_ViewerState{May: []string{"preview", "cancel", "estimate"}},
	}
	b := &building{world: newWorld(), built: []syntax.ATURI{gone, proposal}}
	b.proposals[proposal] = view
	var shown rendered
	a := newActs(t, b, &shown)
	page, err := a.workOf(t.Context(), ana)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Attempts) != 3 || page.Attempts[0].Stage != "In development" || page.Attempts[1].Stage != "Waiting" || !page.Attempts[2].Over {
		t.Fatalf("they build %+v", page.Attempts)
	}
	now := page.Attempts[0]
	if !strings.Contains(now.Do, "announce a preview") || !strings.Contains(now.Do, "agree to be paid: @ben.example.") || now.Next != says || now.By.Day() != 9 || now.Money != "$420 estimated" {
		t.Errorf("the one under way is %+v", now)
	}
	if got := fmt.Sprint(now.Acts); got != fmt.Sprint([]Link{{"Announce or change the preview", pathOf(proposal) + "/preview"}, {"Give the attempt up", pathOf(proposal) + "/cancel"}, {"Change what you announced", pathOf(proposal) + "/revise"}}) {
		t.Errorf("they may %s", got)
	}
	view.Stage, view.Funding[0].Pledged = string(lifecycle.StageReleasing), 12500
	if page, err = a.workOf(t.Context(), ana); err != nil {
		t.Fatal(err)
	}
	if now = page.Attempts[0]; !strings.Contains(now.Do, "Release the code") || strings.Contains(now.Do, "agree") || now.Money != "$125 held" {
		t.Errorf("once pledging is over it is %+v", now)
	}
	b.err = errors.New("disk")
	if _, err := a.workOf(t.Context(), ana); err == nil {
		t.Error("what cannot be read is shown as nothing")
	}
}

func TestR8_APayeeSeesTheirShareAndWhereToAgree(t *testing.T) {
	t.Parallel()
	proposal := at(carol, lexicons.CollectionProposal, "3kp")
	profile := func(did syntax.DID, handle string) stratos.ActorDefs_ProfileBasic {
		return stratos.ActorDefs_ProfileBasic{Did: did.String(), Handle: handle}
	}
	attempt := func(change func(*stratos.FeatureDefs_AttemptView)) stratos.FeatureDefs_AttemptView {
		v := stratos.FeatureDefs_AttemptView{
			Uri: at(ben, lexicons.CollectionDevelopment, "3kd").String(), Author: profile(ben, "ben.example"), Authorized: true, Current: true,
			Payees: []stratos.FeatureDefs_PayeeView{{Actor: profile(ben, "ben.example"), Share: 7500, Consented: true}, {Actor: profile(ana, "ana.example"), Share: 2500}},
		}
		change(&v)
		return v
	}
	const agree, setUp = "Agree to be a payee", "Set up how you are paid"
	for name, c := range map[string]struct {
		change func(*stratos.FeatureDefs_AttemptView)
		shown  bool
		do     string
		acts   []string
	}{
		"not agreed":           {func(*stratos.FeatureDefs_AttemptView) {}, true, doAgree, []string{agree, setUp}},
		"behind another":       {func(v *stratos.FeatureDefs_AttemptView) { v.Current = false }, true, doAgreeLater, []string{setUp}},
		"agreed":               {func(v *stratos.FeatureDefs_AttemptView) { v.Payees[1].Consented = true }, true, doGetReady, []string{setUp}},
		"over":                 {func(v *stratos.FeatureDefs_AttemptView) { v.Over, v.Current = true, false }, true, "", nil},
		"of a stranger":        {func(v *stratos.FeatureDefs_AttemptView) { v.Authorized, v.Current = false, false }, false, "", nil},
		"that pays only other": {func(v *stratos.FeatureDefs_AttemptView) { v.Payees = v.Payees[:1] }, false, "", nil},
		"opened": {func(v *stratos.FeatureDefs_AttemptView) {
			v.Payees[1].Consented, v.Authorized, v.Campaign = true, false, &stratos.FeatureDefs_RecordView{}
		}, true, "", nil},
	} {
		b := &building{world: newWorld(), paying: []syntax.ATURI{proposal}}
		b.proposals[proposal] = &stratos.FeatureDefs_ProposalView{
			Uri: proposal.String(), Record: json.RawMessage(`{"title":"Dark mode"}`), Stage: string(lifecycle.StageDevelopment),
			Attempts: []stratos.FeatureDefs_AttemptView{attempt(c.change)}, Viewer: &stratos.FeatureDefs_ViewerState{May: []string{"estimate", "consent"}},
		}
		var shown rendered
		page, err := newActs(t, b, &shown).workOf(t.Context(), ana)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Attempts) != map[bool]int{true: 1}[c.shown] {
			t.Errorf("%s: they see %+v", name, page.Attempts)
		}
		if !c.shown || len(page.Attempts) == 0 {
			continue
		}
		own := page.Attempts[0]
		var acts []string
		for _, link := range own.Acts {
			acts = append(acts, link.Name)
		}
		if own.Leader != "@ben.example" || !strings.HasPrefix(own.Share, "25") || own.Do != c.do || !slices.Equal(acts, c.acts) {
			t.Errorf("%s: it is %+v", name, own)
		}
		if slices.Contains(acts, agree) && own.Acts[0].Path != pathOf(proposal)+"/consent" {
			t.Errorf("%s: they agree at %s", name, own.Acts[0].Path)
		}
	}
}

func TestEveryStageOfAnAttemptThatGoesOnSaysWhatIsUpToItsDeveloper(t *testing.T) {
	t.Parallel()
	for _, stage := range lifecycle.Stages() {
		over := stage == lifecycle.StageProposed || stage == lifecycle.StageDeclined || stage == lifecycle.StageCancelled || stage == lifecycle.StageCompleted
		if (upToDeveloper[stage] == "") != over {
			t.Errorf("%s: %q", stage, upToDeveloper[stage])
		}
	}
}
