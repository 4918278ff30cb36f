package store

import "encoding/json"

// jsonList makes a list one argument, for json_each.
func jsonList[T ~string | ~int64](values []T) string {
	if values == nil {
		return "[]"
	}
	b, err := json.Marshal(values)
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return string(b)
}
