package checks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/github/go-spdx/v2/spdxexp/spdxlicenses"
)

// expression is what an SPDX expression says: one licence, or several that hold together,
// or of which one is chosen.
type expression struct {
	license string // as in GPL-2.0-only WITH Classpath-exception-2.0
	all     []expression
	any     []expression
}

// identifiers are the licences that it names, each with its exception.
func (e expression) identifiers() []string {
	if e.license != "" {
		return []string{e.license}
	}
	var ids []string
	for _, part := range slices.Concat(e.all, e.any) {
		for _, id := range part.identifiers() {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// satisfied reports whether the accepted licences are enough. What can be chosen is never
// listed: that is as much as the product of all choices.
func (e expression) satisfied(accepted func(license string) bool) bool {
	enough := func(part expression) bool { return part.satisfied(accepted) }
	switch {
	case e.license != "":
		return accepted(e.license)
	case e.all != nil:
		return !slices.ContainsFunc(e.all, func(part expression) bool { return !enough(part) })
	}
	return slices.ContainsFunc(e.any, enough)
}

// maxExpression is how many bytes of an expression are read, as many as a record holds.
// Nothing in it is nested deeper than that.
const maxExpression = 640

// readExpression reads an SPDX expression; ok is false when it is none.
func readExpression(text string) (_ expression, ok bool) {
	if len(text) > maxExpression {
		return expression{}, false
	}
	r := &expressionReader{expressionTokens.FindAllString(text, -1)}
	e, ok := r.alternatives()
	return e, ok && len(r.tokens) == 0
}

// expressionTokens leave nothing out but space: what is no parenthesis has to be known.
var expressionTokens = regexp.MustCompile(`[()]|[^\s()]+`)

type expressionReader struct{ tokens []string }

// next takes the next token; there is none at the end.
func (r *expressionReader) next() string {
	if len(r.tokens) == 0 {
		return ""
	}
	token := r.tokens[0]
	r.tokens = r.tokens[1:]
	return token
}

// took takes the next token if it is this one.
func (r *expressionReader) took(token string) bool {
	if len(r.tokens) == 0 || r.tokens[0] != token {
		return false
	}
	r.next()
	return true
}

func (r *expressionReader) alternatives() (expression, bool) {
	parts, ok := r.separated("OR", r.together)
	return expression{any: parts}, ok
}

func (r *expressionReader) together() (expression, bool) {
	parts, ok := r.separated("AND", r.single)
	return expression{all: parts}, ok
}

func (r *expressionReader) separated(operator string, part func() (expression, bool)) ([]expression, bool) {
	var parts []expression
	for {
		e, ok := part()
		if !ok {
			return nil, false
		}
		if parts = append(parts, e); !r.took(operator) {
			return parts, true
		}
	}
}

func (r *expressionReader) single() (expression, bool) {
	if r.took("(") {
		e, ok := r.alternatives()
		return e, ok && r.took(")")
	}
	id, ok := knownLicense(r.next())
	if !ok {
		return expression{}, false
	}
	if r.took("WITH") {
		exception, ok := exceptions[strings.ToLower(r.next())]
		return expression{license: id + " WITH " + exception}, ok
	}
	return expression{license: id}, true
}

// ownLicense is one of somebody's own, which is not on the SPDX licence list.
var ownLicense = regexp.MustCompile(`^(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+$`)

// knownLicense is a licence as the SPDX licence list writes it.
func knownLicense(token string) (id string, ok bool) {
	if ownLicense.MatchString(token) {
		return token, true
	}
	base, later := strings.CutSuffix(token, "+")
	if id, ok = licenses[strings.ToLower(base)]; later {
		id += "+"
	}
	return id, ok
}

// licenses and exceptions are those of the SPDX licence list by their names in small
// letters. GPL-2.0+ and the like are on it too, and left out: a plus is read apart.
var (
	licenses   = inSmallLetters(slices.Concat(spdxlicenses.GetLicenses(), spdxlicenses.GetDeprecated()))
	exceptions = inSmallLetters(spdxlicenses.GetExceptions())
)

func inSmallLetters(ids []string) map[string]string {
	known := map[string]string{}
	for _, id := range ids {
		if !strings.HasSuffix(id, "+") {
			known[strings.ToLower(id)] = id
		}
	}
	return known
}
