package payments

import (
	"fmt"
	"iter"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// IntentID is our own id of what was meant to be done once: a checkout, a refund, a
// transfer. It is stored before the call and stands in the object's metadata.
type IntentID string

// Mark ties an object at the processor to what caused it. The processor keeps it as
// metadata; the zero Mark is that of an object that is not ours.
type Mark struct {
	// Escrow is the DID of the escrow that made the object.
	Escrow syntax.DID
	// Subject and CID are the record that it is about: a pledge or a donation.
	Subject syntax.ATURI
	CID     syntax.CID
	// Attempt is the uri of the development record.
	Attempt syntax.ATURI
	// Intent is what it carries out.
	Intent IntentID
}

// The names in metadata.
const (
	metaEscrow  = "escrow"
	metaSubject = "uri"
	metaCID     = "cid"
	metaAttempt = "attempt"
	metaPayee   = "payee"
	metaIntent  = "intent"

	// MetaBecause stands beside the mark of a refund: why the escrow made it.
	MetaBecause = "because"
)

// maxMeta is how many characters the processor keeps of a value.
const maxMeta = 500

// Metadata returns the mark as the processor keeps it, or ErrInvalid if it is not
// whole or too long.
func (m Mark) Metadata() (map[string]string, error) {
	meta := map[string]string{
		metaEscrow:  m.Escrow.String(),
		metaSubject: m.Subject.String(),
		metaCID:     m.CID.String(),
		metaAttempt: m.Attempt.String(),
		metaIntent:  string(m.Intent),
	}
	if parsed := ParseMark(meta); parsed != m || m == (Mark{}) {
		return nil, fmt.Errorf("%w: the mark %v is not whole", ErrInvalid, meta)
	}
	return meta, fits(meta)
}

func fits(meta map[string]string) error {
	for name, value := range meta {
		if len(value) > maxMeta {
			return fmt.Errorf("%w: the processor keeps %d characters of metadata, %s has %d", ErrInvalid, maxMeta, name, len(value))
		}
	}
	return nil
}

// ParseMark reads a mark from metadata. What is not a whole mark gives the zero Mark:
// somebody else's object, or one that a person edited at the processor.
func ParseMark(meta map[string]string) Mark {
	escrow, err1 := syntax.ParseDID(meta[metaEscrow])
	subject, err2 := syntax.ParseATURI(meta[metaSubject])
	cid, err3 := syntax.ParseCID(meta[metaCID])
	attempt, err4 := syntax.ParseATURI(meta[metaAttempt])
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return Mark{}
		}
	}
	if meta[metaIntent] == "" {
		return Mark{}
	}
	return Mark{escrow, subject, cid, attempt, IntentID(meta[metaIntent])}
}

// By tells whether this escrow made the object. An object on the platform's account
// that is by nobody else's means that another business shares the account.
func (m Mark) By(escrow syntax.DID) bool { return m.Escrow == escrow && escrow != "" }

// PayeeMark ties a payee's account to its DID.
type PayeeMark struct {
	Escrow syntax.DID
	Payee  syntax.DID
	Intent IntentID
}

// Metadata returns the mark as the processor keeps it, or ErrInvalid.
func (m PayeeMark) Metadata() (map[string]string, error) {
	meta := map[string]string{
		metaEscrow: m.Escrow.String(),
		metaPayee:  m.Payee.String(),
		metaIntent: string(m.Intent),
	}
	if parsed := ParsePayeeMark(meta); parsed != m || m == (PayeeMark{}) {
		return nil, fmt.Errorf("%w: the mark %v is not whole", ErrInvalid, meta)
	}
	return meta, fits(meta)
}

// ParsePayeeMark reads a payee's mark from metadata, as ParseMark does.
func ParsePayeeMark(meta map[string]string) PayeeMark {
	escrow, err1 := syntax.ParseDID(meta[metaEscrow])
	payee, err2 := syntax.ParseDID(meta[metaPayee])
	if err1 != nil || err2 != nil || meta[metaIntent] == "" {
		return PayeeMark{}
	}
	return PayeeMark{escrow, payee, IntentID(meta[metaIntent])}
}

// Marked is an object that carries our intent.
type Marked interface {
	// ForIntent returns the intent, empty if the object is not ours.
	ForIntent() IntentID
}

// Find returns what was made for an intent, by reading the list to its end: whether it
// was made at all, and ErrDoubled if it was made twice.
func Find[T Marked](list iter.Seq2[T, error], intent IntentID) (found T, ok bool, err error) {
	for object, err := range list {
		switch {
		case err != nil:
			return *new(T), false, err
		case intent == "" || object.ForIntent() != intent:
		case ok:
			return *new(T), false, fmt.Errorf("%w: %s", ErrDoubled, intent)
		default:
			found, ok = object, true
		}
	}
	return found, ok, nil
}
