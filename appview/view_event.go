package appview

import (
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// event is the view of something that happened to a proposal.
func (f *facts) event(e store.Event) stratos.FeatureDefs_TimelineEvent {
	actor, uri, cid := f.profile(e.Actor), e.URI.String(), e.CID.String()
	view := stratos.FeatureDefs_TimelineEvent{
		Event: string(e.Kind), At: datetime(e.At), Actor: &actor, Uri: &uri, Cid: &cid,
	}
	if text, ok := eventText[e.Kind]; ok {
		view.Description = &text
	}
	if e.Value != nil {
		view.Value = &stratos.Defs_Total{Amount: e.Value.Amount, Currency: string(e.Value.Currency)}
	}
	return view
}

// eventText says for people what happened.
var eventText = map[store.EventKind]string{
	store.EventProposed:           "The feature was proposed.",
	store.EventAnswered:           "A developer answered the proposal.",
	store.EventDevelopmentStarted: "A developer began to work on it.",
	store.EventPreviewAnnounced:   "A public preview was announced.",
	store.EventPreviewOpened:      "The public preview opened, and pledges were taken.",
	store.EventPledged:            "A pledge was paid, and its money is held.",
	store.EventPreviewClosed:      "The public preview closed, and no more pledges were taken.",
	store.EventReleased:           "The developer named the release of the source code.",
	store.EventCancelled:          "The developer gave up the attempt.",
	store.EventReleaseAccepted:    "The release passed the checks, and the time to verify it began.",
	store.EventDisputed:           "Somebody disputed the release.",
	store.EventDisputeWithdrawn:   "A dispute was withdrawn.",
	store.EventRuled:              "The escrow ruled on a dispute.",
	store.EventVerified:           "Somebody reported what they found in the release.",
	store.EventDonated:            "A donation reached the developer.",
	store.EventPaidOut:            "The money of a pledge was paid out to the developers.",
	store.EventRefunded:           "The money of a pledge went back to its backer.",
}
