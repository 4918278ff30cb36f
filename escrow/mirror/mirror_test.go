package mirror_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/mirror"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
)

var key = ledger.AttemptOf("at://did:plc:dev/fund.stratos.work.development/3lbjuyzdmsk2m")

func git(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustGit(t *testing.T, args ...string) string {
	t.Helper()
	out, err := git(t, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func newMirror(t *testing.T, folder string) *mirror.Mirror { return newMirrorFor(t, folder, 8) }

// newMirrorFor answers so many at once.
func newMirrorFor(t *testing.T, folder string, atOnce int) *mirror.Mirror {
	t.Helper()
	m, err := mirror.New(mirror.Config{
		Folder: folder, AtOnce: atOnce, OfEach: 2,
		Client: func(req *http.Request) netip.Prefix {
			at := netip.MustParseAddrPort(req.RemoteAddr).Addr()
			return netip.PrefixFrom(at, at.BitLen())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// source makes a repository with two commits in one pack.
func source(t *testing.T) mirror.Source {
	t.Helper()
	web := claimstest.New(t)
	web.Repository(t, "forge.web.test", "it", map[string]string{"README": "as previewed"})
	folder := web.Folder("forge.web.test", "it")
	first := mustGit(t, "--git-dir", folder, "rev-parse", "HEAD")
	web.Repository(t, "forge.web.test", "it", map[string]string{"README": "as released"})
	web.Git(t, folder, "repack", "-adq")
	return mirror.Source{
		Folder: folder,
		Commit: plumbing.NewHash(mustGit(t, "--git-dir", folder, "rev-parse", "HEAD")), Preview: plumbing.NewHash(first),
	}
}

func TestR12_WhatIsKeptCanBeClonedByGit(t *testing.T) {
	t.Parallel()
	folder, from := filepath.Join(t.TempDir(), "mirror"), source(t)
	m := newMirror(t, folder)
	if err := m.Keep(t.Context(), key, from); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(from.Folder); err != nil {
		t.Fatal(err)
	}
	// Another process serves it later.
	address := serve(t, newMirror(t, folder).Handler()) + "/" + string(key)
	clone := filepath.Join(t.TempDir(), "clone")
	mustGit(t, "clone", "--quiet", address, clone)
	if got := mustGit(t, "-C", clone, "rev-list", "HEAD"); got != from.Commit.String()+"\n"+from.Preview.String() {
		t.Errorf("the clone has %q", got)
	}
	if got := mustGit(t, "-C", clone, "rev-parse", "origin/release", "origin/preview"); got != from.Commit.String()+"\n"+from.Preview.String() {
		t.Errorf("the branches are %q", got)
	}
	if text, err := os.ReadFile(filepath.Join(clone, "README")); err != nil || string(text) != "as released" {
		t.Errorf("%q, %v", text, err)
	}
	mustGit(t, "-C", clone, "fsck", "--strict")
	// A clone can be pushed elsewhere, and fetched into what is there.
	other := filepath.Join(t.TempDir(), "other")
	mustGit(t, "init", "--quiet", "--bare", other)
	mustGit(t, "-C", clone, "push", "--quiet", other, "HEAD:refs/heads/main")
	mustGit(t, "--git-dir", other, "fetch", "--quiet", address, "preview")
}

func TestHostileForge_ARepositoryThatVanishesTheNextDayCanStillBeCloned(t *testing.T) {
	t.Parallel()
	const host, name = "forge.web.test", "dev/it"
	web := claimstest.New(t)
	mit, err := os.ReadFile(filepath.Join("..", "..", "LICENSE-MIT"))
	if err != nil {
		t.Fatal(err)
	}
	web.Repository(t, host, name, map[string]string{"LICENSE": string(mit), "main.go": "package main"})
	released := mustGit(t, "--git-dir", web.Folder(host, name), "rev-parse", "HEAD")
	web.Repository(t, host, name, map[string]string{"LICENSE": string(mit), "later": "not released"})
	checker, err := checks.New(checks.Config{
		Folder: filepath.Join(t.TempDir(), "checks"), Transport: web, UserAgent: "test", Limits: checks.DefaultLimits(), Log: slog.New(slog.DiscardHandler), Clock: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := checker.Check(t.Context(), checks.Release{Repository: "https://" + host + "/" + name, Commit: released, License: "MIT"}, nil)
	if err != nil || !report.Passed() {
		t.Fatal(err, report.Checks)
	}
	m := newMirror(t, filepath.Join(t.TempDir(), "mirror"))
	if err := m.Keep(t.Context(), key, mirror.Source{Folder: report.Copy.Folder, Commit: report.Copy.Commit, Preview: report.Copy.PreviewCommit}); err != nil {
		t.Fatal(err)
	}
	// First its developer rewrites the past, and then it is gone.
	if err := errors.Join(report.Copy.Remove(), os.RemoveAll(web.Folder(host, name))); err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	mustGit(t, "clone", "--quiet", serve(t, m.Handler())+"/"+string(key), clone)
	if got := mustGit(t, "-C", clone, "rev-parse", "HEAD"); got != released {
		t.Errorf("the clone is at %s, and %s was released", got, released)
	}
	if _, err := os.Stat(filepath.Join(clone, "main.go")); err != nil {
		t.Error(err)
	}
}

func TestKeep_IsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	folder, from := filepath.Join(t.TempDir(), "mirror"), source(t)
	m := newMirror(t, folder)
	for name, broken := range map[string]mirror.Source{
		"no folder":         {Folder: filepath.Join(folder, "none"), Commit: from.Commit},
		"another commit":    {Folder: from.Folder, Commit: plumbing.NewHash(strings.Repeat("ab", 20))},
		"another preview's": {Folder: from.Folder, Commit: from.Commit, Preview: plumbing.NewHash(strings.Repeat("ab", 20))},
	} {
		if err := m.Keep(t.Context(), key, broken); err == nil {
			t.Errorf("%s: kept", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Keep(ctx, key, from); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, ok, err := m.Commit(key); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	// A process that dies leaves something aside.
	if err := os.MkdirAll(filepath.Join(folder, "aside-1", "objects"), 0o755); err != nil {
		t.Fatal(err)
	}
	newMirror(t, folder)
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKeep_AgainIsNothingAndAnotherCommitIsRefused(t *testing.T) {
	t.Parallel()
	from := source(t)
	m := newMirror(t, filepath.Join(t.TempDir(), "mirror"))
	for range 2 {
		if err := m.Keep(t.Context(), key, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Keep(t.Context(), key, mirror.Source{Folder: from.Folder, Commit: from.Preview}); !errors.Is(err, mirror.ErrOtherCommit) {
		t.Error(err)
	}
	if commit, ok, err := m.Commit(key); commit != from.Commit || !ok || err != nil {
		t.Errorf("%s, %v, %v", commit, ok, err)
	}
	address := serve(t, m.Handler()) + "/" + string(key)
	mustGit(t, "ls-remote", address)
	for range 2 {
		if err := m.Remove(key); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := git(t, "ls-remote", address); err == nil {
		t.Errorf("it is still there: %s", out)
	}
}

func TestHandler_ServesNothingElse(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "mirror")
	m := newMirror(t, folder)
	if err := m.Keep(t.Context(), key, source(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "..", "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Not even by a link that somebody could put there.
	inside := filepath.Join(folder, string(key))
	if err := errors.Join(os.Remove(filepath.Join(inside, "HEAD")), os.Symlink("../../secret", filepath.Join(inside, "HEAD"))); err != nil {
		t.Fatal(err)
	}
	address := serve(t, m.Handler())
	k := "/" + string(key)
	for path, want := range map[string]int{
		k + "/info/refs": 200, k + "/info/refs?service=git-upload-pack": 200, k + "/objects/info/packs": 200,
		"/": 404, k: 404, k + "/": 404, k + "/config": 404, k + "/refs/heads/release": 404, k + "/objects": 404, k + "/objects/pack/": 404,
		k + "/objects/pack/pack-00.pack": 404, k + "/objects/00/11": 404, k + "/objects/pack/pack-" + strings.Repeat("0", 40) + ".idx": 404,
		"/abc/info/refs": 404, "/aside-1/info/refs": 404, "/%2e%2e/secret": 404, "/..%2fsecret/info/refs": 404,
		k + "/%2e%2e%2f%2e%2e%2fsecret": 404, k + "/info%2frefs": 200, k + "/HEAD": 500,
	} {
		resp := get(t, address+path)
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want || strings.Contains(string(body), "secret") {
			t.Errorf("%s: %d %q, want %d", path, resp.StatusCode, body, want)
		}
		if want == 200 && (resp.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain")) {
			t.Errorf("%s: a browser may show it: %v", path, resp.Header)
		}
	}
	resp, err := http.Post(address+k+"/git-upload-pack", "", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a push or a smart fetch: %d", resp.StatusCode)
	}
	for _, bad := range []ledger.AttemptKey{"", "..", "a/b", "A", "aside-1"} {
		if err := m.Keep(t.Context(), bad, mirror.Source{}); err == nil || !strings.Contains(err.Error(), "no key") {
			t.Errorf("%q: %v", bad, err)
		}
		if err := m.Remove(bad); err == nil {
			t.Errorf("%q was removed", bad)
		}
	}
}

func get(t *testing.T, address string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// held is a client that does not take its answer until it is let go.
type held struct {
	*httptest.ResponseRecorder
	writing, letGo chan struct{}
}

func (h held) Write(p []byte) (int, error) {
	h.writing <- struct{}{}
	<-h.letGo
	return h.ResponseRecorder.Write(p)
}

// from asks for a small file from an address.
func from(address string) *http.Request {
	req := httptest.NewRequest(http.MethodGet, "/"+string(key)+"/info/refs", nil)
	req.RemoteAddr = address + ":1"
	return req
}

func TestHandler_NobodyKeepsAllOthersFromCloning(t *testing.T) {
	t.Parallel()
	m := newMirrorFor(t, t.TempDir(), 4)
	if err := m.Keep(t.Context(), key, source(t)); err != nil {
		t.Fatal(err)
	}
	letGo := make(chan struct{})
	var slow sync.WaitGroup
	for range 2 {
		client := held{httptest.NewRecorder(), make(chan struct{}), letGo}
		slow.Go(func() { m.Handler().ServeHTTP(client, from("192.0.2.1")) })
		<-client.writing
	}
	status := func(address string) int {
		answer := httptest.NewRecorder()
		m.Handler().ServeHTTP(answer, from(address))
		return answer.Code
	}
	if same, other := status("192.0.2.1"), status("192.0.2.2"); same != http.StatusServiceUnavailable || other != http.StatusOK {
		t.Errorf("who holds two got %d for the third, and another one %d", same, other)
	}
	close(letGo)
	slow.Wait()
	if again := status("192.0.2.1"); again != http.StatusOK {
		t.Errorf("afterwards: %d", again)
	}
}

func TestHandler_AnswersNoMoreThanSoManyAtOnce(t *testing.T) {
	t.Parallel()
	m := newMirrorFor(t, t.TempDir(), 1)
	if err := m.Keep(t.Context(), key, source(t)); err != nil {
		t.Fatal(err)
	}
	ask := func() *http.Request { return from("192.0.2.1") }
	slow := held{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	done := make(chan struct{})
	go func() { defer close(done); m.Handler().ServeHTTP(slow, ask()) }()
	<-slow.writing
	second := httptest.NewRecorder()
	m.Handler().ServeHTTP(second, ask())
	if second.Code != http.StatusServiceUnavailable || second.Header().Get("Retry-After") == "" {
		t.Errorf("the second one: %d", second.Code)
	}
	close(slow.letGo)
	<-done
	third := httptest.NewRecorder()
	m.Handler().ServeHTTP(third, ask())
	if third.Code != http.StatusOK || slow.Code != http.StatusOK {
		t.Errorf("afterwards: %d, the slow one %d", third.Code, slow.Code)
	}
}

// TestWhole_TellsWhatADiskHasLost: of each file that whoever clones needs.
func TestWhole_TellsWhatADiskHasLost(t *testing.T) {
	t.Parallel()
	from := source(t)
	folder := filepath.Join(t.TempDir(), "mirror")
	m := newMirror(t, folder)
	whole := func() bool {
		t.Helper()
		ok, err := m.Whole(key, from.Commit)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if whole() {
		t.Error("what was never kept is whole")
	}
	kept := filepath.Join(folder, string(key))
	files := []string{"HEAD", "info/refs", "objects/info/packs", "refs/heads/release", "objects/pack/*.pack", "objects/pack/*.idx"}
	for _, name := range files {
		for _, lose := range []func(string) error{os.Remove, func(path string) error { return os.Truncate(path, 0) }} {
			if err := m.Remove(key); err != nil {
				t.Fatal(err)
			}
			if err := m.Keep(t.Context(), key, from); err != nil {
				t.Fatal(err)
			}
			if !whole() {
				t.Fatal("what is kept is not whole")
			}
			found, err := filepath.Glob(filepath.Join(kept, filepath.FromSlash(name)))
			if err != nil || len(found) != 1 {
				t.Fatalf("there is %q: %v", found, err)
			}
			if err := lose(found[0]); err != nil {
				t.Fatal(err)
			}
			if whole() {
				t.Errorf("without %s it is whole", name)
			}
		}
	}
	if err := m.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := m.Keep(t.Context(), key, mirror.Source{Folder: from.Folder, Commit: from.Preview}); err != nil {
		t.Fatal(err)
	}
	if whole() {
		t.Error("another commit is whole")
	}
}
