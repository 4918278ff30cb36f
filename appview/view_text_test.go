package appview

import (
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/lexicon"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
)

// known are the values that the lexicon knows for a field of a view.
func known(t *testing.T, view, field string) []string {
	t.Helper()
	schema, err := lexicons.Catalog().Resolve("fund.stratos.feature.defs#" + view)
	if err != nil {
		t.Fatal(err)
	}
	property := schema.Def.(lexicon.SchemaObject).Properties[field]
	if list, ok := property.Inner.(lexicon.SchemaArray); ok {
		property = list.Items
	}
	return property.Inner.(lexicon.SchemaString).KnownValues
}

// said checks that each value has a sentence, and that the lexicon knows it.
func said[V ~string](t *testing.T, values []V, text map[V]string, view, field string) {
	t.Helper()
	declared := known(t, view, field)
	for _, v := range values {
		if text[v] == "" {
			t.Errorf("nothing is said of %s", v)
		}
		if !slices.Contains(declared, string(v)) {
			t.Errorf("the lexicon's %s does not know %s", view, v)
		}
	}
	if len(text) != len(values) {
		t.Errorf("%d sentences for %d values", len(text), len(values))
	}
}

func TestEveryNextEventHasASentence(t *testing.T) {
	t.Parallel()
	said(t, lifecycle.NextEvents(), nextText, "next", "event")
}

func TestEveryWarningHasASentence(t *testing.T) {
	t.Parallel()
	said(t, lifecycle.WarningCodes(), warningText, "warning", "code")
}

func TestEveryRefusalHasASentence(t *testing.T) {
	t.Parallel()
	said(t, lifecycle.Refusals(), refusalText, "refusal", "reason")
}

// A stage keeps people from something: they are told which one it is, and when they can.
func TestEveryActThatAStageRefusesSaysWhereTheProposalStandsAndWhenItCanBeDone(t *testing.T) {
	t.Parallel()
	for _, stage := range lifecycle.Stages() {
		for _, act := range lifecycle.Acts() {
			v := refusalView(lifecycle.Permission{Act: act, Refusal: lifecycle.RefusedStage}, stage)
			if v.Description == nil || stageText[stage] == "" || actTime[act] == "" ||
				!strings.HasPrefix(*v.Description, stageText[stage]+" "+actTime[act]) {
				t.Errorf("to %s something %s: %v", act, stage, v.Description)
			} else if len(*v.Description) > 300 {
				t.Errorf("to %s something %s takes %d characters to refuse", act, stage, len(*v.Description))
			}
		}
	}
	got := notInThisStage(lifecycle.ActEstimate, lifecycle.StagePreview)
	if want := "Its public preview is open. Estimates are taken until a preview opens. Pledge for its release instead: your money is held until then."; got != want {
		t.Errorf("who is too late to estimate is told %q, want %q", got, want)
	}
	if got := notInThisStage(lifecycle.ActPledge, "a new one"); got != actTime[lifecycle.ActPledge] {
		t.Errorf("in a stage that is not known it says %q", got)
	}
}

func TestTheLexiconKnowsEveryActAndPhase(t *testing.T) {
	t.Parallel()
	for _, act := range lifecycle.Acts() {
		if !slices.Contains(known(t, "viewerState", "may"), string(act)) || !slices.Contains(known(t, "refusal", "act"), string(act)) {
			t.Errorf("the lexicon does not know the act %s", act)
		}
	}
	for _, phase := range lifecycle.Phases() {
		if !slices.Contains(known(t, "attemptView", "phase"), string(phase)) {
			t.Errorf("the lexicon does not know the phase %s", phase)
		}
	}
}

// What is cut is cut where the lexicon says.
func TestViewsAreCutWhereTheLexiconSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		view, field string
		most        int
	}{
		{"proposalView", "attempts", mostAttempts},
		{"proposalView", "duplicates", mostDuplicates},
		{"proposalView", "warnings", mostWarnings},
		{"viewerState", "pledges", mostPledges},
	} {
		schema, err := lexicons.Catalog().Resolve("fund.stratos.feature.defs#" + c.view)
		if err != nil {
			t.Fatal(err)
		}
		list := schema.Def.(lexicon.SchemaObject).Properties[c.field].Inner.(lexicon.SchemaArray)
		if list.MaxLength == nil || *list.MaxLength != c.most {
			t.Errorf("%s.%s: cut at %d", c.view, c.field, c.most)
		}
	}
}
