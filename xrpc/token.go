package xrpc

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	_ "github.com/bluesky-social/indigo/atproto/auth" // teaches the JWT library to verify with keys of accounts
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// tokenLeeway is how far our clock and an issuer's may differ.
	tokenLeeway = 5 * time.Second
	// maxTokenLife is how far ahead a token may expire: the hour that a PDS gives
	// at most, and some minutes for its clock.
	maxTokenLife = time.Hour + 5*time.Minute
)

// The algorithms of the two kinds of keys that accounts have.
const (
	algP256 = "ES256"
	algK256 = "ES256K"
)

// foreignTypes are JWTs of other uses, which must not work as service tokens.
// Nothing else is said of typ: it is to change from JWT to something better.
var foreignTypes = []string{"at+jwt", "refresh+jwt", "dpop+jwt"}

// token is a service token with claims that fit a request. Whether its issuer
// signed it is for signedBy.
type token struct {
	claims
	raw    string
	issuer syntax.DID
}

type claims struct {
	jwt.RegisteredClaims
	Method string `json:"lxm"`
}

// tokenRules say which tokens are for a service.
type tokenRules struct {
	// audiences are the names of the service: its DID, as PDSs wrote it for years,
	// and the DID with the service's fragment, as the specification has it now.
	audiences []string
	now       func() time.Time
	parser    *jwt.Parser
	validator *jwt.Validator
}

func newTokenRules(did syntax.DID, serviceID string, now func() time.Time) *tokenRules {
	audiences := []string{did.String()}
	if serviceID != "" {
		audiences = append(audiences, did.String()+"#"+serviceID)
	}
	return &tokenRules{
		audiences: audiences, now: now,
		parser: jwt.NewParser(),
		validator: jwt.NewValidator(
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(tokenLeeway), jwt.WithTimeFunc(now)),
	}
}

// parse reads a token and checks everything but its signature, so that a key is
// looked up only for a token that would be good with it. The order and the names
// are those of the reference server.
func (r *tokenRules) parse(raw string, method syntax.NSID) (*token, error) {
	t := &token{raw: raw}
	parsed, _, err := r.parser.ParseUnverified(raw, &t.claims)
	if err != nil {
		return nil, unauthorized(nameBadJwt, "not a JWT with the header and the claims of a service token")
	}
	if typ, ok := parsed.Header["typ"].(string); ok && slices.Contains(foreignTypes, strings.TrimPrefix(strings.ToLower(typ), "application/")) {
		return nil, unauthorized(nameBadJwtType, "typ: is that of another kind of token")
	}
	if alg := parsed.Method.Alg(); alg != algP256 && alg != algK256 {
		return nil, unauthorized(nameBadJwt, "alg: must be %s or %s", algP256, algK256)
	}
	if err := r.checkTimes(&t.claims); err != nil {
		return nil, err
	}
	if len(t.Audience) != 1 || !slices.Contains(r.audiences, t.Audience[0]) {
		return nil, unauthorized(nameBadJwtAudience, "aud: must be %s", strings.Join(r.audiences, " or "))
	}
	if t.Method != method.String() {
		return nil, unauthorized(nameBadJwtLexiconMethod, "lxm: must be %s", method)
	}
	// The fragment of a service, like #atproto_labeler, names another key than the
	// account's.
	if t.issuer, err = syntax.ParseDID(t.Issuer); err != nil {
		return nil, unauthorized(nameBadJwtIss, "iss: must be the DID of an account")
	}
	return t, nil
}

func (r *tokenRules) checkTimes(c *claims) error {
	err := r.validator.Validate(c)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return unauthorized(nameJwtExpired, "exp: is in the past")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return unauthorized(nameBadJwt, "exp: missing")
	case err != nil:
		return unauthorized(nameBadJwt, "iat, nbf: must not be in the future")
	case c.ExpiresAt.After(r.now().Add(maxTokenLife)):
		return unauthorized(nameBadJwt, "exp: must be within an hour")
	}
	return nil
}

// signedBy reports whether the key made the token's signature, by the algorithm of
// that kind of key. As everywhere in atproto, a JWT's signature may have a high S.
func (t *token) signedBy(key atcrypto.PublicKey) bool {
	verifier := jwt.NewParser(jwt.WithValidMethods([]string{algorithm(key)}), jwt.WithoutClaimsValidation()) // parse did that
	_, err := verifier.ParseWithClaims(t.raw, &claims{}, func(*jwt.Token) (any, error) { return key, nil })
	return err == nil
}

func algorithm(key atcrypto.PublicKey) string {
	switch key.(type) {
	case *atcrypto.PublicKeyP256:
		return algP256
	case *atcrypto.PublicKeyK256:
		return algK256
	}
	return ""
}
