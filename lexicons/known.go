package lexicons

import (
	"maps"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// knownFields returns a copy of a record's data with exactly the fields that its
// lexicon names, and checks every string by its format on the way.
//
// It stands between the validator and encoding/json, which ignores case: given
// "payees" and "Payees" (or "paYee\u017f"), the validator looks at one and the
// struct would get the other, unchecked.
func knownFields(collection syntax.NSID, data map[string]any) (map[string]any, error) {
	schema, err := Catalog().Resolve(collection.String())
	if err != nil {
		return nil, reject(ReasonUnknownCollection, "%v", err)
	}
	record, ok := schema.Def.(lexicon.SchemaRecord)
	if !ok {
		return nil, reject(ReasonUnknownCollection, "not a record")
	}
	known, err := knownProperties(collection.String(), record.Record, data)
	if err != nil {
		return nil, err
	}
	known["$type"] = data["$type"]
	return known, nil
}

// known copies one value. base is the NSID that local references belong to.
func known(base, name string, def, value any) (any, error) {
	switch def := def.(type) {
	case lexicon.SchemaObject:
		if data, ok := value.(map[string]any); ok {
			return knownProperties(base, def, data)
		}
	case lexicon.SchemaArray:
		if items, ok := value.([]any); ok {
			return knownItems(base, name, def, items)
		}
	case lexicon.SchemaRef:
		return knownRef(base, name, def.Ref, value)
	case lexicon.SchemaUnion:
		if data, ok := value.(map[string]any); ok {
			return knownVariant(base, name, def, data)
		}
	case lexicon.SchemaString:
		text, ok := value.(string)
		if !ok {
			break
		}
		if def.Format != nil {
			return text, checkFormat(name, *def.Format, text)
		}
		return text, nil
	default:
		return value, nil
	}
	// The validator ran before, so only a disagreement with it leads here.
	return nil, reject(ReasonSchema, "%s has another type than its lexicon says", name)
}

func knownProperties(base string, def lexicon.SchemaObject, data map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(def.Properties)+1)
	// In order, so that a record that is wrong in two ways always has the same reason.
	for _, name := range slices.Sorted(maps.Keys(def.Properties)) {
		value, ok := data[name]
		if !ok {
			continue
		}
		kept, err := known(base, name, def.Properties[name].Inner, value)
		if err != nil {
			return nil, err
		}
		out[name] = kept
	}
	return out, nil
}

func knownItems(base, name string, def lexicon.SchemaArray, items []any) ([]any, error) {
	out := make([]any, len(items))
	for i, item := range items {
		kept, err := known(base, name, def.Items.Inner, item)
		if err != nil {
			return nil, err
		}
		out[i] = kept
	}
	return out, nil
}

func knownRef(base, name, ref string, value any) (any, error) {
	ref = absolute(base, ref)
	schema, err := Catalog().Resolve(ref)
	if err != nil {
		return nil, reject(ReasonSchema, "%v", err)
	}
	nsid, _, _ := strings.Cut(ref, "#")
	return known(nsid, name, schema.Def, value)
}

// knownVariant leaves nothing but its $type of a variant that the lexicon does not
// list: nobody has checked the rest.
func knownVariant(base, name string, def lexicon.SchemaUnion, data map[string]any) (any, error) {
	variant := data["$type"]
	for _, ref := range def.Refs {
		if variant != absolute(base, ref) {
			continue
		}
		kept, err := knownRef(base, name, ref, data)
		if err != nil {
			return nil, err
		}
		if object, ok := kept.(map[string]any); ok {
			object["$type"] = variant
		}
		return kept, nil
	}
	return map[string]any{"$type": variant}, nil
}

func absolute(base, ref string) string {
	if strings.HasPrefix(ref, "#") {
		return base + ref
	}
	return ref
}
