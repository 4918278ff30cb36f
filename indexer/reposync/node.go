package reposync

import (
	"encoding/binary"
	"errors"

	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/ipfs/go-cid"
)

// maxEntries bounds the entries of one node, as the library does.
const maxEntries = 8192

var errNodeForm = errors.New("tree: a node is not encoded as nodes are")

// readNode reads a node of the tree, of which the keys share the memory of raw.
// It takes what the library decodes and encodes to the same bytes again, and
// nothing else. The library alone takes any map for a node, a record for an
// empty one, and encoding each node once more to see that costs as much as the
// rest of the tree; a grammar of one form needs no second look.
func readNode(raw []byte) (*mst.NodeData, error) {
	r := nodeReader{left: raw}
	var node mst.NodeData
	r.want("\xa2\x61e")
	n := r.head(cborArray)
	// An entry is at least ten bytes, so that a count alone reserves little.
	if n > maxEntries || n > uint64(len(r.left)) {
		return nil, errNodeForm
	}
	node.Entries = make([]mst.EntryData, n)
	for i := range node.Entries {
		r.entry(&node.Entries[i])
		if r.bad {
			return nil, errNodeForm
		}
	}
	r.want("\x61l")
	node.Left = r.linkOrNull()
	if r.bad || len(r.left) > 0 {
		return nil, errNodeForm
	}
	return &node, nil
}

// nodeReader takes the parts of a node off its bytes. After the first that is
// not as it must be, bad is set and what comes back means nothing.
type nodeReader struct {
	left []byte
	bad  bool
}

// The major types of CBOR that nodes use.
const (
	cborUint  = 0
	cborBytes = 2
	cborArray = 4

	cborNull = 0xf6
)

func (r *nodeReader) entry(e *mst.EntryData) {
	r.want("\xa4\x61k")
	e.KeySuffix = r.bytes()
	r.want("\x61p")
	prefix := r.head(cborUint)
	if prefix > mst.MAX_KEY_BYTES {
		r.bad = true
	}
	e.PrefixLen = int64(prefix)
	r.want("\x61t")
	e.Right = r.linkOrNull()
	r.want("\x61v")
	e.Value = r.link()
}

func (r *nodeReader) want(text string) {
	if len(r.left) < len(text) || string(r.left[:len(text)]) != text {
		r.bad = true
		return
	}
	r.left = r.left[len(text):]
}

// head reads the head of an item of the major type: its number, in the fewest
// bytes that hold it.
func (r *nodeReader) head(major byte) uint64 {
	if len(r.left) == 0 || r.left[0]>>5 != major {
		r.bad = true
		return 0
	}
	info := r.left[0] & 0x1f
	r.left = r.left[1:]
	if info < 24 {
		return uint64(info)
	}
	var wide [8]byte
	size := 1 << (info - 24)
	if info > 27 || len(r.left) < size {
		r.bad = true
		return 0
	}
	copy(wide[8-size:], r.left)
	r.left = r.left[size:]
	n := binary.BigEndian.Uint64(wide[:])
	if n < 24 || size > 1 && n>>(4*size) == 0 {
		r.bad = true
	}
	return n
}

func (r *nodeReader) bytes() []byte {
	n := r.head(cborBytes)
	if n > uint64(len(r.left)) {
		r.bad = true
		return nil
	}
	b := r.left[:n:n]
	r.left = r.left[n:]
	return b
}

func (r *nodeReader) linkOrNull() *cid.Cid {
	if len(r.left) > 0 && r.left[0] == cborNull {
		r.left = r.left[1:]
		return nil
	}
	ref := r.link()
	return &ref
}

// maxLink bounds a link in bytes, as the library does.
const maxLink = 512

func (r *nodeReader) link() cid.Cid {
	r.want("\xd8\x2a")
	b := r.bytes()
	if r.bad || len(b) < 2 || len(b) > maxLink || b[0] != 0 {
		r.bad = true
		return cid.Undef
	}
	ref, err := cid.Cast(b[1:])
	if err != nil {
		r.bad = true
	}
	return ref
}
