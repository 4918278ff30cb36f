package lexicons

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// Otherwise the three passes of decodeAny decode what is most frequent.
func TestDecodePlain_DecodesWhatBackersAndDevelopersWrite(t *testing.T) {
	t.Parallel()
	for _, e := range loadExamples(t) {
		if e.folder != "valid" || strings.HasPrefix(e.collection.String(), "fund.stratos.escrow.") {
			continue
		}
		if _, ok := decodePlain(e.cbor(t)); !ok {
			t.Errorf("%s is not plain", e.file)
		}
	}
}

// plainOrNot are records beside the line between plain and not.
var plainOrNot = map[string]struct {
	cbor  string // as hex digits
	plain bool
}{
	"empty":                         {"a0", true},
	"every kind":                    {"a6" + "6161" + "01" + "6162" + "20" + "6163" + "f5" + "6164" + "f4" + "6165" + "f6" + "6166" + "8161" + "78", true},
	"the largest integer":           {"a1" + "6161" + "1b7fffffffffffffff", true},
	"the smallest integer":          {"a1" + "6161" + "3b7fffffffffffffff", true},
	"a larger integer":              {"a1" + "6161" + "1b8000000000000000", false},
	"a smaller integer":             {"a1" + "6161" + "3b8000000000000000", false},
	"empty containers":              {"a2" + "6161" + "80" + "6162" + "a0", true},
	"no map":                        {"80", false},
	"nothing":                       {"", false},
	"a byte too many":               {"a000", false},
	"a byte too few":                {"a1" + "6161", false},
	"a key twice":                   {"a2" + "6161" + "01" + "6161" + "02", false},
	"keys out of order":             {"a2" + "6162" + "01" + "6161" + "02", false},
	"a long key before a short one": {"a2" + "626161" + "01" + "6162" + "02", false},
	"a short key before a long one": {"a2" + "6162" + "01" + "626161" + "02", true},
	"a key that is no text":         {"a1" + "01" + "02", false},
	"an integer that is too long":   {"a1" + "6161" + "1801", false},
	"a length that is too long":     {"a1" + "780161" + "01", false},
	"an array without an end":       {"a1" + "6161" + "9fff", false},
	"undefined":                     {"a1" + "6161" + "f7", false},
	"false in two bytes":            {"a1" + "6161" + "f814", false},
	"a float":                       {"a1" + "6161" + "fb3ff0000000000000", false},
	"bytes":                         {"a1" + "6161" + "4101", false},
	"a tag":                         {"a1" + "6161" + "c001", false},
	"text that is not UTF-8":        {"a1" + "6161" + "61ff", false},
	"a key that is not UTF-8":       {"a1" + "61ff" + "01", false},
	"a link in the way of JSON":     {"a1" + "6161" + "a1" + "65246c696e6b" + "6161", false},
	"bytes in the way of JSON":      {"a1" + "6161" + "a1" + "662462797465" + "73" + "6161", false},
	"an old blob":                   {"a1" + "6161" + "a2" + "63636964" + "6161" + "686d696d6554797065" + "6161", false},
	"a blob":                        {"a1" + "6161" + "a1" + "652474797065" + "64626c6f62", false},
	"a type":                        {"a1" + "652474797065" + "6161", true},
	"an empty type":                 {"a1" + "652474797065" + "60", false},
	"a type that is no text":        {"a1" + "652474797065" + "01", false},
	"eight levels":                  {"a1" + "6161" + "81818181818181" + "01", true},
	"nine levels":                   {"a1" + "6161" + "8181818181818181" + "01", false},
}

func TestDecodePlain_IsInDoubtOfAllElse(t *testing.T) {
	t.Parallel()
	for name, c := range plainOrNot {
		b, err := hex.DecodeString(c.cbor)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := decodePlain(b); ok != c.plain {
			t.Errorf("%s: plain %t, want %t", name, ok, c.plain)
		}
		mustAgree(t, b)
	}
}

// mustAgree wants of what is plain that decodeAny makes the same of it.
func mustAgree(t *testing.T, b []byte) {
	t.Helper()
	got, ok := decodePlain(b)
	if !ok {
		return
	}
	want, err := decodeAny(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%x: %v, want %v (%v)", b, got, want, err)
	}
}

func FuzzDecodePlain(f *testing.F) {
	for _, e := range loadExamples(f) {
		if e.folder != "invalid" {
			f.Add(e.cbor(f))
		}
	}
	for _, c := range plainOrNot {
		b, err := hex.DecodeString(c.cbor)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(mustAgree)
}
