package lexicons

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Record is any of the generated record types, as a pointer, for a type switch.
type Record interface {
	NSID() syntax.NSID
	// GetCreatedAt returns the field createdAt as it is in the record; CreatedAt
	// makes a time of it.
	GetCreatedAt() string
}

// origin is where a record lies. Some records are valid only in one place.
type origin struct {
	did        syntax.DID
	collection syntax.NSID
	rkey       syntax.RecordKey
}

func (at origin) uri() string {
	return fmt.Sprintf("at://%s/%s/%s", at.did, at.collection, at.rkey)
}

// ParseRecord decodes a record that lies in the repo of did under collection and
// rkey, and checks it against its lexicon and against our own rules. It returns a
// pointer to the type of package fundstratos, or an *InvalidError.
//
// The bytes must be canonical DAG-CBOR; that they hash to some CID is the caller's
// business. Fields that the lexicon does not name are left out of the result, as are
// unknown variants of a union.
func ParseRecord(did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, cbor []byte) (Record, error) {
	if len(cbor) > atdata.MAX_CBOR_RECORD_SIZE {
		return nil, inCollection(collection, reject(ReasonTooLarge, "%d bytes", len(cbor)))
	}
	data, err := decodeCBOR(cbor)
	if err != nil {
		return nil, inCollection(collection, reject(ReasonNotCBOR, "%v", err))
	}
	return parse(origin{did, collection, rkey}, data)
}

// ParseRecordJSON is ParseRecord for a record in atproto's JSON, as tools and tests
// have it.
func ParseRecordJSON(did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey, b []byte) (Record, error) {
	if len(b) > atdata.MAX_JSON_RECORD_SIZE {
		return nil, inCollection(collection, reject(ReasonTooLarge, "%d bytes", len(b)))
	}
	data, err := atdata.UnmarshalJSON(b)
	if err != nil {
		return nil, inCollection(collection, reject(ReasonNotJSON, "%v", err))
	}
	return parse(origin{did, collection, rkey}, data)
}

func parse(at origin, data map[string]any) (Record, error) {
	record, err := parseKnown(at, data)
	if err != nil {
		return nil, inCollection(at.collection, err)
	}
	return record, nil
}

func parseKnown(at origin, data map[string]any) (Record, error) {
	kind, ok := kinds[at.collection]
	if !ok {
		return nil, reject(ReasonUnknownCollection, "no such record lexicon")
	}
	if err := validate(at.collection.String(), data); err != nil {
		return nil, reject(ReasonSchema, "%v", err)
	}
	if err := checkRecordKey(at.collection, at.rkey); err != nil {
		return nil, err
	}
	known, err := knownFields(at.collection, data)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(known)
	if err != nil {
		return nil, reject(ReasonSchema, "%v", err)
	}
	record := kind.new()
	if err := json.Unmarshal(b, record); err != nil {
		return nil, reject(ReasonSchema, "%v", err)
	}
	if err := kind.check(at, record); err != nil {
		return nil, err
	}
	return record, nil
}

// CreatedAt returns when a record was written, as its author says, in UTC and cut to
// milliseconds: finer digits would order records by something that people cannot see.
func CreatedAt(r Record) (time.Time, error) {
	t, err := parseTime(r.GetCreatedAt())
	if err != nil {
		return time.Time{}, fmt.Errorf("lexicons: createdAt of %s: %w", r.NSID(), err)
	}
	return t, nil
}
