package xrpc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bluesky-social/indigo/atproto/lexicon"
)

// scalar is one value of a query string as its lexicon describes it.
type scalar struct {
	kind   string // the lexicon's type: string, integer or boolean
	format string // of a string; empty for any
	// parse returns a string, an int64 or a bool that satisfies the schema. Its
	// error completes the sentence "<parameter>: ...".
	parse func(text string) (any, error)
	// fallback is the text of the lexicon's default, nil without one.
	fallback *string
}

func newScalar(def any) (scalar, error) {
	switch s := def.(type) {
	case lexicon.SchemaString:
		return scalar{kind: "string", format: deref(s.Format), parse: stringParser(s), fallback: s.Default}, nil
	case lexicon.SchemaInteger:
		sc := scalar{kind: "integer", parse: integerParser(s)}
		if s.Default != nil {
			sc.fallback = new(strconv.Itoa(*s.Default))
		}
		return sc, nil
	case lexicon.SchemaBoolean:
		sc := scalar{kind: "boolean", parse: booleanParser(s)}
		if s.Default != nil {
			sc.fallback = new(strconv.FormatBool(*s.Default))
		}
		return sc, nil
	default:
		return scalar{}, fmt.Errorf("no parameter can be a %T", def)
	}
}

func stringParser(s lexicon.SchemaString) func(string) (any, error) {
	return func(text string) (any, error) {
		// No schema asks for this: such bytes only ever come from broken or hostile
		// clients, and they upset logs, terminals and full-text search.
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("must be valid UTF-8")
		}
		if strings.ContainsFunc(text, unicode.IsControl) {
			return nil, fmt.Errorf("must not contain control characters, got %s", quote(text))
		}
		if err := s.Validate(text, 0); err != nil {
			return nil, explainString(s, text)
		}
		return text, nil
	}
}

// explainString says which rule of s a rejected text breaks, in the order in which
// the lexicon package checks them; its own messages leave out what was expected.
func explainString(s lexicon.SchemaString, text string) error {
	switch {
	case s.Const != nil && text != *s.Const:
		return fmt.Errorf("must be %s, got %s", quote(*s.Const), quote(text))
	case s.MinLength != nil && len(text) < *s.MinLength, s.MaxLength != nil && len(text) > *s.MaxLength:
		return fmt.Errorf("must have %s bytes, got %d", span(s.MinLength, s.MaxLength), len(text))
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, text):
		return fmt.Errorf("must be one of %s, got %s", strings.Join(s.Enum, ", "), quote(text))
	case s.Format != nil && s.MinGraphemes == nil && s.MaxGraphemes == nil:
		return fmt.Errorf("must be %s, got %s", formatNames[*s.Format], quote(text))
	case s.Format != nil:
		return fmt.Errorf("must be %s of %s characters, got %s", formatNames[*s.Format], span(s.MinGraphemes, s.MaxGraphemes), quote(text))
	default:
		return fmt.Errorf("must have %s characters", span(s.MinGraphemes, s.MaxGraphemes))
	}
}

// formatNames has every string format that the lexicon package accepts.
var formatNames = map[string]string{
	"at-identifier": "a handle or DID",
	"at-uri":        "an at:// URI",
	"cid":           "a CID",
	"datetime":      "a datetime like 2026-01-31T12:00:00.000Z",
	"did":           "a DID",
	"handle":        "a handle",
	"language":      "a language tag",
	"nsid":          "an NSID",
	"record-key":    "a record key",
	"tid":           "a TID",
	"uri":           "a URI",
}

func integerParser(s lexicon.SchemaInteger) func(string) (any, error) {
	expected := "an integer of 64 bits"
	switch {
	case s.Const != nil:
		expected = strconv.Itoa(*s.Const)
	case len(s.Enum) > 0:
		expected = "one of " + strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Enum), " ", ", "), "[]")
	case s.Minimum != nil || s.Maximum != nil:
		expected = span(s.Minimum, s.Maximum)
	}
	return func(text string) (any, error) {
		n, err := strconv.ParseInt(text, 10, 64)
		if errors.Is(err, strconv.ErrSyntax) {
			return nil, fmt.Errorf("must be an integer, got %s", clean(text))
		}
		if err != nil || s.Validate(n) != nil {
			return nil, fmt.Errorf("must be %s, got %s", expected, clean(text))
		}
		return n, nil
	}
}

func booleanParser(s lexicon.SchemaBoolean) func(string) (any, error) {
	expected := "true or false"
	if s.Const != nil {
		expected = strconv.FormatBool(*s.Const)
	}
	return func(text string) (any, error) {
		b := text == "true"
		if !b && text != "false" || s.Validate(b) != nil {
			return nil, fmt.Errorf("must be %s, got %s", expected, clean(text))
		}
		return b, nil
	}
}

// span words the bounds of a number or a length, at least one of which is set.
func span(low, high *int) string {
	switch {
	case high == nil:
		return fmt.Sprintf("at least %d", *low)
	case low == nil:
		return fmt.Sprintf("at most %d", *high)
	default:
		return fmt.Sprintf("between %d and %d", *low, *high)
	}
}

// A message repeats no more of what a client sent than helps to recognise it.
const maxEcho = 80

func quote(text string) string { return strconv.Quote(cut(text, maxEcho)) }

// clean shows plain text as it is, and quotes any other.
func clean(text string) string {
	q := quote(text)
	if text != "" && q == `"`+text+`"` && !strings.Contains(text, " ") {
		return text
	}
	return q
}

// cut shortens text to at most max bytes without splitting a rune.
func cut(text string, max int) string {
	if len(text) <= max {
		return text
	}
	for max > 0 && !utf8.RuneStart(text[max]) {
		max--
	}
	return text[:max] + "…"
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
