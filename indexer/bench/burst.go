package bench

import (
	"encoding/binary"
	"fmt"
	"net"
)

// burst is messages on their way into one write. It copies nothing of them but
// their sequence numbers: the server shares the processors with whoever is
// measured, and what it spends nobody else has.
type burst struct {
	parts net.Buffers
	seqs  []byte
	size  int // bytes in parts
}

// add puts a frame at the end, with a sequence number.
func (b *burst) add(f frame, seq int64) {
	at := len(f.message) - len(f.raw) + f.seqAt
	b.seqs = binary.BigEndian.AppendUint64(b.seqs, uint64(seq))
	b.parts = append(b.parts, f.message[:at], b.seqs[len(b.seqs)-8:], f.message[at+8:])
	b.size += len(f.message)
}

// writeTo sends all of it, and empties it.
func (b *burst) writeTo(conn net.Conn) error {
	rest := b.parts // writing uses it up
	if _, err := rest.WriteTo(conn); err != nil {
		return fmt.Errorf("bench: send frames: %w", err)
	}
	b.parts, b.seqs, b.size = b.parts[:0], b.seqs[:0], 0
	return nil
}
