package xrpc

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// authentication checks the tokens that clients offer. See the package's
// documentation for what it promises.
type authentication struct {
	tokens  *tokenRules
	keys    *keyring // nil when the service knows no accounts
	metrics *metrics
}

func newAuthentication(service syntax.DID, opts Options, m *metrics) (*authentication, error) {
	a := &authentication{tokens: newTokenRules(service, opts.ServiceID, opts.Now), metrics: m}
	if opts.Identities == nil {
		return a, nil
	}
	var err error
	a.keys, err = newKeyring(opts.Identities, opts.Now, m)
	return a, err
}

// MethodOption changes what a method asks of its callers.
type MethodOption func(*method)

// RequireAuth refuses callers without a token, so that [Viewer] always knows who
// asks.
func RequireAuth(m *method) { m.authRequired = true }

// UsedTokens remembers which tokens were used. A service that moves money keeps it
// in its database: what a restart forgets can be sent again.
type UsedTokens interface {
	// Use marks a token as used, and reports whether it was the first use. One call
	// of several at the same time is the first. After until the token is expired
	// and may be forgotten.
	Use(ctx context.Context, issuer syntax.DID, id string, until time.Time) (first bool, err error)
}

// SingleUse is [RequireAuth] with a token that works once and has an id (jti). It is
// for procedures that move money: a PDS repeats a query with the same token, and
// clients use theirs until it expires.
func SingleUse(used UsedTokens) MethodOption {
	return func(m *method) { m.authRequired, m.usedTokens = true, used }
}

// authenticate returns the context of a request to m, with its viewer when the
// request offers a token. A token that is not good is an error on every method:
// its sender must not take the public's answer for their own.
func (a *authentication) authenticate(ctx context.Context, m *method, h http.Header, from netip.Prefix) (context.Context, error) {
	offered := h.Values("Authorization")
	if len(offered) == 0 && !m.authRequired {
		return ctx, nil
	}
	viewer, err := a.viewer(ctx, m, offered, from)
	a.metrics.authenticated(err)
	if err != nil {
		return nil, err
	}
	return withViewer(ctx, viewer), nil
}

func (a *authentication) viewer(ctx context.Context, m *method, offered []string, from netip.Prefix) (syntax.DID, error) {
	raw, err := bearer(offered)
	if err != nil {
		return "", err
	}
	if a.keys == nil {
		return "", unauthorized(nameAuthenticationRequired, "this service takes no tokens")
	}
	t, err := a.tokens.parse(raw, m.nsid)
	if err != nil {
		return "", err
	}
	if err := a.verify(ctx, t, from); err != nil {
		return "", err
	}
	if m.usedTokens == nil {
		return t.issuer, nil
	}
	if t.ID == "" {
		return "", unauthorized(nameBadJwt, "jti: missing; a token for this method needs one")
	}
	first, err := m.usedTokens.Use(ctx, t.issuer, t.ID, t.ExpiresAt.Add(tokenLeeway))
	if err != nil {
		return "", fmt.Errorf("mark a token of %s as used: %w", t.issuer, err)
	}
	if !first {
		return "", unauthorized(nameBadJwt, "jti: this token was used before; ask for another one")
	}
	return t.issuer, nil
}

// verify checks the signature with the issuer's key, and once more with a key that
// was asked for again, since it may have been rotated.
func (a *authentication) verify(ctx context.Context, t *token, from netip.Prefix) error {
	key, err := a.keys.find(ctx, t.issuer, from)
	if err != nil {
		return err
	}
	if t.signedBy(key) {
		return nil
	}
	if key, err = a.keys.again(ctx, t.issuer, from); err != nil {
		return err
	}
	if !t.signedBy(key) {
		return unauthorized(nameBadJwtSignature, "the signature is not by the current key of iss")
	}
	return nil
}

// bearer takes the token out of the Authorization headers of a request.
func bearer(offered []string) (string, error) {
	if len(offered) != 1 {
		return "", unauthorized(nameAuthenticationRequired, "Authorization: want one, with Bearer and a service token, got %d", len(offered))
	}
	scheme, raw, ok := strings.Cut(offered[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", unauthorized(nameAuthenticationRequired, "Authorization: want Bearer and a service token")
	}
	return raw, nil
}

// challenge is what a 401 has to say in WWW-Authenticate (RFC 6750).
func challenge(e *Error) string {
	if e.Name == nameAuthenticationRequired {
		return "Bearer"
	}
	return `Bearer error="invalid_token"`
}
