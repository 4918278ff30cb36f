package acts

import (
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

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
