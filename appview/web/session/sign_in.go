package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Where people sign in and out.
const (
	SignInPath  = "/sign-in"
	SignOutPath = "/sign-out"
)

// The pages that Options.Render is asked for, by the names of their data.
const (
	PageSignIn  = "sign-in"
	PageLeaving = "leaving"
	PageFailed  = "sign-in-failed"
)

// The fields of the form, and the parameters of a link to it.
const (
	fieldAccount = "account"
	fieldReturn  = "return"
	fieldPurpose = "for"
)

// maxForm is how much a form of ours can be, in bytes.
const maxForm = 16 << 10

// SignIn is the form that asks for an account's name, and for nothing else.
type SignIn struct {
	Account  string // as it was typed
	Return   string
	Building bool
	Problem  string // empty for none
}

// Purpose is what the form's field says.
func (p SignIn) Purpose() Purpose {
	if p.Building {
		return Building
	}
	return Backing
}

// Leaving sends somebody to another host. A redirect would not do: the policy of pages
// with forms holds it against the host that the form ends up at.
type Leaving struct {
	Title, Sentence string
	Host, URL       string
}

// Render shows a page, as a private one.
type Render func(w http.ResponseWriter, r *http.Request, status int, page string, data any)

// Leave shows the page that leads elsewhere, and does so by itself.
func Leave(w http.ResponseWriter, r *http.Request, render Render, to Leaving) {
	w.Header().Set("Refresh", "0; url="+to.URL)
	render(w, r, http.StatusOK, PageLeaving, to)
}

// Failed says why somebody who was away is not signed in.
type Failed struct {
	Head, Advice string
	Again        string // where to try again
}

// Mux takes handlers; *http.ServeMux and the site are.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// Register adds all that signing in and out needs.
func (s *Sessions) Register(mux Mux) {
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET " + SignInPath:   s.showSignIn,
		"POST " + SignInPath:  s.signIn,
		"POST " + SignOutPath: s.signOut,
		"GET " + callbackPath: s.callback,
		"GET " + metadataPath: s.serveMetadata,
		"GET " + keysPath:     s.serveKeys,
	} {
		mux.Handle(pattern, handler)
	}
}

// LinkToSignIn is where a page sends somebody who has to sign in, for a purpose, and who
// comes back to a page of the site.
func LinkToSignIn(p Purpose, returnTo string) string {
	query := url.Values{fieldReturn: {LocalPath(returnTo)}}
	if p == Building {
		query.Set(fieldPurpose, string(p))
	}
	return SignInPath + "?" + query.Encode()
}

func (s *Sessions) showSignIn(w http.ResponseWriter, r *http.Request) {
	if s.client.loopback && r.Host != s.client.host {
		http.Redirect(w, r, s.client.origin+r.URL.RequestURI(), http.StatusSeeOther)
		return
	}
	query := r.URL.Query()
	page := SignIn{
		Account: query.Get(fieldAccount), Return: LocalPath(query.Get(fieldReturn)),
		Building: ParsePurpose(query.Get(fieldPurpose)) == Building,
	}
	if v := From(r.Context()); v != nil && page.Account == "" {
		page.Account = v.Handle.String()
	}
	s.render(w, r, http.StatusOK, PageSignIn, page)
}

// signIn begins: it finds the account's host, and leads there.
func (s *Sessions) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	page := SignIn{
		Account: r.PostFormValue(fieldAccount), Return: LocalPath(r.PostFormValue(fieldReturn)),
		Building: ParsePurpose(r.PostFormValue(fieldPurpose)) == Building,
	}
	account, err := parseAccount(page.Account)
	if err != nil {
		page.Problem = "That is no name of an account. It looks like alice.example.com, and is what others see as your @handle."
		s.render(w, r, http.StatusUnprocessableEntity, PageSignIn, page)
		return
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	default:
		page.Problem = "Too many people are signing in right now. Try again in a minute."
		s.render(w, r, http.StatusServiceUnavailable, PageSignIn, page)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askWithin)
	defer cancel()
	begun, target, err := s.begin(ctx, account, page)
	switch {
	case errors.Is(err, ErrNotFound):
		page.Problem = "Nobody is found as " + account.String() + ". Check the spelling. If it is right, its host does not answer just now; try again in a minute."
		s.render(w, r, http.StatusUnprocessableEntity, PageSignIn, page)
		return
	case err != nil:
		s.log.InfoContext(ctx, "sign-in not begun", "account", account, "err", err)
		page.Problem = "The host of " + account.String() + " does not answer as it should. Nothing happened; try again in a minute."
		s.render(w, r, http.StatusBadGateway, PageSignIn, page)
		return
	}
	begun.Browser = hashOf(s.cookies.set(w, browserName, signInWithin))
	if err := s.store.begin(ctx, begun); err != nil {
		s.broken(w, r, err)
		return
	}
	Leave(w, r, s.render, Leaving{
		Title: "On to your host", Sentence: "You sign in there, and say what this site may do. Your password stays there.",
		Host: target.Host, URL: target.String(),
	})
}

// parseAccount takes a name as people write and paste it.
func parseAccount(raw string) (syntax.AtIdentifier, error) {
	visible := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) { // marks of direction come along when a name is copied
			return -1
		}
		return r
	}, raw)
	account, err := syntax.ParseAtIdentifier(strings.TrimPrefix(strings.TrimPrefix(visible, "at://"), "@"))
	if err != nil {
		return "", err
	}
	return account.Normalize(), nil
}

// begin asks the account's authorisation server for a sign-in, and returns where the
// account's owner agrees to it.
func (s *Sessions) begin(ctx context.Context, account syntax.AtIdentifier, page SignIn) (signIn, *url.URL, error) {
	who, err := s.opts.Accounts.Lookup(ctx, account)
	if err == nil && (who.DID == "" || who.PDSEndpoint() == "") {
		err = errors.New("it has no host")
	}
	if err != nil {
		return signIn{}, nil, fmt.Errorf("%w: look for %s: %w", ErrNotFound, account, err)
	}
	server, err := s.hosts.authority(ctx, who.PDSEndpoint())
	if err != nil {
		return signIn{}, nil, err
	}
	target, err := url.Parse(server.AuthorizationEndpoint)
	if err != nil || !(transport{local: s.cfg.Local}).takes(target) || target.RawQuery != "" || target.Fragment != "" {
		return signIn{}, nil, fmt.Errorf("session: %q is no place to sign in at", server.AuthorizationEndpoint)
	}
	app := s.app(s.client.current, nil)
	request, err := app.SendAuthRequest(ctx, server, scopesFor(page.Purpose()), account.String())
	if err != nil {
		return signIn{}, nil, fmt.Errorf("session: ask %s for a sign-in: %w", server.Issuer, err)
	}
	request.AccountDID = &who.DID
	target.RawQuery = url.Values{"client_id": {app.Config.ClientID}, "request_uri": {request.RequestURI}}.Encode()
	return signIn{
		Handle: who.Handle, ClientKey: s.client.current, ReturnTo: page.Return, Request: *request,
		ExpiresAt: s.opts.Clock().Add(signInWithin),
	}, target, nil
}

// app is the OAuth client with one of its keys.
func (s *Sessions) app(key string, store oauth.ClientAuthStore) *oauth.ClientApp {
	return &oauth.ClientApp{
		Client: s.http, Resolver: &oauth.Resolver{Client: s.http, UserAgent: s.cfg.UserAgent},
		Dir: s.opts.Accounts, Config: s.client.by[key], Store: store,
	}
}

// callback is where people come back to, signed in or not.
func (s *Sessions) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	browser, ok := s.cookies.get(r, browserName)
	var begun signIn
	err := errUnknown
	if ok {
		begun, err = s.store.take(r.Context(), query.Get("state"), browser)
	}
	switch {
	case errors.Is(err, errUnknown) || err == nil && s.client.by[begun.ClientKey] == nil:
		s.render(w, r, http.StatusBadRequest, PageFailed, Failed{
			Head:   "This sign-in is over",
			Advice: "It took too long, was finished before, or began in another browser. Nothing happened; begin again.", Again: SignInPath,
		})
		return
	case err != nil:
		s.broken(w, r, err)
		return
	}
	s.cookies.clear(w, browserName)
	tokens, err := s.exchange(r.Context(), begun, query)
	again := LinkToSignIn(purposeOf(begun), begun.ReturnTo)
	if said, ok := errors.AsType[*oauth.AuthRequestCallbackError](err); ok && said.ErrorCode == "access_denied" {
		s.render(w, r, http.StatusForbidden, PageFailed, Failed{
			Head: "You are not signed in", Advice: "You did not agree at your host, so nothing was granted to this site.", Again: again,
		})
		return
	}
	if err != nil {
		s.log.InfoContext(r.Context(), "sign-in not finished", "did", begun.Request.AccountDID, "err", err)
		s.render(w, r, http.StatusBadGateway, PageFailed, Failed{
			Head: "You are not signed in", Advice: "Your host did not finish the sign-in. Nothing happened; try again in a minute.", Again: again,
		})
		return
	}
	s.welcome(w, r, begun, tokens)
}

// purposeOf is what somebody was about to sign in for.
func purposeOf(begun signIn) Purpose {
	if slices.Equal(begun.Request.Scopes, scopesFor(Building)) {
		return Building
	}
	return Backing
}

// exchange turns the code that somebody came back with into tokens. A sign-in was taken
// out of the database before, so its code is used by nobody else, and the OAuth client
// needs to remember it for no longer than this.
func (s *Sessions) exchange(ctx context.Context, begun signIn, query url.Values) (*oauth.ClientSessionData, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askWithin)
	defer cancel()
	once := oauth.NewMemStore()
	if err := once.SaveAuthRequestInfo(ctx, begun.Request); err != nil {
		return nil, err
	}
	tokens, err := s.app(begun.ClientKey, once).ProcessCallback(ctx, query)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(tokens.Scopes, accountScope) {
		return nil, errors.New("session: the tokens are for no account")
	}
	return tokens, nil
}

// welcome begins a session under a new id, in place of one that the browser may have had.
func (s *Sessions) welcome(w http.ResponseWriter, r *http.Request, begun signIn, tokens *oauth.ClientSessionData) {
	before, was := s.cookies.get(r, sessionName)
	in := session{
		ID: hashOf(s.cookies.set(w, sessionName, s.cfg.Lifetime)), DID: tokens.AccountDID, Handle: begun.Handle,
		ClientKey: begun.ClientKey, Tokens: *tokens, ExpiresAt: s.opts.Clock().Add(s.cfg.Lifetime),
	}
	if err := s.store.add(r.Context(), in); err != nil {
		s.broken(w, r, err)
		return
	}
	if was {
		s.end(r.Context(), before)
	}
	http.Redirect(w, r, begun.ReturnTo, http.StatusSeeOther)
}

// render shows a page that nobody keeps.
func (s *Sessions) render(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	w.Header().Set("Cache-Control", "private, no-store")
	s.opts.Render(w, r, status, page, data)
}

// broken says that it is our fault.
func (s *Sessions) broken(w http.ResponseWriter, r *http.Request, err error) {
	s.log.ErrorContext(r.Context(), "sign-in failed", "path", r.Pattern, "err", err)
	s.render(w, r, http.StatusInternalServerError, PageFailed, Failed{
		Head: "Something is broken here", Advice: "It is our fault, and it is written down. Try again in a minute.", Again: SignInPath,
	})
}
