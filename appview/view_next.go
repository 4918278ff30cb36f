package appview

import (
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func nextView(n *lifecycle.Next) *stratos.FeatureDefs_Next {
	if n == nil {
		return nil
	}
	at := datetime(n.At)
	v := &stratos.FeatureDefs_Next{Event: string(n.Event), At: &at}
	if text, ok := nextText[n.Event]; ok {
		v.Description = &text
	}
	return v
}

// nextText says for people what the clock brings.
var nextText = map[lifecycle.NextEvent]string{
	lifecycle.NextPreviewExpected:  "The developer expects to show a public preview.",
	lifecycle.NextPreviewOpens:     "The announced public preview opens.",
	lifecycle.NextPreviewCloses:    "The preview closes, and with it pledging. The pot is final then.",
	lifecycle.NextReleaseDue:       "The developer must have released the code by then, or all pledges go back.",
	lifecycle.NextChecksFinish:     "The release must have passed the escrow's checks by then, or all pledges go back.",
	lifecycle.NextVerificationEnds: "Verification ends. Without a dispute that stands, the pledges go to the developer.",
	lifecycle.NextRulingDue:        "The escrow must have ruled on the dispute by then.",
	lifecycle.NextPayout:           "The payees must have their money by then.",
	lifecycle.NextRefund:           "The backers must have their money back by then.",
	lifecycle.NextFinalDate:        "The final date: whatever is undecided by then goes back to its backers.",
	lifecycle.NextAttemptLapses:    "The attempt is over unless its developer gives a sign of life.",
}
