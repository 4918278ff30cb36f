package ledger

import (
	"crypto/sha256"
	"encoding/binary"
)

// Digest is a SHA-256 hash.
type Digest [sha256.Size]byte

// canonical builds the bytes that are hashed: numbers of eight bytes, and texts
// after their lengths, so that no two sequences of fields have the same bytes.
// Nothing is decoded from them.
type canonical []byte

func (c *canonical) number(n int64) { *c = binary.BigEndian.AppendUint64(*c, uint64(n)) }

func (c *canonical) text(s string) {
	c.number(int64(len(s)))
	*c = append(*c, s...)
}

func (c *canonical) digest() Digest { return sha256.Sum256(*c) }
