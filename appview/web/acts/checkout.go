package acts

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/atclient"

	"github.com/stratosfund/stratosfund/appview/web/session"
)

// way is how somebody goes on whom the escrow lets not pay.
type way string

const (
	// wayAgain: the same may be paid later.
	wayAgain way = "again"
	// wayAnew: not what was signed, but another one may be.
	wayAnew way = "anew"
	// wayOver: nothing can be paid here any more.
	wayOver way = "over"
)

// noCheckout is why the escrow takes no payment.
type noCheckout struct {
	sentence string
	way      way
	says     bool // the escrow's own words tell more: how much it takes
}

// noCheckouts are all reasons, by the names of the escrow's lexicon.
var noCheckouts = map[string]noCheckout{
	"SubjectNotFound":      {sentence: "The escrow does not find at your host what you signed. Nothing was charged. Try again in a minute.", way: wayAgain},
	"SubjectChanged":       {sentence: "What you signed was changed since you opened this page. Nothing was charged. Reload the page, look at it again, and go on if it is right.", way: wayAgain},
	"SubjectUnproven":      {sentence: "Your host does not prove to the escrow what you signed. Nothing was charged. Try again in a minute.", way: wayAgain},
	"InvalidSubject":       {sentence: "The escrow cannot take what you signed. Nothing was charged. Delete it, and sign a new one.", way: wayAnew},
	"NotAuthor":            {sentence: "This is not yours to pay. Nothing was charged.", way: wayOver},
	"WrongEscrow":          {sentence: "The developer has chosen another escrow since you signed. Nothing was charged. Delete this one, and sign a new one.", way: wayAnew},
	"CampaignNotFound":     {sentence: "The escrow has not opened this preview for pledges. Nothing was charged. If it was to open only just now, try again in a minute.", way: wayAgain},
	"CampaignNotOpen":      {sentence: "The preview has closed, and takes no pledges any more. Nothing was charged.", way: wayOver},
	"CampaignClosing":      {sentence: "The preview is about to close, too soon for another payment to finish. Nothing was charged.", way: wayOver},
	"DevelopmentNotFound":  {sentence: "The escrow does not know this work. Nothing was charged. If it was only just announced, try again in a minute.", way: wayAgain},
	"DonationsClosed":      {sentence: "The developer takes no donations for this any more. Nothing was charged.", way: wayOver},
	"NotEligible":          {sentence: "It is your own work: the money would come back to you. Nothing was charged.", way: wayOver},
	"CurrencyMismatch":     {sentence: "The work is paid in another currency. Nothing was charged. Delete this one, and sign a new one.", way: wayAnew},
	"AmountOutOfRange":     {sentence: "The escrow does not take so little, or so much, at once. Nothing was charged. Delete this one, and sign a new one with another amount.", way: wayAnew, says: true},
	"LimitReached":         {sentence: "The escrow takes no more from you, or for this work, just now: its terms set limits against fraud. Nothing was charged. Try it with less, or another day.", way: wayAnew, says: true},
	"AlreadyPaid":          {sentence: "You have paid for this already. Nothing was charged again. The receipt shows here soon.", way: wayOver},
	"PayeeNotReady":        {sentence: "The developer's payment account is not ready. Nothing was charged. Try again another day.", way: wayAgain},
	"FloatExhausted":       {sentence: "The escrow takes no more payments just now, because it could not pay the costs of refunding everybody. Nothing was charged. Try again later.", way: wayAgain},
	"ProcessorUnavailable": {sentence: "The payment processor does not answer. Nothing was charged. Try again in a minute.", way: wayAgain},
}

// checkoutProblem says what happened, what is safe, and how to go on when nobody can pay.
func checkoutProblem(err error) (status int, sentence string, how way) {
	if api, ok := errors.AsType[*atclient.APIError](err); ok {
		if known, ok := noCheckouts[api.Name]; ok {
			if known.says && api.Message != "" {
				known.sentence += fmt.Sprintf(" It says: %.300s", api.Message)
			}
			return http.StatusConflict, known.sentence, known.way
		}
		if !errors.Is(err, session.ErrEnded) && !errors.Is(err, session.ErrNotGranted) {
			return http.StatusBadGateway, "The escrow does not answer. Nothing was charged, and what you signed stays. Try again in a minute.", wayAgain
		}
	}
	status, _ = sentenceOf(err)
	switch {
	case errors.Is(err, session.ErrEnded):
		sentence = "Your host has ended your session. Nothing was charged. Sign in again, and come back to this page."
	case errors.Is(err, session.ErrNotGranted):
		sentence = "You have not allowed this site to ask the escrow for you. Nothing was charged. Sign in again and agree there."
	case errors.Is(err, session.ErrUnreachable):
		sentence = "Your host does not answer. Nothing was charged, and what you signed stays. Try again in a minute."
	default:
		sentence = "Something is broken here. Nothing was charged. Try again in a minute."
	}
	return status, sentence, wayAgain
}
