package web

import (
	"slices"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestNobodyIsLedToPayIntoAnEscrowThatIsNotTrusted(t *testing.T) {
	t.Parallel()
	for _, visitor := range []*stratos.FeatureDefs_ViewerState{nil, {May: []string{"estimate", "donate", "pledge"}}} {
		for stage, act := range map[lifecycle.Stage]string{lifecycle.StageDevelopment: "/p/x/donate", lifecycle.StagePreview: "/p/x/pledge"} {
			for _, trusted := range []bool{true, false} {
				view := &stratos.FeatureDefs_ProposalView{
					Stage: string(stage), Attempt: &stratos.FeatureDefs_AttemptView{Trusted: trusted}, Viewer: visitor,
				}
				offered := slices.ContainsFunc(actionsOf(view, "/p/x"), func(a action) bool { return a.Path == act })
				if offered != trusted {
					t.Errorf("%s, trusted %v: %s is offered: %v", stage, trusted, act, offered)
				}
			}
		}
	}
}
