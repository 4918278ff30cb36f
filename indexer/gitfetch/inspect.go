package gitfetch

import (
	"encoding/binary"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// inspect adds up what a pack would unpack to, without keeping any of it: some bytes can
// stand for gigabytes, by compression and by deltas that copy a base again and again.
// Whoever applies a delta may hold all that it stands on at once.
func inspect(r io.Reader, limits Limits) error {
	pack := packfile.NewScanner(r)
	_, count, err := pack.Header()
	if err != nil {
		return unreadable(err)
	}
	if count > limits.Objects {
		return refuse("the repository is too large: what is needed of it has over %d objects", limits.Objects)
	}
	left := limits.Unpacked
	take := func(n uint64) error {
		if n > uint64(limits.Object) {
			return refuse("the repository is too large: one of its objects unpacks to over %d bytes", limits.Object)
		}
		if n > uint64(left) {
			return refuse("the repository is too large: what is needed of it unpacks to over %d bytes", limits.Unpacked)
		}
		left -= int64(n)
		return nil
	}
	chains := map[int64]int64{} // by where an object is: the bytes of its chain
	for range count {
		header, err := pack.NextObjectHeader()
		if err != nil {
			return unreadable(err)
		}
		switch header.Type {
		case plumbing.CommitObject, plumbing.TreeObject, plumbing.BlobObject, plumbing.TagObject, plumbing.OFSDeltaObject:
		case plumbing.REFDeltaObject:
			// Not asked for. A base may follow its deltas, and would be copied once
			// for each of them.
			return unreadable("it holds deltas of a kind that was not asked for")
		default:
			// The parser would take it, and git would not.
			return unreadable("it holds an object of a kind that git does not know")
		}
		// The scanner holds each object to the length that its header names.
		if err := take(uint64(header.Length)); err != nil {
			return err
		}
		var start prefix
		if _, _, err := pack.NextObject(&start); err != nil {
			return unreadable(err)
		}
		chain := header.Length
		if header.Type == plumbing.OFSDeltaObject {
			base, ok := chains[header.OffsetReference]
			if !ok {
				return unreadable("it holds a delta of what is not in it")
			}
			target, ok := start.target()
			if !ok {
				return unreadable("a delta without lengths")
			}
			if err := take(target); err != nil {
				return err
			}
			chain += base + int64(target)
		}
		if chain > limits.Chain {
			return refuse("the repository is too large: a chain of deltas unpacks to over %d bytes", limits.Chain)
		}
		chains[header.Offset] = chain
	}
	return nil
}

// prefix keeps the first bytes of what is written: two lengths, of at most ten
// bytes each.
type prefix struct {
	bytes [20]byte
	n     int
}

var _ io.Writer = (*prefix)(nil)

// Write implements io.Writer.
func (p *prefix) Write(b []byte) (int, error) {
	p.n += copy(p.bytes[p.n:], b)
	return len(b), nil
}

// target is the length of what a delta makes: the second of the two lengths that
// it begins with, after that of its base.
func (p *prefix) target() (uint64, bool) {
	b := p.bytes[:p.n]
	_, n := binary.Uvarint(b) // the base's
	if n <= 0 {
		return 0, false
	}
	target, n := binary.Uvarint(b[n:])
	return target, n > 0
}
