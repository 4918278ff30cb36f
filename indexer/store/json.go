package store

import (
	"database/sql"
	"encoding/json"
)

// jsonList makes a list one argument, for json_each.
func jsonList[T ~string | ~int64 | ~uint64](values []T) string {
	if values == nil {
		return "[]"
	}
	return jsonText(values)
}

// jsonText is a value of types that always marshal, as a column of JSON.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Optional fields of records, as columns.

func nullString(s *string) (out sql.NullString) {
	if s != nil {
		out = sql.NullString{String: *s, Valid: true}
	}
	return out
}

func orEmpty(s *string) string { return nullString(s).String }

func isTrue(b *bool) bool { return b != nil && *b }
