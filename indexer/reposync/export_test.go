package reposync

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/ipfs/go-cid"
)

// ReadNode is readNode, to be compared with the library.
func ReadNode(raw []byte) (*mst.NodeData, error) { return readNode(raw) }

// ReadBlocks is readCAR without the commit: the root, and which blocks it has.
func ReadBlocks(raw []byte) (cid.Cid, func(cid.Cid) ([]byte, bool), error) {
	root, found, err := readBlocks(raw)
	return root, func(ref cid.Cid) ([]byte, bool) {
		block, err := found.Get(context.Background(), ref)
		if err != nil {
			return nil, false
		}
		return block.RawData(), true
	}, err
}
