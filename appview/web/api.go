package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// apiPage is the API as its lexicons describe it.
type apiPage struct {
	Base    string
	Methods []apiMethod
	Records []apiRecord
}

// apiMethod is a query that one can try.
type apiMethod struct {
	NSID, Short, Description string
	Params                   []apiParam
	Errors                   []apiError
}

type apiParam struct {
	Name, Kind, Description string
	Required, Many          bool
	Known                   []string
}

type apiError struct{ Name, Description string }

// apiRecord is a collection that is indexed.
type apiRecord struct{ NSID, Description string }

// escrows have methods of their own, which an AppView does not answer.
const escrows = "escrow.stratos.fund"

func (s *Site) apiPage(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "api", head{
		Path: "/api", Description: "Every query of this service, with its parameters, to try in the browser.",
	}, apiPage{Base: s.base, Methods: s.methods, Records: describeRecords()})
}

// describeMethods reads the lexicons of the queries.
func describeMethods() ([]apiMethod, error) {
	var out []apiMethod
	for _, file := range lexicons.Schemas() {
		query, ok := file.Defs["main"].Inner.(lexicon.SchemaQuery)
		nsid := syntax.NSID(file.ID)
		if !ok || nsid.Authority() == escrows || !strings.HasPrefix(file.ID, "fund.stratos.") {
			continue
		}
		m := apiMethod{NSID: file.ID, Short: strings.TrimPrefix(file.ID, "fund.stratos.")}
		if query.Description != nil {
			m.Description = *query.Description
		}
		if query.Parameters != nil {
			for _, name := range slices.Sorted(maps.Keys(query.Parameters.Properties)) {
				p, err := describeParam(name, query.Parameters)
				if err != nil {
					return nil, fmt.Errorf("web: describe %s: %w", file.ID, err)
				}
				m.Params = append(m.Params, p)
			}
			slices.SortStableFunc(m.Params, func(a, b apiParam) int { // what is required comes first
				switch {
				case a.Required == b.Required:
					return 0
				case a.Required:
					return -1
				}
				return 1
			})
		}
		for _, e := range query.Errors {
			made := apiError{Name: e.Name}
			if e.Description != nil {
				made.Description = *e.Description
			}
			m.Errors = append(m.Errors, made)
		}
		out = append(out, m)
	}
	return out, nil
}

func describeParam(name string, params *lexicon.SchemaParams) (apiParam, error) {
	p := apiParam{Name: name, Required: slices.Contains(params.Required, name)}
	inner := params.Properties[name].Inner
	if array, ok := inner.(lexicon.SchemaArray); ok {
		p.Many, inner = true, array.Items.Inner
		if array.Description != nil {
			p.Description = *array.Description
		}
	}
	var description *string
	switch schema := inner.(type) {
	case lexicon.SchemaString:
		p.Kind, p.Known, description = "text", append(slices.Clone(schema.KnownValues), schema.Enum...), schema.Description
		if schema.Format != nil {
			p.Kind = *schema.Format
		}
	case lexicon.SchemaInteger:
		p.Kind, description = "number", schema.Description
	case lexicon.SchemaBoolean:
		p.Kind, description = "true or false", schema.Description
	default:
		return p, fmt.Errorf("the parameter %s is a %T", name, inner)
	}
	if p.Description == "" && description != nil {
		p.Description = *description
	}
	return p, nil
}

// describeRecords reads the lexicons of what is indexed.
func describeRecords() []apiRecord {
	var out []apiRecord
	for _, file := range lexicons.Schemas() {
		record, ok := file.Defs["main"].Inner.(lexicon.SchemaRecord)
		if !ok {
			continue
		}
		r := apiRecord{NSID: file.ID}
		if record.Description != nil {
			r.Description = *record.Description
		}
		out = append(out, r)
	}
	return out
}
