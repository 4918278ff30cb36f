package lexicons

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bluesky-social/indigo/atproto/lexicon"

	"github.com/stratosfund/stratosfund/lexicons/internal/schemafile"
)

//go:embed com fund
var embedded embed.FS

type loaded struct {
	catalog *lexicon.BaseCatalog
	schemas []lexicon.SchemaFile
}

// load panics when a lexicon is broken: they are part of the program, and nothing
// that depends on them can run.
var load = sync.OnceValue(func() loaded {
	files, err := schemafile.Load(embedded, "com", "fund")
	if err != nil {
		panic(fmt.Sprintf("lexicons: %v", err))
	}
	catalog := lexicon.NewBaseCatalog()
	for _, f := range files {
		if err := catalog.AddSchemaFile(f); err != nil {
			panic(fmt.Sprintf("lexicons: add %s: %v", f.ID, err))
		}
	}
	slices.SortFunc(files, func(a, b lexicon.SchemaFile) int { return strings.Compare(a.ID, b.ID) })
	return loaded{catalog, files}
})

// Catalog returns all lexicons for validation, built once. It resolves nothing from
// the network: a reference to a lexicon that is not embedded is an error.
func Catalog() lexicon.Catalog { return load().catalog }

// Schemas returns all lexicons sorted by NSID, those of com.atproto included that
// ours refer to.
func Schemas() []lexicon.SchemaFile { return slices.Clone(load().schemas) }
