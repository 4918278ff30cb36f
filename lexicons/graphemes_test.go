package lexicons

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"pgregory.net/rapid"
)

// Every text of every example, made longer or shorter, has the verdict that the
// validator gives with all limits.
func TestLimitsOfGraphemesHoldWhetherCountedOrNot(t *testing.T) {
	t.Parallel()
	examples := loadExamples(t)
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(examples).Draw(t, "example")
		data, err := atdata.UnmarshalJSON(e.Record)
		if err != nil {
			return
		}
		grapheme := rapid.SampledFrom([]string{"a", "é", "🇩🇪", "\r\n", "👩‍👩‍👧"}).Draw(t, "grapheme")
		size := rapid.SampledFrom([]int{1, 32, 64, 100, 200, 300, 2000}).Draw(t, "size")
		size += rapid.IntRange(-1, 1).Draw(t, "off")
		stretch(t, data, strings.Repeat(grapheme, size))
		want := lexicon.ValidateRecord(Catalog(), data, e.collection.String(), 0)
		if got := validate(e.collection.String(), data); (got == nil) != (want == nil) {
			t.Errorf("%s: %v, counted: %v", e.file, got, want)
		}
	})
}

// stretch replaces some of the texts in data.
func stretch(t *rapid.T, data any, text string) {
	switch data := data.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(data)) {
			value := data[name]
			if _, ok := value.(string); ok && name != "$type" && rapid.Bool().Draw(t, "replace") {
				data[name] = text
				continue
			}
			stretch(t, value, text)
		}
	case []any:
		for i, value := range data {
			if _, ok := value.(string); ok && rapid.Bool().Draw(t, "replace") {
				data[i] = text
				continue
			}
			stretch(t, value, text)
		}
	}
}

func TestCatalogWithoutLimitsHasNone(t *testing.T) {
	t.Parallel()
	e := findExample(t, "valid/fund.stratos.feature.proposal/minimal.json")
	data, err := atdata.UnmarshalJSON(e.Record)
	if err != nil {
		t.Fatal(err)
	}
	data["title"] = strings.Repeat("a", 101)
	if err := lexicon.ValidateRecord(uncounted(), data, e.collection.String(), 0); err != nil {
		t.Errorf("without limits: %v", err)
	}
	if err := validate(e.collection.String(), data); err == nil {
		t.Error("a title of 101 graphemes is accepted")
	}
}
