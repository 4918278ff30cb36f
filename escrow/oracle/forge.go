package oracle

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// The hosts of strangers: where developers show their code, and where previews run.
const (
	forgeHost   = "forge.example"
	previewHost = "preview.example"
	previewURI  = "https://" + previewHost + "/"
)

// mood is how a host of strangers answers.
type mood string

// The moods.
const (
	moodWell mood = ""
	// moodDown answers that it is overloaded.
	moodDown mood = "down"
	// moodCut breaks off in the middle of each answer.
	moodCut mood = "cut"
)

// forge is a git server, and beside it the host on which all previews run.
type forge struct {
	folder string
	server *httptest.Server
	fired  *Fired

	mu      sync.Mutex
	public  map[string]bool // repositories that everybody can see
	forge   mood
	preview mood
	// troubles are when the forge was not well; the last one may go on.
	troubles []trouble
	// previewWasDown: an answer of the preview failed once.
	previewWasDown bool
}

// trouble is a time in which the forge was not well.
type trouble struct {
	from, to time.Time // to is zero while it lasts
}

func newForge(folder string, fired *Fired) *forge {
	f := &forge{folder: filepath.Join(folder, "forge"), fired: fired, public: map[string]bool{}}
	f.server = httptest.NewServer(f)
	return f
}

func (f *forge) close() {
	f.server.CloseClientConnections()
	f.server.Close()
}

// hosts are where a transport finds the hosts of strangers.
func (f *forge) hosts() map[string]string {
	addr := f.server.Listener.Addr().String()
	return map[string]string{forgeHost: addr, previewHost: addr}
}

// ServeHTTP implements http.Handler.
func (f *forge) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	f.mu.Lock()
	how, fault, public := f.forge, FaultForgeDown, f.public[name]
	if req.Host == previewHost {
		how, fault, public = f.preview, FaultPreviewDown, true
		f.previewWasDown = f.previewWasDown || how != moodWell
	} else if how == moodCut {
		fault = FaultForgeCut
	}
	f.mu.Unlock()
	if how != moodWell {
		f.fired.fire(fault)
	}
	switch {
	case how == moodDown:
		http.Error(rw, "come back later", http.StatusServiceUnavailable)
	case !public:
		http.NotFound(rw, req)
	case req.Host == previewHost:
		_, _ = io.WriteString(rw, "This is how it will be.\n") // whoever left does not read it
	case how == moodCut:
		f.git(&cutWriter{rw, cutAfter}, req)
	default:
		f.git(rw, req)
	}
}

// git lets the real one answer.
func (f *forge) git(rw http.ResponseWriter, req *http.Request) {
	(&cgi.Handler{
		Path: "/usr/bin/env", Args: []string{"git", "http-backend"},
		Env:    []string{"GIT_PROJECT_ROOT=" + f.folder, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"},
		Stderr: io.Discard, // it tells of everybody who leaves
	}).ServeHTTP(rw, req)
}

// cutAfter is how many bytes come before an answer breaks off.
const cutAfter = 60

// cutWriter breaks an answer off.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if len(p) >= c.left {
		panic(http.ErrAbortHandler) // closes the connection
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

// set changes how the forge answers.
func (f *forge) set(how mood, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch last := len(f.troubles) - 1; {
	case f.forge == moodWell && how != moodWell:
		f.troubles = append(f.troubles, trouble{from: now})
	case f.forge != moodWell && how == moodWell:
		f.troubles[last].to = now
	}
	f.forge = how
}

// setPreview changes how previews answer.
func (f *forge) setPreview(how mood) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.preview = how
}

// failedAfter reports whether the forge was not well at some time after a moment.
func (f *forge) failedAfter(at time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.troubles {
		if t.to.IsZero() || t.to.After(at) {
			return true
		}
	}
	return false
}

// previewFailed reports whether somebody saw a preview that did not answer.
func (f *forge) previewFailed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.previewWasDown
}

// publish lets everybody see a repository, or nobody but its owner.
func (f *forge) publish(name string, public bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.public[name] = public
}

// source is a developer's repository, of which the forge shows what was pushed.
type source struct {
	*git.Repository
	name string
}

const branch = plumbing.ReferenceName("refs/heads/trunk")

// newSource makes a repository that nobody else sees yet.
func (f *forge) newSource(name string) (*source, error) {
	r, err := git.PlainInitWithOptions(filepath.Join(f.folder, name), &git.PlainInitOptions{
		Bare: true, InitOptions: git.InitOptions{DefaultBranch: branch},
	})
	if err != nil {
		return nil, fmt.Errorf("oracle: make the repository %s: %w", name, err)
	}
	return &source{r, name}, nil
}

// address is where it is for everybody.
func (s *source) address() string { return "https://" + forgeHost + "/" + s.name }

// push makes the branch lead to a commit, whatever it led to before.
func (s *source) push(commit plumbing.Hash) error {
	if err := s.Storer.SetReference(plumbing.NewHashReference(branch, commit)); err != nil {
		return fmt.Errorf("oracle: push to %s: %w", s.name, err)
	}
	return nil
}

// file is one in a commit.
type file struct{ name, text string }

// commit makes one of files, in the order of their names.
func (s *source) commit(at time.Time, parents []plumbing.Hash, files ...file) (commit, tree plumbing.Hash, err error) {
	var t object.Tree
	for _, f := range files {
		blob := s.Storer.NewEncodedObject()
		blob.SetType(plumbing.BlobObject)
		to, err := blob.Writer()
		if err == nil {
			_, err = io.WriteString(to, f.text)
		}
		if err != nil {
			return commit, tree, fmt.Errorf("oracle: write %s of %s: %w", f.name, s.name, err)
		}
		hash, err := s.Storer.SetEncodedObject(blob)
		if err != nil {
			return commit, tree, fmt.Errorf("oracle: write %s of %s: %w", f.name, s.name, err)
		}
		t.Entries = append(t.Entries, object.TreeEntry{Name: f.name, Mode: filemode.Regular, Hash: hash})
	}
	if tree, err = s.add(&t); err != nil {
		return commit, tree, err
	}
	who := object.Signature{Name: s.name, Email: s.name + "@example.org", When: at}
	commit, err = s.add(&object.Commit{Author: who, Committer: who, Message: "Make it work\n", TreeHash: tree, ParentHashes: parents})
	return commit, tree, err
}

func (s *source) add(o object.Object) (plumbing.Hash, error) {
	encoded := s.Storer.NewEncodedObject()
	err := o.Encode(encoded)
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("oracle: write an object of %s: %w", s.name, err)
	}
	hash, err := s.Storer.SetEncodedObject(encoded)
	if err != nil {
		return hash, fmt.Errorf("oracle: write an object of %s: %w", s.name, err)
	}
	return hash, nil
}
