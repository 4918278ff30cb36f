package checks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// renaming gives objects the names that they have in a repository of the SHA-256 object
// format with the same files: that of a blob is the hash of the same bytes, that of a tree
// of its entries with their new names.
type renaming struct {
	copy *Copy
	done map[plumbing.Hash][sha256.Size]byte // trees may hold one another many times
}

func newRenaming(c *Copy) *renaming {
	return &renaming{copy: c, done: map[plumbing.Hash][sha256.Size]byte{}}
}

// tree names a tree of the copy, which was walked through already: so it is only so deep,
// and the trees that are held on the way down have only so many bytes together.
func (r *renaming) tree(ctx context.Context, hash plumbing.Hash) (string, error) {
	name, err := r.name(ctx, hash)
	return hex.EncodeToString(name[:]), err
}

func (r *renaming) name(ctx context.Context, hash plumbing.Hash) (name [sha256.Size]byte, err error) {
	if name, ok := r.done[hash]; ok {
		return name, nil
	}
	if err := ctx.Err(); err != nil {
		return name, fmt.Errorf("checks: name a tree by SHA-256: %w", err)
	}
	encoded, err := r.copy.storage.EncodedObject(plumbing.AnyObject, hash)
	if err != nil {
		return name, broken("the object %s cannot be read: %v", hash, err)
	}
	from, err := encoded.Reader()
	if err != nil {
		return name, broken("the object %s cannot be read: %v", hash, err)
	}
	defer from.Close()
	content, size := io.Reader(from), encoded.Size()
	if encoded.Type() == plumbing.TreeObject {
		raw, err := io.ReadAll(from)
		if err != nil {
			return name, broken("the tree %s cannot be read: %v", hash, err)
		}
		renamed, err := renameEntries(raw, func(child plumbing.Hash) ([sha256.Size]byte, error) { return r.name(ctx, child) })
		if err != nil {
			return name, err
		}
		content, size = bytes.NewReader(renamed), int64(len(renamed))
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %d\x00", encoded.Type(), size)
	if _, err := io.Copy(sum, content); err != nil {
		return name, broken("the object %s cannot be read: %v", hash, err)
	}
	name = [sha256.Size]byte(sum.Sum(nil))
	r.done[hash] = name
	return name, nil
}

// renameEntries writes a tree anew with other names for what is in it: mode, space, path,
// zero, name, one after another.
func renameEntries(raw []byte, rename func(plumbing.Hash) ([sha256.Size]byte, error)) ([]byte, error) {
	var out []byte
	for len(raw) > 0 {
		head, rest, ok := bytes.Cut(raw, []byte{0})
		mode, path, spaced := bytes.Cut(head, []byte{' '})
		if !ok || !spaced || len(rest) < len(plumbing.Hash{}) {
			return nil, broken("a tree cannot be read")
		}
		if m, err := filemode.New(string(mode)); err != nil {
			return nil, broken("a tree has an entry of the mode %q", mode)
		} else if m == filemode.Submodule {
			return nil, fail("The tree has a submodule at %q, which has no name by SHA-256 here. Commit to the tree by SHA-1, or without submodules.", path)
		}
		name, err := rename(plumbing.Hash(rest[:len(plumbing.Hash{})]))
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, head...), 0), name[:]...)
		raw = rest[len(plumbing.Hash{}):]
	}
	return out, nil
}
