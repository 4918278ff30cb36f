package mirror

import (
	"errors"
	"io/fs"
	"net/http"
	"net/netip"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

// stall is how long a client may take for the next part of an answer.
const stall = time.Minute

// retryAfter is when who came too many is told to come back, in seconds.
const retryAfter = "60"

var (
	packName = regexp.MustCompile(`^pack-[0-9a-f]{40}\.(?:pack|idx)$`)
	// served are the small files, and what they are.
	served = map[string]string{
		"HEAD":               "text/plain; charset=utf-8",
		"info/refs":          "text/plain; charset=utf-8",
		"objects/info/packs": "text/plain; charset=utf-8",
	}
	packTypes = map[string]string{
		".pack": "application/x-git-packed-objects",
		".idx":  "application/x-git-packed-objects-toc",
	}
)

func isPack(name string) bool { return packName.MatchString(name) }

// Handler serves each repository at /KEY, for git clone.
func (m *Mirror) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{key}/{file...}", m.serve)
	return mux
}

func (m *Mirror) serve(rw http.ResponseWriter, req *http.Request) {
	key, file := req.PathValue("key"), req.PathValue("file")
	kind, ok := served[file]
	cached := "no-cache"
	if folder, name := path.Split(file); folder == "objects/pack/" && isPack(name) {
		// Named after what is in it.
		kind, ok, cached = packTypes[path.Ext(name)], true, "public, max-age=86400, immutable"
	}
	if !ok || !isKey(key) {
		http.NotFound(rw, req)
		return
	}
	client := m.client(req)
	if !m.turns.take(client) {
		rw.Header().Set("Retry-After", retryAfter)
		http.Error(rw, "too many clone at the same time", http.StatusServiceUnavailable)
		return
	}
	defer m.turns.leave(client)
	m.send(rw, req, strings.Join([]string{key, file}, "/"), kind, cached)
}

// turns bounds how many are answered, and how many of them are one client's: who takes all
// answers as slowly as may be keeps nobody else from cloning.
type turns struct {
	most, ofEach int

	mu    sync.Mutex
	all   int
	taken map[netip.Prefix]int
}

func (t *turns) take(client netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == t.most || t.taken[client] == t.ofEach {
		return false
	}
	t.all++
	t.taken[client]++
	return true
}

func (t *turns) leave(client netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.taken[client]--; t.taken[client] == 0 {
		delete(t.taken, client)
	}
}

func (m *Mirror) send(rw http.ResponseWriter, req *http.Request, name, kind, cached string) {
	f, err := m.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		http.NotFound(rw, req)
		return
	}
	if err != nil {
		http.Error(rw, "the repository cannot be read now", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	header := rw.Header()
	header.Set("Content-Type", kind)
	header.Set("Cache-Control", cached)
	header.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(&steady{rw, http.NewResponseController(rw)}, req, "", time.Time{}, f)
}

// steady gives a client time for each part of an answer anew, instead of for all of it: a
// large pack may take long, as long as it goes on.
type steady struct {
	http.ResponseWriter
	controller *http.ResponseController
}

// Write implements http.ResponseWriter.
func (s *steady) Write(p []byte) (int, error) {
	// The deadline of a connection goes by the machine's clock, and not by ours.
	if err := s.controller.SetWriteDeadline(time.Now().Add(stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.ResponseWriter.Write(p)
}
