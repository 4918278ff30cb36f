package ledger

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// Properties run a few dozen times here; -rapid.checks asks for more.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "30"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}
