package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

//go:embed templates/*.html
var templateFiles embed.FS

// shared are the templates that pages use; every other file is a page, which defines
// "title" and "page".
var shared = []string{"templates/layout.html", "templates/parts.html", "templates/pictures.html", "templates/fields.html"}

// head is what a page says of itself to machines.
type head struct {
	Description string
	Path        string // the canonical one; empty for none
	AtURI       string // the record that the page shows
	JSON        string // the same as data
	Feed        string
	FeedTitle   string
	Card        string // picture for link previews
	Hidden      bool   // from search engines
}

const htmlType = "text/html; charset=utf-8"

// frame is what every page shows around its own.
type frame struct {
	head
	Base    string
	Here    string // path of the request
	Return  string // where to come back to after signing in
	Visitor *person
	Test    bool
	Page    any
}

func (s *Site) parseTemplates() (map[string]*template.Template, error) {
	common, err := template.New("site").Funcs(s.functions()).ParseFS(templateFiles, shared...)
	if err != nil {
		return nil, fmt.Errorf("web: parse templates: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("web: list templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, file := range files {
		t, err := common.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("web: parse %s: %w", file, err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = t
	}
	return pages, nil
}

// functions are what templates call.
func (s *Site) functions() template.FuncMap {
	return template.FuncMap{
		"asset":    s.assets.url,
		"plain":    plain,
		"markdown": s.markdown.html,
		"amount":   amount,
		"people":   people,
		"xrpc":     xrpcURL,
		"shorter":  shorter,
		"aturi":    atURI,
		"record":   recordPath,
		"moment":   s.momentOf,
	}
}

// atURI lets an address of a record be a link, which templates allow the web alone.
func atURI(uri string) (template.URL, error) {
	parsed, err := syntax.ParseATURI(uri)
	return template.URL(parsed.String()), err
}

// Render shows one of the templates as a private page: nobody keeps it, and search engines
// leave it out. Data is the template's dot.
func (s *Site) Render(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	w.Header().Set("Cache-Control", "private, no-store")
	if err := s.render(w, r, status, page, head{Hidden: true}, data); err != nil {
		s.Failed(w, r, err)
	}
}

// render sends a page, whole or not at all.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, page string, h head, data any) error {
	f := frame{head: h, Base: s.base, Here: r.URL.Path, Return: r.URL.RequestURI(), Test: s.opts.TestMoney, Page: data}
	if v := s.visitor(r.Context()); v != nil {
		who := personOf(v.DID.String(), v.Handle.String())
		f.Visitor = &who
	}
	return s.send(w, status, page, "layout", f)
}

// send executes one template of a page.
func (s *Site) send(w http.ResponseWriter, status int, page, name string, data any) error {
	var out bytes.Buffer
	if err := s.templates[page].ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("web: make the page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", htmlType)
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // a browser that went away does not matter
	return nil
}
