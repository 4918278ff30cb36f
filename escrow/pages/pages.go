package pages

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
)

//go:embed templates/*.html
var files embed.FS

//go:embed pages.css
var style []byte

// Desk is what the pages ask; *checkout.Desk is one.
type Desk interface {
	Offer(context.Context, ledger.HoldID) (checkout.Offer, error)
	Confirm(ctx context.Context, id ledger.HoldID, agreed string) (url string, err error)
	Glance(context.Context, ledger.HoldID) error
	Terms(context.Context, syntax.RecordKey) (repo.Agreed, error)
}

// Visits are payees who come back from the processor; *payee.Payees has them.
type Visits interface {
	Visit(ctx context.Context, token string) (payee.Visit, error)
}

var (
	_ Desk   = (*checkout.Desk)(nil)
	_ Visits = (*payee.Payees)(nil)
)

// Config is how the escrow shows itself.
type Config struct {
	Mode payments.Mode
	DID  syntax.DID
	// Name and Contact introduce the service; Contact may be empty.
	Name, Contact string
}

// Pages answers browsers. It may be shared.
type Pages struct {
	cfg       Config
	desk      Desk
	visits    Visits
	log       *slog.Logger
	templates map[string]*template.Template
	asking    chan struct{} // whoever holds a place of it may wait for the processor
}

// mostAsking is how many pages may wait for the processor at the same time: some of the
// places of the whole service, of which webhooks and the API need the others.
const mostAsking = 64

// names are the pages; each is a file that fills the layout.
var names = []string{"home", "pay", "paid", "terms", "payout", "problem"}

// New returns the pages.
func New(cfg Config, desk Desk, visits Visits, log *slog.Logger) *Pages {
	p := &Pages{cfg: cfg, desk: desk, visits: visits, log: log.With("component", "pages"), templates: map[string]*template.Template{}, asking: make(chan struct{}, mostAsking)}
	for _, name := range names {
		p.templates[name] = template.Must(template.ParseFS(files, "templates/layout.html", "templates/"+name+".html"))
	}
	return p
}

// Server takes pages; xrpc.Server is one.
type Server interface {
	Handle(pattern string, h http.Handler)
}

// Register puts the pages where they belong.
func (p *Pages) Register(s Server) {
	// Whoever else sends a form here sends it in the name of the payer.
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.problem(w, r, http.StatusForbidden, "That did not come from this page", "Open the page of the payment again, and confirm there.")
	}))
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /{$}":                p.home,
		"GET /pay/{payment}":      p.showPay,
		"POST /pay/{payment}":     p.confirm,
		"GET /paid/{payment}":     p.showPaid,
		"GET /terms/{key}":        p.showTerms,
		"GET " + payee.ReturnPath: p.payout,
		"GET /pages.css":          p.css,
		"GET /":                   p.nothing,
	} {
		s.Handle(pattern, p.guarded(own.Handler(handler)))
	}
}

// maxForm is how many bytes a form may have: the largest has the address of some terms.
const maxForm = 8 << 10

// guarded sets what holds for every page.
func (p *Pages) guarded(next http.Handler) http.Handler {
	policy := "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " + p.processorPages()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin") // an id is not for the processor, nor for clients
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Robots-Tag", "noindex")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// processorPages are where a form may lead: browsers hold that against a redirect, too.
func (p *Pages) processorPages() string {
	if p.cfg.Mode == payments.Simulator {
		return "http://localhost:* http://127.0.0.1:*" // a policy cannot name an IPv6 address
	}
	return "https://checkout.stripe.com"
}

// frame is what each page shows around its own.
type frame struct {
	Title   string
	Name    string
	Contact string
	Banner  string
	// Refresh is after how many seconds the page asks again; 0 for never.
	Refresh int
	Page    any
}

// banner says whose money it is not.
func (p *Pages) banner() string {
	switch p.cfg.Mode {
	case payments.Live:
		return ""
	case payments.Simulator:
		return "Simulation: no money moves. Never enter a real card number."
	default:
		return "Test mode: no real money moves."
	}
}

// ask runs fn, which may wait for the processor, or returns checkout.ErrBusy while too many
// pages do.
func (p *Pages) ask(fn func() error) error {
	select {
	case p.asking <- struct{}{}:
		defer func() { <-p.asking }()
		return fn()
	default:
		return fmt.Errorf("%w: %d pages wait for the processor", checkout.ErrBusy, mostAsking)
	}
}

// render sends a page, whole or not at all.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, name, title string, refresh time.Duration, page any) {
	var out bytes.Buffer
	err := p.templates[name].ExecuteTemplate(&out, "layout", frame{
		Title: title, Name: p.cfg.Name, Contact: p.cfg.Contact, Banner: p.banner(), Refresh: int(refresh / time.Second), Page: page,
	})
	if err != nil {
		p.log.ErrorContext(r.Context(), "page not made", "page", name, "err", err)
		http.Error(w, "This page is broken.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // a browser that went away does not matter
}

// problemPage says what is wrong, and what to do.
type problemPage struct{ Title, Sentence string }

func (p *Pages) problem(w http.ResponseWriter, r *http.Request, status int, title, sentence string) {
	p.render(w, r, status, "problem", title, 0, problemPage{title, sentence})
}

// failed answers an error. Only what is ours goes to the log.
func (p *Pages) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, checkout.ErrNotFound), errors.Is(err, repo.ErrNoTerms):
		p.nothing(w, r)
	case errors.Is(err, checkout.ErrTerms):
		p.problem(w, r, http.StatusBadRequest, "Nothing was agreed to", "Go back, and agree to the terms to go on.")
	case errors.Is(err, checkout.ErrBusy):
		p.log.WarnContext(r.Context(), "nothing can be paid", "err", err)
		p.problem(w, r, http.StatusServiceUnavailable, "Not right now", "The payment processor does not answer, or payments are stopped for a moment. Nothing was charged. Go back and try again in a minute.")
	default:
		p.log.ErrorContext(r.Context(), "page failed", "path", r.Pattern, "err", err)
		p.problem(w, r, http.StatusInternalServerError, "Something is broken here", "Nothing was charged by this page. Try again in a minute.")
	}
}

func (p *Pages) nothing(w http.ResponseWriter, r *http.Request) {
	p.problem(w, r, http.StatusNotFound, "There is nothing here", "The address is wrong, or not all of it arrived.")
}

func (p *Pages) css(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(style)
}

// homePage introduces the escrow.
type homePage struct {
	Name string
	DID  syntax.DID
}

func (p *Pages) home(w http.ResponseWriter, r *http.Request) {
	p.render(w, r, http.StatusOK, "home", p.cfg.Name, 0, homePage{p.cfg.Name, p.cfg.DID})
}

// termsPage is the text of terms.
type termsPage struct {
	Text string
	URI  string
}

func (p *Pages) showTerms(w http.ResponseWriter, r *http.Request) {
	terms, err := p.desk.Terms(r.Context(), syntax.RecordKey(r.PathValue("key")))
	if err != nil {
		p.failed(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "terms", "Terms", 0, termsPage{string(terms.Text), terms.Ref.Uri})
}

// payoutPage is for a payee who is back. Return is empty when nobody knows the visit, or it
// was long ago.
type payoutPage struct{ Return returning }

func (p *Pages) payout(w http.ResponseWriter, r *http.Request) {
	visit, err := p.visits.Visit(r.Context(), r.URL.Query().Get(payee.VisitParam))
	if err != nil && !errors.Is(err, payee.ErrVisit) {
		p.failed(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, "payout", "Back from the payment processor", 0, payoutPage{returnTo(visit.ReturnURI)})
}
