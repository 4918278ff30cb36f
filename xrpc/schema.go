package xrpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/lexicon"
)

// bodySchema validates JSON bodies against the schema of an input or an output.
type bodySchema struct {
	catalog lexicon.Catalog
	def     lexicon.SchemaDef
}

// check reports what about body violates the schema, naming the field where it can.
func (b *bodySchema) check(body []byte) error {
	data, err := atdata.UnmarshalJSON(body)
	if err != nil {
		return fmt.Errorf("not a JSON object of atproto data: %w", err)
	}
	err = b.validate(b.def, data)
	if err == nil {
		return nil
	}
	if object, ok := b.def.Inner.(lexicon.SchemaObject); ok {
		for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
			v, present := data[name]
			if !present || v == nil && object.IsNullable(name) {
				continue
			}
			if ferr := b.validate(object.Properties[name], v); ferr != nil {
				return fmt.Errorf("%s: %w", name, ferr)
			}
		}
	}
	return err
}

// validate puts value into a record of its own, because records are the only
// definitions that the lexicon package validates for others.
func (b *bodySchema) validate(def lexicon.SchemaDef, value any) error {
	cat := envelopeCatalog{Catalog: b.catalog, body: def}
	return lexicon.ValidateRecord(cat, map[string]any{"$type": envelopeRef, "body": value}, envelopeRef, 0)
}

const envelopeRef = "xrpc.invalid.envelope"

type envelopeCatalog struct {
	lexicon.Catalog
	body lexicon.SchemaDef
}

func (c envelopeCatalog) Resolve(ref string) (*lexicon.Schema, error) {
	if ref != envelopeRef {
		return c.Catalog.Resolve(ref)
	}
	return &lexicon.Schema{ID: ref, Def: lexicon.SchemaRecord{Record: lexicon.SchemaObject{
		Properties: map[string]lexicon.SchemaDef{"body": c.body},
		Required:   []string{"body"},
	}}}, nil
}

// newBodySchema returns nil when the lexicon describes no body, and an error for one
// that is not JSON with a schema.
func newBodySchema(cat lexicon.Catalog, b *lexicon.SchemaBody) (*bodySchema, error) {
	if b == nil {
		return nil, nil
	}
	if b.Encoding != "application/json" || b.Schema == nil {
		return nil, fmt.Errorf("has to be application/json with a schema, is %s", b.Encoding)
	}
	return &bodySchema{catalog: cat, def: *b.Schema}, nil
}

// Encoder is an output that consists of JSON already, and puts it together itself.
type Encoder interface {
	// EncodeJSON returns the output as [EncodeJSON] would have encoded it.
	EncodeJSON() ([]byte, error)
}

// EncodeJSON writes v as JSON.stringify would: no escapes for HTML, which nobody
// can make a browser take this for. What it returns for an [Encoder] is not looked
// at: it is not for what strangers wrote.
func EncodeJSON(v any) ([]byte, error) {
	if e, ok := v.(Encoder); ok {
		return e.EncodeJSON()
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
