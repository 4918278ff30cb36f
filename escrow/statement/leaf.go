package statement

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// maxLeaf bounds a leaf: its texts are a record key, a uri, a status and a currency.
const maxLeaf = 16 << 10

// ErrLeaves says that a blob is not the leaves of a statement.
var ErrLeaves = errors.New("statement: not the leaves of a statement")

// Leaf is what a statement says of one receipt. Amounts are in minor units of the
// currency, and not below zero.
type Leaf struct {
	Key         syntax.RecordKey
	CID         syntax.CID
	Development syntax.ATURI
	Currency    money.Currency
	Status      lifecycle.ReceiptStatus
	Value       int64
	// Owed is what is still owed out of it, Released what payees have, Refunded what
	// the payer has back.
	Owed, Released, Refunded int64
}

// Encode returns the bytes of the leaf, or an error for one that cannot be: amounts below
// zero, or a CID that is none.
func (l Leaf) Encode() ([]byte, error) {
	if l.Value < 0 || l.Owed < 0 || l.Released < 0 || l.Refunded < 0 {
		return nil, fmt.Errorf("statement: the leaf of %s has an amount below zero", l.Key)
	}
	link, err := cid.Decode(l.CID.String())
	if err != nil {
		return nil, fmt.Errorf("statement: the leaf of %s: %w", l.Key, err)
	}
	b, err := atdata.MarshalCBOR(map[string]any{
		"key": l.Key.String(), "cid": atdata.CIDLink(link), "development": l.Development.String(),
		"currency": string(l.Currency), "status": string(l.Status),
		"value": l.Value, "owed": l.Owed, "released": l.Released, "refunded": l.Refunded,
	})
	if err != nil {
		return nil, fmt.Errorf("statement: encode the leaf of %s: %w", l.Key, err)
	}
	return b, nil
}

// decodeLeaf takes exactly the bytes that Encode makes.
func decodeLeaf(b []byte) (l Leaf, err error) {
	fields, err := atdata.UnmarshalCBOR(b)
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrLeaves, err)
	}
	link, ok := fields["cid"].(atdata.CIDLink)
	if !ok {
		return Leaf{}, fmt.Errorf("%w: a leaf without its receipt's CID", ErrLeaves)
	}
	l.CID = syntax.CID(link.CID().String())
	text := func(name string) string { s, _ := fields[name].(string); return s }
	number := func(name string) int64 { n, _ := fields[name].(int64); return n }
	if l.Key, err = syntax.ParseRecordKey(text("key")); err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrLeaves, err)
	}
	if l.Development, err = syntax.ParseATURI(text("development")); err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrLeaves, err)
	}
	if l.Currency, err = money.ParseCurrency(text("currency")); err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrLeaves, err)
	}
	l.Status = lifecycle.ReceiptStatus(text("status"))
	l.Value, l.Owed, l.Released, l.Refunded = number("value"), number("owed"), number("released"), number("refunded")
	// What is left out, added, or encoded otherwise, shows in the bytes.
	again, err := l.Encode()
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrLeaves, err)
	}
	if !bytes.Equal(again, b) {
		return Leaf{}, fmt.Errorf("%w: the leaf of %s is not encoded as it must be", ErrLeaves, l.Key)
	}
	return l, nil
}

// EncodeLeaves returns the blob of leaves, which have to be in ascending order of their
// keys.
func EncodeLeaves(leaves []Leaf) ([]byte, error) {
	var blob []byte
	for i, l := range leaves {
		if i > 0 && leaves[i-1].Key >= l.Key {
			return nil, fmt.Errorf("statement: the leaf of %s follows that of %s", l.Key, leaves[i-1].Key)
		}
		b, err := l.Encode()
		if err != nil {
			return nil, err
		}
		blob = binary.AppendUvarint(blob, uint64(len(b)))
		blob = append(blob, b...)
	}
	return blob, nil
}

// DecodeLeaves reads a blob of leaves. It returns ErrLeaves for anything that
// EncodeLeaves would not have made.
func DecodeLeaves(blob []byte) (leaves []Leaf, err error) {
	for r := bytes.NewReader(blob); r.Len() > 0; {
		before := r.Len()
		size, err := binary.ReadUvarint(r)
		if err != nil || size > maxLeaf || before-r.Len() != len(binary.AppendUvarint(nil, size)) {
			return nil, fmt.Errorf("%w: leaf %d has no length", ErrLeaves, len(leaves))
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, fmt.Errorf("%w: leaf %d is cut off", ErrLeaves, len(leaves))
		}
		l, err := decodeLeaf(b)
		if err != nil {
			return nil, err
		}
		if n := len(leaves); n > 0 && leaves[n-1].Key >= l.Key {
			return nil, fmt.Errorf("%w: the leaf of %s follows that of %s", ErrLeaves, l.Key, leaves[n-1].Key)
		}
		leaves = append(leaves, l)
	}
	return leaves, nil
}

// contradictions are what the amounts of a leaf cannot be beside its status.
func (l Leaf) contradictions() (wrong []string) {
	add := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	// Each is at most what was paid before they are added up.
	within := l.Owed <= l.Value && l.Released <= l.Value-l.Owed && l.Refunded <= l.Value-l.Owed-l.Released
	add(within, "says more than the %d that were paid", l.Value)
	switch l.Status {
	case lifecycle.ReceiptHeld:
		add(l.Owed == l.Value, "is held, and owes %d of %d", l.Owed, l.Value)
	case lifecycle.ReceiptRefunding, lifecycle.ReceiptRefundFailed, lifecycle.ReceiptReleasing:
		add(l.Owed > 0, "is %s, and owes nothing", l.Status)
	case lifecycle.ReceiptRefunded:
		add(l.Owed == 0 && l.Refunded > 0 && l.Released == 0, "is refunded, and %d are owed, %d released, %d refunded", l.Owed, l.Released, l.Refunded)
	case lifecycle.ReceiptReleased:
		add(l.Owed == 0 && l.Refunded == 0, "is released, and %d are owed, %d refunded", l.Owed, l.Refunded)
	case lifecycle.ReceiptPaid, lifecycle.ReceiptReversed:
		add(l.Owed == 0 && l.Released == 0 && l.Refunded == 0, "is a donation, and %d are owed, %d released, %d refunded", l.Owed, l.Released, l.Refunded)
	}
	return wrong
}

// goesToPayees tells whether all of it but the fee is the payees', with nothing taken by a
// bank.
func (l Leaf) goesToPayees() bool {
	return l.Status == lifecycle.ReceiptReleasing || l.Status == lifecycle.ReceiptReleased
}
