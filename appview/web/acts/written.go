package acts

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/xrpc"
)

// writtenPath is where people wait until what they wrote is shown.
const writtenPath = "/me/written"

const (
	// lookAgain is after how many seconds the page looks again, and looks how often.
	lookAgain = 1
	looks     = 20
)

// outcome is what became of an act: a record in a version, or none where one was.
type outcome struct {
	uri, cid string
	paid     bool
}

// path is where to go on: to pay, or back once the record is shown.
func (o outcome) path(back string) string {
	if o.paid {
		return paymentPath(syntax.ATURI(o.uri))
	}
	return writtenPath + "?" + url.Values{"uri": {o.uri}, "cid": {o.cid}, "back": {back}}.Encode()
}

// Written says that a record is signed, and not shown yet.
type Written struct {
	URI     string
	Gone    bool // it was deleted
	Back    string
	Waiting bool // the page looks again by itself
}

// written waits for the index, which reads what hosts tell it.
func (a *Acts) written(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil {
		toSignIn(w, r, session.Backing)
		return
	}
	query := r.URL.Query()
	uri, err := syntax.ParseATURI(query.Get("uri"))
	if err != nil || uri.Authority().String() != visitor.DID.String() {
		http.NotFound(w, r)
		return
	}
	page := Written{URI: uri.String(), Gone: query.Get("cid") == "", Back: session.LocalPath(query.Get("back"))}
	there, err := a.opts.Queries.Record(r.Context(), uri)
	switch {
	case err != nil && !isNotFound(err):
		a.opts.Failed(w, r, err)
		return
	case page.Gone && err != nil, err == nil && there.Cid == query.Get("cid"):
		http.Redirect(w, r, page.Back, http.StatusSeeOther)
		return
	}
	page.Waiting = again(w, r.URL.Path, query)
	a.opts.Render(w, r, http.StatusOK, PageWritten, page)
}

// again lets the browser load a page of ours in a moment, without a script, and tells
// whether it will: not for ever.
func again(w http.ResponseWriter, path string, query url.Values) bool {
	n, err := strconv.Atoi(query.Get("n"))
	if query.Has("n") && err != nil || n >= looks {
		return false
	}
	query.Set("n", strconv.Itoa(n+1))
	w.Header().Set("Refresh", strconv.Itoa(lookAgain)+"; url="+path+"?"+query.Encode())
	return true
}

// isNotFound tells whether a query knows no such thing.
func isNotFound(err error) bool {
	wire, ok := errors.AsType[*xrpc.Error](err)
	return ok && strings.HasSuffix(wire.Name, "NotFound")
}

// paymentPath is where a pledge or donation of the visitor's is followed.
func paymentPath(uri syntax.ATURI) string {
	kind := "pledge"
	if uri.Collection() == lexicons.CollectionDonation {
		kind = "donation"
	}
	return "/me/" + kind + "/" + url.PathEscape(uri.RecordKey().String())
}
