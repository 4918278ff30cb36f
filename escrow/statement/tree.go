package statement

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 hash.
type Hash = tlog.Hash

// Tree is the Merkle tree over the leaves of a statement. It may be shared.
type Tree struct {
	leaves int64
	hashes []tlog.Hash // in tlog's order
}

// NewTree builds the tree of leaves.
func NewTree(leaves []Leaf) (*Tree, error) {
	t := &Tree{}
	for _, l := range leaves {
		b, err := l.Encode()
		if err != nil {
			return nil, err
		}
		more, err := tlog.StoredHashes(t.leaves, b, t)
		if err != nil {
			return nil, fmt.Errorf("statement: add the leaf of %s: %w", l.Key, err)
		}
		t.hashes = append(t.hashes, more...)
		t.leaves++
	}
	return t, nil
}

// ReadHashes implements tlog.HashReader.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = t.hashes[index]
	}
	return found, nil
}

// Root is the hash over all leaves.
func (t *Tree) Root() (Hash, error) {
	root, err := tlog.TreeHash(t.leaves, t)
	if err != nil {
		return Hash{}, fmt.Errorf("statement: compute the root: %w", err)
	}
	return root, nil
}

// Step is a neighbour on the way from a leaf to the root.
type Step struct {
	Left bool // it stands to the left of the way
	Hash Hash
}

// Proof is that a leaf is under a root.
type Proof struct {
	Index, Leaves int64
	Leaf          Hash
	Path          []Step
}

// Prove returns the proof of the leaf at a place, from 0.
func (t *Tree) Prove(index int64) (Proof, error) {
	path, err := tlog.ProveRecord(t.leaves, index, t)
	if err != nil {
		return Proof{}, fmt.Errorf("statement: prove leaf %d of %d: %w", index, t.leaves, err)
	}
	p := Proof{Index: index, Leaves: t.leaves, Leaf: t.hashes[tlog.StoredHashIndex(0, index)], Path: make([]Step, len(path))}
	sides := sides(index, t.leaves)
	for i, hash := range path {
		p.Path[i] = Step{Left: sides[i], Hash: hash}
	}
	return p, nil
}

// Root is the root that the proof leads to, or an error when its steps do not fit the
// leaf's place.
func (p Proof) Root() (Hash, error) {
	if p.Index < 0 || p.Index >= p.Leaves {
		return Hash{}, fmt.Errorf("statement: there is no leaf %d of %d", p.Index, p.Leaves)
	}
	sides := sides(p.Index, p.Leaves)
	if len(sides) != len(p.Path) {
		return Hash{}, fmt.Errorf("statement: leaf %d of %d has %d neighbours, and not %d", p.Index, p.Leaves, len(sides), len(p.Path))
	}
	hash := p.Leaf
	for i, step := range p.Path {
		switch {
		case step.Left != sides[i]:
			return Hash{}, fmt.Errorf("statement: neighbour %d of leaf %d stands on the other side", i, p.Index)
		case step.Left:
			hash = tlog.NodeHash(step.Hash, hash)
		default:
			hash = tlog.NodeHash(hash, step.Hash)
		}
	}
	return hash, nil
}

// sides tells, from the leaf to the root, which neighbours stand to the left.
func sides(index, leaves int64) []bool {
	if leaves == 1 {
		return nil
	}
	left := int64(1)
	for left*2 < leaves {
		left *= 2
	}
	if index < left {
		return append(sides(index, left), false)
	}
	return append(sides(index-left, leaves-left), true)
}
