package appview

import (
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func warningView(w lifecycle.Warning) stratos.FeatureDefs_Warning {
	uri := w.URI.String()
	return stratos.FeatureDefs_Warning{Code: string(w.Code), Message: warningText[w.Code], Uri: &uri}
}

// warningText says for people what does not fit together.
var warningText = map[lifecycle.WarningCode]string{
	lifecycle.WarnOverdue:             "A deadline passed without the escrow's word of what it did.",
	lifecycle.WarnPreviewUnreachable:  "When the escrow last looked, it could not reach the preview.",
	lifecycle.WarnUntrustedEscrow:     "This service does not trust the escrow of the attempt: what that says of money is its own claim.",
	lifecycle.WarnTestMoney:           "The escrow says that this is test money: no real money moves.",
	lifecycle.WarnSecondCampaign:      "An escrow has another campaign under way, which decides nothing here.",
	lifecycle.WarnChangedAfterOpening: "The record was changed after the campaign opened. What was frozen then still holds.",
	lifecycle.WarnPreviewMoved:        "The preview was edited after the campaign opened: its address or its instructions may be other ones.",
	lifecycle.WarnRecordUnavailable:   "A record that the campaign pinned is gone or hidden. What was frozen still holds.",
	lifecycle.WarnContradictsCampaign: "The record asks for what the campaign excludes. The campaign decides.",
	lifecycle.WarnUnauthorizedAuthor:  "The developer could act for the project when the campaign opened, and cannot any more. The attempt goes on.",
	lifecycle.WarnInvalidRecord:       "The escrow's campaign says something that this service does not understand, so it decides nothing here.",
	lifecycle.WarnCIDMismatch:         "The record was written for another version of the proposal.",
	lifecycle.WarnOutdatedEstimates:   "Some estimates were given for another version of the proposal. They count all the same.",
}
