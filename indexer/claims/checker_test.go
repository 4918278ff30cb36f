package claims_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/util/ssrf"

	"github.com/stratosfund/stratosfund/indexer/claims"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

const (
	alice syntax.DID = "did:plc:alice"
	bob   syntax.DID = "did:plc:bob"
	host             = "it.web.test"
	file             = ".well-known/atproto-did"
)

type world struct {
	*claimstest.Web
	t      *testing.T
	limits claims.Limits
	// transport replaces the web's.
	transport http.RoundTripper
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Web: claimstest.New(t), t: t, limits: claims.DefaultLimits()}
	w.transport = w.Web
	return w
}

// check asks whether the address is alice's.
func (w *world) check(address string, repository bool) claims.Finding {
	w.t.Helper()
	uri, err := weburi.Normalize(address)
	if err != nil {
		w.t.Fatal(err)
	}
	free := func(context.Context, string) (func(), error) { return func() {}, nil }
	c := claims.New(claims.Config{Transport: w.transport, Acquire: free, DialDNS: w.DialDNS, UserAgent: "test", Limits: w.limits})
	return c.Check(w.t.Context(), claims.Claim{Owner: alice, URI: uri, Repository: repository})
}

func (w *world) want(address string, repository bool, outcome claims.Outcome, reason string) {
	w.t.Helper()
	got := w.check(address, repository)
	if got.Outcome != outcome || !strings.Contains(got.Reason, reason) || (reason == "") != (got.Reason == "") {
		w.t.Errorf("%s: %+v, want %s, %q", address, got, outcome, reason)
	}
}

func TestR4_ARepositoryProvesItselfByTheFileOnItsDefaultBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	proof := map[string]string{file: alice.String() + "\n", "README": "Hello."}
	w.Repository(t, host, "alice/it.git", proof)
	w.Repository(t, host, "alice/bare", proof)
	w.Repository(t, host, "alice/ü b%", proof)
	w.Repository(t, host, "alice/work/.git", proof)
	for _, address := range []string{
		"https://it.web.test/alice/it", "http://www.it.web.test/alice/it.git/", "https://it.web.test/alice/bare.git",
		"https://it.web.test/alice/ü%20b%25", "https://it.web.test/alice/work/.git",
	} {
		w.want(address, true, claims.ByRepository, "")
		w.want(address, false, claims.ByRepository, "") // what it is called does not matter
	}
	w.want("https://it.web.test/alice/it?tab=readme", true, claims.Refuted, "no git repository")
	w.want("https://it.web.test/alice/it#/readme", true, claims.Refuted, "no git repository")
}

func TestR4_ARepositoryThatDoesNotSaySoProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// The host is alice's, which must not help.
	w.TXT("_atproto."+host, "did="+alice.String())
	repository := func(name string, files map[string]string) string {
		w.Repository(t, host, name, files)
		return w.Folder(host, name)
	}
	repository("of-bob", map[string]string{file: bob.String()})
	repository("none", map[string]string{"README": alice.String(), "well-known/atproto-did": alice.String()})
	repository("words", map[string]string{file: "It is mine: " + alice.String()})
	repository("long", map[string]string{file: alice.String() + strings.Repeat("\n", int(w.limits.File))})
	repository("folder", map[string]string{file + "/x": alice.String()})
	other := repository("other-branch", map[string]string{"README": "x"})
	w.Git(t, other, "symbolic-ref", "HEAD", "refs/heads/side")
	w.Repository(t, host, "other-branch", map[string]string{file: alice.String()})
	w.Git(t, other, "symbolic-ref", "HEAD", "refs/heads/trunk")
	unborn := repository("unborn", map[string]string{file: alice.String()})
	w.Git(t, unborn, "symbolic-ref", "HEAD", "refs/heads/not-yet")
	w.Git(t, "", "init", "--quiet", "--bare", w.Folder(host, "empty"))

	link := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(link, ".well-known"), 0o755), os.Symlink(alice.String(), filepath.Join(link, file))); err != nil {
		t.Fatal(err)
	}
	linked := repository("link", nil)
	w.Git(t, linked, "--work-tree", link, "add", "--all", ".")
	w.Git(t, linked, "--work-tree", link, "commit", "--quiet", "--message", "Link")

	for name, reason := range map[string]string{
		"of-bob": "another account, did:plc:bob", "none": "has no file", "words": "holds no DID", "long": "more than a DID", "folder": "has no file",
		"other-branch": "has no file", "unborn": "no default branch", "empty": "no default branch", "link": "has no file",
	} {
		w.want("https://it.web.test/"+name, true, claims.Refuted, reason)
		w.want("https://it.web.test/"+name, false, claims.Refuted, reason)
	}
	w.want("https://it.web.test/nothing", true, claims.Refuted, "no git repository")
}

func TestR4_AServerThatLeavesNothingOutIsReadAsWell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Repository(t, host, "it", map[string]string{file: alice.String(), "large": strings.Repeat("x", 1<<16)})
	w.Git(t, w.Folder(host, "it"), "config", "uploadpack.allowFilter", "false")
	w.want("https://it.web.test/it", true, claims.ByRepository, "")
	// Without the filter the large file counts.
	w.limits.Unpacked = 1 << 15
	w.want("https://it.web.test/it", true, claims.Refuted, "too large")
	w.Git(t, w.Folder(host, "it"), "config", "uploadpack.allowFilter", "true")
	w.want("https://it.web.test/it", true, claims.ByRepository, "")
}

func TestR4_AHostProvesItsPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.TXT("_atproto.dns.web.test", "v=1", "did="+alice.String())
	w.Serve("file.web.test", "/"+file, claimstest.Text(alice.String()+"\n"))
	w.Serve("everything.web.test", "/info/refs", claimstest.Text("<!doctype html>")) // as a page does that runs in the browser
	w.TXT("_atproto.everything.web.test", "did="+alice.String())
	for _, address := range []string{
		"https://dns.web.test", "https://dns.web.test/a/b?c=d", "http://www.dns.web.test/#/route", "https://dns.web.test/1/2/3/4/5/6/7/8",
		"https://file.web.test/", "https://everything.web.test/",
	} {
		w.want(address, false, claims.ByHost, "")
		w.want(address, true, claims.Refuted, "no git repository")
	}
	w.want("https://dns.web.test/1/2/3/4/5/6/7/8/9", false, claims.Refuted, "more than 8 levels")
	w.want("https://dns.web.test:8443/", false, claims.Refuted, "port 8443")
	w.want("https://www2.dns.web.test/", false, claims.Refuted, "nobody's handle")

	w.TXT("_atproto.dns.web.test", "did="+bob.String())
	w.Serve("dns.web.test", "/"+file, claimstest.Text(alice.String())) // DNS goes before
	w.want("https://dns.web.test/", false, claims.Refuted, "another account, did:plc:bob")
	w.Serve("file.web.test", "/"+file, claimstest.Status(http.StatusNotFound))
	w.want("https://file.web.test/", false, claims.Refuted, "nobody's handle")
	w.Serve("file.web.test", "/"+file, claimstest.Status(http.StatusBadGateway))
	w.want("https://file.web.test/", false, claims.Undecided, "502")
	w.BreakDNS(errors.New("no route"))
	w.want("https://everything.web.test/", false, claims.Undecided, "no route")
}

func TestR4_AHostProvesNoRepositoriesAndNothingBelowThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.TXT("_atproto."+host, "did="+alice.String())
	w.Repository(t, host, "bob/app.git", map[string]string{file: bob.String()})
	w.want("https://it.web.test/bob", false, claims.ByHost, "")
	w.want("https://it.web.test/bob/app", false, claims.Refuted, "another account")
	w.want("https://it.web.test/bob/app.git", false, claims.Refuted, "another account")
	for _, below := range []string{"bob/app/issues", "bob/app.git/issues/1", "bob/app?tab=code", "bob/app#/code"} {
		w.want("https://it.web.test/"+below, false, claims.Refuted, "https://it.web.test/bob/app")
	}
	// What forges answer about a repository that is not public.
	w.Serve(host, "/bob/secret/info/refs", claimstest.Status(http.StatusUnauthorized))
	w.want("https://it.web.test/bob/secret", false, claims.Refuted, "wants a password")
	w.want("https://it.web.test/bob/secret/wiki", false, claims.Refuted, "bob/secret")
	w.Serve(host, "/bob/files.git/info/refs", claimstest.Text(strings.Repeat("a", 40)+"\trefs/heads/main\n"))
	w.want("https://it.web.test/bob/files", false, claims.Refuted, "plain files")
	w.Serve(host, "/bob/gone/info/refs", http.RedirectHandler("http://it.web.test/elsewhere", http.StatusFound))
	w.want("https://it.web.test/bob/gone", false, claims.Refuted, "redirects to where we do not follow")
	// Who does not know now may know later.
	w.Serve(host, "/bob/busy.git/info/refs", claimstest.Status(http.StatusServiceUnavailable))
	w.want("https://it.web.test/bob/busy", false, claims.Undecided, "503")
	w.want("https://it.web.test/bob/busy/issues", false, claims.Undecided, "503")
}

// everywhere answers for hosts that are not the web's.
type everywhere struct{ *claimstest.Web }

func (e everywhere) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.URL.Path, "/"+file) {
		return &http.Response{StatusCode: http.StatusOK, Body: readCloser(alice.String()), Request: req}, nil
	}
	return &http.Response{StatusCode: http.StatusNotFound, Body: readCloser(""), Request: req}, nil
}

type closer struct{ *strings.Reader }

func (closer) Close() error { return nil }

func readCloser(s string) closer { return closer{strings.NewReader(s)} }

func TestR4_NobodyProvesAForge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.transport = everywhere{w.Web}
	for _, address := range []string{"https://github.com/bob/app", "https://gist.github.com/x", "https://git.sr.ht/~bob/app", "https://codeberg.org/"} {
		w.want(address, false, claims.Refuted, "repositories of many")
	}
	w.want("https://alice.github.io/", false, claims.ByHost, "")
}

func TestCheck_FollowsARepositoryThatMovedButNotWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Repository(t, "new.web.test", "b/it", map[string]string{file: alice.String()})
	move := func(from, to string) {
		w.Serve(host, from+"/info/refs", http.RedirectHandler(to+"/info/refs?service=git-upload-pack", http.StatusMovedPermanently))
	}
	move("/a/it", "https://new.web.test/b/it")
	w.want("https://it.web.test/a/it", true, claims.ByRepository, "")
	for n := range w.limits.Hops {
		move(fmt.Sprint("/hop/", n+1), fmt.Sprint("https://it.web.test/hop/", n))
	}
	move("/hop/0", "https://new.web.test/b/it")
	w.want(fmt.Sprint("https://it.web.test/hop/", w.limits.Hops-1), true, claims.ByRepository, "")
	w.want(fmt.Sprint("https://it.web.test/hop/", w.limits.Hops), true, claims.Refuted, "redirects to where we do not follow")
	w.Serve(host, "/login/info/refs", http.RedirectHandler("https://it.web.test/welcome", http.StatusFound))
	w.Serve(host, "/welcome", claimstest.Text("Who are you?"))
	w.want("https://it.web.test/login", true, claims.Refuted, "no git repository")
	// A pack comes from where the references are.
	w.Serve("new.web.test", "/b/it/git-upload-pack", http.RedirectHandler("https://it.web.test/a/it/git-upload-pack", http.StatusTemporaryRedirect))
	w.want("https://it.web.test/a/it", true, claims.Undecided, "status 307")
}

// guarded lets the web's hosts pass and leaves all others to the guard that
// production uses.
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

func TestCheck_ReachesNoPrivateAddressByNameNorByRedirect(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 100)
	inside := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { reached <- req.URL.Path }))
	defer inside.Close()
	w := newWorld(t)
	w.transport = guarded{w.Web, ssrf.PublicOnlyTransport()}
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.Serve(host, "/moved/info/refs", http.RedirectHandler("https://127.0.0.1:"+port+"/x/info/refs", http.StatusFound))
	w.Serve(host, "/"+file, http.RedirectHandler("https://[::1]:"+port+"/x", http.StatusFound))
	for _, address := range []string{
		"https://127.0.0.1:" + port + "/it", "https://localhost:" + port + "/it", // a name, looked up when the connection is made
		"https://it.web.test/moved", "https://169.254.169.254/latest", "https://10.0.0.1/",
	} {
		w.want(address, true, claims.Undecided, "is not a public IP address")
	}
	w.want("https://it.web.test/page", false, claims.Undecided, "is not a public IP address")
	if len(reached) > 0 {
		t.Errorf("%s was reached", <-reached)
	}
}

func TestCheck_IsBoundedInBytesObjectsAndTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := map[string]string{file: alice.String()}
	for n := range 64 {
		files[fmt.Sprint(n)] = fmt.Sprint(n)
	}
	w.Repository(t, host, "it", files)
	w.Repository(t, host, "bomb", map[string]string{file: alice.String(), "zeros": strings.Repeat("\x00", 8<<20)})
	w.Git(t, w.Folder(host, "bomb"), "config", "uploadpack.allowFilter", "false")
	defaults := w.limits
	w.want("https://it.web.test/it", true, claims.ByRepository, "")
	w.limits.Objects = 32
	w.want("https://it.web.test/it", true, claims.Refuted, "over 32 objects")
	w.limits = defaults
	w.limits.Pack = 1024
	w.want("https://it.web.test/it", true, claims.Refuted, "packs to over 1024 bytes")
	w.limits = defaults
	w.limits.Pack, w.limits.Unpacked = 1<<20, 4<<20 // it packs to some kilobytes
	w.want("https://it.web.test/bomb", true, claims.Refuted, "unpacks to over")

	w.limits = defaults
	endless := http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		line := bytes.Repeat([]byte("0008# x\n"), 1024)
		for req.Context().Err() == nil {
			if _, err := rw.Write(line); err != nil {
				return
			}
		}
	})
	w.Serve(host, "/endless/info/refs", endless)
	w.want("https://it.web.test/endless", true, claims.Undecided, "is over 131072 bytes")
	w.Serve(host, "/"+file, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		rw.WriteHeader(http.StatusNotFound)
		endless(rw, req)
	}))
	w.want("https://it.web.test/page", false, claims.Refuted, "nobody's handle")

	w.limits.Check = 100 * time.Millisecond
	w.Serve(host, "/silent/info/refs", http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }))
	w.want("https://it.web.test/silent", true, claims.Undecided, "deadline exceeded")
}

func TestCheck_SurvivesAnyAnswerToGit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for answer, want := range map[string]claims.Finding{
		"zzzz":                                {Outcome: claims.Refuted, Reason: "references cannot be read"},
		"0000":                                {Outcome: claims.Refuted, Reason: "no default branch"},
		"001e# service=git-upload-pack\n0000": {Outcome: claims.Refuted, Reason: "no default branch"},
		"0010ERR go away\n":                   {Outcome: claims.Undecided, Reason: "go away"},
		"0010what is this":                    {Outcome: claims.Refuted, Reason: "references cannot be read"},
		"00ff":                                {Outcome: claims.Undecided, Reason: "EOF"},
		"":                                    {Outcome: claims.Refuted, Reason: "no default branch"},
	} {
		w.Serve(host, "/it/info/refs", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			fmt.Fprint(rw, answer)
		}))
		w.Serve(host, "/it.git/info/refs", claimstest.Status(http.StatusNotFound))
		if got := w.check("https://it.web.test/it", true); got.Outcome != want.Outcome || !strings.Contains(got.Reason, want.Reason) {
			t.Errorf("%q: %+v, want %+v", answer, got, want)
		}
	}
}

func TestCheck_AsksEachHostInItsTurnAndGivesTheTurnBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Repository(t, host, "it", map[string]string{file: alice.String()})
	w.TXT("_atproto."+host, "did="+alice.String())
	taken, most := 0, 0
	acquire := func(_ context.Context, name string) (func(), error) {
		if name != host {
			t.Errorf("a turn at %s", name)
		}
		taken++
		most = max(most, taken)
		return func() { taken-- }, nil
	}
	c := claims.New(claims.Config{Transport: w.transport, Acquire: acquire, DialDNS: w.DialDNS, UserAgent: "test", Limits: w.limits})
	for _, uri := range []weburi.URI{"https://it.web.test/it", "https://it.web.test/it/x", "https://it.web.test/page"} {
		c.Check(t.Context(), claims.Claim{Owner: alice, URI: uri})
	}
	if taken != 0 || most != 1 {
		t.Errorf("%d turns were not given back, %d at once", taken, most)
	}
}
