package lexicons

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/lex/lexlint"
)

// ours are the lexicons of fund.stratos.*; others are copied as they are.
func ours() []lexicon.SchemaFile {
	return slices.DeleteFunc(Schemas(), func(f lexicon.SchemaFile) bool {
		return !strings.HasPrefix(f.ID, "fund.stratos.")
	})
}

// node is one schema somewhere in a lexicon.
type node struct {
	path      string // fund.stratos.feature.defs#funding.goal
	def       any
	described bool // whether a description is expected here: not on items and bodies
}

// nodes lists all schemas of a lexicon, from its definitions down.
func nodes(f lexicon.SchemaFile) []node {
	var list []node
	var walk func(path string, described bool, def any)
	fields := func(path string, properties map[string]lexicon.SchemaDef) {
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			walk(path+"."+name, true, properties[name].Inner)
		}
	}
	body := func(path string, b *lexicon.SchemaBody) {
		if b != nil && b.Schema != nil {
			walk(path, false, b.Schema.Inner)
		}
	}
	params := func(path string, p *lexicon.SchemaParams) {
		if p != nil {
			fields(path, p.Properties)
		}
	}
	walk = func(path string, described bool, def any) {
		list = append(list, node{path, def, described})
		switch v := def.(type) {
		case lexicon.SchemaRecord:
			fields(path, v.Record.Properties)
		case lexicon.SchemaQuery:
			params(path+"(params)", v.Parameters)
			body(path+"(output)", v.Output)
		case lexicon.SchemaProcedure:
			params(path+"(params)", v.Parameters)
			body(path+"(input)", v.Input)
			body(path+"(output)", v.Output)
		case lexicon.SchemaPermissionSet:
			for i, p := range v.Permissions {
				walk(fmt.Sprintf("%s[%d]", path, i), true, p)
			}
		case lexicon.SchemaObject:
			fields(path, v.Properties)
		case lexicon.SchemaArray:
			walk(path+"[]", true, v.Items.Inner)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Defs)) {
		walk(f.ID+"#"+name, true, f.Defs[name].Inner)
	}
	return list
}

func description(t *testing.T, def any) *string {
	t.Helper()
	switch v := def.(type) {
	case lexicon.SchemaRecord:
		return v.Description
	case lexicon.SchemaQuery:
		return v.Description
	case lexicon.SchemaProcedure:
		return v.Description
	case lexicon.SchemaPermissionSet:
		return v.Description
	case lexicon.SchemaPermission:
		return v.Description
	case lexicon.SchemaBoolean:
		return v.Description
	case lexicon.SchemaInteger:
		return v.Description
	case lexicon.SchemaString:
		return v.Description
	case lexicon.SchemaArray:
		return v.Description
	case lexicon.SchemaObject:
		return v.Description
	case lexicon.SchemaBlob:
		return v.Description
	case lexicon.SchemaRef:
		return v.Description
	case lexicon.SchemaUnion:
		return v.Description
	case lexicon.SchemaUnknown:
		return v.Description
	}
	t.Fatalf("a lexicon uses %T, which the tests do not know", def)
	return nil
}

func TestLinterHasNothingToSay(t *testing.T) {
	t.Parallel()
	for _, f := range Schemas() {
		for _, issue := range lexlint.LintSchemaFile(&f) {
			t.Errorf("%s: %s: %s", issue.NSID, issue.LintName, issue.Message)
		}
	}
}

func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	for _, f := range ours() {
		if f.Description == nil || !strings.HasPrefix(*f.Description, "Draft: ") {
			t.Errorf("%s is not marked as a draft", f.ID)
		}
		for _, n := range nodes(f) {
			text := description(t, n.def)
			if n.described && (text == nil || len(*text) < 4) {
				t.Errorf("%s has no description", n.path)
			}
			if text != nil && strings.Contains(*text, "\n") {
				t.Errorf("%s: a description of several lines breaks the generated comment", n.path)
			}
		}
	}
}

func TestEverythingIsBounded(t *testing.T) {
	t.Parallel()
	for _, f := range ours() {
		for _, n := range nodes(f) {
			switch v := n.def.(type) {
			case lexicon.SchemaString:
				if (v.Format == nil) == (v.MaxLength == nil) {
					t.Errorf("%s: a string has either a format or a maximum length", n.path)
				}
			case lexicon.SchemaArray:
				if v.MaxLength == nil {
					t.Errorf("%s: an array has a maximum length", n.path)
				}
			case lexicon.SchemaInteger:
				if v.Minimum == nil || v.Maximum == nil {
					t.Errorf("%s: an integer has a minimum and a maximum", n.path)
				}
			case lexicon.SchemaBlob:
				if v.MaxSize == nil || len(v.Accept) == 0 {
					t.Errorf("%s: a blob has a size and types", n.path)
				}
			}
		}
	}
}

func TestValueSetsAreOpenAndKebabCase(t *testing.T) {
	t.Parallel()
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for _, f := range ours() {
		for _, n := range nodes(f) {
			switch v := n.def.(type) {
			case lexicon.SchemaString:
				if len(v.Enum) > 0 {
					t.Errorf("%s: an enum can never grow", n.path)
				}
				for _, value := range v.KnownValues {
					if !kebab.MatchString(value) || len(value) > *v.MaxLength {
						t.Errorf("%s: known value %q", n.path, value)
					}
				}
				if v.Default != nil && !slices.Contains(v.KnownValues, *v.Default) {
					t.Errorf("%s: default %q is not known", n.path, *v.Default)
				}
			case lexicon.SchemaUnion:
				if v.Closed != nil && *v.Closed {
					t.Errorf("%s: a closed union can never grow", n.path)
				}
			}
		}
	}
}

// The generator shares definitions between files only if they are objects or strings.
func TestDefinitionsAreObjectsOrStrings(t *testing.T) {
	t.Parallel()
	for _, f := range ours() {
		for name, def := range f.Defs {
			switch def.Inner.(type) {
			case lexicon.SchemaObject, lexicon.SchemaString:
			default:
				if !def.IsPrimary() {
					t.Errorf("%s#%s is %T", f.ID, name, def.Inner)
				}
			}
		}
	}
}

func TestReferencesResolveOffline(t *testing.T) {
	t.Parallel()
	for _, f := range Schemas() {
		for _, n := range nodes(f) {
			var refs []string
			switch v := n.def.(type) {
			case lexicon.SchemaRef:
				refs = []string{v.Ref}
			case lexicon.SchemaUnion:
				refs = v.Refs
			}
			for _, ref := range refs {
				if _, err := Catalog().Resolve(absolute(f.ID, ref)); err != nil {
					t.Errorf("%s: %v", n.path, err)
				}
			}
		}
	}
}

func TestErrorsAreNamedAndDescribed(t *testing.T) {
	t.Parallel()
	upperCamel := regexp.MustCompile(`^([A-Z][a-z0-9]+)+$`)
	for _, f := range ours() {
		var errs []lexicon.SchemaError
		switch v := f.Defs["main"].Inner.(type) {
		case lexicon.SchemaQuery:
			errs = v.Errors
		case lexicon.SchemaProcedure:
			errs = v.Errors
		}
		seen := make(map[string]bool)
		for _, e := range errs {
			if !upperCamel.MatchString(e.Name) || seen[e.Name] {
				t.Errorf("%s: error %q", f.ID, e.Name)
			}
			if e.Description == nil || *e.Description == "" {
				t.Errorf("%s: error %s has no description", f.ID, e.Name)
			}
			seen[e.Name] = true
		}
	}
}

func TestPagedQueriesHaveACursorAndItsError(t *testing.T) {
	t.Parallel()
	for _, f := range ours() {
		q, ok := f.Defs["main"].Inner.(lexicon.SchemaQuery)
		if !ok || q.Parameters == nil {
			continue
		}
		if _, paged := q.Parameters.Properties["cursor"]; !paged {
			continue
		}
		output, ok := q.Output.Schema.Inner.(lexicon.SchemaObject)
		if _, returned := output.Properties["cursor"]; !ok || !returned {
			t.Errorf("%s takes a cursor and returns none", f.ID)
		}
		if !slices.ContainsFunc(q.Errors, func(e lexicon.SchemaError) bool { return e.Name == "InvalidCursor" }) {
			t.Errorf("%s does not name InvalidCursor", f.ID)
		}
		limit, ok := q.Parameters.Properties["limit"].Inner.(lexicon.SchemaInteger)
		if !ok || *limit.Minimum != 1 || *limit.Maximum != 100 || *limit.Default != 50 {
			t.Errorf("%s: limit is not 1 to 100 with a default of 50", f.ID)
		}
	}
}

func TestCollectionsAreTheRecordLexicons(t *testing.T) {
	t.Parallel()
	var records []syntax.NSID
	for _, f := range ours() {
		record, ok := f.Defs["main"].Inner.(lexicon.SchemaRecord)
		if !ok {
			continue
		}
		records = append(records, syntax.NSID(f.ID))
		if !slices.Contains(record.Record.Required, "createdAt") {
			t.Errorf("%s does not require createdAt", f.ID)
		}
	}
	if got := Collections(); !slices.Equal(got, records) {
		t.Errorf("collections %v, record lexicons %v", got, records)
	}
	for nsid, kind := range kinds {
		if got := kind.new().NSID(); got != nsid {
			t.Errorf("%s makes a %s", nsid, got)
		}
	}
}

// permissions lists what a set allows, as resource and NSID.
func permissions(t *testing.T, nsid string) []string {
	t.Helper()
	schema, err := Catalog().Resolve(nsid)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range schema.Def.(lexicon.SchemaPermissionSet).Permissions {
		for _, target := range slices.Concat(p.Collection, p.LXM) {
			if _, err := Catalog().Resolve(target); err != nil {
				t.Errorf("%s: %v", nsid, err)
			}
			list = append(list, p.Resource+" "+target)
		}
	}
	return list
}

func TestDevelopersMayAllThatBackersMay(t *testing.T) {
	t.Parallel()
	backer := permissions(t, "fund.stratos.authBacker")
	developer := permissions(t, "fund.stratos.authDeveloper")
	for _, p := range backer {
		if !slices.Contains(developer, p) {
			t.Errorf("authDeveloper lacks %s", p)
		}
	}
	for _, nsid := range Collections() {
		own := strings.HasPrefix(nsid.String(), "fund.stratos.escrow.")
		if slices.Contains(developer, "repo "+nsid.String()) == own {
			t.Errorf("authDeveloper and %s: an escrow signs its own records, people all others", nsid)
		}
		feature := strings.HasPrefix(nsid.String(), "fund.stratos.feature.")
		if slices.Contains(backer, "repo "+nsid.String()) != feature {
			t.Errorf("authBacker and %s", nsid)
		}
	}
}
