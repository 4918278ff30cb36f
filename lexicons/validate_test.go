package lexicons

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"pgregory.net/rapid"
)

// Every text of every example, made longer or shorter or an at-uri, has the verdict
// that the validator gives with all limits and formats.
func TestTheEasyWayHasTheSameVerdict(t *testing.T) {
	t.Parallel()
	examples := loadExamples(t)
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(examples).Draw(t, "example")
		data, err := atdata.UnmarshalJSON(e.Record)
		if err != nil {
			return
		}
		stretch(t, data, rapid.OneOf(longText, nearURI).Draw(t, "text"))
		want := lexicon.ValidateRecord(Catalog(), data, e.collection.String(), 0)
		if got := validate(e.collection.String(), data); (got == nil) != (want == nil) {
			t.Errorf("%s: %v, counted: %v", e.file, got, want)
		}
	})
}

// longText has about as many graphemes as a lexicon allows somewhere.
var longText = rapid.Custom(func(t *rapid.T) string {
	grapheme := rapid.SampledFrom([]string{"a", "é", "🇩🇪", "\r\n", "👩‍👩‍👧"}).Draw(t, "grapheme")
	size := rapid.SampledFrom([]int{1, 32, 64, 100, 200, 300, 2000}).Draw(t, "size")
	return strings.Repeat(grapheme, size+rapid.IntRange(-1, 1).Draw(t, "off"))
})

// nearURI is a usual at-uri, or nearly so.
var nearURI = rapid.Custom(func(t *rapid.T) string {
	part := func(usual string, others ...string) string {
		return rapid.SampledFrom(append([]string{usual, usual, usual}, others...)).Draw(t, "part")
	}
	return part("at://", "AT://", "at:/", "") +
		part("did:plc:", "did:web:", "did:PLC:", "") +
		part("z72i7hdynmk6r22z27h6tvur", "z72i7hdynmk6r22z27h6tvu", "z72i7hdynmk6r22z27h6tvurr", "Z72i7hdynmk6r22z27h6tvur", "z72i7hdynmk6r22z27h6tvu8", "alice.test") +
		part("/", "//", "", "#") +
		part(CollectionProposal.String(), CollectionEstimate.String(), "app.bsky.feed.post", "fund..x", "") +
		part("/", "//", "", "?") +
		part("3mzar4hugm222", "3mzar4hugm22", "3mzar4hugm2222", "3mzar4hugm/22", "3mzar4hugm221", "self", "..", "") +
		part("", "/", "#a", "\n", " ")
})

func TestUsualURIsAreValidAndLast(t *testing.T) {
	t.Parallel()
	usual := "at://did:plc:z72i7hdynmk6r22z27h6tvur/" + CollectionProposal.String() + "/3mzar4hugm222"
	if !isUsualURI(usual) {
		t.Errorf("%s is not usual", usual)
	}
	rapid.Check(t, func(t *rapid.T) {
		uri := nearURI.Draw(t, "uri")
		if !isUsualURI(uri) {
			return
		}
		if _, err := syntax.ParseATURI(uri); err != nil {
			t.Errorf("%q: %v", uri, err)
		}
		if err := lastingAuthority("uri", uri); err != nil {
			t.Error(err)
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

func TestTheEasyCatalogLacksWhatItSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file  string
		ease  ease
		spoil func(data map[string]any)
	}{
		{"valid/fund.stratos.feature.proposal/minimal.json", ease{short: true}, func(data map[string]any) {
			data["title"] = strings.Repeat("a", 101)
		}},
		{"valid/fund.stratos.feature.estimate/minimal.json", ease{usual: true}, func(data map[string]any) {
			data["proposal"].(map[string]any)["uri"] = "no at-uri"
		}},
	} {
		e := findExample(t, c.file)
		data, err := atdata.UnmarshalJSON(e.Record)
		if err != nil {
			t.Fatal(err)
		}
		c.spoil(data)
		if err := lexicon.ValidateRecord(easy()[c.ease], data, e.collection.String(), 0); err != nil {
			t.Errorf("%s, %+v: %v", c.file, c.ease, err)
		}
		if err := validate(e.collection.String(), data); err == nil {
			t.Errorf("%s is accepted, although it is spoiled", c.file)
		}
	}
}
