package lexicons

import (
	"crypto/sha256"
	"encoding/base32"
	"net/url"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// derivedKeyBytes is how much of the hash makes a key: 24 characters, and nobody
// finds two uris with the same.
const derivedKeyBytes = 15

// DerivedKey returns the record key of what an escrow says about the record at uri:
// the campaign of a development, the receipt of a pledge or donation. One uri has one
// key, so one pledge can never have two receipts.
func DerivedKey(uri syntax.ATURI) syntax.RecordKey {
	hash := sha256.Sum256([]byte(uri))
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	return syntax.RecordKey(strings.ToLower(encoding.EncodeToString(hash[:derivedKeyBytes])))
}

func checkDerivedKey(at origin, uri string) error {
	if want := DerivedKey(syntax.ATURI(uri)); at.rkey != want {
		return reject(ReasonDerivedKey, "%s instead of %s", at.rkey, want)
	}
	return nil
}

func checkService(at origin, r *stratos.EscrowService) error {
	return first(
		ownURI("uri", r.Uri),
		optionalURI("contact", r.Contact, "https", "mailto"),
		refersHome(at, "terms", r.Terms, CollectionTerms),
	)
}

// ownURI wants where a service is: https, as everywhere that people pay, or http on the
// reader's own machine, where nobody else can be.
func ownURI(name, value string) error {
	if u, err := url.Parse(value); err == nil && u.Scheme == "http" && u.Hostname() == "localhost" {
		return webURI(name, value)
	}
	return uriOf(name, value, "https")
}

func optionalOwnURI(name string, value *string) error {
	if value == nil {
		return nil
	}
	return ownURI(name, *value)
}

func checkRuling(_ origin, r *stratos.EscrowRuling) error {
	return refersTo("dispute", r.Dispute, CollectionDispute)
}
