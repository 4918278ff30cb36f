package lexicons

import (
	"maps"
	"strings"
	"sync"

	"github.com/bluesky-social/indigo/atproto/lexicon"
)

// validate is the validator of lexicons. No flags: datetimes are strict and old blobs
// are refused, while a variant of an open union that a later client brings is let
// through.
//
// To count the graphemes of a text costs more than all other checks of a record, and
// most texts have fewer bytes than their lexicon allows graphemes. Then the validator
// gets lexicons without those limits, which say the same of this record.
func validate(collection string, data map[string]any) error {
	catalog := Catalog()
	if schema, err := catalog.Resolve(collection); err == nil {
		if record, ok := schema.Def.(lexicon.SchemaRecord); ok && isShort(collection, record.Record, data) {
			catalog = uncounted()
		}
	}
	return lexicon.ValidateRecord(catalog, data, collection, 0)
}

// isShort says that no text has more bytes than it may have graphemes, as far as the
// validator looks. It may say no when in doubt. base is the NSID that local references
// belong to.
func isShort(base string, def, value any) bool {
	switch def := def.(type) {
	case lexicon.SchemaString:
		text, ok := value.(string)
		return !ok || def.MaxGraphemes == nil || len(text) <= *def.MaxGraphemes
	case lexicon.SchemaObject:
		data, _ := value.(map[string]any)
		for name, property := range def.Properties {
			if field, ok := data[name]; ok && !isShort(base, property.Inner, field) {
				return false
			}
		}
	case lexicon.SchemaArray:
		items, _ := value.([]any)
		for _, item := range items {
			if !isShort(base, def.Items.Inner, item) {
				return false
			}
		}
	case lexicon.SchemaRef:
		return isShortRef(absolute(base, def.Ref), value)
	case lexicon.SchemaUnion:
		data, _ := value.(map[string]any)
		variant, ok := data["$type"].(string)
		return ok && isShortRef(variant, value)
	}
	return true
}

func isShortRef(ref string, value any) bool {
	schema, err := Catalog().Resolve(ref)
	if err != nil {
		return false
	}
	nsid, _, _ := strings.Cut(ref, "#")
	return isShort(nsid, schema.Def, value)
}

// fixedCatalog has its schemas under each name that they are referred to by.
type fixedCatalog map[string]*lexicon.Schema

var _ lexicon.Catalog = fixedCatalog(nil)

// Resolve returns a schema, or the error that the whole catalog has for the name.
func (c fixedCatalog) Resolve(ref string) (*lexicon.Schema, error) {
	if schema, ok := c[ref]; ok {
		return schema, nil
	}
	return Catalog().Resolve(ref)
}

// uncounted is the catalog without upper limits of graphemes.
var uncounted = sync.OnceValue(func() lexicon.Catalog {
	out := make(fixedCatalog)
	for _, file := range load().schemas {
		for fragment, def := range file.Defs {
			name := file.ID + "#" + fragment
			out[name] = &lexicon.Schema{ID: name, Def: withoutMaximum(def.Inner)}
		}
		if main, ok := out[file.ID+"#main"]; ok {
			out[file.ID] = main
		}
	}
	return out
})

// withoutMaximum copies a definition without its upper limits of graphemes.
func withoutMaximum(def any) any {
	switch def := def.(type) {
	case lexicon.SchemaString:
		def.MaxGraphemes = nil
		return def
	case lexicon.SchemaArray:
		def.Items.Inner = withoutMaximum(def.Items.Inner)
		return def
	case lexicon.SchemaObject:
		def.Properties = maps.Clone(def.Properties)
		for name, property := range def.Properties {
			def.Properties[name] = lexicon.SchemaDef{Inner: withoutMaximum(property.Inner)}
		}
		return def
	case lexicon.SchemaRecord:
		if object, ok := withoutMaximum(def.Record).(lexicon.SchemaObject); ok {
			def.Record = object
		}
		return def
	}
	return def
}
