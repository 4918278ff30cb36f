package simulator

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

type checkoutPage struct {
	Title, Product, Details, Amount, Notice, Refusal, Email string
	Quantity                                                int64
	Cards                                                   []card
	Action, CancelURL                                       string
}

type challengePage struct {
	Title, Amount, Action, CancelURL string
}

type overPage struct {
	Title, Sentence, NextURL string
}

type onboardingPage struct {
	Title, Account, Action string
	Missing                []string
}

func (s *Server) routePages(mux *http.ServeMux) {
	mux.HandleFunc("GET /checkout/{id}", s.showCheckout)
	mux.HandleFunc("POST /checkout/{id}", s.submitCheckout)
	mux.HandleFunc("GET /checkout/{id}/challenge", s.showChallenge)
	mux.HandleFunc("POST /checkout/{id}/challenge", s.submitChallenge)
	mux.HandleFunc("GET /onboarding/{id}", s.showOnboarding)
	mux.HandleFunc("POST /onboarding/{id}", s.submitOnboarding)
}

// showCheckout is the page on which a session is paid.
func (s *Server) showCheckout(w http.ResponseWriter, r *http.Request) {
	s.withSession(w, r, func(_ *tx, session *Session) (func(), error) {
		return func() { s.checkout(w, session, "") }, nil
	})
}

// submitCheckout is the payer's submit with one of the test cards.
func (s *Server) submitCheckout(w http.ResponseWriter, r *http.Request) {
	c, ok := cardOf(r.PostFormValue("card"))
	if !ok {
		http.Error(w, "The simulator takes its own test cards only. Never enter a real card number.", http.StatusBadRequest)
		return
	}
	s.withSession(w, r, func(t *tx, session *Session) (func(), error) {
		result, err := t.pay(session, c, r.PostFormValue("email"))
		return s.proceed(w, r, session, result), err
	})
}

// showChallenge is the bank's page.
func (s *Server) showChallenge(w http.ResponseWriter, r *http.Request) {
	s.withSession(w, r, func(_ *tx, session *Session) (func(), error) {
		return func() {
			s.render(w, "challenge", challengePage{"3-D Secure", spoken(session.AmountTotal, session.Currency), r.URL.Path, session.cancelledURL()})
		}, nil
	})
}

// submitChallenge is the payer's answer to the bank.
func (s *Server) submitChallenge(w http.ResponseWriter, r *http.Request) {
	s.withSession(w, r, func(t *tx, session *Session) (func(), error) {
		result, err := t.authenticate(session, r.PostFormValue("result") == "succeed")
		return s.proceed(w, r, session, result), err
	})
}

// proceed is where the payer goes after an attempt.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request, session *Session, result outcome) func() {
	switch result {
	case outcomePaid:
		return func() { http.Redirect(w, r, session.returnURL(), http.StatusSeeOther) }
	case outcomeChallenge:
		return func() {
			http.Redirect(w, r, s.config.PublicURL+"/checkout/"+session.ID+"/challenge", http.StatusSeeOther)
		}
	case outcomeDeclined:
		return func() {
			s.checkout(w, session, "The payment was declined. Nothing was charged; you may try another card.")
		}
	}
	return func() { s.over(w, session) }
}

// withSession finds the session of a page and lets f act on it in one transaction. What
// f returns answers the browser, once all is durable. A session that is over has a page
// of its own.
func (s *Server) withSession(w http.ResponseWriter, r *http.Request, f func(*tx, *Session) (func(), error)) {
	var reply func()
	err := s.transact(r.Context(), cause{}, func(t *tx) error {
		session, err := load[Session](t, r.PathValue("id"))
		if err != nil {
			return err
		}
		if session.Status != sessionOpen {
			reply = func() { s.over(w, session) }
			return nil
		}
		reply, err = f(t, session)
		return err
	})
	if s.failed(w, r, err) {
		return
	}
	s.stir()
	reply()
}

// failed answers a page that cannot be shown.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, errAbsent):
		http.Error(w, "The simulator knows no such page.", http.StatusNotFound)
	default:
		s.refuse(w, r, err)
	}
	return true
}

func (s *Server) checkout(w http.ResponseWriter, session *Session, refusal string) {
	p := checkoutPage{
		Title: "Pay", Product: session.Hidden.Product, Details: session.Hidden.Details, Quantity: session.Hidden.Quantity,
		Amount: spoken(session.AmountTotal, session.Currency), Refusal: refusal, Cards: cards,
		Action: "/checkout/" + session.ID, CancelURL: session.cancelledURL(),
	}
	if session.CustomerEmail != nil {
		p.Email = *session.CustomerEmail
	}
	if session.CustomText.Submit != nil {
		p.Notice = session.CustomText.Submit.Message
	}
	s.render(w, "checkout", p)
}

func (s *Server) over(w http.ResponseWriter, session *Session) {
	if session.Status == sessionComplete {
		s.render(w, "over", overPage{"Paid", "This was paid already. Nothing more will be charged.", session.returnURL()})
		return
	}
	s.render(w, "over", overPage{"Too late", "The time to pay this is over. Nothing was charged.", session.cancelledURL()})
}

// showOnboarding is the page on which a payee completes an account.
func (s *Server) showOnboarding(w http.ResponseWriter, r *http.Request) {
	s.withLink(w, r, func(t *tx, link *AccountLink, a *Account) (func(), error) {
		return func() {
			s.render(w, "onboarding", onboardingPage{"Become payable", a.ID, r.URL.Path, a.Requirements.CurrentlyDue})
		}, nil
	})
}

// submitOnboarding is what the payee decided there.
func (s *Server) submitOnboarding(w http.ResponseWriter, r *http.Request) {
	s.withLink(w, r, func(t *tx, link *AccountLink, a *Account) (func(), error) {
		var err error
		switch result := r.PostFormValue("result"); result {
		case "complete":
			err = t.lift(a)
		case "verify":
			err = t.verify(a)
		case "leave":
		default:
			return nil, malformed("", "result", "Unknown result %q", result)
		}
		if err != nil {
			return nil, err
		}
		link.Hidden.Used = true
		return func() { http.Redirect(w, r, link.Hidden.ReturnURL, http.StatusSeeOther) }, t.save(link)
	})
}

// withLink is withSession for account links. One that was used or is too old sends the
// payee back for another.
func (s *Server) withLink(w http.ResponseWriter, r *http.Request, f func(*tx, *AccountLink, *Account) (func(), error)) {
	var reply func()
	err := s.transact(r.Context(), cause{}, func(t *tx) error {
		link, err := load[AccountLink](t, r.PathValue("id"))
		if err != nil {
			return err
		}
		if !link.usable(t) {
			reply = func() { http.Redirect(w, r, link.Hidden.RefreshURL, http.StatusSeeOther) }
			return nil
		}
		a, err := load[Account](t, link.Hidden.Account)
		if err != nil {
			return err
		}
		reply, err = f(t, link, a)
		return err
	})
	if s.failed(w, r, err) {
		return
	}
	s.stir()
	reply()
}

// render writes a page as a whole, or an error and nothing of it.
func (s *Server) render(w http.ResponseWriter, name string, params any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, params); err != nil {
		s.fail(fmt.Errorf("simulator: page %s: %w", name, err))
		http.Error(w, "The simulator itself is broken; see its log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = page.WriteTo(w) // a browser that left has its own error
}
