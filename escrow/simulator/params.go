package simulator

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Stripe's bounds of what a request may hold.
const (
	maxMetadataKeys  = 50
	maxMetadataKey   = 40
	maxMetadataValue = 500
	maxExpandDepth   = 4
)

// params are the parameters of a request: form-encoded, nested by brackets. A handler
// takes what it knows; what nobody took is unknown. The first mistake stays in err.
type params struct {
	values url.Values
	taken  map[string]bool
	err    *apiError
}

func newParams(values url.Values) *params {
	return &params{values: values, taken: map[string]bool{}}
}

func (p *params) fail(e *apiError) {
	if p.err == nil {
		p.err = e
	}
}

// done is the first mistake, or the parameter that nobody knows, or nil.
func (p *params) done() error {
	if p.err != nil {
		return p.err
	}
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !p.taken[name] {
			return malformed("parameter_unknown", name, "Received unknown parameter: %s (or one that the simulator does not know)", name)
		}
	}
	return nil
}

// lookup returns a parameter that was given.
func (p *params) lookup(name string) (string, bool) {
	p.taken[name] = true
	given := p.values[name]
	if len(given) == 0 {
		return "", false
	}
	if len(given) > 1 {
		p.fail(malformed("", name, "Invalid string: %s was given twice", name))
	}
	return given[0], true
}

// text returns a parameter, or "" when it was not given. Given and empty is a mistake.
func (p *params) text(name string) string {
	value, ok := p.lookup(name)
	if ok && value == "" {
		p.fail(malformed("parameter_invalid_empty", name, "You passed an empty string for '%s'. We assume empty values are an attempt to unset a parameter; however '%s' cannot be unset.", name, name))
	}
	return value
}

// need returns a parameter that must be given.
func (p *params) need(name string) string {
	value := p.text(name)
	if value == "" {
		p.fail(malformed("parameter_missing", name, "Missing required param: %s.", name))
	}
	return value
}

// optional returns nil for a parameter that was not given.
func (p *params) optional(name string) *string {
	if value := p.text(name); value != "" {
		return &value
	}
	return nil
}

// oneOf returns a parameter of a closed set, or fallback when it was not given.
func (p *params) oneOf(name, fallback string, allowed ...string) string {
	value := p.text(name)
	if value == "" {
		return fallback
	}
	if !slices.Contains(allowed, value) {
		p.fail(malformed("", name, "Invalid %s: must be one of %s", name, strings.Join(allowed, ", ")))
	}
	return value
}

// integer returns a parameter that is a whole number; ok is false when it was not given.
func (p *params) integer(name string) (n int64, ok bool) {
	value := p.text(name)
	if value == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		p.fail(malformed("parameter_invalid_integer", name, "Invalid integer: %s", value))
	}
	return n, true
}

// boolean returns a parameter that is true or false; absent is false.
func (p *params) boolean(name string) bool {
	return p.oneOf(name, "false", "true", "false") == "true"
}

// amount returns a parameter that is a positive amount in minor units; ok is false
// when it was not given.
func (p *params) amount(name string) (n int64, ok bool) {
	n, ok = p.integer(name)
	if ok && n < 1 {
		p.fail(malformed("parameter_invalid_integer", name, "This value must be greater than or equal to 1."))
	}
	if n > maxAmount {
		p.fail(malformed("amount_too_large", name, "Amount must be no more than %d", maxAmount))
	}
	return n, ok
}

// list returns the elements of an array, whatever their indices.
func (p *params) list(name string) []string {
	var elements []string
	for _, key := range slices.Sorted(maps.Keys(p.values)) {
		index, ok := strings.CutPrefix(key, name+"[")
		if !ok || strings.Index(index, "]") != len(index)-1 {
			continue
		}
		p.taken[key] = true
		elements = append(elements, p.values[key]...)
	}
	return elements
}

// metadata returns the key-value pairs below a name, within Stripe's bounds.
func (p *params) metadata(name string) map[string]string {
	pairs := map[string]string{}
	for key, given := range p.values {
		field, ok := strings.CutPrefix(key, name+"[")
		field, closed := strings.CutSuffix(field, "]")
		if !ok || !closed {
			continue
		}
		p.taken[key] = true
		value := given[len(given)-1]
		switch {
		case len(field) > maxMetadataKey:
			p.fail(malformed("", name, "Invalid metadata key: keys can be up to %d characters", maxMetadataKey))
		case len([]rune(value)) > maxMetadataValue:
			p.fail(malformed("", key, "Metadata values can have up to %d characters, but you passed in a value that is %d characters.", maxMetadataValue, len([]rune(value))))
		case value != "": // an empty value unsets, and there is nothing to unset
			pairs[field] = value
		}
	}
	if len(pairs) > maxMetadataKeys {
		p.fail(malformed("", name, "You can have up to %d metadata keys", maxMetadataKeys))
	}
	return pairs
}

// address returns a parameter that is an absolute address on the web.
func (p *params) address(name string) string {
	value := p.need(name)
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		p.fail(malformed("url_invalid", name, "Not a valid URL"))
	}
	return value
}
