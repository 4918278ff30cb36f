package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"golang.org/x/tools/imports"
)

// recordMethods writes the methods that all record types have in common, so that
// other packages can take any record without a switch over all of them.
func recordMethods(files []lexicon.SchemaFile) ([]byte, error) {
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "// %s\n\npackage fundstratos\n\n", warning)
	fmt.Fprintf(&buf, "import %q\n", "github.com/bluesky-social/indigo/atproto/syntax")
	for _, f := range files {
		if _, ok := f.Defs["main"].Inner.(lexicon.SchemaRecord); !ok {
			continue
		}
		name := recordType(f.ID)
		fmt.Fprintf(&buf, "\n// NSID returns the record's collection: %s.\n", f.ID)
		fmt.Fprintf(&buf, "func (*%s) NSID() syntax.NSID { return %q }\n", name, f.ID)
		fmt.Fprintf(&buf, "\n// GetCreatedAt returns the field createdAt as it is in the record.\n")
		fmt.Fprintf(&buf, "func (r *%s) GetCreatedAt() string { return r.CreatedAt }\n", name)
	}
	return imports.Process("records.go", buf.Bytes(), nil)
}

// recordType is the Go name of a record: FeatureProposal for
// fund.stratos.feature.proposal. The compiler notices if lexgen ever disagrees.
func recordType(nsid string) string {
	var name strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(nsid, namespace), ".") {
		name.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return name.String()
}
