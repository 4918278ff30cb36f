package checks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/stratosfund/stratosfund/indexer/gitfetch"
)

// Copy is a commit with its history, in one pack of a repository's folder. The pack may
// hold later commits as well, when the server would not leave them out.
type Copy struct {
	Folder string
	Commit plumbing.Hash
	// PreviewCommit is the ancestor that has the tree which was committed to; zero when
	// the release names none.
	PreviewCommit plumbing.Hash

	objects gitfetch.Objects
	storage *filesystem.Storage
	commits map[plumbing.Hash]bool // that are in the history
	tree    *object.Tree
}

// copyPrefix begins the names of the folders.
const copyPrefix = "copy-"

func newCopy(folder string, commit plumbing.Hash) (*Copy, error) {
	at, err := os.MkdirTemp(folder, copyPrefix)
	if err != nil {
		return nil, fmt.Errorf("checks: make a folder for a repository: %w", err)
	}
	return &Copy{Folder: at, Commit: commit}, nil
}

func (c *Copy) open() error {
	fs := osfs.New(c.Folder, osfs.WithBoundOS())
	c.storage = filesystem.NewStorageWithOptions(fs, cache.NewObjectLRUDefault(), filesystem.Options{ExclusiveAccess: true, KeepDescriptors: true})
	if err := c.storage.Init(); err != nil {
		return fmt.Errorf("checks: open a repository: %w", err)
	}
	return nil
}

// Remove removes the folder. It may be called twice.
func (c *Copy) Remove() error {
	var errs []error
	if c.storage != nil {
		errs = append(errs, c.storage.Close())
		c.storage = nil
	}
	if err := errors.Join(append(errs, os.RemoveAll(c.Folder))...); err != nil {
		return fmt.Errorf("checks: remove a repository: %w", err)
	}
	return nil
}

// broken is the verdict about a history that is not whole.
func broken(format string, args ...any) error {
	return fail("The repository is damaged: "+format+". git fsck says more.", args...)
}

// walk goes through all that the commit stands on, and says what is linked to and not
// there.
func (c *Copy) walk(ctx context.Context) (links string, err error) {
	defer func() {
		// Strangers wrote every byte, and a decoder that panics must not end us.
		if p := recover(); p != nil {
			err = broken("%v", p)
		}
	}()
	c.commits = map[plumbing.Hash]bool{}
	trees := map[plumbing.Hash]bool{}
	for next := []plumbing.Hash{c.Commit}; len(next) > 0; {
		hash := next[len(next)-1]
		next = next[:len(next)-1]
		if c.commits[hash] {
			continue
		}
		c.commits[hash] = true
		commit, err := c.commit(ctx, hash)
		if err != nil {
			return "", err
		}
		if err := c.walkTrees(ctx, commit.TreeHash, trees); err != nil {
			return "", err
		}
		next = append(next, commit.ParentHashes...)
	}
	return c.walkFiles(ctx)
}

func (c *Copy) commit(ctx context.Context, hash plumbing.Hash) (*object.Commit, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("checks: walk through the history: %w", err)
	}
	if c.objects[hash] != plumbing.CommitObject {
		return nil, broken("the commit %s is missing", hash)
	}
	commit, err := object.GetCommit(c.storage, hash)
	if err != nil {
		return nil, broken("the commit %s cannot be read: %v", hash, err)
	}
	return commit, nil
}

func (c *Copy) treeOf(ctx context.Context, hash plumbing.Hash) (*object.Tree, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("checks: walk through the files: %w", err)
	}
	if c.objects[hash] != plumbing.TreeObject {
		return nil, broken("the tree %s is missing", hash)
	}
	tree, err := object.GetTree(c.storage, hash)
	if err != nil {
		return nil, broken("the tree %s cannot be read: %v", hash, err)
	}
	return tree, nil
}

// walkTrees wants all of a tree that was not seen before.
func (c *Copy) walkTrees(ctx context.Context, root plumbing.Hash, seen map[plumbing.Hash]bool) error {
	for next := []plumbing.Hash{root}; len(next) > 0; {
		hash := next[len(next)-1]
		next = next[:len(next)-1]
		if seen[hash] {
			continue
		}
		seen[hash] = true
		tree, err := c.treeOf(ctx, hash)
		if err != nil {
			return err
		}
		for _, e := range tree.Entries {
			switch e.Mode {
			case filemode.Submodule:
			case filemode.Dir:
				next = append(next, e.Hash)
			default:
				if c.objects[e.Hash] != plumbing.BlobObject {
					return broken("the file %s is missing", e.Hash)
				}
			}
		}
	}
	return nil
}

// lfsPointer is how a file begins that is kept in Git LFS.
const lfsPointer = "version https://git-lfs.github.com/spec/"

// maxFiles is how many files a checkout of the commit may have.
const maxFiles = 500_000

// walkFiles goes through the files of the commit itself, as a checkout would, and counts
// what they only point at.
func (c *Copy) walkFiles(ctx context.Context) (links string, err error) {
	commit, err := c.commit(ctx, c.Commit)
	if err != nil {
		return "", err
	}
	if c.tree, err = c.treeOf(ctx, commit.TreeHash); err != nil {
		return "", err
	}
	count, submodules, large := 0, 0, 0
	files := object.NewTreeWalker(c.tree, true, nil)
	defer files.Close()
	for {
		name, entry, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if ended := ctx.Err(); ended != nil {
			return "", fmt.Errorf("checks: walk through the files: %w", ended)
		}
		if err != nil {
			return "", broken("git checks out no file of the name %q: %v", name, err)
		}
		if count++; count > maxFiles {
			// Few trees that hold one another many times are many files.
			return "", fail("The repository is too large: the commit has over %d files. Release it without some.", maxFiles)
		}
		switch {
		case entry.Mode == filemode.Submodule:
			submodules++
		case entry.Mode.IsFile() && c.pointsToLFS(entry.Hash):
			large++
		}
	}
	if submodules > 0 {
		links = fmt.Sprintf("Its %d submodules are other repositories, and no part of it. ", submodules)
	}
	if large > 0 {
		links += fmt.Sprintf("Its %d files in Git LFS are kept elsewhere, and no part of it.", large)
	}
	return links, nil
}

// maxPointer is how long a pointer of Git LFS is at most.
const maxPointer = 1024

func (c *Copy) pointsToLFS(hash plumbing.Hash) bool {
	size, err := c.storage.EncodedObjectSize(hash)
	if err != nil || size > maxPointer {
		return false
	}
	content, err := c.read(hash, maxPointer)
	return err == nil && len(content) >= len(lfsPointer) && string(content[:len(lfsPointer)]) == lfsPointer
}

// read reads a file of at most so many bytes.
func (c *Copy) read(hash plumbing.Hash, most int64) (content []byte, err error) {
	blob, err := object.GetBlob(c.storage, hash)
	if err != nil {
		return nil, broken("the file %s cannot be read: %v", hash, err)
	}
	if blob.Size > most {
		return nil, fail("the file has over %d bytes", most)
	}
	r, err := blob.Reader()
	if err != nil {
		return nil, broken("the file %s cannot be read: %v", hash, err)
	}
	content, err = io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, broken("the file %s cannot be read: %v", hash, err)
	}
	return content, nil
}

// subtree is the tree at a path; ok is false when there is none.
func subtree(root *object.Tree, at string) (tree *object.Tree, ok bool) {
	at = strings.Trim(path.Clean("/"+at), "/")
	if at == "" {
		return root, true
	}
	tree, err := root.Tree(at)
	return tree, err == nil
}
