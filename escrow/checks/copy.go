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
	trees := map[plumbing.Hash]extent{}
	c.commits[c.Commit] = true
	for next := []plumbing.Hash{c.Commit}; len(next) > 0; {
		hash := next[len(next)-1]
		next = next[:len(next)-1]
		commit, err := c.commit(ctx, hash)
		if err != nil {
			return "", err
		}
		if err := c.walkTrees(ctx, commit.TreeHash, trees); err != nil {
			return "", err
		}
		for _, parent := range commit.ParentHashes {
			if !c.commits[parent] {
				c.commits[parent] = true // once, however often it is named
				next = append(next, parent)
			}
		}
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
	raw, err := c.storage.EncodedObject(plumbing.TreeObject, hash)
	if err != nil {
		return nil, broken("the tree %s cannot be read: %v", hash, err)
	}
	// A tree takes more memory than it has bytes.
	if err := (extent{1, raw.Size()}).bounded(); err != nil {
		return nil, err
	}
	tree, err := object.DecodeTree(c.storage, raw)
	if err != nil {
		return nil, broken("the tree %s cannot be read: %v", hash, err)
	}
	return tree, nil
}

const (
	// maxDepth is how many folders may be in one another.
	maxDepth = 1024
	// maxWay is how many bytes the folders on the way to a file may have together, since
	// whoever goes there holds them all at once.
	maxWay = 32 << 20
	// maxPath and maxName are how many bytes of a path systems take, and of a name in it.
	maxPath = 4096
	maxName = 255
)

// extent is how far a tree reaches down to the farthest file below it.
type extent struct {
	depth int   // in trees
	way   int64 // in bytes of trees
}

func (e extent) bounded() error {
	switch {
	case e.depth > maxDepth:
		return fail("The repository has files over %d folders deep: release it without them, and without the history that has them.", maxDepth)
	case e.way > maxWay:
		return fail("The repository is too large: the folders on the way to a file have over %d bytes together. Release it without some of the files, and without the history that has them.", maxWay)
	}
	return nil
}

// folder is a tree that is gone through.
type folder struct {
	hash  plumbing.Hash
	size  int64
	left  []plumbing.Hash // of the trees in it, those that are still to be gone through
	below extent
}

// extent is how far the folder reaches, as far as is known.
func (f *folder) extent() extent { return extent{f.below.depth + 1, f.below.way + f.size} }

// walkTrees wants all of a tree that was not seen before, and that nothing below it is
// farther away than can be gone.
func (c *Copy) walkTrees(ctx context.Context, root plumbing.Hash, seen map[plumbing.Hash]extent) error {
	if _, ok := seen[root]; ok {
		return nil
	}
	first, err := c.folder(ctx, root)
	if err != nil {
		return err
	}
	bytes := first.size // on the way
	for way := []*folder{first}; len(way) > 0; {
		at := way[len(way)-1]
		if len(at.left) == 0 {
			seen[at.hash] = at.extent()
			way, bytes = way[:len(way)-1], bytes-at.size
			continue
		}
		next := at.left[len(at.left)-1]
		if below, ok := seen[next]; ok {
			at.left = at.left[:len(at.left)-1]
			at.below = extent{max(at.below.depth, below.depth), max(at.below.way, below.way)}
			if err := at.extent().bounded(); err != nil {
				return err
			}
			continue
		}
		f, err := c.folder(ctx, next)
		if err != nil {
			return err
		}
		way, bytes = append(way, f), bytes+f.size
		if err := (extent{len(way), bytes}).bounded(); err != nil {
			return err
		}
	}
	return nil
}

// folder reads a tree, and wants what is in it.
func (c *Copy) folder(ctx context.Context, hash plumbing.Hash) (*folder, error) {
	tree, err := c.treeOf(ctx, hash)
	if err != nil {
		return nil, err
	}
	f := &folder{hash: hash}
	for _, e := range tree.Entries {
		if len(e.Name) > maxPath {
			return nil, fail("The repository has a name of over %d bytes: release it without the file, and without the history that has it.", maxPath)
		}
		f.size += int64(len("100644 \x00") + len(e.Name) + len(e.Hash))
		switch e.Mode {
		case filemode.Submodule:
		case filemode.Dir:
			f.left = append(f.left, e.Hash)
		default:
			if c.objects[e.Hash] != plumbing.BlobObject {
				return nil, broken("the file %s is missing", e.Hash)
			}
		}
	}
	return f, nil
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
		if len(entry.Name) > maxName || len(name) > maxPath {
			return "", fail("Nobody can check out %q: systems take names of up to %d bytes, and paths of up to %d. Rename it.", shorten(name), maxName, maxPath)
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
