package xrpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/lexicon"
)

// input decodes and validates the body of a procedure. Its schema is nil for a
// procedure that takes none.
type input struct {
	schema *bodySchema
}

// newInput refuses a struct whose JSON is not what the lexicon describes.
func newInput(cat lexicon.Catalog, body *lexicon.SchemaBody, t reflect.Type) (*input, error) {
	schema, err := newBodySchema(cat, body)
	if err != nil {
		return nil, err
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("an input is decoded into a struct, not %s", t)
	}
	if schema == nil {
		if t.NumField() > 0 {
			return nil, fmt.Errorf("the lexicon has no input, but %s has fields", t)
		}
		return &input{}, nil
	}
	if object, ok := schema.def.Inner.(lexicon.SchemaObject); ok {
		err = checkInputType(object, t)
	}
	return &input{schema: schema}, err
}

// checkInputType compares the first level of an input; the rest is generated from
// the lexicons or checked when it is decoded.
func checkInputType(object lexicon.SchemaObject, t reflect.Type) error {
	var errs []error
	properties := maps.Clone(object.Properties)
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "", strings.HasPrefix(name, "$"), name == "-":
			continue
		case !f.IsExported() || name == "":
			errs = append(errs, fmt.Errorf(`field %s.%s: must be exported and have a tag like json:"subject"`, t, f.Name))
			continue
		}
		if _, ok := properties[name]; !ok {
			errs = append(errs, fmt.Errorf("%s: field %s.%s, but the lexicon has no such property", name, t, f.Name))
			continue
		}
		delete(properties, name)
		omits := slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "omitempty" || o == "omitzero" })
		if omits == slices.Contains(object.Required, name) {
			errs = append(errs, fmt.Errorf("%s: field %s.%s has to have omitempty or omitzero if, and only if, the property is optional", name, t, f.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		errs = append(errs, fmt.Errorf("%s: in the lexicon, but %s has no field for it", name, t))
	}
	return errors.Join(errs...)
}

// decode reads body into dst, a pointer to the struct that in was built for.
func (in *input) decode(body io.Reader, r *http.Request, dst any) error {
	if in.schema == nil {
		if r.ContentLength != 0 {
			return InvalidRequest("this procedure takes no request body")
		}
		return nil
	}
	if r.ContentLength == 0 {
		return InvalidRequest("a request body is required")
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return InvalidRequest("Content-Type: must be application/json, got %s", clean(r.Header.Get("Content-Type")))
	}
	raw, err := io.ReadAll(body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Error{
			Name: namePayloadTooLarge, Status: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the request body must have at most %d bytes", tooLarge.Limit),
		}
	}
	if err != nil {
		return InvalidRequest("the request body could not be read")
	}
	if err := in.schema.check(raw); err != nil {
		return InvalidRequest("input: %s", cut(err.Error(), 500))
	}
	if err := json.Unmarshal(raw, dst); err != nil {
		return InvalidRequest("input: %s", cut(err.Error(), 500))
	}
	return in.recheck(dst)
}

// recheck validates what the handler will see. The bytes were validated by exact
// names, but the decoder also takes "Amount" for amount and the last of two, so that
// {"amount": 1, "Amount": -1} would get past a check of the bytes alone.
func (in *input) recheck(dst any) error {
	again, err := EncodeJSON(dst)
	if err != nil {
		return fmt.Errorf("encode the decoded input: %w", err)
	}
	if err := in.schema.check(again); err != nil {
		return InvalidRequest("input: is ambiguous: %s", cut(err.Error(), 500))
	}
	return nil
}
