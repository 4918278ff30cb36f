package acts

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestR8_OfAPreviewThatOpenedOnlyTheAddressAndTheInstructionsAreCorrected(t *testing.T) {
	t.Parallel()
	was := stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Uri: "https://old.example/", Instructions: "Press d.", OpensAt: "2026-05-01T00:00:00Z", ClosesAt: "2026-05-15T00:00:00Z",
		CreatedAt: "2026-04-30T00:00:00Z", Commitment: &stratos.WorkPreview_Commitment{Tree: "ab", Algorithm: "sha1"},
	}
	content, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	place := func(opened bool) *place {
		v := stratos.FeatureDefs_AttemptView{
			Uri: at(ana, lexicons.CollectionDevelopment, "3kdev").String(), Cid: "now", Author: stratos.ActorDefs_ProfileBasic{Did: ana.String()},
			Preview: &stratos.FeatureDefs_RecordView{Cid: "before", Record: content},
		}
		if opened {
			v.Campaign = &stratos.FeatureDefs_RecordView{}
		}
		return &place{FeatureDefs_ProposalView: &stratos.FeatureDefs_ProposalView{Attempt: &v}, visitor: &session.Visitor{DID: ana}, now: today}
	}
	names := func(f Form) (out []string) {
		for _, field := range f.Fields {
			out = append(out, field.Name)
		}
		return out
	}
	if diff := cmp.Diff([]string{fieldURI, fieldInstructions}, names(preview.form(place(true)))); diff != "" {
		t.Errorf("it asks for (-want +got):\n%s", diff)
	}
	if got := names(preview.form(place(false))); len(got) < 5 {
		t.Errorf("before it opens it asks for %q", got)
	}
	in := &input{values: url.Values{fieldURI: {"https://new.example/"}, fieldInstructions: {"Press e."}, fieldOpens: {"2030-01-01T00:00"}, fieldTree: {"cd"}}, problems: map[string]string{}}
	made := preview.read(place(true), in)
	want := was
	want.Uri, want.Instructions = "https://new.example/", "Press e."
	if diff := cmp.Diff(&want, made.record); diff != "" || !in.ok() {
		t.Errorf("it becomes (-want +got):\n%s%v", diff, in.problems)
	}
	if made.key != "3kdev" || made.replaces != "before" || !made.inPlace {
		t.Errorf("it is written to %+v", made)
	}
}

func TestADevelopmentIsChangedUntilItsPreviewOpensAndKeepsWhatIsNotAskedFor(t *testing.T) {
	t.Parallel()
	goal, expected := &stratos.Defs_Money{Amount: 40050, Currency: "USD"}, "2026-06-20T10:30:00Z"
	was := stratos.WorkDevelopment{
		LexiconTypeID: lexicons.CollectionDevelopment.String(), Title: "It", Summary: "All.", Currency: "USD", Goal: goal, Escrow: broker.String(),
		ExpectedAt: &expected, CreatedAt: "2026-04-30T00:00:00Z", Donations: ptr(ben.String()),
		Payees: []stratos.WorkDevelopment_Payee{{Did: ben.String(), Share: 3333}, {Did: ana.String(), Share: 6667}},
	}
	content, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	raw := json.RawMessage(content)
	v := stratos.FeatureDefs_AttemptView{
		Uri: at(ana, lexicons.CollectionDevelopment, "3kdev").String(), Cid: "now", Author: stratos.ActorDefs_ProfileBasic{Did: ana.String()}, Record: &raw,
	}
	p := &place{
		FeatureDefs_ProposalView: &stratos.FeatureDefs_ProposalView{Uri: at(ben, lexicons.CollectionProposal, "3kp").String(), Cid: "proposal", Attempts: []stratos.FeatureDefs_AttemptView{v}},
		visitor:                  &session.Visitor{DID: ana}, now: today, escrows: []Choice{{Value: broker.String()}},
	}
	if why := p.refusal(revise); why != "" {
		t.Fatalf("it may not be changed: %s", why)
	}
	// Sent as it is shown, it says the same.
	in := &input{values: url.Values{}, problems: map[string]string{}}
	for _, field := range revise.form(p).Fields {
		in.values.Set(field.Name, field.Value)
	}
	in.values.Set(fieldTitle, "More of it")
	made := revise.read(p, in)
	want := was
	want.Title, want.Proposal = "More of it", p.ref()
	if diff := cmp.Diff(&want, made.record); diff != "" || !in.ok() {
		t.Errorf("it becomes (-want +got):\n%s%v", diff, in.problems)
	}
	if made.key != "3kdev" || made.replaces != "now" || !made.inPlace {
		t.Errorf("it is written to %+v", made)
	}
	in.values.Set(fieldPayees, ben.String()+" 40")
	if got := revise.read(p, in).record.(*stratos.WorkDevelopment).Payees; len(got) != 2 || got[0].Share != 4000 || got[1].Share != 6000 {
		t.Errorf("the payees become %+v", got)
	}
	p.Attempts[0].Campaign = &stratos.FeatureDefs_RecordView{}
	if p.refusal(revise) == "" {
		t.Error("what was frozen is changed")
	}
	p.visitor = &session.Visitor{DID: ben}
	if p.refusal(revise) == "" {
		t.Error("it is changed by another")
	}
}

func ptr[T any](v T) *T { return &v }
