package reposync_test

import (
	"bytes"
	"testing"

	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// FuzzNode compares the reader of nodes with the library: it takes exactly what
// the library reads and writes back as it was, but for lengths of prefixes that
// no key can have, and reads the same.
func FuzzNode(f *testing.F) {
	r := newTestRepo(f, "did:plc:alice")
	var edits []edit
	for i := range 100 {
		edits = append(edits, put(ours+tidAt(i*7919), "x"))
	}
	_, all := readBlocks(f, r.apply(edits...).Blocks)
	for _, b := range all {
		f.Add(b.data)
	}
	b := newTreeBuilder(f)
	b.node(nil)
	b.node(&b.value, b.entry(-1, "k", nil), b.entry(23, "", &b.value), b.entry(24, "", nil))
	b.node(nil, b.entry(mst.MAX_KEY_BYTES, string(make([]byte, 256)), nil))
	b.node(nil, b.entry(mst.MAX_KEY_BYTES+1, "", nil))
	for _, n := range b.nodes {
		f.Add(n.data)
		f.Add(append(bytes.Clone(n.data), 0xf6))
	}
	// Two encodings that are not the library's: the fields the other way round,
	// and a number in more bytes than it needs.
	f.Add([]byte{0xa2, 0x61, 'l', 0xf6, 0x61, 'e', 0x80})
	f.Add([]byte{0xa2, 0x61, 'e', 0x98, 0x00, 0x61, 'l', 0xf6})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := reposync.ReadNode(raw)
		want, ok := libraryNode(raw)
		if (err == nil) != ok {
			t.Fatalf("error %v; accepted by the library: %v", err, ok)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(cid.Cid.Equals), cmpopts.EquateEmpty()); ok && diff != "" {
			t.Errorf("-library +ours\n%s", diff)
		}
	})
}

// libraryNode is the node as the library reads it, if it writes the same.
func libraryNode(raw []byte) (*mst.NodeData, bool) {
	node, err := mst.NodeDataFromCBOR(bytes.NewReader(raw))
	if err != nil {
		return nil, false
	}
	for _, e := range node.Entries {
		if e.PrefixLen < 0 || e.PrefixLen > mst.MAX_KEY_BYTES {
			return nil, false
		}
	}
	again, _, err := node.Bytes()
	return node, err == nil && bytes.Equal(again, raw)
}
