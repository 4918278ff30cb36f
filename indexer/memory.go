package indexer

import (
	"os"
	"runtime/debug"
)

// garbage is how much garbage may collect, in percent of what lives.
const garbage = 400

// RelaxGC lets more garbage collect than Go's default before it is looked for: an
// index keeps little in memory and makes much garbage, so this costs some tens of
// megabytes and saves a tenth of the work. It is for main functions, and gives
// way to what the operator set (GOGC).
func RelaxGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}
