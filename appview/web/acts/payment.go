package acts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/xrpc"
)

// escrowService is what escrows are in their DID documents.
const escrowService = "stratos_escrow"

// Where payments are followed. The escrow sends people back there.
const (
	pledgePattern   = "/me/pledge/{rkey}"
	donationPattern = "/me/donation/{rkey}"
	fieldBack       = "back"
)

// Payment is where a pledge or donation of the visitor's stands.
type Payment struct {
	Pledge   bool // else a donation
	About    Link
	Amount   string
	Status   string // of the receipt; empty without one
	Sentence string
	Contact  string  // where the operator of the escrow is reached, when one has to
	Expected *string // when money that is on its way should arrive; nil where nobody knows
	Problem  string  // why it cannot be paid now
	Anew     string  // where to sign another one, when this one cannot be paid
	URI      string
	Receipt  string // its uri
	Moved    bool   // the record names another proposal by now
	PayPath  string // where to pay; empty when that is done
	TakeBack string // where an unpaid one is deleted
	// Promises are what the escrow signed before, the newest first.
	Promises []string
	Test     bool
	Waiting  bool // the page looks again by itself
}

// receiptSentences say where the money is.
var receiptSentences = map[lifecycle.ReceiptStatus]string{
	lifecycle.ReceiptHeld:         "Your money is held. It goes to the developers when the code is released, or comes back to you in full.",
	lifecycle.ReceiptReleasing:    "The code is released, and your money is on its way to the developers.",
	lifecycle.ReceiptReleased:     "The code is released, and the developers have your money. Thank you.",
	lifecycle.ReceiptRefunding:    "Your money is on its way back to you. Banks take some days for that.",
	lifecycle.ReceiptRefunded:     "Your money went back to you in full.",
	lifecycle.ReceiptRefundFailed: "Your bank did not take your money back. It is still yours, and the escrow owes it to you for as long as it takes: write to its operator, who pays it in another way.",
	lifecycle.ReceiptChargedBack:  "Your bank took the payment back, so nothing of it is held any more.",
	lifecycle.ReceiptReversed:     "Your donation went back to you.",
	lifecycle.ReceiptPaid:         "The developers have your donation. Thank you.",
}

// onItsWay is money that has left and not arrived.
func onItsWay(s lifecycle.ReceiptStatus) bool {
	return s == lifecycle.ReceiptReleasing || s == lifecycle.ReceiptRefunding
}

// settled are those after which nothing is looked for.
func settled(s lifecycle.ReceiptStatus) bool { return s != "" }

// payable is what a pledge and a donation have in common.
type payable struct {
	Proposal    comatproto.RepoStrongRef `json:"proposal"`
	Development comatproto.RepoStrongRef `json:"development"`
	Value       stratos.Defs_Money       `json:"value"`
	Escrow      string                   `json:"escrow"`
}

// payment shows where a payment stands, and looks again until there is a receipt.
func (a *Acts) payment(collection syntax.NSID) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		visitor := session.From(r.Context())
		if visitor == nil {
			toSignIn(w, r, session.Backing)
			return
		}
		page, _, err := a.follow(r.Context(), visitor, collection, r.PathValue("rkey"))
		if err != nil {
			a.opts.Failed(w, r, err)
			return
		}
		a.showPayment(w, r, http.StatusOK, page)
	}
}

// showPayment looks again by itself for a while, once somebody is back from paying or
// nobody has read the record yet.
func (a *Acts) showPayment(w http.ResponseWriter, r *http.Request, status int, page Payment) {
	query := r.URL.Query()
	if !settled(lifecycle.ReceiptStatus(page.Status)) && page.Problem == "" && (page.PayPath == "" || query.Has(fieldBack)) {
		page.Waiting = again(w, r.URL.Path, query)
	}
	a.opts.Render(w, r, status, PagePayment, page)
}

// follow reads what is known of a payment. The record is nil while nobody has read it, and
// once it is deleted.
func (a *Acts) follow(ctx context.Context, v *session.Visitor, collection syntax.NSID, rkey string) (Payment, *stratos.FeatureDefs_RecordView, error) {
	uri, err := syntax.ParseATURI("at://" + v.DID.String() + "/" + collection.String() + "/" + rkey)
	page := Payment{Pledge: collection == lexicons.CollectionPledge, URI: uri.String()}
	if err != nil {
		return page, nil, xrpc.Named("RecordNotFound", "no record has this address")
	}
	if page.Promises, err = a.opts.Promises.Kept(ctx, v.DID, uri); err != nil {
		return page, nil, err
	}
	found, err := a.opts.Queries.Record(ctx, uri)
	if err != nil && !isNotFound(err) {
		return page, nil, err
	}
	var record payable
	if err == nil {
		if record, err = readRecord[payable](found.Record); err != nil {
			return page, nil, err
		}
	}
	receipt, at, err := a.receiptFor(ctx, record.Escrow, uri)
	if err != nil {
		return page, nil, err
	}
	if receipt != nil {
		return page, found, a.addReceipt(ctx, &page, receipt, at, record)
	}
	if found == nil {
		page.Sentence = "This service has not read yet what you signed, which can take a minute. If you deleted it, there is nothing to pay."
		return page, nil, nil
	}
	page.Amount = web.Amount(record.Value.Amount, record.Value.Currency)
	page.Sentence = "It is signed, and not paid yet. It counts when the escrow has published a receipt for your payment."
	page.PayPath, page.TakeBack = paymentPath(uri)+"/pay", web.TakeBackPathOf(uri.String())
	if page.About, err = a.linkTo(ctx, syntax.ATURI(record.Proposal.Uri)); err != nil {
		return page, nil, err
	}
	return page, found, a.stopUnpayable(ctx, &page, collection, record)
}

// stopUnpayable offers no payment that is known to be refused.
func (a *Acts) stopUnpayable(ctx context.Context, page *Payment, collection syntax.NSID, record payable) error {
	if !slices.Contains(a.opts.Escrows, syntax.DID(record.Escrow)) {
		page.stop("It names an escrow that this service does not trust, so you cannot pay it from here.", wayOver)
		return nil
	}
	bounds, err := a.boundsOf(ctx, collection, record.Escrow, syntax.ATURI(record.Development.Uri), money.Currency(record.Value.Currency))
	if err == nil && bounds != nil && !bounds.hold(record.Value.Amount) {
		page.stop("It cannot be paid: "+bounds.sentence()+" Nothing was charged. Delete this one, and sign a new one with another amount.", wayAnew)
	}
	return err
}

// addReceipt says where the money is. What was paid for is what the receipt says, whatever
// became of the record.
func (a *Acts) addReceipt(ctx context.Context, page *Payment, receipt *stratos.EscrowReceipt, at string, record payable) (err error) {
	status := lifecycle.ReceiptStatus(receipt.Status)
	page.Receipt, page.Status, page.Test = at, receipt.Status, receipt.Test != nil && *receipt.Test
	page.Amount = web.Amount(receipt.Value.Amount, receipt.Value.Currency)
	page.Sentence = receiptSentences[status]
	if onItsWay(status) {
		page.Expected = receipt.ExpectedAt
	}
	if status == lifecycle.ReceiptRefundFailed {
		service, _, err := recordAt[stratos.EscrowService](ctx, a, serviceOf(syntax.ATURI(at).Authority().String()))
		if err != nil {
			return err
		}
		page.Contact = textOf(service.Contact)
	}
	proposal := record.Proposal.Uri
	if receipt.Proposal != nil {
		page.Moved = proposal != "" && proposal != receipt.Proposal.Uri
		proposal = receipt.Proposal.Uri
	}
	page.About, err = a.linkTo(ctx, syntax.ATURI(proposal))
	return err
}

// stop says why it cannot be paid as it is, and offers what can be done instead.
func (page *Payment) stop(problem string, how way) {
	page.Problem = problem
	if how != wayAgain {
		page.PayPath = ""
	}
	if how == wayAnew && page.About.Path != "" {
		act := lifecycle.ActPledge
		if !page.Pledge {
			act = lifecycle.ActDonate
		}
		page.Anew = page.About.Path + "/" + string(act)
	}
}

// receiptFor is the receipt that an escrow has for a record: the one that the record names,
// or one that the operator trusts, since a record may have named another when it was paid.
// It is nil for none.
func (a *Acts) receiptFor(ctx context.Context, named string, uri syntax.ATURI) (receipt *stratos.EscrowReceipt, at string, err error) {
	escrows := a.opts.Escrows
	if named != "" {
		escrows = append([]syntax.DID{syntax.DID(named)}, escrows...)
	}
	for _, escrow := range escrows {
		address := syntax.ATURI("at://" + escrow.String() + "/" + lexicons.CollectionReceipt.String() + "/" + lexicons.DerivedKey(uri).String())
		found, err := a.opts.Queries.Record(ctx, address)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		out, err := readRecord[stratos.EscrowReceipt](found.Record)
		return &out, found.Uri, err
	}
	return nil, "", nil
}

// pay asks the escrow where to pay, and leads there.
func (a *Acts) pay(collection syntax.NSID) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		visitor := session.From(r.Context())
		if visitor == nil {
			toSignIn(w, r, session.Backing)
			return
		}
		page, record, err := a.follow(r.Context(), visitor, collection, r.PathValue("rkey"))
		if err != nil {
			a.opts.Failed(w, r, err)
			return
		}
		if record == nil || page.PayPath == "" {
			http.Redirect(w, r, paymentPath(syntax.ATURI(page.URI)), http.StatusSeeOther)
			return
		}
		target, err := a.checkout(r.Context(), visitor, record)
		if err != nil {
			status, sentence, how := checkoutProblem(err)
			page.stop(sentence, how)
			a.log.InfoContext(r.Context(), "checkout not begun", "uri", page.URI, "err", err)
			a.showPayment(w, r, status, page)
			return
		}
		session.Leave(w, r, a.opts.Render, session.Leaving{
			Title: "On to the payment", URL: target.String(), Host: target.Host,
			Sentence: "You pay at the escrow that the developer chose, and come back here.",
		})
	}
}

// checkout asks the escrow that the record names, in the visitor's name.
func (a *Acts) checkout(ctx context.Context, v *session.Visitor, record *stratos.FeatureDefs_RecordView) (*url.URL, error) {
	paid, err := readRecord[payable](record.Record)
	if err != nil {
		return nil, err
	}
	uri := syntax.ATURI(record.Uri)
	back := a.opts.Origin + paymentPath(uri) + "?" + url.Values{fieldBack: {"1"}}.Encode()
	offer, err := stratos.EscrowCreateCheckout(ctx, v.Service(paid.Escrow, escrowService), &stratos.EscrowCreateCheckout_Input{
		Subject: comatproto.RepoStrongRef{Uri: record.Uri, Cid: record.Cid}, ReturnUri: back,
	})
	if err != nil {
		return nil, fmt.Errorf("acts: ask %s where to pay for %s: %w", paid.Escrow, uri, err)
	}
	// Before anybody pays: it is what they have when no receipt comes.
	if err := a.opts.Promises.Keep(ctx, v.DID, uri, offer.Acknowledgement); err != nil {
		return nil, fmt.Errorf("acts: keep what %s signed for %s: %w", paid.Escrow, uri, err)
	}
	return a.elsewhere(paid.Escrow, offer.Url)
}

// elsewhere is the page that an escrow sends people to: over https, but for one on this
// machine when the site is, too.
func (a *Acts) elsewhere(escrow, address string) (*url.URL, error) {
	target, err := url.Parse(address)
	local := strings.HasPrefix(a.opts.Origin, "http://")
	if err != nil || target.Host == "" || target.User != nil || target.Scheme != "https" && (target.Scheme != "http" || !local) {
		return nil, fmt.Errorf("acts: %s sends people to %q", escrow, address)
	}
	return target, nil
}

// linkTo names a proposal. One that nobody knows any more has no page.
func (a *Acts) linkTo(ctx context.Context, uri syntax.ATURI) (Link, error) {
	found, err := a.opts.Queries.Record(ctx, uri)
	if isNotFound(err) {
		return Link{Name: "a proposal that is gone"}, nil
	}
	if err != nil {
		return Link{}, err
	}
	record, err := readRecord[stratos.FeatureProposal](found.Record)
	return Link{record.Title, pathOf(uri)}, err
}

// pathOf is the page of a proposal.
func pathOf(uri syntax.ATURI) string {
	return "/p/" + url.PathEscape(uri.Authority().String()) + "/" + url.PathEscape(uri.RecordKey().String())
}

func readRecord[T any](record json.RawMessage) (out T, err error) {
	if err := json.Unmarshal(record, &out); err != nil {
		return out, fmt.Errorf("acts: read a record: %w", err)
	}
	return out, nil
}
