package checks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/util/ssrf"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
)

func TestR12_AnOpenReleaseOfAPublicRepositoryPassesAndIsCopiedWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit(map[string]string{"LICENSE": mit, "README": "Hello."})
	newest := w.commit(map[string]string{"LICENSE": mit, "a/b/main.go": "package main"})
	tree := w.git("rev-parse", newest+"^{tree}")
	copied := w.passes(release(newest), &checks.Commitment{Tree: tree, Algorithm: "sha1"})
	if err := os.WriteFile(filepath.Join(copied.Folder, "HEAD"), []byte("ref: refs/heads/none\n"), 0o600); err != nil {
		t.Fatal(err) // without it git sees no repository
	}
	if got := git(t, "", "--git-dir", copied.Folder, "rev-list", newest); got != newest+"\n"+first {
		t.Errorf("the history is %q", got)
	}
	git(t, "", "--git-dir", copied.Folder, "fsck", "--strict", newest)
	// The names of checks are those that campaigns know.
	report, err := w.check(release(newest), &checks.Commitment{Tree: tree, Algorithm: "sha1"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range report.Checks {
		names = append(names, string(c.Name))
		if c.Evidence == "" || c.CheckedAt.IsZero() {
			t.Errorf("%+v says nothing", c)
		}
	}
	if got := strings.Join(names, " "); got != "repository-public commit-present repository-cloneable license-open license-matches tree-matches" {
		t.Error(got)
	}
}

func TestR12_ACommitCountsThatABranchOrTagLeadsTo(t *testing.T) {
	t.Parallel()
	for _, filter := range []string{"true", "false"} {
		for _, reachable := range []string{"true", "false"} {
			t.Run("filter "+filter+" reachable "+reachable, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				released := w.commit(map[string]string{"LICENSE": mit})
				tagged := w.commit(map[string]string{"LICENSE": mit, "1": "1"})
				w.git("tag", "--annotate", "--message", "One", "v1", tagged)
				for n := range 5 {
					w.commit(map[string]string{"LICENSE": mit, "n": fmt.Sprint(n)})
				}
				w.git("config", "uploadpack.allowFilter", filter)
				w.git("config", "uploadpack.allowReachableSHA1InWant", reachable)
				w.passes(release(released), nil)
				r := release(released)
				for _, ref := range []string{"v1", "refs/tags/v1", "trunk", "refs/heads/trunk"} {
					r.Ref = ref
					w.passes(r, nil)
				}
				r.Ref = "v2"
				w.fails(r, nil, checks.CommitPresent, `no branch or tag "v2"`)
				r.Commit, r.Ref = w.git("rev-parse", "HEAD"), "v1"
				w.fails(r, nil, checks.CommitPresent, "No branch or tag holds the commit")
				r = release(strings.Repeat("ab", 20))
				w.fails(r, nil, checks.CommitPresent, "No branch or tag holds the commit")
				r = release(strings.Repeat("ab", 32))
				w.fails(r, nil, checks.CommitPresent, "40 hex digits")
				r = release(w.git("rev-parse", "HEAD^{tree}"))
				w.fails(r, nil, checks.CommitPresent, "No branch or tag holds the commit")
			})
		}
	}
}

// orphan makes a commit that nothing leads to, but for what its server gives when asked.
func (w *world) orphan(parent string) string {
	tree := w.git("rev-parse", parent+"^{tree}")
	return w.git("commit-tree", "-p", parent, "-m", "Nobody sees it", tree)
}

func TestR12_AnObjectThatTheServerHasAndNothingLeadsToIsNoRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(map[string]string{"LICENSE": mit})
	hidden := w.orphan(commit)
	w.git("config", "uploadpack.allowAnySHA1InWant", "true")
	w.fails(release(hidden), nil, checks.CommitPresent, "No branch or tag holds the commit")
	// A stranger's pull request is a reference that the stranger made.
	w.git("update-ref", "refs/pull/1/head", hidden)
	w.fails(release(hidden), nil, checks.CommitPresent, "No branch or tag holds the commit")
	w.git("update-ref", "refs/heads/pushed", hidden)
	w.passes(release(hidden), nil)
}

func TestR12_OfManyBranchesOnlySomeAreFollowedUnlessOneIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limits.Tips = 2
	old := w.commit(map[string]string{"LICENSE": mit})
	w.git("branch", "z", w.orphan(old))
	w.git("branch", "a", w.orphan(w.git("commit-tree", "-m", "Alone", old+"^{tree}")))
	w.git("branch", "b", "a")
	r := release(old)
	w.git("update-ref", "-d", "refs/heads/trunk")
	w.fails(r, nil, checks.CommitPresent, "Only 2 of 3 were followed")
	r.Ref = "z"
	w.passes(r, nil)
}

func TestR12_ARepositoryMustAnswerToEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(map[string]string{"LICENSE": mit})
	for address, reason := range map[string]string{
		"https://forge.web.test/dev/none":        "No git repository answers",
		"http://forge.web.test/dev/it":           "no https address",
		"ssh://git@forge.web.test/dev/it":        "no https address",
		"https://user:secret@forge.web.test/dev": "no https address",
		"https://":                               "no https address",
	} {
		r := release(commit)
		r.Repository = address
		w.fails(r, nil, checks.RepositoryPublic, reason)
	}
	r := release(commit)
	r.Repository = repository + ".git"
	w.fails(r, nil, checks.RepositoryPublic, "No git repository answers")
	w.Serve(forge, "/secret/info/refs", claimstest.Status(http.StatusUnauthorized))
	r.Repository = "https://forge.web.test/secret"
	w.fails(r, nil, checks.RepositoryPublic, "it wants a password")
	w.Serve(forge, "/busy/info/refs", claimstest.Status(http.StatusServiceUnavailable))
	r.Repository = "https://forge.web.test/busy"
	w.undecided(r, checks.RepositoryPublic, "status 503")
	w.Serve(forge, "/moved/info/refs", http.RedirectHandler(repository+"/info/refs?service=git-upload-pack", http.StatusFound))
	r.Repository = "https://forge.web.test/moved"
	w.passes(r, nil)
}

// guarded lets the web's hosts pass and leaves all others to the guard that production
// uses.
type guarded struct {
	*claimstest.Web
	guard *http.Transport
}

func (g guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Hostname(), claimstest.Domain) {
		return g.Web.RoundTrip(req)
	}
	return g.guard.RoundTrip(req)
}

func TestHostileForge_ARedirectLeadsToNoPrivateAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.transport = guarded{w.Web, ssrf.PublicOnlyTransport()}
	r := release(strings.Repeat("ab", 20))
	for _, inside := range []string{"https://127.0.0.1", "https://[::1]", "https://169.254.169.254", "https://10.0.0.1", "https://localhost"} {
		w.Serve(forge, "/dev/it/info/refs", http.RedirectHandler(inside+"/it/info/refs", http.StatusFound))
		w.undecided(r, checks.RepositoryPublic, "is not a public IP address")
	}
	w.Serve(forge, "/dev/it/info/refs", http.RedirectHandler("http://forge.web.test/dev/it/info/refs", http.StatusFound))
	w.fails(r, nil, checks.RepositoryPublic, "redirects to where we do not follow")
}

func TestHostileForge_AnEndlessPackEndsAtTheLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(map[string]string{"LICENSE": mit})
	w.limits.History.Pack = 4 << 20
	written := make(chan int64, 1)
	w.Serve(forge, "/"+name+"/git-upload-pack", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		total := int64(0)
		defer func() { written <- total }()
		// Ten gigabytes, one line of a side band after another.
		if _, err := rw.Write([]byte("0008NAK\n")); err != nil {
			return
		}
		line := append([]byte("fff0\x01"), bytes.Repeat([]byte("PACK"), 0xfff0/4)[:0xfff0-5]...)
		for total < 10<<30 {
			n, err := rw.Write(line)
			if total += int64(n); err != nil {
				return
			}
		}
	}))
	w.fails(release(commit), nil, checks.RepositoryCloneable, "packs to over 4194304 bytes")
	if total := <-written; total > 1<<30 {
		t.Errorf("%d bytes were taken", total)
	}
}

func TestHostileForge_ABombOfAPackIsNotUnpacked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(map[string]string{"LICENSE": mit, "zeros": strings.Repeat("\x00", 8<<20)})
	defaults := w.limits
	w.limits.History.Object = 4 << 20
	w.fails(release(commit), nil, checks.RepositoryCloneable, "one of its objects unpacks to over")
	w.limits = defaults
	w.limits.History.Unpacked = 4 << 20
	w.fails(release(commit), nil, checks.RepositoryCloneable, "what is needed of it unpacks to over")
	w.limits = defaults
	w.limits.History.Objects = 2
	w.fails(release(commit), nil, checks.RepositoryCloneable, "over 2 objects")
	w.limits = defaults
	w.limits.History.Chain = 4 << 20
	w.fails(release(commit), nil, checks.RepositoryCloneable, "a chain of deltas unpacks to over")
	w.limits = defaults
	w.passes(release(commit), nil)
}

func TestHostileForge_AFewTreesAreNotABillionFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(map[string]string{"LICENSE": mit})
	blob := git(t, "x", "--git-dir", w.bare(), "hash-object", "-w", "--stdin")
	entries := func(mode, kind, object string) (list string) {
		for n := range 10 {
			list += fmt.Sprintf("%s %s %s\tf%d\n", mode, kind, object, n)
		}
		return list
	}
	tree := git(t, entries("100644", "blob", blob), "--git-dir", w.bare(), "mktree")
	for range 8 {
		tree = git(t, entries("040000", "tree", tree), "--git-dir", w.bare(), "mktree")
	}
	w.git("update-ref", "refs/heads/trunk", w.git("commit-tree", "-m", "Boom", tree))
	w.fails(release(w.git("rev-parse", "HEAD")), nil, checks.RepositoryCloneable, "over 500000 files")
}

func TestHostileForge_AForcePushBetweenTwoQuestionsIsTroubleFirstAndThenAVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(map[string]string{"LICENSE": mit})
	pushed := false
	w.transport = onPack{w.Web, func() {
		if !pushed {
			pushed = true
			other := w.git("commit-tree", "-m", "Another past", commit+"^{tree}")
			w.git("update-ref", "refs/heads/trunk", other)
			w.git("reflog", "expire", "--expire=now", "--all")
			w.git("gc", "--quiet", "--prune=now")
		}
	}}
	w.undecided(release(commit), checks.RepositoryCloneable, "not our ref")
	w.fails(release(commit), nil, checks.CommitPresent, "No branch or tag holds the commit")
}

// onPack does something before each request for a pack.
type onPack struct {
	next http.RoundTripper
	do   func()
}

func (o onPack) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost {
		o.do()
	}
	return o.next.RoundTrip(req)
}

func TestHostileForge_AHistoryWithHolesIsNotCloneable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(map[string]string{"LICENSE": mit})
	commit := w.commit(map[string]string{"LICENSE": mit, "2": "2"})
	other := claimstest.New(t)
	other.Repository(t, forge, name, map[string]string{"LICENSE": mit, "2": "another"})
	// The references are those of one repository, and the pack of another one with fewer.
	w.Git(t, w.bare(), "repack", "-adq")
	hollow := t.TempDir()
	git(t, commit+"\n"+w.git("rev-parse", commit+"^{tree}")+"\n", "--git-dir", w.bare(), "pack-objects", "--quiet", filepath.Join(hollow, "pack"))
	packs, err := filepath.Glob(filepath.Join(hollow, "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	pack, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	answer := func(pack []byte) {
		w.Serve(forge, "/"+name+"/git-upload-pack", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(rw, "0008NAK\n%04x\x01%s0000", len(pack)+5, pack)
		}))
	}
	answer(pack)
	w.fails(release(commit), nil, checks.RepositoryCloneable, "is missing")
	answer(append(bytes.Clone(pack), "and more"...))
	w.fails(release(commit), nil, checks.RepositoryCloneable, "something follows its checksum")
	answer([]byte("no pack"))
	w.fails(release(commit), nil, checks.RepositoryCloneable, "cannot be read")
	answer(pack[:len(pack)-30])
	w.fails(release(commit), nil, checks.RepositoryCloneable, "cannot be read")
}

func TestHostileForge_NamesThatGitDoesNotCheckOutAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(map[string]string{"LICENSE": mit})
	blob := git(t, "x", "--git-dir", w.bare(), "hash-object", "-w", "--stdin")
	raw := []byte("100644 .GIT\x00")
	for n := 0; n < len(blob); n += 2 {
		var b byte
		if _, err := fmt.Sscanf(blob[n:n+2], "%02x", &b); err != nil {
			t.Fatal(err)
		}
		raw = append(raw, b)
	}
	tree := git(t, string(raw), "--git-dir", w.bare(), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
	w.git("update-ref", "refs/heads/trunk", w.git("commit-tree", "-m", "Boom", tree))
	w.fails(release(w.git("rev-parse", "HEAD")), nil, checks.RepositoryCloneable, "git checks out no file of the name")
}

func TestR12_TheLicenceIsThatOfTheFolderAndOfAllThatThePreviewCommittedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const closed = "All of this is ours. Ask before you look at it."
	mono := w.commit(map[string]string{"LICENSE": closed, "docs/LICENSE": mit, "docs/a/b/main": "main", "app/main": "main"})
	tree := func(commit, path string) *checks.Commitment {
		return &checks.Commitment{Tree: w.git("rev-parse", commit+":"+path), Algorithm: "sha1", Path: path}
	}
	r := release(mono)
	w.fails(r, nil, checks.LicenseOpen, "LICENSE is no licence that is known")
	for _, path := range []string{"docs", "/docs/", "docs/a", "./docs/a/b"} {
		r.Path = path
		report, err := w.check(r, nil)
		if err != nil || !report.Passed() || !strings.Contains(report.Checks[3].Evidence, "in docs/LICENSE") {
			t.Errorf("%s: %v, %+v", path, err, report.Checks)
		}
		w.passes(r, tree(mono, "docs"))
		w.passes(r, tree(mono, "docs/a/b"))
		w.fails(r, tree(mono, ""), checks.LicenseOpen, "LICENSE is no licence that is known")
		w.fails(r, tree(mono, "app"), checks.LicenseOpen, "LICENSE is no licence that is known")
	}
	r.Path = "none"
	w.fails(r, nil, checks.LicenseOpen, "no folder none")

	open := w.commit(map[string]string{"LICENSE": mit, "app/LICENSE": closed, "app/a/main": "main"})
	w.passes(release(open), nil)
	w.fails(release(open), tree(open, "app"), checks.LicenseOpen, "app/LICENSE is no licence that is known")
	r = release(open)
	r.Path = "app/a"
	w.fails(r, nil, checks.LicenseOpen, "app/LICENSE is no licence that is known")
}

func TestHostileForge_LinksAreNotFollowedAndSaidToBeNoPart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.commit(map[string]string{"LICENSE": mit, "big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"})
	work := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(work, "LICENSE")); err != nil {
		t.Fatal(err)
	}
	w.Git(t, w.bare(), "--work-tree", work, "add", "--all", ".")
	w.Git(t, w.bare(), "--work-tree", work, "commit", "--quiet", "--message", "Link")
	w.fails(release(w.git("rev-parse", "HEAD")), nil, checks.LicenseOpen, "LICENSE is a symbolic link")

	tree := git(t, w.git("ls-tree", first)+"\n160000 commit "+first+"\tother\n", "--git-dir", w.bare(), "mktree", "--missing")
	w.git("update-ref", "refs/heads/trunk", w.git("commit-tree", "-m", "Submodule", tree))
	report, err := w.check(release(w.git("rev-parse", "HEAD")), nil)
	if err != nil || !report.Passed() {
		t.Fatal(err, report.Checks)
	}
	for _, c := range report.Checks {
		if c.Name == checks.RepositoryCloneable && (!strings.Contains(c.Evidence, "1 submodules") || !strings.Contains(c.Evidence, "1 files in Git LFS")) {
			t.Error(c.Evidence)
		}
	}
}

func TestCheck_RefusesRepositoriesOfTheOtherObjectFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Git(t, "", "init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=trunk", w.bare())
	commit := w.commit(map[string]string{"LICENSE": mit})
	if len(commit) != 64 {
		t.Fatal(commit)
	}
	w.fails(release(commit), nil, checks.RepositoryPublic, "SHA-256 object format")
}

func TestCheck_IsBoundedInTimeAndStopsWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(map[string]string{"LICENSE": mit})
	w.Serve(forge, "/"+name+"/git-upload-pack", http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		fmt.Fprint(rw, "0008NAK\n")
		rw.(http.Flusher).Flush()
		<-req.Context().Done()
	}))
	w.limits.Check = 500 * time.Millisecond
	w.undecided(release(commit), checks.RepositoryCloneable, "deadline exceeded")
	_, err := w.checker().Check(stopped(t), release(commit), nil)
	wantOurs(t, err, context.Canceled)
	// Nor has a developer to answer for our disk.
	checker := w.checker()
	if err := os.RemoveAll(w.folder); err != nil {
		t.Fatal(err)
	}
	_, err = checker.Check(t.Context(), release(commit), nil)
	wantOurs(t, err, fs.ErrNotExist)
}

func TestCheck_APanicEndsNothingButTheCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.commit(map[string]string{"LICENSE": mit})
	for _, c := range []struct {
		method string
		check  checks.Name
	}{{http.MethodGet, checks.RepositoryPublic}, {http.MethodPost, checks.RepositoryCloneable}} {
		w.log.Reset()
		w.transport = panicking{w.Web, c.method}
		w.undecided(release(commit), c.check, "a decoder of theirs")
		if log := w.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, string(c.check)) || !strings.Contains(log, "RoundTrip") {
			t.Errorf("the log of a panic says %q", log)
		}
	}
	w.transport = w.Web
	w.passes(release(commit), nil)
}

// panicking ends in a panic when asked by a method.
type panicking struct {
	next   http.RoundTripper
	method string
}

func (p panicking) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == p.method {
		panic("a decoder of theirs")
	}
	return p.next.RoundTrip(req)
}

// wantOurs wants trouble for which no developer has to answer.
func wantOurs(t *testing.T, err, cause error) {
	t.Helper()
	undecided, ok := errors.AsType[*checks.UndecidedError](err)
	if !ok || !errors.Is(err, cause) {
		t.Fatalf("%v, want %v", err, cause)
	}
	if verdict, ok := undecided.Verdict(); ok || !undecided.Ours() {
		t.Errorf("a verdict: %+v", verdict)
	}
}

func TestNew_ClearsWhatADeadOneLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.MkdirAll(filepath.Join(w.folder, "copy-1", "objects"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.checker()
	w.isClean()
}
