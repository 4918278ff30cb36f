package escrow

import (
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// Methods lists the queries and procedures that an escrow declares.
func Methods() []syntax.NSID {
	var out []syntax.NSID
	for _, file := range lexicons.Schemas() {
		if !strings.HasPrefix(file.ID, "fund.stratos.escrow.") {
			continue
		}
		switch file.Defs["main"].Inner.(type) {
		case lexicon.SchemaQuery, lexicon.SchemaProcedure:
			out = append(out, syntax.NSID(file.ID))
		}
	}
	return out
}

// stamp is a time as records and views say it.
func stamp(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }
