package acts

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

func strong(uri syntax.ATURI) comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{Uri: uri.String()}
}

// After paying, a backer can write anything into the record, or delete it.
func TestR9_APaymentIsFollowedWhateverItsRecordSaysByNow(t *testing.T) {
	t.Parallel()
	paid, other := at(ben, lexicons.CollectionProposal, "3kpaid"), at(ben, lexicons.CollectionProposal, "3kother")
	uri := at(ana, lexicons.CollectionPledge, "3k")
	pinned := strong(paid)
	was := payable{Proposal: strong(paid), Value: stratos.Defs_Money{Amount: 500, Currency: "USD"}, Escrow: broker.String()}
	moved, elsewhere := was, was
	moved.Proposal, moved.Value.Amount = strong(other), 70_000
	elsewhere.Escrow = "did:plc:another"
	for name, c := range map[string]struct {
		record any
		moved  bool
	}{
		"as it was": {was, false}, "moved": {moved, true}, "with another escrow": {elsewhere, false}, "deleted": {nil, false},
	} {
		w := newWorld()
		w.records[paid], w.records[other] = stratos.FeatureProposal{Title: "Paid"}, stratos.FeatureProposal{Title: "Other"}
		receipt := at(broker, lexicons.CollectionReceipt, lexicons.DerivedKey(uri).String())
		w.records[receipt] = stratos.EscrowReceipt{Status: "held", Value: stratos.Defs_Money{Amount: 500, Currency: "USD"}, Proposal: &pinned}
		if c.record != nil {
			w.records[uri] = c.record
		}
		var shown rendered
		page, _, err := newActs(t, w, &shown).follow(t.Context(), nobody(ana), lexicons.CollectionPledge, "3k")
		if err != nil {
			t.Fatal(err)
		}
		if page.Status != "held" || page.Receipt != receipt.String() || page.Amount != "$5" || page.About.Name != "Paid" || page.Moved != c.moved {
			t.Errorf("%s: %+v", name, page)
		}
		if page.PayPath != "" || page.TakeBack != "" {
			t.Errorf("%s: it can be paid again, or deleted", name)
		}
	}
}

func TestWhatTheEscrowSignedIsShownToWhomItWasSignedFor(t *testing.T) {
	t.Parallel()
	var shown rendered
	a := newActs(t, newWorld(), &shown)
	for who, key := range map[syntax.DID]string{ana: "3k", ben: "3k"} {
		if err := a.opts.Promises.Keep(t.Context(), who, at(who, lexicons.CollectionPledge, key), "eyJ."+who.String()); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string][]string{"3k": {"eyJ." + ana.String()}, "3kother": nil} {
		page, _, err := a.follow(t.Context(), nobody(ana), lexicons.CollectionPledge, key) // no receipt, and no record any more
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(page.Promises, want) {
			t.Errorf("for %s they have %q, want %q", key, page.Promises, want)
		}
	}
}

func TestWhatIsYoursLeadsToItsMoney(t *testing.T) {
	t.Parallel()
	b := Backing{
		Collection: lexicons.CollectionPledge, URI: at(ana, lexicons.CollectionPledge, "3k"), At: today, Money: money.Money{Amount: 500, Currency: "USD"},
		Receipt: at(broker, lexicons.CollectionReceipt, "x"), Status: lifecycle.ReceiptRefunding, Deleted: true, Moved: true,
	}
	e := entryOf(b, Link{})
	if e.Path != "/me/pledge/3k" || e.Back != "" || !e.Moved || !e.Deleted || !strings.Contains(e.Status, "on its way back") {
		t.Errorf("what went back is %+v", e)
	}
	b.Status, b.Receipt, b.Deleted = "", "", false
	if e = entryOf(b, Link{}); e.Status != "not paid" || e.Back == "" {
		t.Errorf("what is not paid is %+v", e)
	}
}

// priced is a world in which the broker takes from $1 to $500 for a campaign of ben's, and
// from $2 for donations.
func priced() (w *world, development syntax.ATURI) {
	w = newWorld()
	development = at(ben, lexicons.CollectionDevelopment, "3kd")
	terms := func(key string, least int64) comatproto.RepoStrongRef {
		uri := at(broker, lexicons.CollectionTerms, key)
		w.records[uri] = stratos.EscrowTerms{Currencies: []stratos.EscrowTerms_Currency{
			{Currency: "EUR", Minimum: 5, Maximum: 6}, {Currency: "USD", Minimum: least, Maximum: 50_000},
		}}
		return strong(uri)
	}
	w.records[at(broker, lexicons.CollectionService, "self")] = stratos.EscrowService{Name: "The broker", Terms: terms("new", 200)}
	w.records[at(broker, lexicons.CollectionCampaign, lexicons.DerivedKey(development).String())] = stratos.EscrowCampaign{Terms: terms("old", 100)}
	w.records[at(ben, lexicons.CollectionProposal, "3kp")] = stratos.FeatureProposal{Title: "Dark mode"}
	return w, development
}

func TestR16_NoPaymentIsOfferedThatTheTermsRefuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind     syntax.NSID
		cents    int64
		currency string
		escrow   syntax.DID
		offered  bool
		anew     string
		says     string
	}{
		"a pledge":                  {lexicons.CollectionPledge, 100, "USD", broker, true, "", ""},
		"the most":                  {lexicons.CollectionPledge, 50_000, "USD", broker, true, "", ""},
		"too little":                {lexicons.CollectionPledge, 99, "USD", broker, false, "/pledge", "from $1 to $500"},
		"too much":                  {lexicons.CollectionPledge, 50_001, "USD", broker, false, "/pledge", "from $1 to $500"},
		"too little to be donated":  {lexicons.CollectionDonation, 199, "USD", broker, false, "/donate", "from $2 to $500"},
		"in another currency":       {lexicons.CollectionPledge, 1, "GBP", broker, true, "", ""}, // which the escrow is asked
		"to an escrow of strangers": {lexicons.CollectionPledge, 100, "USD", "did:plc:stranger", false, "", "does not trust"},
	} {
		w, development := priced()
		uri := at(ana, c.kind, "3k")
		w.records[uri] = payable{
			Proposal: strong(at(ben, lexicons.CollectionProposal, "3kp")), Development: strong(development),
			Value: stratos.Defs_Money{Amount: c.cents, Currency: c.currency}, Escrow: c.escrow.String(),
		}
		var shown rendered
		page, _, err := newActs(t, w, &shown).follow(t.Context(), nobody(ana), c.kind, "3k")
		if err != nil {
			t.Fatal(err)
		}
		if (page.PayPath != "") != c.offered || page.TakeBack == "" || !strings.HasSuffix(page.Anew, c.anew) || (page.Anew == "") != (c.anew == "") {
			t.Errorf("%s: it offers %q, or %q", name, page.PayPath, page.Anew)
		}
		if (page.Problem == "") != c.offered || !strings.Contains(page.Problem, c.says) {
			t.Errorf("%s: it says %q", name, page.Problem)
		}
	}
}

func TestR16_AFormToPaySaysHowMuchCanBePaidBeforeAnythingIsSigned(t *testing.T) {
	t.Parallel()
	w, development := priced()
	proposal := at(ben, lexicons.CollectionProposal, "3kp")
	attempt := &stratos.FeatureDefs_AttemptView{Uri: development.String(), Escrow: broker.String(), Currency: "USD", Trusted: true}
	w.proposals[proposal] = &stratos.FeatureDefs_ProposalView{
		Uri: proposal.String(), Record: json.RawMessage(`{"title":"Dark mode"}`), Attempt: attempt,
	}
	var shown rendered
	a := newActs(t, w, &shown)
	_, r := asked("/p/x/3kp/pledge")
	r.SetPathValue("actor", ben.String())
	r.SetPathValue("rkey", "3kp")
	for one, least := range map[*act]string{&pledge: "$1", &donate: "$2"} {
		p, err := a.placeOf(r, *one)
		if err != nil {
			t.Fatal(err)
		}
		if hint := one.form(p).Fields[0].Hint; !strings.Contains(hint, "from "+least+" to $500") {
			t.Errorf("to %s one is told %q", one.act, hint)
		}
		for amount, fits := range map[string]bool{"0.10": false, "2": true, "500": true, "500.01": false} {
			in := &input{values: url.Values{fieldAmount: {amount}, fieldPublic: {"yes"}}, problems: map[string]string{}}
			if one.read(p, in); in.ok() != fits {
				t.Errorf("to %s %s: %v", one.act, amount, in.problems)
			}
		}
		if why := p.refusal(*one); why != "" {
			t.Errorf("to %s is refused: %s", one.act, why)
		}
	}
	attempt.Trusted = false
	p, err := a.placeOf(r, donate)
	if err != nil {
		t.Fatal(err)
	}
	if p.refusal(donate) == "" {
		t.Error("people are led to an escrow that nobody trusts")
	}
}

func TestWhoCannotPayIsToldHowToGoOn(t *testing.T) {
	t.Parallel()
	refused := func(name, message string) error {
		return fmt.Errorf("acts: ask: %w", &atclient.APIError{StatusCode: http.StatusBadRequest, Name: name, Message: message})
	}
	for _, c := range []struct {
		err  error
		says string
		pay  bool
		anew string
	}{
		{refused("AmountOutOfRange", "Between 1 and 5."), "It says: Between 1 and 5.", false, "/p/x/pledge"},
		{refused("WrongEscrow", "It is <b>theirs</b>."), "sign a new one", false, "/p/x/pledge"},
		{refused("CampaignNotOpen", ""), "has closed", false, ""},
		{refused("AlreadyPaid", ""), "Nothing was charged again", false, ""},
		{refused("ProcessorUnavailable", ""), "Try again in a minute", true, ""},
		{refused("SomethingElse", "x"), "does not answer", true, ""},
		{session.ErrUnreachable, "Your host does not answer", true, ""},
		{errors.New("disk"), "Something is broken here", true, ""},
	} {
		page := Payment{Pledge: true, PayPath: "/pay", About: Link{Path: "/p/x"}}
		status, sentence, how := checkoutProblem(c.err)
		page.stop(sentence, how)
		if status < http.StatusBadRequest || !strings.Contains(page.Problem, c.says) || (page.PayPath != "") != c.pay || page.Anew != c.anew {
			t.Errorf("%v: %d, %+v", c.err, status, page)
		}
		if strings.Contains(page.Problem, "theirs") {
			t.Errorf("%v: the escrow's words are shown where they say no more", c.err)
		}
	}
}

// Money that a bank returned is owed until it is claimed, so its owner has to know by whom.
func TestR15_WhoIsOwedARefundIsToldWhomToAsk(t *testing.T) {
	t.Parallel()
	for status, asks := range map[lifecycle.ReceiptStatus]bool{lifecycle.ReceiptRefundFailed: true, lifecycle.ReceiptRefunded: false} {
		w, development := priced()
		contact := "mailto:help@broker.example"
		w.records[at(broker, lexicons.CollectionService, "self")] = stratos.EscrowService{Contact: &contact}
		uri := at(ana, lexicons.CollectionPledge, "3k")
		w.records[at(broker, lexicons.CollectionReceipt, lexicons.DerivedKey(uri).String())] = stratos.EscrowReceipt{
			Status: string(status), Development: strong(development), Value: stratos.Defs_Money{Amount: 500, Currency: "USD"},
		}
		var shown rendered
		page, _, err := newActs(t, w, &shown).follow(t.Context(), nobody(ana), lexicons.CollectionPledge, "3k")
		if err != nil {
			t.Fatal(err)
		}
		if (page.Contact == contact) != asks {
			t.Errorf("%s: they reach the operator at %q", status, page.Contact)
		}
	}
}

func TestAFormThatIsTooLongIsAnsweredWithASentence(t *testing.T) {
	t.Parallel()
	var shown rendered
	a := newActs(t, newWorld(), &shown)
	for name, send := range map[string]http.HandlerFunc{
		"propose": a.sendPropose, "claim": a.sendClaim, "edit": a.sendEdit, "payout": a.sendPayout, "pledge": a.sendAct(pledge).ServeHTTP,
	} {
		shown = rendered{}
		r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(fieldNote+"="+strings.Repeat("x", 1<<20)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		send(httptest.NewRecorder(), r)
		if refused, ok := shown.data.(Refused); !ok || shown.status != http.StatusRequestEntityTooLarge || !strings.Contains(refused.Reason, "still there") {
			t.Errorf("%s: %+v", name, shown)
		}
	}
}

// Nobody is charged where payouts are set up, and nobody is told so.
func TestPayoutsSpeakOfNoCharge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		says string
	}{
		{&atclient.APIError{StatusCode: http.StatusBadRequest, Name: "InvalidCountry", Message: "No such country."}, "It says: No such country."},
		{&atclient.APIError{StatusCode: http.StatusBadGateway, Name: "UpstreamFailure"}, "does not answer"},
		{session.ErrUnreachable, "Your host does not answer"},
		{session.ErrEnded, "ended your session"},
		{errors.New("disk"), "Something is broken here"},
	} {
		if _, sentence := payoutProblem(c.err); !strings.Contains(sentence, c.says) || strings.Contains(sentence, "charged") {
			t.Errorf("%v: %q", c.err, sentence)
		}
	}
}
