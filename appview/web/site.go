package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	// answerWithin bounds how long a page may ask its queries.
	answerWithin = 20 * time.Second
	// policy lets a page load what is ours, and nothing else. Forms lead to us: what sends
	// people to another host afterwards says so in its own answer.
	policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// Options are what a site is made of.
type Options struct {
	// Queries answer what the pages show.
	Queries Queries
	// Escrows tell how reachable previews are; nil shows what their records say alone.
	Escrows Escrows
	// PublicURL is where browsers reach the site: scheme and host. Canonical addresses and
	// those in feeds begin with it.
	PublicURL string
	// Answers keeps what was answered to the public; nil makes each page anew.
	Answers xrpc.Answers
	// Visitor says who a request comes from; nil for the public. Without it everybody is.
	Visitor func(context.Context) *Visitor
	// TestMoney is said on top of each page: amounts on it may be of no real money.
	TestMoney bool
	Now       func() time.Time
	Log       *slog.Logger
}

// Site answers browsers. Make one with New.
type Site struct {
	opts      Options
	base      string // PublicURL without a slash at its end
	log       *slog.Logger
	mux       *http.ServeMux
	assets    *assets
	templates map[string]*template.Template
	markdown  *markdown
	fonts     *fonts
	methods   []apiMethod
}

// New checks the options and wires the site.
func New(opts Options) (*Site, error) {
	if opts.Queries == nil || opts.Now == nil || opts.Log == nil {
		return nil, errors.New("web: options: Queries, Now and Log are required")
	}
	base, err := url.Parse(opts.PublicURL)
	if err != nil || base.Host == "" || strings.Trim(base.Path, "/") != "" {
		return nil, fmt.Errorf("web: options: PublicURL %q is not a scheme and a host", opts.PublicURL)
	}
	s := &Site{
		opts: opts, base: base.Scheme + "://" + base.Host, log: opts.Log.With("component", "web"),
		mux: http.NewServeMux(), markdown: newMarkdown(),
	}
	if s.assets, err = newAssets(); err != nil {
		return nil, err
	}
	if s.templates, err = s.parseTemplates(); err != nil {
		return nil, err
	}
	if s.fonts, err = newFonts(); err != nil {
		return nil, err
	}
	if s.methods, err = describeMethods(); err != nil {
		return nil, err
	}
	s.route()
	return s, nil
}

func (s *Site) route() {
	for pattern, page := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":          s.kept(s.board),
		"GET /board/list":   s.kept(s.boardList),
		"GET /feed.atom":    s.boardFeed,
		"GET /about":        s.about,
		"GET /how-it-works": s.howItWorks,
		"GET /api":          s.apiPage,

		"GET /p/{actor}/{rkey}":           s.kept(s.proposal),
		"GET /p/{actor}/{rkey}/timeline":  s.timeline,
		"GET /p/{actor}/{rkey}/backers":   s.backers,
		"GET /p/{actor}/{rkey}/feed.atom": s.proposalFeed,
		"GET /p/{actor}/{rkey}/badge.svg": s.badge,
		"GET /p/{actor}/{rkey}/card.png":  s.card,

		"GET /project/{actor}/{rkey}":           s.kept(s.project),
		"GET /project/{actor}/{rkey}/feed.atom": s.projectFeed,

		"GET /at/{actor}/{collection}/{rkey}": s.record,
		"GET /{at}":                           s.kept(s.person),
		"GET /":                               s.nothing,
	} {
		s.mux.Handle(pattern, s.page(page))
	}
	s.mux.Handle("GET "+staticPath, s.assets)
}

// Handle adds pages, with the patterns of http.ServeMux, behind the same guards.
func (s *Site) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Handler is the whole site.
func (s *Site) Handler() http.Handler {
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(s.page(func(w http.ResponseWriter, r *http.Request) error {
		return &problem{http.StatusForbidden, "That did not come from this site",
			"Another site sent this form in your name, so nothing was done. Open the page here, and send it again."}
	}))
	return s.guarded(own.Handler(s.asVisitor(s.mux)))
}

// guarded sets what holds for every answer, and how long one may take.
func (s *Site) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-cache")
		h.Set("Vary", "Cookie")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// page makes a handler of what makes a page or says why not.
func (s *Site) page(make func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := make(w, r); err != nil {
			s.Failed(w, r, err)
		}
	}
}
