package checks

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/stratosfund/stratosfund/indexer/gitfetch"
)

// findRepository asks who answers at the address.
func (r *run) findRepository(ctx context.Context) (string, error) {
	at, err := r.release.address()
	if err != nil {
		return "", err
	}
	door, err := r.history.Find(ctx, at, gitfetch.AllRefs)
	if err != nil {
		return "", err
	}
	switch door.State {
	case gitfetch.None:
		return "", fail("No git repository answers at %s to somebody without an account: make it public, and check the address.", at)
	case gitfetch.Closed:
		return "", fail("The repository at %s cannot be read by everybody: %s. Make it public, or release it elsewhere.", at, door.Why)
	}
	if len(door.Refs.Shallows) > 0 {
		return "", fail("The repository at %s is a shallow copy, which lacks its history: push it whole.", at)
	}
	r.door = door
	return fmt.Sprintf("%s answers to everybody, with %d references.", door.At, len(door.Refs.References)), nil
}

// tip is a public reference.
type tip struct {
	name   plumbing.ReferenceName
	object plumbing.Hash // that the server advertises
	commit plumbing.Hash // or of what it is a tag
}

// tips lists the branches and tags, and no other references: those of pull requests are
// made by strangers.
func (r *run) tips() []tip {
	var list []tip
	for name, hash := range r.door.Refs.References {
		t := tip{plumbing.ReferenceName(name), hash, hash}
		if peeled, ok := r.door.Refs.Peeled[name]; ok {
			t.commit = peeled
		}
		if t.name.IsBranch() || t.name.IsTag() {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b tip) int { return cmp.Compare(a.name, b.name) })
	return list
}

// named are those of the tips that the release names, or all.
func (r *run) named() ([]tip, error) {
	tips := r.tips()
	if r.release.Ref == "" {
		return tips, nil
	}
	names := []string{r.release.Ref, "refs/heads/" + r.release.Ref, "refs/tags/" + r.release.Ref}
	tips = slices.DeleteFunc(tips, func(t tip) bool { return !slices.Contains(names, t.name.String()) })
	if len(tips) == 0 {
		return nil, fail("The repository has no branch or tag %q: push it, or correct the release's ref.", r.release.Ref)
	}
	return tips, nil
}

// findCommit wants a public reference that holds the commit.
func (r *run) findCommit(ctx context.Context) (string, error) {
	commit, err := parseHash(r.release.Commit)
	if err != nil {
		return "", fail("%q is no commit of this repository, whose commits have names of 40 hex digits.", r.release.Commit)
	}
	r.commit = commit
	tips, err := r.named()
	if err != nil {
		return "", err
	}
	for _, t := range tips {
		if t.commit == commit {
			r.want = t.object
			return fmt.Sprintf("%s is the newest commit of %s.", commit, t.name), nil
		}
	}
	followed := tips[:min(len(tips), r.limits.Tips)]
	found, err := r.follow(ctx, followed)
	if err != nil {
		return "", err
	}
	if found == nil {
		hint := "Push it to a branch, or tag it."
		if len(followed) < len(tips) {
			hint = fmt.Sprintf("Only %d of %d were followed: name in ref the one that holds it.", len(followed), len(tips))
		}
		return "", fail("No branch or tag holds the commit %s. %s", commit, hint)
	}
	r.want = found.object
	return fmt.Sprintf("%s is in the history of %s.", commit, found.name), nil
}

// follow goes from the tips back to the commit. The server is told that we have it, so
// that it sends only what lies between; what it says about having it proves nothing.
func (r *run) follow(ctx context.Context, tips []tip) (*tip, error) {
	wants := map[plumbing.Hash]bool{}
	for _, t := range tips {
		wants[t.object] = true
	}
	if len(wants) == 0 {
		return nil, nil
	}
	var pack bytes.Buffer
	err := r.way.Fetch(ctx, r.door, gitfetch.Ask{
		Wants: slices.SortedFunc(maps.Keys(wants), compareHashes), Haves: []plumbing.Hash{r.commit},
		Filter: packp.FilterTreeDepth(0),
	}, func(from io.Reader) error {
		_, err := pack.ReadFrom(from)
		return err
	})
	var objects *memory.Storage
	if err == nil {
		objects, err = gitfetch.Unpack(pack.Bytes(), r.limits.Way)
	}
	if err != nil {
		return nil, refused(err, "the commit %s was not found near a branch or tag. Tag it, and name the tag in ref.", r.commit)
	}
	for _, t := range tips {
		if leads(objects, t.object, r.commit) {
			return &t, nil
		}
	}
	return nil, nil
}

func compareHashes(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) }

// leads reports whether the commit is reached from the tip by what is in objects.
func leads(objects *memory.Storage, from, to plumbing.Hash) bool {
	seen := map[plumbing.Hash]bool{}
	for next := []plumbing.Hash{from}; len(next) > 0; {
		hash := next[len(next)-1]
		next = next[:len(next)-1]
		if hash == to {
			return true
		}
		if seen[hash] {
			continue
		}
		seen[hash] = true
		if tag, err := object.GetTag(objects, hash); err == nil {
			next = append(next, tag.Target)
		}
		// What is not there is older than the commit, or withheld: no way leads through.
		if commit, err := object.GetCommit(objects, hash); err == nil {
			next = append(next, commit.ParentHashes...)
		}
	}
	return false
}

// fetch gets the commit and all before it, and looks whether it is whole.
func (r *run) fetch(ctx context.Context) (_ string, err error) {
	copied, err := newCopy(r.folder, r.commit)
	if err != nil {
		return "", err
	}
	defer func() {
		if r.copy == nil { // also after a panic
			err = errors.Join(err, copied.Remove())
		}
	}()
	want := r.want
	if r.door.MayWant() {
		want = r.commit // without what came after it
	}
	err = r.history.Fetch(ctx, r.door, gitfetch.Ask{Wants: []plumbing.Hash{want}}, func(pack io.Reader) (err error) {
		copied.objects, err = gitfetch.Write(ctx, pack, copied.Folder, r.limits.History)
		return err
	})
	if err != nil {
		return "", refused(err, "release it with a shorter history, or without large files.")
	}
	if err := copied.open(); err != nil {
		return "", err
	}
	links, err := copied.walk(ctx)
	if err != nil {
		return "", err
	}
	r.copy = copied
	return strings.TrimSpace(fmt.Sprintf("The commit was fetched with its history, %d objects. %s", len(copied.objects), links)), nil
}
