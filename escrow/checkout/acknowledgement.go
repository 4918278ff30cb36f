package checkout

import (
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	_ "github.com/bluesky-social/indigo/atproto/auth" // teaches the JWT library to sign with keys of accounts
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/golang-jwt/jwt/v5"

	"github.com/stratosfund/stratosfund/escrow/payments"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// KeyID is the fragment under which the key of acknowledgements stands in the escrow's
// DID document, among its verification methods.
const KeyID = "stratos_acknowledgement"

// acknowledgementType keeps an acknowledgement from being taken for any other token.
const acknowledgementType = "stratos-acknowledgement+jwt"

// algorithms are those of the two kinds of keys.
const (
	algP256 = "ES256"
	algK256 = "ES256K"
)

// Key signs acknowledgements.
type Key struct {
	private   atcrypto.PrivateKeyExportable
	algorithm string
	public    atcrypto.PublicKey
}

// ParseKey reads a private key in multibase.
func ParseKey(secret payments.Secret) (*Key, error) {
	if secret.IsZero() {
		return nil, errors.New("checkout: there is no key to sign acknowledgements with")
	}
	private, err := atcrypto.ParsePrivateMultibase(secret.Reveal())
	if err != nil {
		return nil, errors.New("checkout: the key for acknowledgements is no private key in multibase") // and is not quoted
	}
	k := &Key{private: private, algorithm: algP256}
	if _, ok := private.(*atcrypto.PrivateKeyK256); ok {
		k.algorithm = algK256
	}
	if k.public, err = private.PublicKey(); err != nil {
		return nil, fmt.Errorf("checkout: the public key for acknowledgements: %w", err)
	}
	return k, nil
}

// NewKey makes a key: the secret, and what belongs into the DID document as a did:key.
func NewKey() (secret, public string, err error) {
	private, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		return "", "", fmt.Errorf("checkout: make a key: %w", err)
	}
	key, err := private.PublicKey()
	if err != nil {
		return "", "", fmt.Errorf("checkout: make a key: %w", err)
	}
	return private.Multibase(), key.DIDKey(), nil
}

// Multibase is the public key as a DID document has it.
func (k *Key) Multibase() string { return k.public.Multibase() }

// Acknowledgement is what the escrow signs at checkout: that this payer was offered to pay
// so much for this version of a record. Whoever paid and finds no receipt can show it.
type Acknowledgement struct {
	jwt.RegisteredClaims                          // iss the escrow, sub the payer, iat when
	Payment              string                   `json:"payment"`
	Subject              comatproto.RepoStrongRef `json:"subject"`
	Development          string                   `json:"development"`
	Value                stratos.Defs_Money       `json:"value"`
	// Test is true when no real money moves.
	Test bool `json:"test,omitempty"`
}

// acknowledge signs what was offered.
func (d *Desk) acknowledge(p Payment, at time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.GetSigningMethod(d.cfg.Key.algorithm), Acknowledgement{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: d.cfg.DID.String(), Subject: p.Payer.String(), IssuedAt: jwt.NewNumericDate(at),
		},
		Payment:     string(p.ID),
		Subject:     comatproto.RepoStrongRef{Uri: p.Subject.String(), Cid: p.CID.String()},
		Development: p.Development.String(),
		Value:       stratos.Defs_Money{Amount: p.Value.Amount, Currency: p.Value.Currency.String()},
		Test:        !d.cfg.Mode.Live(),
	})
	token.Header["typ"] = acknowledgementType
	token.Header["kid"] = d.cfg.DID.String() + "#" + KeyID
	signed, err := token.SignedString(d.cfg.Key.private)
	if err != nil {
		return "", fmt.Errorf("checkout: sign the acknowledgement of %s: %w", p.ID, err)
	}
	return signed, nil
}

// ParseAcknowledgement reads an acknowledgement of the escrow, which key signed: the one
// under KeyID in its DID document.
func ParseAcknowledgement(signed string, escrow syntax.DID, key atcrypto.PublicKey) (Acknowledgement, error) {
	var a Acknowledgement
	parser := jwt.NewParser(jwt.WithValidMethods([]string{algorithmOf(key)}), jwt.WithoutClaimsValidation())
	token, err := parser.ParseWithClaims(signed, &a, func(*jwt.Token) (any, error) { return key, nil })
	if err != nil {
		return Acknowledgement{}, fmt.Errorf("checkout: not an acknowledgement by this key: %w", err)
	}
	if token.Header["typ"] != acknowledgementType || a.Issuer != escrow.String() {
		return Acknowledgement{}, fmt.Errorf("checkout: not an acknowledgement of %s", escrow)
	}
	return a, nil
}

func algorithmOf(key atcrypto.PublicKey) string {
	if _, ok := key.(*atcrypto.PublicKeyK256); ok {
		return algK256
	}
	return algP256
}
