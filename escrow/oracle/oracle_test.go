package oracle_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/oracle"
)

const (
	// usualSeeds is how many worlds a plain test run lives through.
	usualSeeds = 2
	// enoughSeeds is how many it takes until every fault must have happened.
	enoughSeeds = 60
)

// TestMain is the escrow when a world asks for it.
func TestMain(m *testing.M) {
	if asked, err := oracle.Serve(); asked {
		if err != nil {
			fmt.Fprintln(os.Stderr, "escrow:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// seeds are those that the environment asks for: ESCROW_ORACLE_SEED=x is that one,
// ESCROW_ORACLE_SEEDS=n the first n.
func seeds(t *testing.T) []uint64 {
	t.Helper()
	number := func(name string, otherwise uint64) uint64 {
		raw, ok := os.LookupEnv(name)
		if !ok {
			return otherwise
		}
		n, err := strconv.ParseUint(raw, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	if seed := number("ESCROW_ORACLE_SEED", 0); seed > 0 {
		return []uint64{seed}
	}
	var out []uint64
	for seed := range number("ESCROW_ORACLE_SEEDS", usualSeeds) {
		out = append(out, seed+1)
	}
	return out
}

// folder is for the files of a world; they are kept if the environment says where.
func folder(t *testing.T, seed uint64) string {
	kept := os.Getenv("ESCROW_ORACLE_KEEP")
	if kept == "" {
		return t.TempDir()
	}
	return filepath.Join(kept, fmt.Sprint("seed-", seed))
}

// TestOracle lives through worlds and judges each. With -failfast, the first that is wrong
// ends the others.
func TestOracle(t *testing.T) {
	asked := seeds(t)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	failFast := flag.Lookup("test.failfast").Value.String() == "true"
	var mu sync.Mutex
	fired, ends, reasons, lives := map[oracle.Fault]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	pledges, paid := 0, 0
	var worlds errgroup.Group
	// Most of a world's time is waiting, so more of them run than there are processors.
	worlds.SetLimit(6 * runtime.GOMAXPROCS(0))
	for _, seed := range asked {
		worlds.Go(func() error {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				report, err := oracle.Run(ctx, oracle.Options{Seed: seed, Folder: folder(t, seed)})
				if ctx.Err() != nil {
					t.Skip("another world is wrong")
				}
				if err != nil {
					if failFast {
						end()
					}
					t.Fatalf("%v\nreproduce: make oracle-escrow SEED=%d", err, seed)
				}
				mu.Lock()
				defer mu.Unlock()
				add(fired, report.Fired)
				add(ends, report.Ends)
				add(reasons, report.Reasons)
				add(lives, report.Lives)
				pledges, paid = pledges+report.Pledges, paid+report.Paid
			})
			return nil // the subtest has said it
		})
	}
	_ = worlds.Wait() // see above
	t.Logf("%d pledges, %d paid; ends %v; reasons %v; attempts %v", pledges, paid, ends, reasons, lives)
	for _, f := range oracle.Faults() {
		t.Logf("%6d  %s", fired[f], f)
		if fired[f] == 0 && len(asked) >= enoughSeeds {
			t.Errorf("no world saw the fault %q", f)
		}
	}
}

func add[K comparable](to, more map[K]int) {
	for k, n := range more {
		to[k] += n
	}
}
