package reposync

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car"
)

// contents is what a CAR file brings: the commit that is its first root, and
// the blocks beside it, each of the hash that its CID says.
type contents struct {
	root   cid.Cid
	commit *repo.Commit
	blocks *repo.TinyBlockstore
}

// readCAR reads a CAR file and its commit. Further roots mean nothing. Blocks
// of another kind of CID than atproto's are left out: no repository may refer
// to them, and a shorter or weaker hash would let somebody choose the content.
func readCAR(ctx context.Context, raw []byte) (*contents, error) {
	if err := checkSections(raw); err != nil {
		return nil, drop(DropBadCAR, "%w", err)
	}
	reader, err := car.NewCarReader(bytes.NewReader(raw))
	if err != nil {
		return nil, drop(DropBadCAR, "header: %w", err)
	}
	c := &contents{root: reader.Header.Roots[0], blocks: repo.NewTinyBlockstore()}
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, drop(DropBadCAR, "block: %w", err)
		}
		if block.Cid().Prefix() != repoCID {
			continue
		}
		if err := c.blocks.Put(ctx, block); err != nil {
			return nil, fmt.Errorf("reposync: keep a block: %w", err)
		}
	}
	if c.commit, err = readCommit(ctx, c.blocks, c.root); err != nil {
		return nil, drop(DropBadCAR, "commit: %w", err)
	}
	return c, nil
}

// checkSections checks that each section of a CAR file ends within it. The
// reader would reserve memory for a length before it finds the bytes missing.
func checkSections(raw []byte) error {
	for len(raw) > 0 {
		length, n := binary.Uvarint(raw)
		if n <= 0 || length > uint64(len(raw)-n) {
			return io.ErrUnexpectedEOF
		}
		raw = raw[n+int(length):]
	}
	return nil
}

func readCommit(ctx context.Context, blocks repo.RepoBlockSource, root cid.Cid) (*repo.Commit, error) {
	block, err := blocks.Get(ctx, root)
	if err != nil {
		return nil, err
	}
	var commit repo.Commit
	if err := commit.UnmarshalCBOR(bytes.NewReader(block.RawData())); err != nil {
		return nil, err
	}
	return &commit, commit.VerifyStructure()
}

// tree loads the part of the commit's tree that the CAR file holds.
func (c *contents) tree(ctx context.Context, size int) (*repo.Repo, error) {
	if err := checkTree(ctx, c.blocks, c.commit.Data, size); err != nil {
		return nil, drop(DropBadCAR, "%w", err)
	}
	tree, err := mst.LoadTreeFromStore(ctx, c.blocks, c.commit.Data)
	if err != nil {
		return nil, drop(DropBadCAR, "tree: %w", err)
	}
	return &repo.Repo{DID: syntax.DID(c.commit.DID), MST: *tree, RecordStore: c.blocks}, nil
}
