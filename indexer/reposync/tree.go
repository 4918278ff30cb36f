package reposync

import (
	"bytes"
	"context"
	"errors"
	"slices"

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
	errNodeEmpty   = errors.New("tree: a node is empty or only a pointer")
	errNodeLevel   = errors.New("tree: a key or node is on a wrong level")
	errKeyPrefix   = errors.New("tree: a key shares more than the key before it has")
	errKeyOrder    = errors.New("tree: keys are out of order or too long")
	errKeysTooMany = errors.New("tree: the keys are much larger than the file")
)

// loadTree loads the nodes of a tree that are there, and proves that they form
// a valid one. The library's own loader trusts the shape: it panics at a bad key
// prefix, reads a node again at each place that names it, which is exponential
// in the depth, and grows its stack with each level, while a stack that is
// exhausted ends the process. Here no node is read twice, and levels, which come
// from hashes of the keys, bound the depth.
//
// size is that of the CAR file.
func loadTree(ctx context.Context, source repo.RepoBlockSource, root cid.Cid, size int) (*mst.Tree, error) {
	top, err := newTreeCheck(source, size, nil).root(ctx, root)
	if err != nil {
		return nil, err
	}
	return &mst.Tree{Root: top}, nil
}

// walkTree checks a tree as loadTree does, but every node must be there. It
// calls leaf for each of the keys, in order, and keeps no node that it is done
// with.
func walkTree(ctx context.Context, source repo.RepoBlockSource, root cid.Cid, size int, leaf leafFunc) error {
	_, err := newTreeCheck(source, size, leaf).root(ctx, root)
	return err
}

// leafFunc gets a key and its value; the key is valid until it returns.
type leafFunc func(key []byte, value cid.Cid) error

type treeCheck struct {
	source repo.RepoBlockSource
	seen   *cid.Set
	last   []byte // the greatest key so far
	budget int    // bytes of keys that may still come
	leaf   leafFunc
}

func newTreeCheck(source repo.RepoBlockSource, size int, leaf leafFunc) *treeCheck {
	return &treeCheck{source: source, seen: cid.NewSet(), budget: keyExpansion*size + 1<<16, leaf: leaf}
}

func (c *treeCheck) root(ctx context.Context, ref cid.Cid) (*mst.Node, error) {
	data, err := c.load(ctx, ref)
	if err != nil {
		return nil, err
	}
	level := -1 // of an empty repository
	switch {
	case len(data.Entries) > 0:
		level = mst.HeightForKey(data.Entries[0].KeySuffix)
	case data.Left != nil:
		return nil, errNodeEmpty
	}
	return c.walk(ctx, ref, data, level)
}

func (c *treeCheck) load(ctx context.Context, ref cid.Cid) (*mst.NodeData, error) {
	block, err := c.source.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !c.seen.Visit(ref) {
		return nil, errNodeTwice
	}
	return readNode(block.RawData())
}

// walk checks a node of the level, and what is below it. It returns the node
// with what is below, or without when that is not kept.
func (c *treeCheck) walk(ctx context.Context, ref cid.Cid, data *mst.NodeData, level int) (*mst.Node, error) {
	node := &mst.Node{CID: &ref, Height: level}
	if c.leaf == nil {
		node.Entries = make([]mst.NodeEntry, 0, 2*len(data.Entries)+1)
	}
	if err := c.child(ctx, node, data.Left); err != nil {
		return nil, err
	}
	var key []byte // the node's own: prefixes refer to it
	for i := range data.Entries {
		e := &data.Entries[i]
		if e.PrefixLen > int64(len(key)) {
			return nil, errKeyPrefix
		}
		key = slices.Concat(key[:e.PrefixLen], e.KeySuffix)
		if err := c.key(key, level); err != nil {
			return nil, err
		}
		if c.leaf != nil {
			if err := c.leaf(key, e.Value); err != nil {
				return nil, err
			}
		} else {
			node.Entries = append(node.Entries, mst.NodeEntry{Key: key, Value: &e.Value})
		}
		if err := c.child(ctx, node, e.Right); err != nil {
			return nil, err
		}
	}
	return node, nil
}

// key checks the next key of the tree, which is on the level.
func (c *treeCheck) key(key []byte, level int) error {
	if c.budget -= len(key); c.budget < 0 {
		return errKeysTooMany
	}
	if !mst.IsValidKey(key) || bytes.Compare(c.last, key) >= 0 {
		return errKeyOrder
	}
	if mst.HeightForKey(key) != level {
		return errNodeLevel
	}
	c.last = key
	return nil
}

// child checks the node below the parent that ref names, if there is one and it
// is there, and hangs it on.
func (c *treeCheck) child(ctx context.Context, parent *mst.Node, ref *cid.Cid) error {
	if ref == nil {
		return nil
	}
	if parent.Height <= 0 {
		return errNodeLevel
	}
	data, err := c.load(ctx, *ref)
	if ipld.IsNotFound(err) && c.leaf == nil {
		parent.Entries = append(parent.Entries, mst.NodeEntry{ChildCID: ref})
		return nil
	}
	if err != nil {
		return err
	}
	if data.Left == nil && len(data.Entries) == 0 {
		return errNodeEmpty
	}
	node, err := c.walk(ctx, *ref, data, parent.Height-1)
	if err != nil {
		return err
	}
	if c.leaf == nil {
		parent.Entries = append(parent.Entries, mst.NodeEntry{ChildCID: ref, Child: node})
	}
	return nil
}
