package reposync_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// FuzzCAR compares the reader of CAR files with the library's: whatever it
// accepts the library accepts too, with the same root and the same blocks.
func FuzzCAR(f *testing.F) {
	r := newTestRepo(f, "did:plc:alice")
	honest := r.apply(put(ours+"a", "1"), put(foreign+"b", "2")).Blocks
	f.Add([]byte(honest))
	f.Add(append(bytes.Clone(honest), 0)) // an empty section
	for _, prefix := range []cid.Prefix{
		cid.NewPrefixV0(multihash.SHA2_256), cid.NewPrefixV1(cid.Raw, multihash.SHA2_256),
		cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_512), cid.NewPrefixV1(cid.DagCBOR, multihash.IDENTITY),
	} {
		c, err := prefix.Sum([]byte("a blob"))
		must(f, err)
		f.Add(makeCAR(f, []cid.Cid{c}, block{c, []byte("a blob")}))
		f.Add(makeCAR(f, []cid.Cid{r.commit.cid, c}, block{c, []byte("another")}))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		root, find, err := reposync.ReadBlocks(raw)
		if err != nil {
			return
		}
		reader, err := car.NewCarReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("the library refuses the header: %v", err)
		}
		if !root.Equals(reader.Header.Roots[0]) {
			t.Errorf("root %s instead of %s", root, reader.Header.Roots[0])
		}
		for {
			b, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("the library refuses a block: %v", err)
			}
			data, ok := find(b.Cid())
			if ok != (b.Cid().Prefix() == repoCID) || ok && !bytes.Equal(data, b.RawData()) {
				t.Errorf("block %s: found %v, %x instead of %x", b.Cid(), ok, data, b.RawData())
			}
		}
	})
}
