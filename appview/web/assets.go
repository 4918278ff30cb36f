package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static
var staticFiles embed.FS

const (
	staticPath = "/static/"
	// hashLength is how many hex digits of a file's hash are in its address.
	hashLength = 16
	// forGood is what browsers are told of an address whose content never changes.
	forGood = "public, max-age=31536000, immutable"
)

// assets are the embedded files, by addresses that carry their hash.
type assets struct {
	urls  map[string]string // by name
	files map[string]asset  // by address
}

type asset struct {
	kind    string
	content []byte
	zipped  []byte // the same, by gzip
}

func newAssets() (*assets, error) {
	a := &assets{urls: map[string]string{}, files: map[string]asset{}}
	err := fs.WalkDir(staticFiles, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		zipped, err := zip(content)
		if err != nil {
			return err
		}
		base := path.Base(name)
		address := staticPath + hex.EncodeToString(sum[:])[:hashLength] + "-" + base
		a.urls[base] = address
		a.files[address] = asset{kind: mime.TypeByExtension(path.Ext(base)), content: content, zipped: zipped}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: read assets: %w", err)
	}
	return a, nil
}

// zip compresses a file, once for all who ask for it.
func zip(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close() // which writes the end
	return out.Bytes(), err
}

// url is the address of a file. A template that names none that exists fails its page.
func (a *assets) url(name string) (string, error) {
	address, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("web: there is no asset %s", name)
	}
	return address, nil
}

// ServeHTTP serves the files. Under an old hash there is nothing, rather than something
// else that browsers would keep.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := a.files[r.URL.Path]
	if !ok || strings.HasSuffix(r.URL.Path, "/") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("Cache-Control", forGood)
	w.Header().Set("Vary", "Accept-Encoding")
	content := file.content
	if unzips(r.Header.Get("Accept-Encoding")) {
		w.Header().Set("Content-Encoding", gzipped)
		content = file.zipped
	}
	_, _ = w.Write(content) // a browser that went away does not matter
}

const gzipped = "gzip"

// unzips tells whether a browser that accepts these encodings takes gzip.
func unzips(accepts string) bool {
	for one := range strings.SplitSeq(accepts, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";")
		if strings.EqualFold(name, gzipped) {
			q, err := strconv.ParseFloat(strings.TrimPrefix(weight, "q="), 64)
			return weight == "" || err == nil && q > 0
		}
	}
	return false
}
