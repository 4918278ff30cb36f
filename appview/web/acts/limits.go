package acts

import (
	"fmt"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// longest returns how many characters a record's field takes, as its lexicon says; path
// leads to the field through objects of the same lexicon. It panics for a field that the
// lexicon does not bound, since forms are made of constants.
func longest(collection syntax.NSID, path ...string) int {
	schema, err := lexicons.Catalog().Resolve(collection.String())
	if err != nil {
		panic(fmt.Sprintf("acts: lexicon %s: %v", collection, err))
	}
	record, ok := schema.Def.(lexicon.SchemaRecord)
	if !ok {
		panic(fmt.Sprintf("acts: lexicon %s is not one of records", collection))
	}
	object := record.Record
	for _, name := range path[:len(path)-1] {
		ref, ok := object.Properties[name].Inner.(lexicon.SchemaRef)
		if !ok {
			panic(fmt.Sprintf("acts: lexicon %s has no object %s", collection, name))
		}
		if schema, err = lexicons.Catalog().Resolve(collection.String() + ref.Ref); err != nil {
			panic(fmt.Sprintf("acts: lexicon %s: %v", collection, err))
		}
		if object, ok = schema.Def.(lexicon.SchemaObject); !ok {
			panic(fmt.Sprintf("acts: lexicon %s has no object %s", collection, name))
		}
	}
	text, ok := object.Properties[path[len(path)-1]].Inner.(lexicon.SchemaString)
	if !ok || text.MaxGraphemes == nil {
		panic(fmt.Sprintf("acts: lexicon %s bounds no field %v", collection, path))
	}
	return *text.MaxGraphemes
}
