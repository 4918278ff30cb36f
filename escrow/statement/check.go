package statement

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Published is a statement as anybody can fetch it.
type Published struct {
	Record stratos.EscrowStatement
	// Leaves is the blob that the record refers to.
	Leaves []byte
}

// Receipt is a receipt as it is in the escrow's repository now.
type Receipt struct {
	CID    syntax.CID
	Record stratos.EscrowReceipt
}

// Check looks for everything in a statement that is not as it must be: by itself, beside
// the receipts that are in the repository now, and after the statement before it, which
// is nil for the first. It returns a sentence for each, and none for a statement that
// holds.
//
// Receipts go on after a statement. One that is another version by now must still be of
// the same money, and have been what its leaf says.
func Check(p Published, receipts map[syntax.RecordKey]Receipt, before *Published) []string {
	f := &findings{}
	leaves := f.checkItself("", p)
	f.checkReceipts(p, leaves, receipts)
	if before != nil {
		f.checkBefore(p, leaves, *before)
	}
	return f.list
}

type findings struct{ list []string }

func (f *findings) add(format string, args ...any) {
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// checkItself is what can be said of a statement alone. It returns its leaves.
func (f *findings) checkItself(which string, p Published) map[syntax.RecordKey]Leaf {
	if err := blobIs(p.Record, p.Leaves); err != nil {
		f.add("%sthe leaves are not those that the statement names: %v", which, err)
	}
	leaves, err := DecodeLeaves(p.Leaves)
	if err != nil {
		f.add("%sthe leaves cannot be read: %v", which, err)
		return nil
	}
	if got, want := int64(len(leaves)), p.Record.Receipts; got != want {
		f.add("%sthere are %d leaves, and the statement says %d", which, got, want)
	}
	if tree, err := NewTree(leaves); err != nil {
		f.add("%s%v", which, err)
	} else if root, err := tree.Root(); err != nil || hex.EncodeToString(root[:]) != p.Record.Root {
		f.add("%sthe root of the leaves is %x, and the statement says %s", which, root, p.Record.Root)
	}
	f.checkSums(which, p.Record, leaves)
	byKey := make(map[syntax.RecordKey]Leaf, len(leaves))
	for _, l := range leaves {
		byKey[l.Key] = l
		for _, wrong := range l.contradictions() {
			f.add("%sthe receipt %s %s", which, l.Key, wrong)
		}
	}
	return byKey
}

func blobIs(s stratos.EscrowStatement, blob []byte) error {
	if s.Leaves == nil && s.Receipts == 0 && len(blob) == 0 {
		return nil // there are none to name
	}
	if s.Leaves == nil {
		return errors.New("it names none")
	}
	want := cid.Cid(s.Leaves.Ref)
	have, err := want.Prefix().Sum(blob)
	if err != nil {
		return err
	}
	if !have.Equals(want) {
		return fmt.Errorf("their CID is %s, and not %s", have, want)
	}
	return nil
}

func (f *findings) checkSums(which string, s stratos.EscrowStatement, leaves []Leaf) {
	sums, err := Add(leaves)
	if err != nil {
		f.add("%s%v", which, err)
		return
	}
	var owed []Liability
	for _, o := range s.Owed {
		owed = append(owed, Liability{
			Development: syntax.ATURI(o.Development), Receipts: o.Receipts,
			Owed: money.Money{Amount: o.Amount, Currency: money.Currency(o.Currency)},
		})
	}
	if !slices.Equal(owed, sums.Owed) {
		f.add("%swhat is owed by attempt is not the sum of the leaves: they add up to %v, and the statement says %v", which, sums.Owed, owed)
	}
	if said := moneys(s.Released); !slices.Equal(said, sums.Released) {
		f.add("%swhat was released is not the sum of the leaves: they add up to %v, and the statement says %v", which, sums.Released, said)
	}
	if said := moneys(s.Refunded); !slices.Equal(said, sums.Refunded) {
		f.add("%swhat was refunded is not the sum of the leaves: they add up to %v, and the statement says %v", which, sums.Refunded, said)
	}
}

func moneys(list []stratos.Defs_Total) (out []money.Money) {
	for _, t := range list {
		out = append(out, money.Money{Amount: t.Amount, Currency: money.Currency(t.Currency)})
	}
	return out
}

// checkReceipts compares the leaves with the repository, both ways.
func (f *findings) checkReceipts(p Published, leaves map[syntax.RecordKey]Leaf, receipts map[syntax.RecordKey]Receipt) {
	asOf, err := time.Parse(time.RFC3339, p.Record.AsOf)
	if err != nil {
		f.add("the statement says of no moment that it is for: %v", err)
		return
	}
	for _, key := range sortedKeys(leaves) {
		l := leaves[key]
		r, ok := receipts[key]
		if !ok {
			f.add("the receipt %s has vanished from the repository", key)
			continue
		}
		switch {
		case r.Record.Value.Amount != l.Value || r.Record.Value.Currency != string(l.Currency) || r.Record.Development.Uri != l.Development.String():
			f.add("the receipt %s is of other money than its leaf", key)
		case r.CID == l.CID && r.Record.Status != string(l.Status):
			f.add("the receipt %s is %s, and its leaf says %s", key, r.Record.Status, l.Status)
		case r.CID != l.CID && !was(r.Record, l.Status, asOf):
			f.add("the receipt %s was not %s at %s, as its leaf says", key, l.Status, p.Record.AsOf)
		case l.goesToPayees() && l.Owed+l.Released != l.Value-fee(r.Record):
			f.add("the receipt %s is %s, and its leaf has %d for the payees, of %d less a fee of %d", key, l.Status, l.Owed+l.Released, l.Value, fee(r.Record))
		}
	}
	for _, key := range sortedKeys(receipts) {
		r := receipts[key].Record
		begun, err := time.Parse(time.RFC3339, r.CreatedAt)
		if _, counted := leaves[key]; err == nil && !counted && begun.Before(asOf) {
			f.add("the receipt %s, begun at %s, is not counted", key, r.CreatedAt)
		}
	}
}

// fullHistory is how many changes a receipt lists. The last place is then the present, and
// what came before it is not known any more.
const fullHistory = 16

// was tells whether a receipt can have had a status at a moment. Of what changed in the
// same millisecond either may have been.
func was(r stratos.EscrowReceipt, status lifecycle.ReceiptStatus, at time.Time) bool {
	var then string
	for n, c := range r.History {
		since, err := time.Parse(time.RFC3339, c.At)
		switch {
		case err != nil:
		case since.Equal(at) && c.Status == string(status):
			return true
		case since.Before(at):
			then = c.Status
			if n == fullHistory-2 && len(r.History) == fullHistory {
				return true
			}
		}
	}
	return then == string(status)
}

func fee(r stratos.EscrowReceipt) int64 {
	if r.Fee == nil {
		return 0
	}
	return r.Fee.Amount
}

// checkBefore compares a statement with the one before it.
func (f *findings) checkBefore(p Published, leaves map[syntax.RecordKey]Leaf, before Published) {
	earlier := f.checkItself("in the statement before it, ", before)
	for _, key := range sortedKeys(earlier) {
		now, ok := leaves[key]
		if !ok {
			f.add("the receipt %s was counted before, and is not any more", key)
			continue
		}
		if was := earlier[key]; now.Value != was.Value || now.Currency != was.Currency || now.Development != was.Development {
			f.add("the receipt %s is of other money than in the statement before", key)
		}
	}
	if p.Record.LedgerHead.Sequence < before.Record.LedgerHead.Sequence {
		f.add("the ledger has gone back, from entry %d to %d", before.Record.LedgerHead.Sequence, p.Record.LedgerHead.Sequence)
	}
	if p.Record.LedgerHead.Sequence == before.Record.LedgerHead.Sequence && p.Record.LedgerHead.Hash != before.Record.LedgerHead.Hash {
		f.add("entry %d of the ledger has another hash than in the statement before", p.Record.LedgerHead.Sequence)
	}
}

func sortedKeys[V any](m map[syntax.RecordKey]V) []syntax.RecordKey {
	keys := make([]syntax.RecordKey, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// CheckInclusion tells whether a proof leads from a leaf to the root of a statement.
func CheckInclusion(proof Proof, leaf Leaf, root Hash) error {
	b, err := leaf.Encode()
	if err != nil {
		return err
	}
	if sha256.Sum256(append([]byte{0}, b...)) != proof.Leaf {
		return fmt.Errorf("statement: the proof is of another leaf than that of %s", leaf.Key)
	}
	have, err := proof.Root()
	if err != nil {
		return err
	}
	if have != root {
		return fmt.Errorf("statement: the proof of %s leads to %x, and not to the root %x", leaf.Key, have, root)
	}
	return nil
}
