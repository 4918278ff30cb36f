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
// To count the graphemes of a text and to match the regular expression of an at-uri
// cost more than all other checks of a record. Most texts have fewer bytes than their
// lexicon allows graphemes, and most at-uris are usual ones: then the validator gets
// lexicons without those limits, or that format, which say the same of this record.
func validate(collection string, data map[string]any) error {
	var e ease
	if schema, err := Catalog().Resolve(collection); err == nil {
		if record, ok := schema.Def.(lexicon.SchemaRecord); ok {
			e = ease{short: true, usual: true}
			e.look(collection, record.Record, data)
		}
	}
	return lexicon.ValidateRecord(easy()[e], data, collection, 0)
}

// ease is what makes a record easy to check.
type ease struct {
	short bool // no text has more bytes than it may have graphemes
	usual bool // all at-uris are usual
}

// look takes back what does not hold of a value, as far as the validator looks. It
// may take back more when in doubt. base is the NSID that local references belong to.
func (e *ease) look(base string, def, value any) {
	switch def := def.(type) {
	case lexicon.SchemaString:
		if text, ok := value.(string); ok {
			e.short = e.short && (def.MaxGraphemes == nil || len(text) <= *def.MaxGraphemes)
			e.usual = e.usual && (!isATURI(def) || isUsualURI(text))
		}
	case lexicon.SchemaObject:
		data, _ := value.(map[string]any)
		for name, property := range def.Properties {
			if field, ok := data[name]; ok {
				e.look(base, property.Inner, field)
			}
		}
	case lexicon.SchemaArray:
		items, _ := value.([]any)
		for _, item := range items {
			e.look(base, def.Items.Inner, item)
		}
	case lexicon.SchemaRef:
		e.lookAt(absolute(base, def.Ref), value)
	case lexicon.SchemaUnion:
		data, _ := value.(map[string]any)
		variant, _ := data["$type"].(string)
		e.lookAt(variant, value)
	}
}

// lookAt is look for a value that another lexicon describes.
func (e *ease) lookAt(ref string, value any) {
	schema, err := Catalog().Resolve(ref)
	if err != nil {
		*e = ease{}
		return
	}
	nsid, _, _ := strings.Cut(ref, "#")
	e.look(nsid, schema.Def, value)
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

// easy has the catalog for each ease.
var easy = sync.OnceValue(func() map[ease]lexicon.Catalog {
	return map[ease]lexicon.Catalog{
		{}:                         Catalog(),
		{short: true}:              ease{short: true}.catalog(),
		{usual: true}:              ease{usual: true}.catalog(),
		{short: true, usual: true}: ease{short: true, usual: true}.catalog(),
	}
})

// catalog has no upper limits of graphemes for short texts, and no format for usual
// at-uris.
func (e ease) catalog() lexicon.Catalog {
	out := make(fixedCatalog)
	for _, file := range load().schemas {
		for fragment, def := range file.Defs {
			name := file.ID + "#" + fragment
			out[name] = &lexicon.Schema{ID: name, Def: e.relax(def.Inner)}
		}
		if main, ok := out[file.ID+"#main"]; ok {
			out[file.ID] = main
		}
	}
	return out
}

// relax copies a definition likewise.
func (e ease) relax(def any) any {
	switch def := def.(type) {
	case lexicon.SchemaString:
		if e.short {
			def.MaxGraphemes = nil
		}
		if e.usual && isATURI(def) {
			def.Format = nil
		}
		return def
	case lexicon.SchemaArray:
		def.Items.Inner = e.relax(def.Items.Inner)
		return def
	case lexicon.SchemaObject:
		def.Properties = maps.Clone(def.Properties)
		for name, property := range def.Properties {
			def.Properties[name] = lexicon.SchemaDef{Inner: e.relax(property.Inner)}
		}
		return def
	case lexicon.SchemaRecord:
		if object, ok := e.relax(def.Record).(lexicon.SchemaObject); ok {
			def.Record = object
		}
		return def
	}
	return def
}

func isATURI(def lexicon.SchemaString) bool { return def.Format != nil && *def.Format == "at-uri" }
