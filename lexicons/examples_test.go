package lexicons

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// example is a file of examples/, whose README says what it holds.
type example struct {
	file       string // below examples/
	folder     string
	collection syntax.NSID

	DID    syntax.DID      `json:"did"`
	RKey   string          `json:"rkey"` // unparsed: some are no record keys
	Reason Reason          `json:"reason"`
	Record json.RawMessage `json:"record"`
}

func (e example) rkey() syntax.RecordKey { return syntax.RecordKey(e.RKey) }

// indigo is what indigo says about the record, whatever we think of it.
func (e example) indigo() error {
	data, err := atdata.UnmarshalJSON(e.Record)
	if err != nil {
		return err
	}
	return lexicon.ValidateRecord(Catalog(), data, e.collection.String(), 0)
}

// cbor is the record as a repo holds it.
func (e example) cbor(t testing.TB) []byte {
	t.Helper()
	data, err := atdata.UnmarshalJSON(e.Record)
	if err != nil {
		t.Fatalf("%s: %v", e.file, err)
	}
	b, err := atdata.MarshalCBOR(data)
	if err != nil {
		t.Fatalf("%s: %v", e.file, err)
	}
	return b
}

func loadExamples(t testing.TB) []example {
	t.Helper()
	var examples []example
	root := os.DirFS("examples")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".json" || name == "divergences.json" {
			return err
		}
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		parts := strings.Split(name, "/")
		e := example{file: name, folder: parts[0], collection: syntax.NSID(parts[1])}
		if err := json.Unmarshal(b, &e); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		examples = append(examples, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return examples
}

func TestExamplesAreJudgedAsTheirFolderSays(t *testing.T) {
	t.Parallel()
	for _, e := range loadExamples(t) {
		t.Run(e.file, func(t *testing.T) {
			t.Parallel()
			if err := e.indigo(); (err != nil) != (e.folder == "invalid") {
				t.Errorf("indigo: %v", err)
			}
			_, err := ParseRecordJSON(e.DID, e.collection, e.rkey(), e.Record)
			if got, want := reasonOf(t, err), expectedReason(e); got != want {
				t.Errorf("reason %q instead of %q: %v", got, want, err)
			}
			if want := e.folder == "semantic-invalid"; (e.Reason != "") != want {
				t.Errorf("the file states the reason %q", e.Reason)
			}
		})
	}
}

func expectedReason(e example) Reason {
	if e.folder == "invalid" {
		return ReasonSchema
	}
	return e.Reason
}

func reasonOf(t testing.TB, err error) Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	invalid, ok := errors.AsType[*InvalidError](err)
	if !ok {
		t.Fatalf("%v is no InvalidError", err)
	}
	return invalid.Reason
}

func TestCBORAndJSONAreJudgedAlike(t *testing.T) {
	t.Parallel()
	for _, e := range loadExamples(t) {
		_, fromJSON := ParseRecordJSON(e.DID, e.collection, e.rkey(), e.Record)
		_, fromCBOR := ParseRecord(e.DID, e.collection, e.rkey(), e.cbor(t))
		if a, b := reasonOf(t, fromJSON), reasonOf(t, fromCBOR); a != b {
			t.Errorf("%s: %q from JSON, %q from CBOR", e.file, a, b)
		}
	}
}

func TestEachRecordTypeHasExamplesInEachFolder(t *testing.T) {
	t.Parallel()
	count := make(map[string]int)
	for _, e := range loadExamples(t) {
		count[e.folder+"/"+e.collection.String()]++
	}
	for _, folder := range []string{"valid", "invalid", "semantic-invalid"} {
		for _, nsid := range Collections() {
			if count[folder+"/"+nsid.String()] < 2 {
				t.Errorf("%s/%s has %d examples", folder, nsid, count[folder+"/"+nsid.String()])
			}
		}
	}
	if want := 3 * len(Collections()); len(count) != want {
		t.Errorf("%d folders instead of %d", len(count), want)
	}
}

func TestValidExamplesUseEveryField(t *testing.T) {
	t.Parallel()
	used := make(map[syntax.NSID]map[string]bool)
	for _, e := range loadExamples(t) {
		if e.folder != "valid" {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(e.Record, &fields); err != nil {
			t.Fatal(err)
		}
		if used[e.collection] == nil {
			used[e.collection] = make(map[string]bool)
		}
		for name := range fields {
			used[e.collection][name] = true
		}
	}
	for _, f := range Schemas() {
		record, ok := f.Defs["main"].Inner.(lexicon.SchemaRecord)
		if !ok {
			continue
		}
		for name := range record.Record.Properties {
			if !used[syntax.NSID(f.ID)][name] {
				t.Errorf("no valid example of %s has %s", f.ID, name)
			}
		}
	}
}

func TestEachSemanticReasonHasAnExample(t *testing.T) {
	t.Parallel()
	shown := make(map[Reason]bool)
	for _, e := range loadExamples(t) {
		if e.folder == "semantic-invalid" {
			shown[e.Reason] = true
		}
	}
	for _, reason := range semantic {
		if !shown[reason] {
			t.Errorf("no example for %s", reason)
		}
		delete(shown, reason)
	}
	for reason := range shown {
		t.Errorf("%s is not in the closed set", reason)
	}
	if all := Reasons(); len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		t.Errorf("a reason is listed twice: %v", all)
	}
}
