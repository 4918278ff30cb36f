package appview

import (
	"maps"
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
)

func TestEveryEventOfTheLexiconHasItsSentence(t *testing.T) {
	t.Parallel()
	schema, err := lexicons.Catalog().Resolve("fund.stratos.feature.defs#timelineEvent")
	if err != nil {
		t.Fatal(err)
	}
	known := schema.Def.(lexicon.SchemaObject).Properties["event"].Inner.(lexicon.SchemaString).KnownValues
	var told []string
	for _, kind := range slices.Sorted(maps.Keys(eventText)) {
		told = append(told, string(kind))
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(known)), told); diff != "" {
		t.Errorf("(-lexicon +sentences):\n%s", diff)
	}
}
