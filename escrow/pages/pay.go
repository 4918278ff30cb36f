package pages

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/returnuri"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	// wholePercent is how many basis points a percent has.
	wholePercent = 100
	// askAgain is how soon a page that waits asks again.
	askAgain = 5 * time.Second
)

// person is an account on a page.
type person struct {
	Name  string // the handle, or the DID where none is known
	DID   syntax.DID
	Share string // of what is released; empty for none
}

// returning is where a client wants the payer to go.
type returning struct{ Host, URI string }

// payPage is what a payer decides on.
type payPage struct {
	checkout.Offer
	Amount, Fee, FeePercent string
	Work                    person
	Payees                  []person
	Payer                   person
	RefundBy                string
	Until                   string
	TermsText, TermsKey     string
	Return                  returning
}

// Donation tells which kind of page it is.
func (p payPage) Donation() bool { return p.Kind == checkout.KindDonation }

func (p *Pages) showPay(w http.ResponseWriter, r *http.Request) {
	o, err := p.desk.Offer(r.Context(), ledger.HoldID(r.PathValue("payment")))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	if !o.Payable {
		http.Redirect(w, r, "/paid/"+string(o.ID), http.StatusSeeOther)
		return
	}
	page := payPage{
		Offer: o, Amount: o.Value.String(), Payer: named(o, o.Payer), Until: moment(o.ExpiresAt),
		TermsText: string(o.Terms.Text), TermsKey: syntax.ATURI(o.Terms.Ref.Uri).RecordKey().String(), Return: returnTo(o.ReturnURI),
	}
	if o.Campaign == nil {
		page.Work = named(o, o.Donee)
	} else {
		page.Work, page.RefundBy = named(o, o.Campaign.Author), moment(o.Campaign.FinalAt)
		page.Fee, page.FeePercent = money.Money{Amount: o.Fee, Currency: o.Value.Currency}.String(), percent(o.Campaign.Fee)
		for _, payee := range o.Campaign.Payees {
			who := named(o, payee.DID)
			who.Share = percent(payee.Share)
			page.Payees = append(page.Payees, who)
		}
	}
	p.render(w, r, http.StatusOK, "pay", "Pay "+page.Amount, 0, page)
}

// confirm takes the agreement, and sends the payer to the processor.
func (p *Pages) confirm(w http.ResponseWriter, r *http.Request) {
	id := ledger.HoldID(r.PathValue("payment"))
	if err := r.ParseForm(); err != nil { // nothing else is parsed: our form uploads nothing
		p.failed(w, r, fmt.Errorf("%w: %w", checkout.ErrTerms, err))
		return
	}
	var next string
	err := p.ask(func() (err error) {
		next, err = p.desk.Confirm(r.Context(), id, r.PostForm.Get("terms"))
		return err
	})
	switch {
	case errors.Is(err, checkout.ErrOver):
		next = "/paid/" + url.PathEscape(string(id))
	case err != nil:
		p.failed(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// paidPage is where a payment stands.
type paidPage struct {
	Head, Sentence, Amount, Title string
	Since                         string
	Receipt                       syntax.ATURI
	Acknowledgement               string
	Again                         string // the page to pay on; empty when it is over
	Return                        returning
}

func (p *Pages) showPaid(w http.ResponseWriter, r *http.Request) {
	id := ledger.HoldID(r.PathValue("payment"))
	o, err := p.desk.Offer(r.Context(), id)
	if err == nil && o.Confirmed && o.Live() {
		// Whoever comes back from the processor knows sooner than its webhook tells.
		if err := p.ask(func() error { return p.desk.Glance(r.Context(), id) }); err != nil {
			p.log.WarnContext(r.Context(), "session not observed", "hold", id, "err", err)
		}
		o, err = p.desk.Offer(r.Context(), id)
	}
	if err != nil {
		p.failed(w, r, err)
		return
	}
	page := paidPage{
		Amount: o.Value.String(), Title: o.Title, Since: moment(o.Since), Receipt: o.Receipt,
		Acknowledgement: o.Acknowledgement, Return: returnTo(o.ReturnURI),
	}
	page.Head, page.Sentence = told(o)
	if o.Payable {
		page.Again = "/pay/" + string(o.ID)
	}
	var refresh time.Duration
	if o.Live() && o.Confirmed { // its session ends within the hour
		refresh = askAgain
	}
	p.render(w, r, http.StatusOK, "paid", page.Head, refresh, page)
}

// told is where a payment stands, for people.
func told(o checkout.Offer) (head, sentence string) {
	switch o.Status {
	case checkout.StatusOpen:
		if o.Confirmed {
			return "Waiting for your payment", "As soon as the payment processor says that you paid, this page says so. Nothing is charged if you do not."
		}
		return "Not paid yet", "You have not agreed to anything, and nothing was charged."
	case checkout.StatusProcessing:
		return "Your payment is on its way", "The payment processor has it, and will say in a moment whether it arrived."
	case checkout.StatusExpired:
		return "This offer is over", ended(o.Ending)
	case checkout.StatusFailed:
		return "This could not be paid", ended(o.Ending)
	case "paid":
		return "Thank you", "Your donation arrived at the developer's own account."
	case "reversed":
		return "Your donation went back", "It was returned from the developer's account to you."
	case "held":
		return "Your pledge is held", "It is paid out when the feature is released, and goes back to you in full otherwise. While the preview is open you can take it back, where you made it."
	case "releasing":
		return "On its way to the developers", "The feature was released. The money is on its way."
	case "released":
		return "Released", "The feature was released, and the developers have the money. Thank you."
	case "refunding":
		return "On its way back to you", "All of it goes back to your card: " + because(o.Reason) + " Banks take up to two weeks to show it."
	case "refunded":
		return "Refunded", "All of it went back to your card: " + because(o.Reason)
	case "refund-failed":
		return "Your bank returned the refund", "It is still yours. Write to the operator, who will pay it in another way."
	case "charged-back":
		return "Charged back", "Your bank took the payment back."
	default:
		return "Your payment", fmt.Sprintf("It is %s.", o.Status)
	}
}

// ended is why nothing was paid.
func ended(why checkout.Ending) string {
	switch why {
	case checkout.EndingEdited:
		return "What you signed was changed meanwhile. Nothing was charged. Go back, and pay for what it says now."
	case checkout.EndingWithdrawn:
		return "What you signed was deleted meanwhile. Nothing was charged."
	case checkout.EndingClosed:
		return "Nothing is taken for this work any more. Nothing was charged."
	case checkout.EndingRefused:
		return "The payment processor refused to take the payment. Nothing was charged. Go back and start again."
	case checkout.EndingUnfit:
		return "What reached the developer's own account is not what was offered here, so there is no receipt for it. If your card was charged, ask the developer."
	default:
		return "Its time was up before it was paid. Nothing was charged. Go back and start again."
	}
}

// because is why money goes back.
func because(why ledger.Reason) string {
	switch why {
	case ledger.ReasonWithdrawn:
		return "you took your pledge back."
	case ledger.ReasonLate:
		return "it arrived after pledging had closed."
	case ledger.ReasonCancelled:
		return "the developer cancelled."
	case ledger.ReasonNotReleased:
		return "the feature was not released in time."
	case ledger.ReasonDisputeUpheld:
		return "a dispute about the release was upheld."
	case ledger.ReasonFraud:
		return "the card was reported as misused."
	default:
		return "the campaign ended without a release."
	}
}

func named(o checkout.Offer, did syntax.DID) person {
	if handle := o.Names[did]; handle != "" {
		return person{Name: "@" + handle.String(), DID: did}
	}
	return person{Name: did.String(), DID: did}
}

// returnTo is empty for no address.
func returnTo(address string) returning { return returning{returnuri.Host(address), address} }

func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// percent shows basis points: 500 are 5 %, 525 are 5.25 %.
func percent(basisPoints int64) string {
	if basisPoints%wholePercent == 0 {
		return fmt.Sprintf("%d %%", basisPoints/wholePercent)
	}
	return fmt.Sprintf("%d.%02d %%", basisPoints/wholePercent, basisPoints%wholePercent)
}
