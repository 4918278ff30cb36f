package acts

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Where people find what is theirs.
const (
	MePath  = "/me"
	csvPath = "/me.csv"
)

const (
	// perPage is how many entries /me shows at a time.
	perPage = 50
	// mostExported bounds a file.
	mostExported = 10_000
)

// Backing is something that the visitor offered or paid for a feature.
type Backing struct {
	Collection syntax.NSID
	URI        syntax.ATURI
	Proposal   syntax.ATURI // empty when nobody knows any more
	At         time.Time
	Money      money.Money
	Receipt    syntax.ATURI // empty for none
	Status     lifecycle.ReceiptStatus
	Test       bool
	Deleted    bool // only the receipt is left
	Moved      bool // the record names another proposal than was paid for
}

// After is the end of a page.
type After struct {
	At  time.Time
	URI syntax.ATURI
}

// Me is what the visitor offered and paid.
type Me struct {
	DID, Handle string
	Entries     []Entry
	More        string // address of the next page
	// Earned is what people pay for the visitor's own work; it stands on the first page.
	Earned     []Earned
	MoreEarned bool // there is more of it in the file
	CSV        string
}

// Entry is one of them.
type Entry struct {
	Kind    string // estimate, pledge, donation
	About   Link
	Amount  string
	Status  string
	At      time.Time
	Path    string // where the payment is followed
	Back    string // where it is taken back; empty when that is elsewhere, or over
	Receipt string
	Test    bool
	Deleted bool
	Moved   bool
}

func (a *Acts) me(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil {
		toSignIn(w, r, session.Backing)
		return
	}
	after, err := afterIn(r.URL.Query())
	if err != nil {
		http.NotFound(w, r)
		return
	}
	found, err := a.opts.Queries.Backings(r.Context(), visitor.DID, after, perPage+1)
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	page := Me{DID: visitor.DID.String(), Handle: visitor.Handle.String(), CSV: csvPath}
	if len(found) > perPage {
		found = found[:perPage]
		page.More = MePath + "?" + found[perPage-1].end().query().Encode()
	}
	titles := map[syntax.ATURI]Link{}
	for _, b := range found {
		about, ok := titles[b.Proposal]
		if !ok {
			if about, err = a.aboutOf(r.Context(), b); err != nil {
				a.opts.Failed(w, r, err)
				return
			}
			titles[b.Proposal] = about
		}
		page.Entries = append(page.Entries, entryOf(b, about))
	}
	if after == nil {
		if err := a.addEarned(r.Context(), &page, visitor.DID); err != nil {
			a.opts.Failed(w, r, err)
			return
		}
	}
	a.opts.Render(w, r, http.StatusOK, PageMe, page)
}

// aboutOf names the proposal that something is for.
func (a *Acts) aboutOf(ctx context.Context, b Backing) (Link, error) {
	if b.Proposal == "" {
		return Link{Name: "a proposal that is gone"}, nil
	}
	return a.linkTo(ctx, b.Proposal)
}

// kinds name what people offer and pay.
var kinds = map[syntax.NSID]string{
	lexicons.CollectionEstimate: "estimate", lexicons.CollectionPledge: "pledge", lexicons.CollectionDonation: "donation",
}

// statuses say in a word where money is.
var statuses = map[lifecycle.ReceiptStatus]string{
	lifecycle.ReceiptHeld: "held", lifecycle.ReceiptReleasing: "on its way to the developers", lifecycle.ReceiptReleased: "paid to the developers",
	lifecycle.ReceiptRefunding: "on its way back to you", lifecycle.ReceiptRefunded: "refunded", lifecycle.ReceiptRefundFailed: "owed to you: the refund failed",
	lifecycle.ReceiptChargedBack: "charged back", lifecycle.ReceiptReversed: "reversed", lifecycle.ReceiptPaid: "paid to the developers",
}

func entryOf(b Backing, about Link) Entry {
	e := Entry{
		Kind: kinds[b.Collection], About: about, Amount: web.Amount(b.Money.Amount, b.Money.Currency.String()), At: b.At, Receipt: b.Receipt.String(), Test: b.Test, Deleted: b.Deleted, Moved: b.Moved,
		Status: statuses[b.Status],
	}
	if b.Collection == lexicons.CollectionEstimate {
		e.Status, e.Back = "no payment", web.TakeBackPathOf(b.URI.String())
		return e
	}
	if e.Status == "" {
		e.Status, e.Back = "not paid", web.TakeBackPathOf(b.URI.String())
	}
	e.Path = paymentPath(b.URI)
	return e
}

// afterIn reads where a page begins; nil for the first.
func afterIn(query url.Values) (*After, error) {
	if !query.Has("at") {
		return nil, nil
	}
	millis, err := strconv.ParseInt(query.Get("at"), 10, 64)
	if err != nil {
		return nil, err
	}
	uri, err := syntax.ParseATURI(query.Get("uri"))
	if err != nil {
		return nil, err
	}
	return &After{At: time.UnixMilli(millis), URI: uri}, nil
}

func (a After) query() url.Values {
	return url.Values{"at": {strconv.FormatInt(a.At.UnixMilli(), 10)}, "uri": {a.URI.String()}}
}

// columns are those of the file. What is offered or paid has an amount; what is earned has
// what all payees share instead.
var columns = []string{
	"kind", "date", "amount", "currency", "status", "test", "deleted", "proposal", "record", "receipt",
	"held", "releasing", "released", "fee", "share_percent",
}

func (b Backing) row() []string {
	return []string{
		kinds[b.Collection], stamp(b.At), amountDigits(b.Money), b.Money.Currency.String(), string(b.Status),
		strconv.FormatBool(b.Test), strconv.FormatBool(b.Deleted), b.Proposal.String(), b.URI.String(), b.Receipt.String(),
		"", "", "", "", "",
	}
}

// export is all of it as a file.
func (a *Acts) export(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil {
		toSignIn(w, r, session.Backing)
		return
	}
	rows, err := a.rowsOf(r.Context(), visitor.DID)
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="stratosfund.csv"`)
	if err := csv.NewWriter(w).WriteAll(append([][]string{columns}, rows...)); err != nil {
		a.log.InfoContext(r.Context(), "export not sent", "err", err)
	}
}

// rowsOf are those of the file.
func (a *Acts) rowsOf(ctx context.Context, did syntax.DID) ([][]string, error) {
	backed, err := pages(func(after *After) ([]Backing, error) { return a.opts.Queries.Backings(ctx, did, after, perPage) })
	if err != nil {
		return nil, err
	}
	earned, err := pages(func(after *After) ([]Earning, error) { return a.opts.Queries.Earnings(ctx, did, after, perPage) })
	if err != nil {
		return nil, err
	}
	rows := make([][]string, 0, len(backed)+len(earned))
	for _, b := range backed {
		rows = append(rows, b.row())
	}
	for _, e := range earned {
		rows = append(rows, e.row())
	}
	return rows, nil
}

// listed is something in a list by pages.
type listed interface{ end() After }

// end is where a page that ends with it ends.
func (b Backing) end() After { return After{b.At, b.URI} }

// pages reads a list from one end to the other, as far as a file goes.
func pages[T listed](read func(*After) ([]T, error)) (all []T, err error) {
	var after *After
	for len(all) < mostExported {
		page, err := read(after)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < perPage {
			break
		}
		after = new(page[len(page)-1].end())
	}
	return all, nil
}
