package mirror

import (
	"errors"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
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
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	default:
		rw.Header().Set("Retry-After", retryAfter)
		http.Error(rw, "too many clone at the same time", http.StatusServiceUnavailable)
		return
	}
	m.send(rw, req, strings.Join([]string{key, file}, "/"), kind, cached)
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
