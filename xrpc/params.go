package xrpc

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// params decodes a query string into one struct type as a lexicon describes it. It
// is built once per method and then only read.
type params struct {
	fields []param
}

// param is one parameter: in the lexicon, and in the struct.
type param struct {
	name     string
	index    []int
	required bool
	item     scalar               // the parameter, or each item of it
	array    *lexicon.SchemaArray // nil for a scalar
}

// newParams refuses a struct that does not have exactly the parameters of the
// lexicon, each in a type that can hold every value of it and its absence. All
// differences are in the error.
func newParams(schema *lexicon.SchemaParams, t reflect.Type) (*params, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("parameters are decoded into a struct, not %s", t)
	}
	if schema == nil {
		schema = &lexicon.SchemaParams{}
	}
	fields, errs := paramFields(t)
	ps := &params{}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		f, ok := fields[name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: in the lexicon, but %s has no field for it", name, t))
			continue
		}
		delete(fields, name)
		p, err := newParam(name, schema, f)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		ps.fields = append(ps.fields, p)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		errs = append(errs, fmt.Errorf("%s: field %s.%s, but the lexicon has no such parameter", name, t, fields[name].Name))
	}
	return ps, errors.Join(errs...)
}

// paramFields finds the tagged fields, those of embedded structs included, so that
// methods can share a set of filters.
func paramFields(t reflect.Type) (map[string]reflect.StructField, []error) {
	var errs []error
	fields := make(map[string]reflect.StructField)
	for _, f := range reflect.VisibleFields(t) {
		name, tagged := f.Tag.Lookup("param")
		switch {
		case f.Anonymous && !tagged:
			if f.Type.Kind() != reflect.Struct {
				errs = append(errs, fmt.Errorf("field %s.%s: only structs may be embedded", t, f.Name))
			}
		case !f.IsExported():
			errs = append(errs, fmt.Errorf("field %s.%s: must be exported", t, f.Name))
		case name == "":
			errs = append(errs, fmt.Errorf(`field %s.%s: needs a tag like param:"limit"`, t, f.Name))
		default:
			if other, ok := fields[name]; ok {
				errs = append(errs, fmt.Errorf("%s: in two fields, %s and %s", name, other.Name, f.Name))
			}
			fields[name] = f
		}
	}
	return fields, errs
}

func newParam(name string, schema *lexicon.SchemaParams, f reflect.StructField) (param, error) {
	p := param{name: name, index: f.Index, required: slices.Contains(schema.Required, name)}
	def := schema.Properties[name].Inner
	array, isArray := def.(lexicon.SchemaArray)
	if isArray {
		p.array = &array
		def = array.Items.Inner
	}
	var err error
	if p.item, err = newScalar(def); err != nil {
		return p, err
	}
	if p.item.fallback != nil {
		if isArray {
			return p, errors.New("items of an array have no default")
		}
		if _, err := p.item.parse(*p.item.fallback); err != nil {
			return p, fmt.Errorf("the lexicon's default: %w", err)
		}
	}
	t := f.Type
	if isArray {
		if t.Kind() != reflect.Slice {
			return p, fmt.Errorf("an array needs a slice, field %s is %s", f.Name, t)
		}
		return p, checkFieldType(p.item, t.Elem())
	}
	always := p.required || p.item.fallback != nil
	pointer := t.Kind() == reflect.Pointer
	switch {
	case always && pointer:
		return p, fmt.Errorf("is always there, so field %s must not be a pointer", f.Name)
	case !always && !pointer && p.item.kind != "string":
		return p, fmt.Errorf("may be absent, so field %s must be a pointer", f.Name)
	}
	if pointer {
		t = t.Elem()
	}
	return p, checkFieldType(p.item, t)
}

// formatOf has the identifier types that accept one format only. Other types with
// UnmarshalText are taken at their word.
var formatOf = map[reflect.Type]string{
	reflect.TypeFor[syntax.ATURI]():        "at-uri",
	reflect.TypeFor[syntax.AtIdentifier](): "at-identifier",
	reflect.TypeFor[syntax.CID]():          "cid",
	reflect.TypeFor[syntax.DID]():          "did",
	reflect.TypeFor[syntax.Datetime]():     "datetime",
	reflect.TypeFor[syntax.Handle]():       "handle",
	reflect.TypeFor[syntax.Language]():     "language",
	reflect.TypeFor[syntax.NSID]():         "nsid",
	reflect.TypeFor[syntax.RecordKey]():    "record-key",
	reflect.TypeFor[syntax.TID]():          "tid",
	reflect.TypeFor[syntax.URI]():          "uri",
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func checkFieldType(s scalar, t reflect.Type) error {
	if want, ok := formatOf[t]; ok && want != s.format {
		return fmt.Errorf("%s holds the format %s, the lexicon says %q", t, want, s.format)
	}
	var fits bool
	switch s.kind {
	case "string":
		fits = t.Kind() == reflect.String || reflect.PointerTo(t).Implements(textUnmarshaler)
	case "integer":
		fits = t.Kind() == reflect.Int64
	case "boolean":
		fits = t.Kind() == reflect.Bool
	}
	if !fits {
		return fmt.Errorf("%s cannot hold the type %s", t, s.kind)
	}
	return nil
}

// decode fills dst, a settable struct of the type that ps was built for.
func (ps *params) decode(rawQuery string, dst reflect.Value) error {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return InvalidRequest("the query string is malformed")
	}
	for _, p := range ps.fields {
		if err := p.decode(values[p.name], dst.FieldByIndex(p.index)); err != nil {
			return InvalidRequest("%s: %v", p.name, err)
		}
	}
	return nil
}

func (p *param) decode(texts []string, dst reflect.Value) error {
	if p.array == nil && len(texts) > 1 {
		return fmt.Errorf("must be given once, got %d times", len(texts))
	}
	// An empty value is none, as in the reference server: clients send "cursor=".
	texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return text == "" })
	if len(texts) == 0 && p.item.fallback != nil {
		texts = []string{*p.item.fallback}
	}
	if len(texts) == 0 {
		if p.required {
			return errors.New("is required")
		}
		return nil
	}
	if p.array == nil {
		return p.item.decode(texts[0], dst)
	}
	low, high := p.array.MinLength, p.array.MaxLength
	if low != nil && len(texts) < *low || high != nil && len(texts) > *high {
		return fmt.Errorf("must have %s items, got %d", span(low, high), len(texts))
	}
	dst.Set(reflect.MakeSlice(dst.Type(), len(texts), len(texts)))
	for i, text := range texts {
		if err := p.item.decode(text, dst.Index(i)); err != nil {
			return fmt.Errorf("item %d %w", i+1, err)
		}
	}
	return nil
}

func (s *scalar) decode(text string, dst reflect.Value) error {
	v, err := s.parse(text)
	if err != nil {
		return err
	}
	if dst.Kind() == reflect.Pointer {
		dst.Set(reflect.New(dst.Type().Elem()))
		dst = dst.Elem()
	}
	switch v := v.(type) {
	case string:
		if u, ok := dst.Addr().Interface().(encoding.TextUnmarshaler); ok {
			return u.UnmarshalText([]byte(v))
		}
		dst.SetString(v)
	case int64:
		dst.SetInt(v)
	case bool:
		dst.SetBool(v)
	}
	return nil
}
