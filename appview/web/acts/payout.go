package acts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// PayoutPath is where developers become people whom an escrow can pay.
const PayoutPath = "/me/payout"

const fieldCountry = "country"

// methodCreatePayoutAccount is what has to be granted for all of this.
const methodCreatePayoutAccount syntax.NSID = "fund.stratos.escrow.createPayoutAccount"

// Payout is where the visitor stands with each escrow.
type Payout struct {
	Accounts []PayoutAccount
	Problem  string
	Action   string
}

// PayoutAccount is where they stand with one.
type PayoutAccount struct {
	Escrow, Name string
	Status       string // of the account; empty for none
	Sentence     string
	Missing      []string // what the processor still asks for
	NeedsCountry bool
	Begin        string // what the button says; empty for none
}

// payoutSentences say whether somebody can be paid.
var payoutSentences = map[string]string{
	"ready":      "You can be paid.",
	"onboarding": "The payment processor needs more from you before you can be paid.",
	"restricted": "The payment processor does not pay you as things are. Go on there to see what it needs.",
	"rejected":   "The payment processor has refused to pay you. Its support can tell you why; until then somebody else has to be paid for your work.",
}

func (a *Acts) showPayout(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil || !visitor.MayCall(methodCreatePayoutAccount) {
		toSignIn(w, r, session.Building)
		return
	}
	a.opts.Render(w, r, http.StatusOK, PagePayout, a.payoutPage(r.Context(), visitor))
}

// payoutPage asks each escrow that the operator trusts.
func (a *Acts) payoutPage(ctx context.Context, visitor *session.Visitor) Payout {
	page := Payout{Action: PayoutPath}
	for _, escrow := range a.escrowChoices(ctx) {
		account := PayoutAccount{Escrow: escrow.Value, Name: escrow.Name}
		got, err := stratos.EscrowGetPayoutAccount(ctx, visitor.Service(escrow.Value, escrowService))
		api, said := errors.AsType[*atclient.APIError](err)
		switch {
		case said && api.Name == "PayoutAccountNotFound":
			account.Sentence, account.NeedsCountry, account.Begin = "You have no payment account with this escrow.", true, "Set it up"
		case err != nil:
			account.Sentence = "It does not answer just now. Try again in a minute."
		default:
			account.Status, account.Sentence = got.Account.Status, payoutSentences[got.Account.Status]
			for _, missing := range got.Account.Requirements {
				account.Missing = append(account.Missing, missing.Name)
			}
			account.Begin = "Go on, or change it"
		}
		page.Accounts = append(page.Accounts, account)
	}
	return page
}

// sendPayout leads to the processor's questions.
func (a *Acts) sendPayout(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		a.tooLarge(w, r)
		return
	}
	visitor := session.From(r.Context())
	if visitor == nil || !visitor.MayCall(methodCreatePayoutAccount) {
		toSignIn(w, r, session.Building)
		return
	}
	target, err := a.onboard(r.Context(), visitor, in)
	if err != nil {
		a.log.InfoContext(r.Context(), "onboarding not begun", "did", visitor.DID, "err", err)
		page := a.payoutPage(r.Context(), visitor)
		var status int
		if status, page.Problem = payoutProblem(err); !in.ok() {
			status, page.Problem = http.StatusUnprocessableEntity, "Choose one of the escrows below."
		}
		a.opts.Render(w, r, status, PagePayout, page)
		return
	}
	session.Leave(w, r, a.opts.Render, session.Leaving{
		Title: "On to the payment processor", URL: target.String(), Host: target.Host,
		Sentence: "It asks who you are and where your money goes, and sends you back here. This site sees neither.",
	})
}

func (a *Acts) onboard(ctx context.Context, visitor *session.Visitor, in *input) (*url.URL, error) {
	escrow := in.choice(fieldEscrow, a.escrowChoices(ctx))
	if !in.ok() {
		return nil, errors.New("acts: no escrow was chosen")
	}
	ask := &stratos.EscrowCreatePayoutAccount_Input{ReturnUri: a.opts.Origin + PayoutPath}
	if country := in.maybe(fieldCountry); country != nil {
		upper := strings.ToUpper(*country)
		ask.Country = &upper
	}
	begun, err := stratos.EscrowCreatePayoutAccount(ctx, visitor.Service(escrow, escrowService), ask)
	if err != nil {
		return nil, fmt.Errorf("acts: set up payouts of %s with %s: %w", visitor.DID, escrow, err)
	}
	return a.elsewhere(escrow, begun.Url)
}

// payoutProblem says why nothing was begun.
func payoutProblem(err error) (status int, sentence string) {
	if api, ok := errors.AsType[*atclient.APIError](err); ok && !errors.Is(err, session.ErrEnded) && !errors.Is(err, session.ErrNotGranted) {
		if api.StatusCode < http.StatusInternalServerError && api.StatusCode != http.StatusUnauthorized {
			return http.StatusUnprocessableEntity, fmt.Sprintf("The escrow did not begin. It says: %.300s", said(api))
		}
		return http.StatusBadGateway, "The escrow does not answer. Nothing was changed. Try again in a minute."
	}
	return sentenceOf(err)
}
