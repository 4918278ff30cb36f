package store

import "encoding/json"

// jsonList makes a list of identifiers one argument, for json_each.
func jsonList[T ~string](values []T) string {
	if values == nil {
		return "[]"
	}
	b, err := json.Marshal(values)
	if err != nil { // a slice of strings always marshals
		panic(err)
	}
	return string(b)
}
