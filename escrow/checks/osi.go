package checks

import (
	_ "embed"
	"strings"
)

// osiList are the licences of the SPDX licence list 3.28.0 that the Open Source Initiative
// has approved, one a line.
//
//go:embed osi.txt
var osiList string

// osiApproved is what is open, by family.
var osiApproved = func() map[string]bool {
	approved := map[string]bool{}
	for _, id := range strings.Fields(osiList) {
		approved[family(id)] = true
	}
	return approved
}()

// family is what the identifiers of one text have in common: whether later versions may be
// chosen is not said in the text.
func family(id string) string {
	for _, end := range []string{"-only", "-or-later", "+"} {
		id = strings.TrimSuffix(id, end)
	}
	return id
}
