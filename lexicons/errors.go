package lexicons

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Reason says in one word why a record is not valid. The set is closed, so a reason
// may be the label of a metric.
type Reason string

// Reasons that a record is refused before its meaning is looked at.
const (
	ReasonTooLarge          Reason = "too-large"          // more bytes than atproto allows a record
	ReasonNotCBOR           Reason = "not-cbor"           // not one item of canonical DAG-CBOR
	ReasonNotJSON           Reason = "not-json"           // not a record in atproto's JSON
	ReasonUnknownCollection Reason = "unknown-collection" // no record lexicon of ours
	ReasonSchema            Reason = "schema"             // the lexicon says no
)

// Reasons that no lexicon validator knows.
const (
	ReasonRecordKey       Reason = "record-key"        // the key is not of the lexicon's key type
	ReasonAttemptKey      Reason = "attempt-key"       // not the repo and key of the development
	ReasonDerivedKey      Reason = "derived-key"       // not the key made from the uri
	ReasonATURIAuthority  Reason = "at-uri-authority"  // a handle where only a DID lasts
	ReasonATURICollection Reason = "at-uri-collection" // points at another kind of record
	ReasonATURIKey        Reason = "at-uri-key"        // no record can have this key
	ReasonForeignRepo     Reason = "foreign-repo"      // points out of the repo that it must stay in
	ReasonCID             Reason = "cid"               // not the CID of a record
	ReasonDatetime        Reason = "datetime"          // outside of the years that anything of ours happens in
	ReasonScheme          Reason = "scheme"            // a uri of a scheme that is not allowed there
	ReasonURI             Reason = "uri"               // a uri without host, or with credentials
	ReasonCurrency        Reason = "currency"          // no currency in use, or not the record's
	ReasonAmount          Reason = "amount"            // amounts that contradict one another
	ReasonShares          Reason = "shares"            // shares do not add up to the whole
	ReasonPayees          Reason = "payees"            // the same payee twice
	ReasonWindow          Reason = "window"            // times in the wrong order
	ReasonTerms           Reason = "terms"             // durations that do not fit into one another
	ReasonHash            Reason = "hash"              // not the hex of the hash that it should be
	ReasonSubject         Reason = "subject"           // a subject of a type that is not known
	ReasonDuplicate       Reason = "duplicate"         // the answer and the duplicate do not fit
	ReasonTags            Reason = "tags"              // the same tag twice
	ReasonPayer           Reason = "payer"             // not the author of what was paid
	ReasonHistory         Reason = "history"           // not the way to the status
)

// structural and semantic are all reasons there are.
var (
	structural = []Reason{ReasonTooLarge, ReasonNotCBOR, ReasonNotJSON, ReasonUnknownCollection, ReasonSchema}
	semantic   = []Reason{
		ReasonRecordKey, ReasonAttemptKey, ReasonDerivedKey, ReasonATURIAuthority, ReasonATURICollection,
		ReasonATURIKey, ReasonForeignRepo, ReasonCID, ReasonDatetime, ReasonScheme, ReasonURI, ReasonCurrency,
		ReasonAmount, ReasonShares, ReasonPayees, ReasonWindow, ReasonTerms, ReasonHash, ReasonSubject,
		ReasonDuplicate, ReasonTags, ReasonPayer, ReasonHistory,
	}
)

// Reasons returns all reasons, so that a metric can start each at zero.
func Reasons() []Reason { return append(append([]Reason{}, structural...), semantic...) }

// InvalidError says that a record is not valid. ParseRecord and ParseRecordJSON
// return no other error: the fate of such a record is to be dropped and counted.
type InvalidError struct {
	Collection syntax.NSID
	Reason     Reason
	Detail     string // for a person; at most maxDetail bytes of what a stranger wrote
}

const maxDetail = 256

func (e *InvalidError) Error() string {
	return fmt.Sprintf("invalid %.320s: %s: %s", e.Collection, e.Reason, e.Detail)
}

func reject(reason Reason, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	return &InvalidError{Reason: reason, Detail: strings.ToValidUTF8(detail, "")}
}

// inCollection completes an error of a check, which does not know the collection.
func inCollection(collection syntax.NSID, err error) error {
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		invalid.Collection = collection
	}
	return err
}

// first returns the first error, in the order in which a reader of the record would
// want to hear of them.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
