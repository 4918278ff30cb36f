package claims

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"
)

// unpack unpacks the objects of a pack into memory, after it was looked through.
func unpack(data []byte, limits Limits) (*memory.Storage, error) {
	if err := inspect(data, limits); err != nil {
		return nil, err
	}
	objects := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(data)), objects)
	if err != nil {
		return nil, refuse("the repository's pack cannot be read: %v", err)
	}
	if _, err := parser.Parse(); err != nil {
		return nil, refuse("the repository's pack cannot be read: %v", err)
	}
	return objects, nil
}

// inspect adds up what a pack would unpack to, without keeping any of it: some
// bytes can stand for gigabytes, by compression and by deltas that copy a base
// again and again.
func inspect(data []byte, limits Limits) error {
	pack := packfile.NewScanner(bytes.NewReader(data))
	_, count, err := pack.Header()
	if err != nil {
		return refuse("the repository's pack cannot be read: %v", err)
	}
	if count > limits.Objects {
		return refuse("the repository is too large: its newest commit has over %d objects", limits.Objects)
	}
	tooLarge := func() error {
		return refuse("the repository is too large: its newest commit unpacks to over %d bytes", limits.Unpacked)
	}
	left := limits.Unpacked
	for range count {
		header, err := pack.NextObjectHeader()
		if err != nil {
			return refuse("the repository's pack cannot be read: %v", err)
		}
		// The scanner holds each object to the length that its header names.
		if header.Length > left {
			return tooLarge()
		}
		left -= header.Length
		if header.Type == plumbing.REFDeltaObject {
			// Not asked for. A base may follow its deltas, and would be copied
			// once for each of them.
			return refuse("the repository's pack cannot be read: it holds deltas of a kind that was not asked for")
		}
		var start prefix
		if _, _, err := pack.NextObject(&start); err != nil {
			return refuse("the repository's pack cannot be read: %v", err)
		}
		if header.Type == plumbing.OFSDeltaObject {
			target, ok := start.target()
			if !ok {
				return refuse("the repository's pack cannot be read: a delta without lengths")
			}
			if target > uint64(left) {
				return tooLarge()
			}
			left -= int64(target)
		}
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
