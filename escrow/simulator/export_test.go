package simulator

import (
	"maps"
	"slices"
)

// Calls lists the routes of the API.
func Calls() []string { return slices.Sorted(maps.Keys(calls)) }
