package lexicons

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func findExample(t testing.TB, file string) example {
	t.Helper()
	examples := loadExamples(t)
	i := slices.IndexFunc(examples, func(e example) bool { return e.file == file })
	if i < 0 {
		t.Fatalf("no example %s", file)
	}
	return examples[i]
}

func mustParse(t testing.TB, e example) Record {
	t.Helper()
	r, err := ParseRecord(e.DID, e.collection, e.rkey(), e.cbor(t))
	if err != nil {
		t.Fatalf("%s: %v", e.file, err)
	}
	return r
}

func TestParsedRecordHoldsWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, e := range loadExamples(t) {
		if e.folder != "valid" || strings.HasSuffix(e.file, "unknown-field-is-let-through.json") ||
			strings.HasSuffix(e.file, "twins-in-other-case-are-ignored.json") {
			continue
		}
		again, err := json.Marshal(mustParse(t, e))
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal(e.Record, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -written +parsed\n%s", e.file, diff)
		}
	}
}

func TestFieldsThatDifferInCaseDoNotReachTheRecord(t *testing.T) {
	t.Parallel()
	e := findExample(t, "valid/fund.stratos.feature.proposal/twins-in-other-case-are-ignored.json")
	proposal := mustParse(t, e).(*stratos.FeatureProposal)
	if proposal.Title != "Dark mode" || proposal.Tags != nil || proposal.Links != nil {
		t.Errorf("title %q, tags %v, links %v", proposal.Title, proposal.Tags, proposal.Links)
	}
}

func TestBytesThatAreNoCanonicalRecordAreRefused(t *testing.T) {
	t.Parallel()
	e := findExample(t, "valid/fund.stratos.work.consent/minimal.json")
	good := e.cbor(t)
	withFloat := append([]byte{0xa1, 0x61, 'a', 0xfb}, make([]byte, 8)...)
	for name, bad := range map[string][]byte{
		"nothing":                nil,
		"cut off":                good[:len(good)-1],
		"bytes behind":           append(bytes.Clone(good), 0xf6),
		"two records":            append(bytes.Clone(good), good...),
		"an array":               {0x80},
		"a string":               {0x61, 'a'},
		"a float":                withFloat,
		"undefined":              {0xa1, 0x61, 'a', 0xf7},
		"an indefinite map":      {0xbf, 0xff},
		"a key twice":            {0xa2, 0x61, 'a', 0x01, 0x61, 'a', 0x01},
		"keys out of order":      {0xa2, 0x61, 'b', 0x01, 0x61, 'a', 0x01},
		"a number with a detour": {0xa1, 0x61, 'a', 0x18, 0x01},
		"a number as key":        {0xa1, 0x01, 0x01},
		"an unknown tag":         {0xa1, 0x61, 'a', 0xc1, 0x01},
		"a length without end":   {0xa1, 0x61, 'a', 0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a link as in JSON":      {0xa1, 0x65, '$', 'l', 'i', 'n', 'k', 0x61, 'x'},
		"arrays without end":     bytes.Repeat([]byte{0x81}, atdata.MAX_CBOR_RECORD_SIZE),
		"tags without end":       bytes.Repeat([]byte{0xd8, 0x2a}, atdata.MAX_CBOR_RECORD_SIZE/2),
		"a bad UTF-8 string":     {0xa1, 0x61, 'a', 0x61, 0xff},
	} {
		_, err := ParseRecord(e.DID, e.collection, e.rkey(), bad)
		if got := reasonOf(t, err); got != ReasonNotCBOR {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseRecord(e.DID, e.collection, e.rkey(), good); err != nil {
		t.Error(err)
	}
}

func TestRecordAboveTheLimitOfTheProtocolIsTooLarge(t *testing.T) {
	t.Parallel()
	_, err := ParseRecord("did:plc:x", CollectionConsent, "3l6oveex3ii2l", make([]byte, atdata.MAX_CBOR_RECORD_SIZE+1))
	if got := reasonOf(t, err); got != ReasonTooLarge {
		t.Error(err)
	}
	_, err = ParseRecordJSON("did:plc:x", CollectionConsent, "3l6oveex3ii2l", make([]byte, atdata.MAX_JSON_RECORD_SIZE+1))
	if got := reasonOf(t, err); got != ReasonTooLarge {
		t.Error(err)
	}
}

func TestJSONThatIsNoRecordIsRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "[]", `{"a":1.5}`, `{"a":`, `{"$type":""}`} {
		_, err := ParseRecordJSON("did:plc:x", CollectionConsent, "3l6oveex3ii2l", []byte(bad))
		if got := reasonOf(t, err); got != ReasonNotJSON {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestCollectionsThatAreNotOursAreUnknown(t *testing.T) {
	t.Parallel()
	for _, nsid := range []syntax.NSID{"app.bsky.feed.post", "fund.stratos.feature.getProposal", "fund.stratos.defs", "com.atproto.repo.strongRef"} {
		_, err := ParseRecordJSON("did:plc:x", nsid, "3l6oveex3ii2l", []byte(`{"$type":"`+nsid.String()+`"}`))
		if got := reasonOf(t, err); got != ReasonUnknownCollection {
			t.Errorf("%s: %v", nsid, err)
		}
	}
}

func TestErrorNamesCollectionAndReasonWithinBounds(t *testing.T) {
	t.Parallel()
	e := findExample(t, "valid/fund.stratos.feature.proposal/minimal.json")
	hostile := strings.Replace(string(e.Record), `"title": "Dark mode"`,
		`"title": "x", "links": [{"uri": "javascript:`+strings.Repeat("e", 4000)+`"}]`, 1)
	_, err := ParseRecordJSON(e.DID, e.collection, e.rkey(), []byte(hostile))
	want := "invalid fund.stratos.feature.proposal: scheme: "
	if err == nil || !strings.HasPrefix(err.Error(), want) || len(err.Error()) > len(want)+maxDetail {
		t.Errorf("%v", err)
	}
}

func TestCreatedAtIsUTCInMilliseconds(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Time{
		"2026-05-01T12:00:00.123999Z":       time.Date(2026, 5, 1, 12, 0, 0, 123e6, time.UTC),
		"2026-05-01T12:00:00.9999999+02:00": time.Date(2026, 5, 1, 10, 0, 0, 999e6, time.UTC),
		"1970-01-01T00:00:00Z":              time.Unix(0, 0).UTC(),
		"9999-12-31T23:59:59.999Z":          time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
	} {
		got, err := CreatedAt(&stratos.WorkConsent{CreatedAt: value})
		if err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%s: %v, %v", value, got, err)
		}
	}
	for _, value := range []string{"", "yesterday", "2026-05-01T12:00:00", "2026-05-01T12:00:00,5Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z"} {
		if got, err := CreatedAt(&stratos.WorkConsent{CreatedAt: value}); err == nil {
			t.Errorf("%s is %v", value, got)
		}
	}
}

func TestDerivedKeyIsFixedForEver(t *testing.T) {
	t.Parallel()
	// sha-256 of the text, first 15 bytes, computed elsewhere.
	const uri = "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/fund.stratos.feature.pledge/3l6oveex3ii2l"
	const want = "enq4y5u33ad7on5alqpuoenq"
	if got := DerivedKey(uri); got != want {
		t.Errorf("%s instead of %s", got, want)
	}
}
