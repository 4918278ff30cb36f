package appview

import (
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// refusalView says why somebody may not do something about a proposal in a stage.
func refusalView(p lifecycle.Permission, stage lifecycle.Stage) stratos.FeatureDefs_Refusal {
	v := stratos.FeatureDefs_Refusal{Act: string(p.Act), Reason: string(p.Refusal)}
	text, ok := refusalText[p.Refusal]
	if p.Refusal == lifecycle.RefusedStage {
		text = notInThisStage(p.Act, stage)
	}
	if ok {
		v.Description = &text
	}
	return v
}

// notInThisStage says where a proposal stands, when something can be done, and what can be
// done instead.
func notInThisStage(act lifecycle.Act, stage lifecycle.Stage) string {
	text := actTime[act]
	if where, ok := stageText[stage]; ok {
		text = where + " " + text
	}
	if instead := insteadText[stage][act]; instead != "" {
		text += " " + instead
	}
	return text
}

// stageText says where a proposal stands.
var stageText = map[lifecycle.Stage]string{
	lifecycle.StageProposed:     "Nobody builds it yet.",
	lifecycle.StageDeclined:     "Its developers answered that they will not build it.",
	lifecycle.StageDevelopment:  "It is being built, and its preview has not opened yet.",
	lifecycle.StagePreview:      "Its public preview is open.",
	lifecycle.StageReleasing:    "Its preview has closed, and the developer has to release the code now.",
	lifecycle.StageVerification: "Its code is released, and people check it now.",
	lifecycle.StageDisputed:     "Its release is disputed, and the escrow has to rule.",
	lifecycle.StageSettling:     "Its release was verified, and the money is on its way to the developers.",
	lifecycle.StageCompleted:    "It is finished: the code is open source, and the developers were paid.",
	lifecycle.StageCancelled:    "The last attempt at it ended without a release, and nobody builds it now.",
}

// actTime says when something can be done.
var actTime = map[lifecycle.Act]string{
	lifecycle.ActEstimate: "Estimates are taken until a preview opens.",
	lifecycle.ActDonate:   "Donations are taken while somebody builds it, until the preview opens.",
	lifecycle.ActPledge:   "Pledges are taken while its preview is open.",
	lifecycle.ActWithdraw: "Pledges can be taken back while the preview is open. Otherwise they come back by themselves if nothing is released.",
	lifecycle.ActDispute:  "A release can be disputed while it is being verified.",
	lifecycle.ActVerify:   "Releases are compared with their preview while they are being verified.",
	lifecycle.ActRespond:  "Developers answer until the preview opens, and again when an attempt ended without a release.",
	lifecycle.ActDevelop:  "An attempt is begun until the preview of another one opens, and again when that ended without a release.",
	lifecycle.ActConsent:  "Payees agree while it is being built, until the preview opens.",
	lifecycle.ActPreview:  "A preview is announced when you have started to build it, and corrected until the release is paid or everybody is refunded.",
	lifecycle.ActRelease:  "The code is released after the preview has closed, when what was pledged is final.",
	lifecycle.ActCancel:   "You have no attempt here that could be given up now.",
}

// insteadText says what backers can do in a stage instead.
var insteadText = map[lifecycle.Stage]map[lifecycle.Act]string{
	lifecycle.StageProposed:  {lifecycle.ActDonate: sayWorth, lifecycle.ActPledge: sayWorth},
	lifecycle.StageCancelled: {lifecycle.ActDonate: sayWorth, lifecycle.ActPledge: sayWorth},
	lifecycle.StageDevelopment: {
		lifecycle.ActPledge: "Until then you can say what it is worth to you, or donate.",
	},
	lifecycle.StagePreview: {
		lifecycle.ActEstimate: "Pledge for its release instead: your money is held until then.",
		lifecycle.ActDonate:   "Pledge for its release instead: your money is held until then.",
	},
	lifecycle.StageVerification: {
		lifecycle.ActEstimate: sayFound, lifecycle.ActPledge: sayFound, lifecycle.ActDonate: sayFound,
	},
}

const (
	sayWorth = "Until then you can say what it is worth to you."
	sayFound = "You can say now whether the release is what the preview showed."
)

// refusalText says for people why they may not do something, whatever it is. Of the stage
// there is more to say: notInThisStage.
var refusalText = map[lifecycle.Refusal]string{
	lifecycle.RefusedStage:             "This is not possible as the proposal stands.",
	lifecycle.RefusedNotDeveloper:      "This is for the developers of what the proposal is about: owners and maintainers of its project. If it is yours, introduce your project first.",
	lifecycle.RefusedNotAuthor:         "This is for the developer who leads the attempt.",
	lifecycle.RefusedOwnWork:           "It is your own work: the money would come back to you.",
	lifecycle.RefusedClosing:           "The preview is about to close, too soon for another payment to finish.",
	lifecycle.RefusedClosed:            "The time for this is over.",
	lifecycle.RefusedNoPledge:          "You have no pledge here that could be taken back.",
	lifecycle.RefusedReleaseSeen:       "The code is released already, so pledges stay. If it is not what the preview showed, you can dispute the release while it is being verified.",
	lifecycle.RefusedNoHeldPledge:      "Only those whose money is held for this release can dispute it. You can say what you found in it.",
	lifecycle.RefusedAlreadyDisputed:   "You disputed this release before. Each account can do that once.",
	lifecycle.RefusedAlreadyDeveloping: "You have begun an attempt here that is not over. You find it under your work.",
	lifecycle.RefusedNotPayee:          "The developer does not name you as somebody to be paid.",
	lifecycle.RefusedAlreadyConsented:  "You agreed before. There is nothing left to do.",
}
