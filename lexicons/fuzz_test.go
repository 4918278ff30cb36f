package lexicons

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Run these with -fuzzminimizetime=1x: maps make coverage flicker, and minimizing
// what only seems interesting takes all the time there is.

func FuzzParseRecord(f *testing.F) {
	for _, e := range loadExamples(f) {
		if e.folder != "invalid" {
			f.Add(e.DID.String(), e.collection.String(), e.RKey, e.cbor(f))
		}
	}
	f.Fuzz(func(t *testing.T, did, collection, rkey string, cbor []byte) {
		at := origin{syntax.DID(did), syntax.NSID(collection), syntax.RecordKey(rkey)}
		r, err := ParseRecord(at.did, at.collection, at.rkey, cbor)
		checkOutcome(t, at, r, err)
	})
}

func FuzzParseRecordJSON(f *testing.F) {
	for _, e := range loadExamples(f) {
		f.Add(e.DID.String(), e.collection.String(), e.RKey, []byte(e.Record))
	}
	f.Fuzz(func(t *testing.T, did, collection, rkey string, b []byte) {
		at := origin{syntax.DID(did), syntax.NSID(collection), syntax.RecordKey(rkey)}
		r, err := ParseRecordJSON(at.did, at.collection, at.rkey, b)
		checkOutcome(t, at, r, err)
	})
}

// checkOutcome wants a reason of the closed set, or a record of the collection that is
// still valid after we wrote it ourselves.
func checkOutcome(t *testing.T, at origin, r Record, err error) {
	t.Helper()
	if err != nil {
		if reason := reasonOf(t, err); !slices.Contains(Reasons(), reason) {
			t.Errorf("reason %q is not in the closed set", reason)
		}
		return
	}
	if r.NSID() != at.collection {
		t.Errorf("%s parsed as %s", at.collection, r.NSID())
	}
	if _, err := CreatedAt(r); err != nil {
		t.Error(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRecordJSON(at.did, at.collection, at.rkey, b); err != nil {
		t.Errorf("not valid after a round trip: %v", err)
	}
}
