package reposync

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// keyExpansion is how many times larger than its CAR file the keys of a tree
// may be. They are stored without what they share with the key before them: a
// few kilobytes could name gigabytes of keys.
const keyExpansion = 4

var (
	errNodeTwice   = errors.New("tree: a node is in two places")
	errNodeForm    = errors.New("tree: a node is not encoded as nodes are")
	errNodeEmpty   = errors.New("tree: a node is empty or only a pointer")
	errNodeLevel   = errors.New("tree: a key or node is on a wrong level")
	errKeyPrefix   = errors.New("tree: a key shares more than the key before it has")
	errKeyOrder    = errors.New("tree: keys are out of order or too long")
	errKeysTooMany = errors.New("tree: the keys are much larger than the file")
)

// checkTree proves that the nodes which are there form a valid tree. It comes
// before the library that loads them, because that one trusts the shape: it
// panics at a bad key prefix, reads a node again at each place that names it,
// which is exponential in the depth, and grows its stack with each level, while
// a stack that is exhausted ends the process. Here no node is read twice, and
// levels, which come from hashes of the keys, bound the depth.
//
// size is that of the CAR file.
func checkTree(ctx context.Context, blocks repo.RepoBlockSource, root cid.Cid, size int) error {
	return walkTree(ctx, blocks, root, size, nil)
}

// walkTree checks a tree of which every node must be there, as checkTree does,
// and calls leaf for each of its keys, in order.
func walkTree(ctx context.Context, blocks repo.RepoBlockSource, root cid.Cid, size int, leaf func(key []byte, value cid.Cid) error) error {
	c := treeCheck{blocks: blocks, seen: cid.NewSet(), budget: keyExpansion*size + 1<<16, leaf: leaf}
	node, err := c.load(ctx, root)
	if err != nil {
		return err
	}
	switch {
	case len(node.Entries) > 0:
		return c.walk(ctx, node, mst.HeightForKey(node.Entries[0].KeySuffix))
	case node.Left != nil:
		return errNodeEmpty
	}
	return nil // an empty repository
}

type treeCheck struct {
	blocks repo.RepoBlockSource
	seen   *cid.Set
	last   []byte // the greatest key so far
	budget int    // bytes of keys that may still come
	// leaf, if set, is called with each key in order; the key is valid until it
	// returns. Then every node must be there.
	leaf func(key []byte, value cid.Cid) error
}

func (c *treeCheck) load(ctx context.Context, ref cid.Cid) (*mst.NodeData, error) {
	block, err := c.blocks.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !c.seen.Visit(ref) {
		return nil, errNodeTwice
	}
	node, err := mst.NodeDataFromCBOR(bytes.NewReader(block.RawData()))
	if err != nil {
		return nil, fmt.Errorf("tree: node %s: %w", ref, err)
	}
	// Any map can be read as a node, a record as an empty one.
	if _, same, err := node.Bytes(); err != nil || !same.Equals(ref) {
		return nil, errNodeForm
	}
	return node, nil
}

// walk checks a node of the level, and what is below it.
func (c *treeCheck) walk(ctx context.Context, node *mst.NodeData, level int) error {
	if err := c.child(ctx, node.Left, level-1); err != nil {
		return err
	}
	var key []byte // the node's own: prefixes refer to it
	for _, e := range node.Entries {
		if e.PrefixLen < 0 || e.PrefixLen > int64(len(key)) {
			return errKeyPrefix
		}
		if c.budget -= int(e.PrefixLen) + len(e.KeySuffix); c.budget < 0 {
			return errKeysTooMany
		}
		key = append(key[:e.PrefixLen:e.PrefixLen], e.KeySuffix...)
		if !mst.IsValidKey(key) || bytes.Compare(c.last, key) >= 0 {
			return errKeyOrder
		}
		if mst.HeightForKey(key) != level {
			return errNodeLevel
		}
		c.last = key
		if c.leaf != nil {
			if err := c.leaf(key, e.Value); err != nil {
				return err
			}
		}
		if err := c.child(ctx, e.Right, level-1); err != nil {
			return err
		}
	}
	return nil
}

// child checks the node that ref names, if there is one and the file holds it.
func (c *treeCheck) child(ctx context.Context, ref *cid.Cid, level int) error {
	if ref == nil {
		return nil
	}
	if level < 0 {
		return errNodeLevel
	}
	node, err := c.load(ctx, *ref)
	if ipld.IsNotFound(err) && c.leaf == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if node.Left == nil && len(node.Entries) == 0 {
		return errNodeEmpty
	}
	return c.walk(ctx, node, level)
}
