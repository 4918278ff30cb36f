package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/serverinfo"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/stratosfund/stratosfund/escrow/ledger"
)

const (
	branchRelease plumbing.ReferenceName = "refs/heads/release"
	branchPreview plumbing.ReferenceName = "refs/heads/preview"
)

// ErrOtherCommit is returned by Keep when another commit is kept under the key. What was
// accepted stays.
var ErrOtherCommit = errors.New("mirror: another commit is kept already")

// ErrDamaged is returned by Commit for a repository that cannot be what was kept.
var ErrDamaged = errors.New("mirror: the repository is damaged")

// Config says where repositories are kept and how they are served.
type Config struct {
	// Folder holds a folder for each repository, and nothing else.
	Folder string
	// AtOnce is how many answers are given at the same time; whoever comes then is told
	// to come back.
	AtOnce int
	// OfEach is how many of them one client gets. git asks for up to five files at a time.
	OfEach int
	// Client tells who asks.
	Client func(*http.Request) netip.Prefix
}

// Mirror keeps repositories.
type Mirror struct {
	folder string
	root   *os.Root
	turns  turns
	client func(*http.Request) netip.Prefix
}

// Source is a commit with its history, in packs below a folder that the caller has made
// sure are whole.
type Source struct {
	Folder  string
	Commit  plumbing.Hash
	Preview plumbing.Hash // zero for none
}

// New opens the folder, and removes what was not finished when a process died.
func New(cfg Config) (*Mirror, error) {
	if cfg.AtOnce < 1 || cfg.OfEach < 1 {
		return nil, fmt.Errorf("mirror: %d answers at once, %d of each client, are none", cfg.AtOnce, cfg.OfEach)
	}
	if err := os.MkdirAll(cfg.Folder, 0o755); err != nil {
		return nil, fmt.Errorf("mirror: make the folder: %w", err)
	}
	aside, err := filepath.Glob(filepath.Join(cfg.Folder, asidePrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("mirror: look for what is unfinished: %w", err)
	}
	for _, folder := range aside {
		if err := os.RemoveAll(folder); err != nil {
			return nil, fmt.Errorf("mirror: remove what is unfinished: %w", err)
		}
	}
	root, err := os.OpenRoot(cfg.Folder)
	if err != nil {
		return nil, fmt.Errorf("mirror: open the folder: %w", err)
	}
	return &Mirror{
		folder: cfg.Folder, root: root, client: cfg.Client,
		turns: turns{most: cfg.AtOnce, ofEach: cfg.OfEach, taken: map[netip.Prefix]int{}},
	}, nil
}

// Close lets go of the folder. It may be called twice.
func (m *Mirror) Close() error { return m.root.Close() }

// asidePrefix begins the names of what is not served, which no key begins with.
const asidePrefix = "aside-"

// path of a repository. A key that is none could lead elsewhere.
func (m *Mirror) path(key ledger.AttemptKey) (string, error) {
	if !isKey(string(key)) {
		return "", fmt.Errorf("mirror: %q is no key", key)
	}
	return filepath.Join(m.folder, string(key)), nil
}

// isKey reports whether a text can be a key: those are base32 in lower case, and of no
// length that a file system refuses.
func isKey(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Keep copies a commit with its history. Keeping the same one again is nothing.
func (m *Mirror) Keep(ctx context.Context, key ledger.AttemptKey, source Source) (err error) {
	kept, ok, err := m.Commit(key)
	switch {
	case err != nil:
		return err
	case ok && kept != source.Commit:
		return fmt.Errorf("%w: %s, and not %s, for %s", ErrOtherCommit, kept, source.Commit, key)
	case ok:
		return nil
	}
	aside, err := os.MkdirTemp(m.folder, asidePrefix)
	if err != nil {
		return fmt.Errorf("mirror: make a folder for %s: %w", key, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(aside))
		}
	}()
	for _, step := range []func() error{
		func() error { return copyPacks(ctx, source.Folder, aside) },
		func() error { return describe(aside, source) },
		func() error { return syncAll(aside) },
		func() error { return os.Chmod(aside, 0o755) },
		func() error { return os.Rename(aside, filepath.Join(m.folder, string(key))) },
		func() error { return syncOne(m.folder) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("mirror: keep %s: %w", key, err)
		}
	}
	return nil
}

// Commit is what is kept under a key, if anything is.
func (m *Mirror) Commit(key ledger.AttemptKey) (commit plumbing.Hash, ok bool, err error) {
	at, err := m.path(key)
	if err != nil {
		return commit, false, err
	}
	text, err := os.ReadFile(filepath.Join(at, filepath.FromSlash(branchRelease.String())))
	if errors.Is(err, fs.ErrNotExist) {
		return commit, false, nil
	}
	if err != nil {
		return commit, false, fmt.Errorf("mirror: look for %s: %w", key, err)
	}
	name := strings.TrimSpace(string(text))
	if !plumbing.IsHash(name) {
		return commit, false, fmt.Errorf("%w: %q is no commit of %s", ErrDamaged, name, key)
	}
	return plumbing.NewHash(name), true, nil
}

// Whole tells whether a commit is kept under a key, with all files that are served of it.
// What they hold is not read: that is for whoever clones, by its hashes.
func (m *Mirror) Whole(key ledger.AttemptKey, commit plumbing.Hash) (whole bool, err error) {
	kept, ok, err := m.Commit(key)
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	if err != nil || !ok || kept != commit {
		return false, err
	}
	at, err := m.path(key)
	if err != nil {
		return false, err
	}
	packs, err := packsOf(at)
	if err != nil || len(packs) == 0 {
		return false, err
	}
	for _, name := range append(packs, "HEAD", "info/refs") {
		info, err := os.Stat(filepath.Join(at, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("mirror: look at %s: %w", key, err)
		case info.Size() == 0:
			return false, nil
		}
	}
	return true, nil
}

// packsOf are the packs that a repository serves, each with its index, by what it tells
// those who clone.
func packsOf(at string) (names []string, err error) {
	list, err := os.ReadFile(filepath.Join(at, "objects", "info", "packs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mirror: read the list of packs: %w", err)
	}
	for line := range strings.Lines(string(list)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "P "); ok {
			names = append(names, "objects/pack/"+name, "objects/pack/"+strings.TrimSuffix(name, ".pack")+".idx")
		}
	}
	return names, nil
}

// Keys lists what is kept.
func (m *Mirror) Keys() ([]ledger.AttemptKey, error) {
	entries, err := os.ReadDir(m.folder)
	if err != nil {
		return nil, fmt.Errorf("mirror: list what is kept: %w", err)
	}
	var keys []ledger.AttemptKey
	for _, entry := range entries {
		if isKey(entry.Name()) {
			keys = append(keys, ledger.AttemptKey(entry.Name()))
		}
	}
	return keys, nil
}

// Remove removes what is kept under a key, if anything is.
func (m *Mirror) Remove(key ledger.AttemptKey) error {
	at, err := m.path(key)
	if err != nil {
		return err
	}
	aside, err := os.MkdirTemp(m.folder, asidePrefix)
	if err != nil {
		return fmt.Errorf("mirror: remove %s: %w", key, err)
	}
	// At once, and only then file by file.
	err = os.Rename(at, filepath.Join(aside, "repository"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err := errors.Join(err, syncOne(m.folder), os.RemoveAll(aside)); err != nil {
		return fmt.Errorf("mirror: remove %s: %w", key, err)
	}
	return nil
}

// copyPacks copies the packs of a repository, and nothing else that may lie there.
func copyPacks(ctx context.Context, from, to string) error {
	packs, err := filepath.Glob(filepath.Join(from, "objects", "pack", "pack-*"))
	if err != nil {
		return err
	}
	folder := filepath.Join(to, "objects", "pack")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	copied := 0
	for _, pack := range packs {
		if !isPack(filepath.Base(pack)) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyFile(pack, filepath.Join(folder, filepath.Base(pack))); err != nil {
			return err
		}
		copied++
	}
	if copied == 0 {
		return fmt.Errorf("there is no pack in %s", from)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// describe writes all that git wants to see beside the packs.
func describe(folder string, source Source) (err error) {
	files := osfs.New(folder, osfs.WithBoundOS())
	storage := filesystem.NewStorage(files, cache.NewObjectLRUDefault())
	defer func() { err = errors.Join(err, storage.Close()) }()
	if _, err := git.InitWithOptions(storage, nil, git.InitOptions{DefaultBranch: branchRelease}); err != nil {
		return err
	}
	refs := map[plumbing.ReferenceName]plumbing.Hash{branchRelease: source.Commit}
	if !source.Preview.IsZero() {
		refs[branchPreview] = source.Preview
	}
	for name, commit := range refs {
		if err := storage.HasEncodedObject(commit); err != nil {
			return fmt.Errorf("the commit %s: %w", commit, err)
		}
		if err := storage.SetReference(plumbing.NewHashReference(name, commit)); err != nil {
			return err
		}
	}
	return serverinfo.UpdateServerInfo(storage, files)
}

// syncAll has everything below a folder on the disk.
func syncAll(folder string) error {
	return filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncOne(path)
	})
}

func syncOne(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
