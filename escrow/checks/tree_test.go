package checks_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/checks"
)

func TestR12_TheTreeIsTheOneThatThePreviewCommittedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	preview := w.commit(map[string]string{"LICENSE": mit, "app/main": "as previewed"})
	released := w.commit(map[string]string{"LICENSE": mit, "app/main": "as previewed", "CHANGES": "One."})
	changed := w.commit(map[string]string{"LICENSE": mit, "app/main": "something else"})
	tree := w.git("rev-parse", preview+"^{tree}")
	app := w.git("rev-parse", preview+":app")
	whole, part := &checks.Commitment{Tree: tree, Algorithm: "sha1"}, &checks.Commitment{Tree: app, Algorithm: "sha1", Path: "app"}

	w.passes(release(preview), whole)
	for _, path := range []string{"app", "app/", "./app", "/app"} {
		w.passes(release(released), &checks.Commitment{Tree: app, Algorithm: "sha1", Path: path})
	}
	w.fails(release(released), whole, checks.TreeMatches, "committed to the tree "+tree)
	w.fails(release(changed), part, checks.TreeMatches, "committed to the tree "+app)
	w.fails(release(changed), &checks.Commitment{Tree: app, Algorithm: "sha1", Path: "none"}, checks.TreeMatches, "no folder none")
	w.fails(release(changed), &checks.Commitment{Tree: app, Algorithm: "sha1", Path: "../app"}, checks.TreeMatches, "committed to")
	w.fails(release(changed), &checks.Commitment{Tree: tree, Algorithm: "md5"}, checks.TreeMatches, `"md5"`)

	r := release(changed)
	r.PreviewCommit = preview
	if got := w.passes(r, whole).PreviewCommit.String(); got != preview {
		t.Errorf("the preview's commit is %s", got)
	}
	r.PreviewCommit = released
	w.fails(r, whole, checks.TreeMatches, "committed to the tree")
	r.Commit, r.PreviewCommit = preview, changed
	w.fails(r, part, checks.TreeMatches, "no ancestor")
	r.PreviewCommit = w.orphan(preview)
	w.fails(r, whole, checks.TreeMatches, "no ancestor")
	r.PreviewCommit = strings.Repeat("ab", 32)
	w.fails(r, whole, checks.TreeMatches, "no ancestor")
}

func TestR12_ATreeNamedBySHA256IsTheOneOfARepositoryOfThatFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := map[string]string{"LICENSE": mit, "app/main": "main", "app/empty": "", "a-b": "1", "a/b": "2", "run": "#!/bin/sh"}
	work, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	for name, content := range files {
		if err := os.MkdirAll(filepath.Join(work, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("run", filepath.Join(work, "link")); err != nil {
		t.Fatal(err)
	}
	w.Git(t, "", "init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=trunk", other)
	w.commit(nil)
	for _, bare := range []string{other, w.bare()} {
		w.Git(t, bare, "--work-tree", work, "add", "--all", ".")
		w.Git(t, bare, "--work-tree", work, "commit", "--quiet", "--message", "Files")
	}
	r := release(w.git("rev-parse", "HEAD"))
	tree := git(t, "", "--git-dir", other, "rev-parse", "HEAD^{tree}")
	app := git(t, "", "--git-dir", other, "rev-parse", "HEAD:app")
	w.passes(r, &checks.Commitment{Tree: tree, Algorithm: "sha256"})
	w.passes(r, &checks.Commitment{Tree: app, Algorithm: "sha256", Path: "app"})
	w.fails(r, &checks.Commitment{Tree: app, Algorithm: "sha256"}, checks.TreeMatches, "the tree "+tree)

	inside := git(t, w.git("ls-tree", "HEAD")+"\n160000 commit "+r.Commit+"\tother\n", "--git-dir", w.bare(), "mktree", "--missing")
	w.git("update-ref", "refs/heads/trunk", w.git("commit-tree", "-m", "Submodule", inside))
	w.fails(release(w.git("rev-parse", "HEAD")), &checks.Commitment{Tree: tree, Algorithm: "sha256"}, checks.TreeMatches, `a submodule at "other"`)
}
