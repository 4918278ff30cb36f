package checks_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/checks"
)

// entry is one of a tree, as git writes it.
func entry(t *testing.T, mode, name, object string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(object)
	if err != nil {
		t.Fatal(err)
	}
	return append(fmt.Appendf(nil, "%s %s\x00", mode, name), raw...)
}

// rawTree puts a tree into the forge's repository that git itself would not make.
func (w *world) rawTree(entries ...[]byte) string {
	w.t.Helper()
	return git(w.t, string(bytes.Join(entries, nil)), "--git-dir", w.bare(), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
}

// nested puts a tree so many levels deep into the forge's repository.
func (w *world) nested(levels int, blob string) string {
	w.t.Helper()
	var stream bytes.Buffer
	fmt.Fprintf(&stream, "commit refs/heads/nested\ncommitter a <a@web.test> 0 +0000\ndata 0\nM 100644 %s %sf\n\n", blob, strings.Repeat("a/", levels-1))
	cmd := exec.CommandContext(w.t.Context(), "git", "--git-dir", w.bare(), "fast-import", "--quiet")
	cmd.Stdin = &stream
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatal(err, string(out))
	}
	tree := w.git("rev-parse", "refs/heads/nested^{tree}")
	w.git("update-ref", "-d", "refs/heads/nested")
	return tree
}

// releases makes a tree the newest commit, with another one before it.
func (w *world) releases(tree string, before ...string) checks.Release {
	w.t.Helper()
	args := []string{"commit-tree", "-m", "Boom", tree}
	for _, commit := range before {
		args = append(args, "-p", commit)
	}
	commit := w.git(args...)
	w.git("update-ref", "refs/heads/trunk", commit)
	return release(commit)
}

func TestHostileForge_NamesAndPathsHaveAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit(map[string]string{"LICENSE": mit})
	honest := w.git("rev-parse", first+"^{tree}")
	blob := w.git("rev-parse", first+":LICENSE")
	files := func(more ...[]byte) string {
		return w.rawTree(append([][]byte{entry(t, "100644", "LICENSE", blob)}, more...)...)
	}
	named := func(bytes int) string { return files(entry(t, "100644", strings.Repeat("n", bytes), blob)) }

	w.passes(w.releases(named(255)), nil)
	w.fails(w.releases(named(256)), nil, checks.RepositoryCloneable, "up to 255 bytes")
	w.fails(w.releases(named(1<<20)), nil, checks.RepositoryCloneable, "over 4096 bytes")
	// What is no part of the release any more may only be too long for all systems.
	w.passes(w.releases(honest, w.git("commit-tree", "-m", "Long", named(300))), nil)
	w.fails(w.releases(honest, w.git("commit-tree", "-m", "Long", named(1<<20))), nil, checks.RepositoryCloneable, "over 4096 bytes")

	long := blob
	mode := "100644"
	for range 17 {
		long, mode = w.rawTree(entry(t, mode, strings.Repeat("d", 250), long)), "40000"
	}
	w.fails(w.releases(files(entry(t, "40000", "x", long))), nil, checks.RepositoryCloneable, "paths of up to 4096")
}

func TestHostileForge_TreesAreNotDeeperThanIsLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit(map[string]string{"LICENSE": mit})
	honest, blob := w.git("rev-parse", first+"^{tree}"), w.git("rev-parse", first+":LICENSE")

	sha256 := &checks.Commitment{Tree: strings.Repeat("ab", 32), Algorithm: "sha256"}
	preview := w.git("commit-tree", "-m", "Deep", w.nested(2000, blob))
	r := w.releases(honest, preview)
	r.PreviewCommit = preview
	w.fails(r, sha256, checks.RepositoryCloneable, "over 1024 folders deep")

	preview = w.git("commit-tree", "-m", "Deep", w.nested(1024, blob))
	r = w.releases(honest, preview)
	r.PreviewCommit = preview
	w.fails(r, sha256, checks.TreeMatches, "committed to the tree")
	w.passes(r, nil)
	w.passes(w.releases(honest, preview), nil)
}

func TestHostileForge_TreesOnTheWayToAFileFitIntoTheMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit(map[string]string{"LICENSE": mit})
	honest, blob := w.git("rev-parse", first+"^{tree}"), w.git("rev-parse", first+":LICENSE")
	// Each holds the one before and so many files that some together are too much.
	const files = 250_000
	var entries [][]byte
	for n := range files {
		entries = append(entries, entry(t, "100644", fmt.Sprintf("f%06d", n), blob))
	}
	large := w.rawTree(entries...)
	w.passes(w.releases(honest, w.git("commit-tree", "-m", "Large", large)), nil)
	tree := large
	for range 4 {
		tree = w.rawTree(append([][]byte{entry(t, "40000", "d", tree)}, entries...)...)
	}
	w.fails(w.releases(honest, w.git("commit-tree", "-m", "Larger", tree)), nil, checks.RepositoryCloneable, "folders on the way to a file")
}
