package acts

import (
	"testing"

	"github.com/bluesky-social/indigo/atproto/lexicon"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestEveryActHasAForm(t *testing.T) {
	with := map[lifecycle.Act]bool{}
	for _, one := range proposalActs {
		with[one.act] = true
		nobody := &place{FeatureDefs_ProposalView: &stratos.FeatureDefs_ProposalView{}}
		if f := one.form(nobody); f.Title == "" || f.Button == "" || len(f.Lead) == 0 {
			t.Errorf("the form of %s is %+v", one.act, f)
		}
	}
	for _, one := range lifecycle.Acts() {
		if !with[one] {
			t.Errorf("%s has no form", one)
		}
	}
}

// What a form writes is what its visitor granted.
func TestEveryActAsksForNoMoreThanWasGranted(t *testing.T) {
	for _, one := range proposalActs {
		building := one.purpose == session.Building
		switch one.act {
		case lifecycle.ActRespond, lifecycle.ActDevelop, lifecycle.ActConsent, lifecycle.ActPreview, lifecycle.ActRelease, lifecycle.ActCancel, web.ActRevise:
			if !building {
				t.Errorf("%s is a developer's", one.act)
			}
		default:
			if building {
				t.Errorf("%s is a backer's", one.act)
			}
		}
	}
}

func TestEveryRefusalOfTheEscrowIsASentence(t *testing.T) {
	schema, err := lexicons.Catalog().Resolve("fund.stratos.escrow.createCheckout")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"InvalidReturnUri": true} // which would be our own mistake
	for _, e := range schema.Def.(lexicon.SchemaProcedure).Errors {
		named[e.Name] = true
		if (noCheckouts[e.Name].sentence == "" || noCheckouts[e.Name].way == "") && e.Name != "InvalidReturnUri" {
			t.Errorf("nobody is told of %s", e.Name)
		}
	}
	for name := range noCheckouts {
		if !named[name] {
			t.Errorf("the escrow never says %s", name)
		}
	}
}

func TestEveryStatusOfAReceiptIsASentence(t *testing.T) {
	schema, err := lexicons.Catalog().Resolve(lexicons.CollectionReceipt.String())
	if err != nil {
		t.Fatal(err)
	}
	known := schema.Def.(lexicon.SchemaRecord).Record.Properties["status"].Inner.(lexicon.SchemaString).KnownValues
	if len(known) != len(receiptSentences) || len(known) != len(statuses) {
		t.Errorf("%d statuses have %d sentences and %d words", len(known), len(receiptSentences), len(statuses))
	}
	for _, word := range known {
		status := lifecycle.ReceiptStatus(word)
		if receiptSentences[status] == "" || statuses[status] == "" {
			t.Errorf("nobody is told of %s", status)
		}
	}
}

func TestTheWordsForPayoutsAreTheLexicons(t *testing.T) {
	schema, err := lexicons.Catalog().Resolve("fund.stratos.escrow.defs#payoutAccountView")
	if err != nil {
		t.Fatal(err)
	}
	known := schema.Def.(lexicon.SchemaObject).Properties["status"].Inner.(lexicon.SchemaString).KnownValues
	if len(known) != len(payoutSentences) {
		t.Errorf("%d of %d are told", len(payoutSentences), len(known))
	}
	for _, status := range known {
		if payoutSentences[status] == "" {
			t.Errorf("nobody is told of %s", status)
		}
	}
}

func TestTheReasonsOfDisputesAreTheLexicons(t *testing.T) {
	schema, err := lexicons.Catalog().Resolve(lexicons.CollectionDispute.String())
	if err != nil {
		t.Fatal(err)
	}
	record := schema.Def.(lexicon.SchemaRecord).Record
	for i, known := range record.Properties["reason"].Inner.(lexicon.SchemaString).KnownValues {
		if i >= len(disputeReasons) || disputeReasons[i].Value != known {
			t.Errorf("nobody can say %s", known)
		}
	}
}

func TestNobodyIsSentWithoutTLSToPay(t *testing.T) {
	for _, c := range []struct {
		origin, address string
		goes            bool
	}{
		{"https://fund.example", "https://escrow.example/pay/1", true},
		{"https://fund.example", "http://escrow.example/pay/1", false},
		{"http://127.0.0.1:8080", "http://localhost:8090/pay/1", true},
		{"https://fund.example", "https://name@escrow.example/", false},
		{"https://fund.example", "javascript:alert(1)", false},
		{"http://127.0.0.1:8080", "data:text/html,x", false},
		{"https://fund.example", "/pay/1", false},
	} {
		a := &Acts{opts: Options{Origin: c.origin}}
		if _, err := a.elsewhere("did:plc:escrow", c.address); (err == nil) != c.goes {
			t.Errorf("from %s to %s: %v", c.origin, c.address, err)
		}
	}
}
