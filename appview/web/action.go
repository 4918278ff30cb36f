package web

import (
	"slices"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// action is something that one may do now, and where.
type action struct {
	Name, Path, Note string
	First            bool // the one that the stage is about
}

// ActRevise changes what a developer announced. It is none of the AppView's: what of it
// counts is what the escrow finds at the opening.
const ActRevise lifecycle.Act = "revise"

// actNames are what buttons say, in the order in which they stand.
var actNames = []struct {
	act        lifecycle.Act
	name, note string
}{
	{lifecycle.ActPledge, "Pledge for its release", "Held until the code is released, and returned in full otherwise."},
	{lifecycle.ActVerify, "Say what you found in the release", "Compare the code with the preview."},
	{lifecycle.ActDispute, "Dispute the release", "The payout waits until the escrow has ruled."},
	{lifecycle.ActWithdraw, "Take your pledge back", "Until the preview closes or a release is seen."},
	{lifecycle.ActEstimate, "Say what it is worth to you", "Costs nothing, binds you to nothing."},
	{lifecycle.ActDonate, "Donate to the developer", "Goes straight to them, and is not held."},
	{lifecycle.ActRelease, "Release the code", ""},
	{lifecycle.ActPreview, "Announce or change the preview", ""},
	{lifecycle.ActConsent, "Agree to be a payee", ""},
	{lifecycle.ActRespond, "Answer the proposal", ""},
	{lifecycle.ActDevelop, "Start to build it", "For developers of the project."},
	{lifecycle.ActCancel, "Give the attempt up", ""},
}

// anyoneMay are the acts that a stage has for those who are not known, so that they see
// what signing in is good for.
var anyoneMay = map[lifecycle.Stage][]lifecycle.Act{
	lifecycle.StageProposed:     {lifecycle.ActEstimate, lifecycle.ActDevelop},
	lifecycle.StageCancelled:    {lifecycle.ActEstimate, lifecycle.ActDevelop},
	lifecycle.StageDevelopment:  {lifecycle.ActEstimate, lifecycle.ActDonate},
	lifecycle.StagePreview:      {lifecycle.ActPledge},
	lifecycle.StageVerification: {lifecycle.ActVerify, lifecycle.ActDispute},
	lifecycle.StageDisputed:     {lifecycle.ActVerify},
}

// actionsOf are the buttons of a proposal's page. Each leads to a form.
func actionsOf(v *stratos.FeatureDefs_ProposalView, path string) []action {
	may := func(act lifecycle.Act) bool { return slices.Contains(anyoneMay[lifecycle.Stage(v.Stage)], act) }
	if v.Viewer != nil {
		may = func(act lifecycle.Act) bool { return slices.Contains(v.Viewer.May, string(act)) }
	}
	var out []action
	for _, a := range actNames {
		if (a.act == lifecycle.ActPledge || a.act == lifecycle.ActDonate) && (v.Attempt == nil || !v.Attempt.Trusted) {
			continue // nobody is led to pay where this service trusts nobody
		}
		if may(a.act) {
			out = append(out, action{a.name, path + "/" + string(a.act), a.note, len(out) == 0})
		}
	}
	return out
}

// refusalsOf says what a visitor might expect to be allowed, and why it is not.
func refusalsOf(v *stratos.FeatureDefs_ViewerState) []string {
	if v == nil {
		return nil
	}
	var out []string
	for _, no := range v.MayNot {
		switch lifecycle.Refusal(no.Reason) {
		// Of these the page itself tells.
		case lifecycle.RefusedStage, lifecycle.RefusedNotDeveloper, lifecycle.RefusedNotAuthor, lifecycle.RefusedNotPayee,
			lifecycle.RefusedNoPledge, lifecycle.RefusedNoHeldPledge, lifecycle.RefusedAlreadyConsented:
			continue
		}
		if no.Description != nil {
			out = append(out, *no.Description)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
