package oracle_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/oracle"
)

const (
	// usualSeeds is how many worlds a plain test run lives through.
	usualSeeds = 8
	// enoughSeeds is how many it takes until every fault must have fired.
	enoughSeeds = 100
	// toldPerWorld and againPerWorld are how much each world must let us judge
	// before a day has passed, on the average: who judges nothing finds nothing.
	toldPerWorld  = 5
	againPerWorld = 1
	// In a hundred worlds so many proposals must be a project's own by a claim, and
	// so many have been that until it expired.
	claimedPerHundred = 20
	expiredPerHundred = 5
)

// seeds are those that the environment asks for: ORACLE_SEED=x is that one,
// ORACLE_SEEDS=n the first n.
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
	if seed := number("ORACLE_SEED", 0); seed > 0 {
		return []uint64{seed}
	}
	var out []uint64
	for seed := range number("ORACLE_SEEDS", usualSeeds) {
		out = append(out, seed+1)
	}
	return out
}

// TestOracle lives through worlds and compares the index with the truth.
func TestOracle(t *testing.T) {
	asked := seeds(t)
	var mu sync.Mutex
	total := map[oracle.Fault]int{}
	told, again, claimed, expired := 0, 0, 0, 0
	var worlds errgroup.Group
	// Most of a world's time is waiting, so more of them run than there are
	// processors.
	worlds.SetLimit(4 * runtime.GOMAXPROCS(0))
	for _, seed := range asked {
		worlds.Go(func() error {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				report, err := oracle.Run(t.Context(), oracle.Options{Seed: seed, Folder: t.TempDir(), Log: logger(t)})
				if err != nil {
					t.Fatalf("%v\nreproduce: make oracle SEED=%d", err, seed)
				}
				mu.Lock()
				defer mu.Unlock()
				for f, n := range report.Fired {
					total[f] += n
				}
				told += report.Told
				again += report.Again
				claimed += report.Claimed
				expired += report.Expired
			})
			return nil // the subtest has said it
		})
	}
	_ = worlds.Wait() // see above
	t.Logf("%6d proposals were a project's own by a claim, %d until it expired", claimed, expired)
	if len(asked) >= enoughSeeds && (100*claimed < claimedPerHundred*len(asked) || 100*expired < expiredPerHundred*len(asked)) {
		t.Errorf("too few were about an address that somebody claims")
	}
	t.Logf("%6d statuses and revs judged because they were told, %d repositories after they were told of again", told, again)
	if len(asked) >= enoughSeeds && (told < toldPerWorld*len(asked) || again < againPerWorld*len(asked)) {
		t.Errorf("too few were judged before a day had passed")
	}
	for _, f := range oracle.Faults() {
		t.Logf("%6d  %s", total[f], f)
		if total[f] == 0 && len(asked) >= enoughSeeds {
			t.Errorf("no world saw the fault %q", f)
		}
	}
}

// logger writes what the indexer says beside the database, if asked to.
func logger(t *testing.T) *slog.Logger {
	folder := os.Getenv("ORACLE_LOGS")
	if folder == "" {
		return slog.New(slog.DiscardHandler)
	}
	f, err := os.Create(filepath.Join(folder, filepath.Base(t.Name())+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
