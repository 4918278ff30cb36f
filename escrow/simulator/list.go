package simulator

import (
	"errors"
	"slices"
	"strings"
)

const (
	defaultPage = 10
	maxPage     = 100
)

// page is an answer that is a list.
type page struct {
	Object  string           `json:"object"`
	URL     string           `json:"url"`
	HasMore bool             `json:"has_more"`
	Data    []map[string]any `json:"data"`
}

// filter is a parameter that lists of a kind take: the field of the stored object that
// must equal it.
type filter struct{ param, field string }

// list answers a list call: newest first, narrowed by created and the kind's filters.
func list[T any, P stored[T]](k kind, filters ...filter) handler {
	return func(t *tx, r *request) (any, error) {
		where, args := "kind = ? AND account = ?", []any{string(k), r.account}
		for _, f := range filters {
			if value := r.text(f.param); value != "" {
				where += " AND body ->> '$." + f.field + "' = ?"
				args = append(args, value)
			}
		}
		if types := r.list("types"); k == kindEvent && len(types) > 0 {
			where += " AND body ->> '$.type' IN (?" + strings.Repeat(", ?", len(types)-1) + ")"
			for _, name := range types {
				args = append(args, name)
			}
		}
		for param, operator := range map[string]string{"created": "=", "created[gt]": ">", "created[gte]": ">=", "created[lt]": "<", "created[lte]": "<="} {
			if at, ok := r.integer(param); ok {
				where += " AND created " + operator + " ?"
				args = append(args, at)
			}
		}
		return paged[T, P](t, r, k, where, args)
	}
}

// paged cuts one page out of the objects that where describes.
func paged[T any, P stored[T]](t *tx, r *request, k kind, where string, args []any) (*page, error) {
	limit, ok := r.integer("limit")
	if !ok {
		limit = defaultPage
	}
	if limit < 1 || limit > maxPage {
		r.fail(malformed("parameter_invalid_integer", "limit", "Invalid limit: must be between 1 and %d", maxPage))
	}
	after, before := r.text("starting_after"), r.text("ending_before")
	if after != "" && before != "" {
		r.fail(malformed("parameters_exclusive", "ending_before", "You may only specify one of these parameters: ending_before, starting_after."))
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	order := " ORDER BY seq DESC LIMIT ?"
	for _, border := range []struct{ param, id, comparison string }{{"starting_after", after, "<"}, {"ending_before", before, ">"}} {
		if border.id == "" {
			continue
		}
		if _, err := loadOf[T, P](t, k, r.account, border.param, border.id); err != nil {
			return nil, err
		}
		where += " AND seq " + border.comparison + " (SELECT seq FROM object WHERE id = ?)"
		args = append(args, border.id)
	}
	if before != "" {
		order = " ORDER BY seq LIMIT ?"
	}
	found, err := selectObjects[T, P](t, where+order, append(args, limit+1)...)
	if err != nil {
		return nil, err
	}
	answer := &page{Object: "list", URL: r.path, HasMore: int64(len(found)) > limit, Data: []map[string]any{}}
	found = found[:min(int64(len(found)), limit)]
	if before != "" {
		slices.Reverse(found)
	}
	for _, o := range found {
		shown, err := t.show(o)
		if err != nil {
			return nil, err
		}
		answer.Data = append(answer.Data, shown)
	}
	return answer, nil
}

// get answers a call for one object, whose id is in the path.
func get[T any, P stored[T]](k kind) handler {
	return func(t *tx, r *request) (any, error) {
		if err := r.done(); err != nil {
			return nil, err
		}
		return loadOf[T, P](t, k, r.account, "id", r.id)
	}
}

// expand replaces ids by the objects that they name, along a path like
// data.payment_intent.latest_charge.
func (t *tx) expand(shown map[string]any, path string) error {
	if len(strings.Split(path, ".")) > maxExpandDepth {
		return malformed("", "expand", "You cannot expand more than %d levels of a property. Property: %s", maxExpandDepth, path)
	}
	return t.expandBelow(shown, path, path)
}

func (t *tx) expandBelow(shown map[string]any, rest, whole string) error {
	field, below, deeper := strings.Cut(rest, ".")
	if elements, ok := shown["data"].([]map[string]any); ok && field == "data" && deeper {
		for _, element := range elements {
			if err := t.expandBelow(element, below, whole); err != nil {
				return err
			}
		}
		return nil
	}
	name, _ := shown["object"].(string)
	if !slices.Contains(expandable[kind(name)], field) {
		return malformed("", "expand[]", "This property cannot be expanded (%s).", whole)
	}
	if id, ok := shown[field].(string); ok {
		o, err := t.anywhere(id)
		if errors.Is(err, errAbsent) { // names what the simulator does not keep
			return malformed("", "expand[]", "The simulator cannot expand this property (%s).", whole)
		}
		if err != nil {
			return err
		}
		if shown[field], err = t.show(o); err != nil {
			return err
		}
	}
	if next, ok := shown[field].(map[string]any); ok && deeper {
		return t.expandBelow(next, below, whole)
	}
	return nil
}
