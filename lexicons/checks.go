package lexicons

import (
	"fmt"
	"slices"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// checkFormat checks what a string's format promises beyond its syntax, which the
// validator has checked before: its regular expressions are most of what parsing a
// record costs.
func checkFormat(name, format, value string) error {
	switch format {
	case "at-uri":
		return lastingAuthority(name, value)
	case "cid":
		return recordCID(name, value)
	case "datetime":
		if _, err := timeOf(value); err != nil {
			return reject(ReasonDatetime, "%s: %v", name, err)
		}
	case "uri":
		// An allow list, because javascript: and data: are only the best known of those
		// that do harm when somebody clicks.
		return uriOf(name, value, "https", "http", "at", "mailto")
	}
	return nil
}

// lastingURI wants an at-uri with a lasting authority.
func lastingURI(name, value string) error {
	if isUsualURI(value) {
		return nil
	}
	if _, err := syntax.ParseATURI(value); err != nil {
		return reject(ReasonURI, "%s: %v", name, err)
	}
	return lastingAuthority(name, value)
}

// isUsualURI reports whether an at-uri is what nearly all are: of a record whose
// collection is named as ours are and whose key is a TID, in the repo of a did:plc.
// Such a one is valid, and has a lasting authority.
func isUsualURI(value string) bool {
	path, isRepo := strings.CutPrefix(value, "at://did:plc:")
	identifier, record, _ := strings.Cut(path, "/")
	collection, key, _ := strings.Cut(record, "/")
	name, isOurs := strings.CutPrefix(collection, "fund.stratos.")
	group, kind, _ := strings.Cut(name, ".")
	return isRepo && len(identifier) == 24 && onlyHas(identifier, base32Digits) &&
		isOurs && isWord(group) && isWord(kind) &&
		len(key) == 13 && onlyHas(key, base32Digits)
}

const (
	letters      = "abcdefghijklmnopqrstuvwxyz"
	base32Digits = letters + "234567" // as did:plc and TIDs write it
)

// isWord reports whether a text can be a part of any NSID.
func isWord(text string) bool {
	const longest = 63
	return text != "" && len(text) <= longest && onlyHas(text, letters)
}

func onlyHas(text, characters string) bool { return strings.Trim(text, characters) == "" }

// lastingAuthority wants a DID as the authority of an at-uri: a handle may be another
// account's tomorrow.
func lastingAuthority(name, value string) error {
	if !strings.HasPrefix(value, "at://did:") {
		return reject(ReasonATURIAuthority, "%s: %s has no DID", name, value)
	}
	return nil
}

// recordCID wants the CID of a record, in the one way that atproto writes it: version
// 1, DAG-CBOR, sha-256, base32.
func recordCID(name, value string) error {
	c, err := cid.Decode(value)
	if err != nil {
		return reject(ReasonCID, "%s: %v", name, err)
	}
	want := cid.Prefix{Version: 1, Codec: cid.DagCBOR, MhType: multihash.SHA2_256, MhLength: 32}
	if c.Prefix() != want || c.String() != value {
		return reject(ReasonCID, "%s: %s is not the CID of a record", name, value)
	}
	return nil
}

// The years in which anything of ours can happen. Times outside of them are jokes or
// mistakes, and would sort before or after everything.
const firstYear, lastYear = 1970, 9999

func parseTime(value string) (time.Time, error) {
	if _, err := syntax.ParseDatetime(value); err != nil {
		return time.Time{}, err
	}
	return timeOf(value)
}

// timeOf makes a time of a datetime whose syntax is right.
func timeOf(value string) (time.Time, error) {
	// Go reads a comma before the fraction as well, which no RFC 3339 parser has to.
	if strings.Contains(value, ",") {
		return time.Time{}, fmt.Errorf("%s has a comma", value)
	}
	t := syntax.Datetime(value).Time().UTC().Truncate(time.Millisecond)
	if t.Year() < firstYear || t.Year() > lastYear {
		return time.Time{}, fmt.Errorf("year %d is not from %d to %d", t.Year(), firstYear, lastYear)
	}
	return t, nil
}

// checkRecordKey checks the key against the key type of the record's lexicon.
func checkRecordKey(collection syntax.NSID, rkey syntax.RecordKey) error {
	if !validKey(collection, rkey.String()) {
		return reject(ReasonRecordKey, "%.64q is no key of this collection", rkey.String())
	}
	return nil
}

func validKey(collection syntax.NSID, rkey string) bool {
	schema, err := Catalog().Resolve(collection.String())
	if err != nil {
		return false
	}
	record, ok := schema.Def.(lexicon.SchemaRecord)
	if !ok {
		return false
	}
	switch record.Key {
	case "any":
		_, err := syntax.ParseRecordKey(rkey)
		return err == nil
	case "tid":
		_, err := syntax.ParseTID(rkey)
		return err == nil
	default:
		return "literal:"+rkey == record.Key
	}
}

// pointsTo wants the uri of a record in one of the collections. Its syntax is right:
// its field has the format of one.
func pointsTo(name, value string, collections ...syntax.NSID) error {
	_, path, _ := strings.Cut(strings.TrimPrefix(value, "at://"), "/")
	collection, rkey, _ := strings.Cut(path, "/")
	if !slices.Contains(collections, syntax.NSID(collection)) {
		return reject(ReasonATURICollection, "%s: %s is not in %v", name, value, collections)
	}
	if !validKey(syntax.NSID(collection), rkey) {
		return reject(ReasonATURIKey, "%s: %s has no valid key", name, value)
	}
	return nil
}

func refersTo(name string, ref comatproto.RepoStrongRef, collections ...syntax.NSID) error {
	return pointsTo(name, ref.Uri, collections...)
}

// refersHome wants a record of the same repo: only its owner may say these things.
func refersHome(at origin, name string, ref comatproto.RepoStrongRef, collection syntax.NSID) error {
	if err := refersTo(name, ref, collection); err != nil {
		return err
	}
	if authorOf(ref) != at.did {
		return reject(ReasonForeignRepo, "%s: %s is not in the repo of %s", name, ref.Uri, at.did)
	}
	return nil
}

// authorOf is the account whose repo holds the record.
func authorOf(ref comatproto.RepoStrongRef) syntax.DID {
	did, err := syntax.ATURI(ref.Uri).Authority().AsDID()
	if err != nil {
		return "" // the format check refused it before
	}
	return did
}

// sameKey says whether two records have the same author and record key, as a
// development, its preview, its release and its cancellation have.
func sameKey(a, b syntax.ATURI) bool {
	return a.Authority() == b.Authority() && a.RecordKey() == b.RecordKey()
}

// belongsTo wants a development at the very repo and key of the record that names it.
func belongsTo(at origin, development comatproto.RepoStrongRef) error {
	if err := refersTo("development", development, CollectionDevelopment); err != nil {
		return err
	}
	if !sameKey(syntax.ATURI(at.uri()), syntax.ATURI(development.Uri)) {
		return reject(ReasonAttemptKey, "%s does not share repo and key with %s", at.uri(), development.Uri)
	}
	return nil
}

// uriOf wants a uri of one of the schemes, and of the form that its scheme has.
func uriOf(name, value string, schemes ...string) error {
	scheme, _, _ := strings.Cut(value, ":")
	if !slices.Contains(schemes, scheme) {
		return reject(ReasonScheme, "%s: scheme %s is not in %v", name, scheme, schemes)
	}
	switch scheme {
	case "at":
		return lastingURI(name, value)
	case "http", "https":
		return webURI(name, value)
	}
	return nil
}

// webURI wants an address that can be opened, and no credentials:
// "https://trusted.example@evil.example" is how people are led astray.
func webURI(name, value string) error {
	if _, err := weburi.Normalize(value); err != nil {
		return reject(ReasonURI, "%s: %v", name, err)
	}
	return nil
}

func optionalURI(name string, value *string, schemes ...string) error {
	if value == nil {
		return nil
	}
	return uriOf(name, *value, schemes...)
}

func knownCurrency(name, code string) error {
	if _, err := money.ParseCurrency(code); err != nil {
		return reject(ReasonCurrency, "%s: %v", name, err)
	}
	return nil
}

func sameCurrency(name, code, want string) error {
	if code != want {
		return reject(ReasonCurrency, "%s: %s instead of %s", name, code, want)
	}
	return nil
}

// inOrder wants each time to be later than the one before.
func inOrder(names string, times ...string) error {
	return eachAfter(ReasonWindow, names, times, time.Time.After)
}

// notBackwards lets several things happen at one moment.
func notBackwards(reason Reason, names string, times ...string) error {
	return eachAfter(reason, names, times, func(t, before time.Time) bool { return !t.Before(before) })
}

func eachAfter(reason Reason, names string, times []string, after func(t, before time.Time) bool) error {
	var before time.Time
	for i, value := range times {
		t, err := parseTime(value)
		if err != nil {
			return reject(ReasonDatetime, "%s: %v", names, err)
		}
		if i > 0 && !after(t, before) {
			return reject(reason, "%s: %s comes after %s", names, value, times[i-1])
		}
		before = t
	}
	return nil
}

// hexOf wants lower-case hex of one of the lengths.
func hexOf(name, value string, lengths ...int) error {
	if !slices.Contains(lengths, len(value)) {
		return reject(ReasonHash, "%s: %d characters, not one of %v", name, len(value), lengths)
	}
	for _, c := range []byte(value) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return reject(ReasonHash, "%s: %q is not lower-case hex", name, value)
		}
	}
	return nil
}

func uniqueTags(tags []string) error {
	seen := make(map[string]bool, len(tags))
	for _, tag := range tags {
		if seen[tag] {
			return reject(ReasonTags, "%q twice", tag)
		}
		seen[tag] = true
	}
	return nil
}
