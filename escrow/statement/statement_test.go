package statement

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	lexutil "github.com/bluesky-social/indigo/lex/util"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

var (
	someTime   = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	someBlobs  = cid.NewPrefixV1(cid.Raw, multihash.SHA2_256)
	someRecord = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)
)

func cidOf(t interface{ Fatal(...any) }, text string) syntax.CID {
	c, err := someRecord.Sum([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return syntax.CID(c.String())
}

// someLeaves are n leaves of two attempts and two currencies in several states.
func someLeaves(t interface{ Fatal(...any) }, n int) []Leaf {
	leaves := make([]Leaf, n)
	for i := range leaves {
		l := Leaf{
			Key: syntax.RecordKey(fmt.Sprintf("key%04d", i)), CID: cidOf(t, fmt.Sprint(i)),
			Development: syntax.ATURI(fmt.Sprintf("at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.work.development/3kabc%d", i%2)),
			Currency:    []money.Currency{"USD", "EUR"}[i%3/2], Value: int64(100 + i),
		}
		switch i % 4 {
		case 0, 1:
			l.Status, l.Owed = lifecycle.ReceiptHeld, l.Value
		case 2:
			l.Status, l.Refunded = lifecycle.ReceiptRefunded, l.Value
		case 3:
			l.Status, l.Released = lifecycle.ReceiptReleased, l.Value-5
		}
		leaves[i] = l
	}
	return leaves
}

// publish makes the statement of leaves, as the escrow does.
func publish(t *testing.T, leaves []Leaf, sequence int64) Published {
	t.Helper()
	blob, err := EncodeLeaves(leaves)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := someBlobs.Sum(blob)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	sums, err := Add(leaves)
	if err != nil {
		t.Fatal(err)
	}
	s := stratos.EscrowStatement{
		AsOf: someTime.Format(time.RFC3339), Receipts: int64(len(leaves)), Root: hex.EncodeToString(root[:]),
		Leaves:     &lexutil.LexBlob{Ref: lexutil.LexLink(ref), Size: int64(len(blob))},
		LedgerHead: stratos.EscrowStatement_Head{Sequence: sequence, Hash: fmt.Sprint(sequence)},
	}
	for _, o := range sums.Owed {
		s.Owed = append(s.Owed, stratos.EscrowStatement_Owed{
			Development: o.Development.String(), Amount: o.Owed.Amount, Currency: string(o.Owed.Currency), Receipts: o.Receipts,
		})
	}
	for _, m := range sums.Released {
		s.Released = append(s.Released, stratos.Defs_Total{Amount: m.Amount, Currency: string(m.Currency)})
	}
	for _, m := range sums.Refunded {
		s.Refunded = append(s.Refunded, stratos.Defs_Total{Amount: m.Amount, Currency: string(m.Currency)})
	}
	return Published{Record: s, Leaves: blob}
}

// receiptsOf is the repository in which each leaf's receipt is as the leaf says.
func receiptsOf(leaves []Leaf) map[syntax.RecordKey]Receipt {
	receipts := make(map[syntax.RecordKey]Receipt)
	for _, l := range leaves {
		at := someTime.Add(-time.Hour).Format(time.RFC3339)
		receipts[l.Key] = Receipt{CID: l.CID, Record: stratos.EscrowReceipt{
			CreatedAt: at, Status: string(l.Status), Value: stratos.Defs_Money{Amount: l.Value, Currency: string(l.Currency)},
			Development: comatproto.RepoStrongRef{Uri: l.Development.String()},
			History:     []stratos.EscrowReceipt_Change{{Status: string(l.Status), At: at}},
			Fee:         &stratos.Defs_Total{Amount: 5, Currency: string(l.Currency)},
		}}
	}
	return receipts
}

func TestAStatementOfItsReceiptsHolds(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 7, 8, 100} {
		leaves := someLeaves(t, n)
		before := publish(t, leaves[:n/2], 1)
		if found := Check(publish(t, leaves, 2), receiptsOf(leaves), &before); len(found) > 0 {
			t.Errorf("%d receipts: %s", n, strings.Join(found, "\n"))
		}
	}
}

func TestEachLieOfAStatementIsFound(t *testing.T) {
	type world struct {
		leaves   []Leaf
		p        Published
		receipts map[syntax.RecordKey]Receipt
		before   Published
	}
	for _, tt := range []struct {
		name string
		lie  func(t *testing.T, w *world)
		want string
	}{
		{"a receipt is left out", func(t *testing.T, w *world) { w.p = publish(t, slices.Delete(slices.Clone(w.leaves), 6, 7), 2) }, "is not counted"},
		{"a receipt that was counted is left out, and gone", func(t *testing.T, w *world) {
			w.p = publish(t, w.leaves[1:], 2)
			delete(w.receipts, w.leaves[0].Key)
		}, "was counted before"},
		{"a receipt vanished", func(_ *testing.T, w *world) { delete(w.receipts, w.leaves[0].Key) }, "vanished"},
		{"a receipt is of less money", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[0].Value, leaves[0].Owed = 1, 1
			w.p = publish(t, leaves, 2)
		}, "of other money than its leaf"},
		{"a leaf owes more than was paid", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[0].Owed = leaves[0].Value + 1
			w.p = publish(t, leaves, 2)
		}, "says more than"},
		{"a leaf says another status", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[0].Status, leaves[0].Owed, leaves[0].Refunded = lifecycle.ReceiptRefunded, 0, leaves[0].Value
			w.p = publish(t, leaves, 2)
		}, "and its leaf says refunded"},
		{"a receipt was never what its leaf says", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[0].Status, leaves[0].Owed, leaves[0].Refunded = lifecycle.ReceiptRefunded, 0, leaves[0].Value
			leaves[0].CID = cidOf(t, "another version")
			w.p = publish(t, leaves, 2)
		}, "was not refunded"},
		{"less is owed of what is held", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[0].Owed--
			w.p = publish(t, leaves, 2)
		}, "is held, and owes 99 of 100"},
		{"what is refunded is owed all the same", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[2].Owed, leaves[2].Refunded = 1, leaves[2].Refunded-1
			w.p = publish(t, leaves, 2)
		}, "is refunded, and 1 are owed"},
		{"the parts are more than the whole", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[3].Refunded = leaves[3].Value
			w.p = publish(t, leaves, 2)
		}, "says more than"},
		{"payees have less than the whole without the fee", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[3].Released--
			w.p = publish(t, leaves, 2)
		}, "97 for the payees"},
		{"a donation is counted as owed", func(t *testing.T, w *world) {
			leaves := slices.Clone(w.leaves)
			leaves[0].Status = lifecycle.ReceiptPaid
			w.p = publish(t, leaves, 2)
		}, "is a donation, and 100 are owed"},
		{"a donation is left out", func(t *testing.T, w *world) {
			key := syntax.RecordKey("donation")
			r := w.receipts[w.leaves[0].Key]
			r.Record.Status = string(lifecycle.ReceiptPaid)
			w.receipts[key] = r
		}, "the receipt donation, begun at"},
		{"the sum owed is another", func(_ *testing.T, w *world) { w.p.Record.Owed[0].Amount-- }, "owed by attempt"},
		{"an attempt is left out", func(_ *testing.T, w *world) { w.p.Record.Owed = w.p.Record.Owed[1:] }, "owed by attempt"},
		{"the sum released is another", func(_ *testing.T, w *world) { w.p.Record.Released[0].Amount++ }, "what was released"},
		{"the sum refunded is left out", func(_ *testing.T, w *world) { w.p.Record.Refunded = nil }, "what was refunded"},
		{"the count is another", func(_ *testing.T, w *world) { w.p.Record.Receipts++ }, "and the statement says 13"},
		{"the root is another", func(_ *testing.T, w *world) { w.p.Record.Root = w.before.Record.Root }, "the root of the leaves"},
		{"the leaves are others", func(_ *testing.T, w *world) { w.p.Leaves = w.before.Leaves }, "not those that the statement names"},
		{"the leaves are cut off", func(_ *testing.T, w *world) { w.p.Leaves = w.p.Leaves[:len(w.p.Leaves)-1] }, "cut off"},
		{"the ledger went back", func(_ *testing.T, w *world) { w.before.Record.LedgerHead.Sequence = 3 }, "gone back"},
		{"the ledger's past was made anew", func(_ *testing.T, w *world) {
			w.before.Record.LedgerHead = w.p.Record.LedgerHead
			w.before.Record.LedgerHead.Hash = "another"
		}, "another hash"},
		{"the statement before was one that does not hold", func(_ *testing.T, w *world) { w.before.Record.Receipts++ }, "in the statement before it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaves := someLeaves(t, 12)
			w := &world{leaves: leaves, p: publish(t, leaves, 2), receipts: receiptsOf(leaves), before: publish(t, leaves[:5], 1)}
			tt.lie(t, w)
			found := strings.Join(Check(w.p, w.receipts, &w.before), "\n")
			if !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want something with %q", found, tt.want)
			}
		})
	}
}

func TestAReceiptMayGoOnAfterTheStatement(t *testing.T) {
	leaves := someLeaves(t, 4)
	receipts := receiptsOf(leaves)
	r := receipts[leaves[0].Key]
	r.CID, r.Record.Status = cidOf(t, "newer"), string(lifecycle.ReceiptRefunding)
	r.Record.History = append(r.Record.History, stratos.EscrowReceipt_Change{
		Status: string(lifecycle.ReceiptRefunding), At: someTime.Add(time.Minute).Format(time.RFC3339),
	})
	receipts[leaves[0].Key] = r
	if found := Check(publish(t, leaves, 2), receipts, nil); len(found) > 0 {
		t.Error(strings.Join(found, "\n"))
	}
}

// What changed in the moment of a statement may be in it or not, and what a receipt has no
// room for is not held against anybody.
func TestAReceiptMayChangeInTheMomentOfTheStatement(t *testing.T) {
	at := func(status lifecycle.ReceiptStatus, after time.Duration) stratos.EscrowReceipt_Change {
		return stratos.EscrowReceipt_Change{Status: string(status), At: someTime.Add(after).Format(time.RFC3339Nano)}
	}
	many := make([]stratos.EscrowReceipt_Change, fullHistory)
	for n := range many {
		many[n] = at(lifecycle.ReceiptRefunding, time.Duration(n-fullHistory+1)*time.Minute)
	}
	many[fullHistory-1] = at(lifecycle.ReceiptRefunded, time.Hour)
	for name, tt := range map[string]struct {
		history []stratos.EscrowReceipt_Change
		status  lifecycle.ReceiptStatus
		want    bool
	}{
		"before the change":     {[]stratos.EscrowReceipt_Change{at("held", -time.Hour), at("refunding", 0)}, "held", true},
		"after the change":      {[]stratos.EscrowReceipt_Change{at("held", -time.Hour), at("refunding", 0)}, "refunding", true},
		"a later change":        {[]stratos.EscrowReceipt_Change{at("held", -time.Hour), at("refunding", time.Millisecond)}, "refunding", false},
		"an earlier change":     {[]stratos.EscrowReceipt_Change{at("held", -time.Hour), at("refunding", -time.Millisecond)}, "held", false},
		"what was written over": {many, "refund-failed", true},
		"what was not":          {many[:fullHistory-1], "refund-failed", false},
	} {
		if got := was(stratos.EscrowReceipt{History: tt.history}, tt.status, someTime); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEveryLeafIsProvenAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(t, "leaves")
		index := rapid.IntRange(0, n-1).Draw(t, "index")
		leaves := someLeaves(t, n)
		tree, err := NewTree(leaves)
		if err != nil {
			t.Fatal(err)
		}
		root, err := tree.Root()
		if err != nil {
			t.Fatal(err)
		}
		proof, err := tree.Prove(int64(index))
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckInclusion(proof, leaves[index], root); err != nil {
			t.Fatal(err)
		}
		other := rapid.IntRange(0, n-1).Filter(func(i int) bool { return i != index || n == 1 }).Draw(t, "other")
		if n > 1 && CheckInclusion(proof, leaves[other], root) == nil {
			t.Fatalf("the proof of leaf %d also proves leaf %d", index, other)
		}
		if len(proof.Path) > 0 {
			step := rapid.IntRange(0, len(proof.Path)-1).Draw(t, "step")
			proof.Path[step].Hash[0] ^= 1
			if CheckInclusion(proof, leaves[index], root) == nil {
				t.Fatal("a proof with another neighbour holds")
			}
		}
	})
}

// The hashes of RFC 6962 for 0 and 1 leaves can be said without a tree.
func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	empty, err := (&Tree{}).Root()
	if err != nil || hex.EncodeToString(empty[:]) != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("the root of no leaves is %x, %v", empty, err)
	}
	leaves := someLeaves(t, 1)
	tree, err := NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckInclusion(Proof{Leaves: 1, Leaf: root}, leaves[0], root); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeLeaves(f *testing.F) {
	blob, err := EncodeLeaves(someLeaves(f, 3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Add(blob[:len(blob)-2])
	f.Add([]byte{})
	f.Add([]byte{0x80, 0x00})
	f.Fuzz(func(t *testing.T, blob []byte) {
		leaves, err := DecodeLeaves(blob)
		if err != nil {
			return
		}
		again, err := EncodeLeaves(leaves)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(blob, again) {
			t.Errorf("another blob has the same leaves:\n%x\n%x", blob, again)
		}
	})
}
