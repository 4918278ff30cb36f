package escrow

import (
	"encoding/hex"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/audit"
	"github.com/stratosfund/stratosfund/escrow/statement"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// TestStatements_AnybodyCanCheckWhatIsOwed: a real service states what it owes, proves that
// a receipt is counted, and who has only the network finds nothing wrong.
func TestStatements_AnybodyCanCheckWhatIsOwed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var first stratos.EscrowGetStatement_Output
	w.until("there is a statement", func() bool {
		name, _ := w.ask(nil, getStatement, nil, nil, &first)
		if name != "" && name != "StatementNotFound" {
			t.Fatal(name)
		}
		return name == ""
	})
	w.onboard(w.developer)
	x := w.announce("3lbqxkdzvqk2a")
	w.opened(x)
	pledge := w.pledges(w.backer, "3lbqxkdzvqk2a", x)
	w.pay(w.backer, pledge)
	w.published()
	receipt := syntax.ATURI("at://" + w.cfg.DID.String() + "/" + lexicons.CollectionReceipt.String() + "/" + lexicons.DerivedKey(syntax.ATURI(pledge.Uri)).String())

	// It is newer than the first statement.
	w.until("the receipt is in the index", func() bool {
		name, _ := w.ask(nil, getInclusionProof, url.Values{"receipt": {receipt.String()}, "statement": {first.Statement.Uri}}, nil, nil)
		return name == "ReceiptNotIncluded"
	})
	made, err := w.service.state(t.Context())
	w.ok(err)
	w.published()
	var got stratos.EscrowGetStatement_Output
	if name, message := w.ask(nil, getStatement, nil, nil, &got); name != "" || got.Statement.Uri != made.URI.String() || got.Statement.Cid != made.CID.String() {
		t.Fatalf("the newest is %+v, want %s: %s %s", got, made.URI, name, message)
	}
	var content stratos.EscrowStatement
	w.ok(json.Unmarshal(got.Statement.Record, &content))
	if content.Receipts != 1 || content.Owed[0].Amount != 2500 || content.Owed[0].Development != x.development.Uri || content.Processor == nil ||
		content.Processor.At == nil || content.Prev == nil || content.Prev.Uri != first.Statement.Uri {
		t.Errorf("it says %s", got.Statement.Record)
	}
	var balance, free int64
	for _, list := range [][]stratos.Defs_Balance{content.Processor.Available, content.Processor.Pending, content.Processor.Reserved} {
		for _, b := range list {
			balance += b.Amount
		}
	}
	for _, b := range content.Float {
		free += b.Amount
	}
	if balance != 2500+free || len(content.Unmatched) != 0 {
		t.Errorf("the processor has %d, and %d are free beside 2500; unmatched is %v", balance, free, content.Unmatched)
	}

	var proof stratos.EscrowGetInclusionProof_Output
	if name, message := w.ask(nil, getInclusionProof, url.Values{"receipt": {receipt.String()}}, nil, &proof); name != "" {
		t.Fatalf("%s: %s", name, message)
	}
	auditor := audit.New(w.service.directory, w.asker(), time.Now)
	report, err := auditor.Audit(t.Context(), audit.Question{Escrow: w.cfg.DID, All: true, Receipts: []syntax.RecordKey{receipt.RecordKey()}})
	w.ok(err)
	if len(report.Findings) != 0 || report.Ref.Uri != made.URI.String() || report.Checked != 2 {
		t.Fatalf("who checks it finds %+v", report)
	}
	w.proves(proof, report.Included[0].Leaf, content.Root)

	for name, params := range map[string]url.Values{
		"ReceiptNotFound":   {"receipt": {receipt.String() + "x"}},
		"StatementNotFound": {"receipt": {receipt.String()}, "statement": {"at://" + w.cfg.DID.String() + "/" + lexicons.CollectionStatement.String() + "/3lbqxkdzvqk2a"}},
	} {
		if got, _ := w.ask(nil, getInclusionProof, params, nil, nil); got != name {
			t.Errorf("%v gives %q, want %s", params, got, name)
		}
	}
	for _, uri := range []string{receipt.String(), "at://" + w.backer.DID.String() + "/" + lexicons.CollectionStatement.String() + "/" + made.URI.RecordKey().String()} {
		if got, _ := w.ask(nil, getStatement, url.Values{"uri": {uri}}, nil, nil); got != "StatementNotFound" {
			t.Errorf("%s gives %q", uri, got)
		}
	}
	if name, _ := w.ask(nil, getStatement, url.Values{"uri": {first.Statement.Uri}}, nil, &got); name != "" || got.Statement.Cid != first.Statement.Cid {
		t.Errorf("the first one is %+v, %s", got, name)
	}
}

// asker asks like any stranger on this machine.
func (w *world) asker() *indexer.Asker {
	w.t.Helper()
	asker, err := indexer.NewAsker(w.cfg.indexer(), nil)
	w.ok(err)
	return asker
}

// proves insists that what the method answered leads from the leaf to the root.
func (w *world) proves(p stratos.EscrowGetInclusionProof_Output, leaf statement.Leaf, root string) {
	w.t.Helper()
	hash := func(text string) (h statement.Hash) {
		b, err := hex.DecodeString(text)
		w.ok(err)
		copy(h[:], b)
		return h
	}
	proof := statement.Proof{Index: p.Index, Leaves: p.Leaves, Leaf: hash(p.Leaf)}
	for _, step := range p.Path {
		proof.Path = append(proof.Path, statement.Step{Left: step.Side == "left", Hash: hash(step.Hash)})
	}
	if err := statement.CheckInclusion(proof, leaf, hash(root)); err != nil || p.Root != root || p.Receipt.Cid != leaf.CID.String() {
		w.t.Errorf("the proof %+v does not lead to %s: %v", p, root, err)
	}
	if leaf.Status != "held" || leaf.Owed != 2500 {
		w.t.Errorf("the leaf is %+v", leaf)
	}
}
