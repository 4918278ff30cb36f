package store

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// The world of the benchmarks: every account has one proposal, and estimates
// those of the others in turn.
const (
	benchAccounts  = 1000
	benchEstimates = 4 // of each proposal, before the clock runs
)

func benchDID(n int) syntax.DID { return syntax.DID(fmt.Sprintf("did:plc:%024d", n%benchAccounts)) }

// benchWorld has the proposals with some estimates, derived.
func benchWorld(b *testing.B) *world {
	b.Helper()
	w := newWorld(b, openTestStore(b, b.TempDir()+"/index.db", trusting, newClock()))
	b.Cleanup(func() { mustClose(b, w.s) })
	var changes []Change
	for n := range benchAccounts {
		p := w.join(benchDID(n))
		changes = append(changes, p.commit([]Record{
			project(b, p.did, "p"),
			proposal(b, p.did, 1, onProject(projectURI(p.did, "p")), nil),
		}))
	}
	for n := range benchAccounts * benchEstimates {
		changes = append(changes, benchEstimate(b, w, n))
	}
	w.apply(changes...)
	return w
}

// benchEstimate is a commit with an estimate that is new.
func benchEstimate(b *testing.B, w *world, n int) Change {
	b.Helper()
	p := w.peers[benchDID(n/benchAccounts+n)] // in each round another estimator
	return p.commit([]Record{estimate(b, p.did, n, proposalURI(benchDID(n), 1), 100+int64(n%900), "USD", nil)})
}

// perEvent measures until the benchmark ends what one event costs. The CPU time
// is of the whole process: collector and threads of the database included.
func perEvent(b *testing.B, events int) (stop func()) {
	b.Helper()
	cpu := func() time.Duration {
		var use syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
			b.Fatal(err)
		}
		return time.Duration(use.Utime.Nano() + use.Stime.Nano())
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	return func() {
		b.StopTimer()
		perOne := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(events) }
		b.ReportMetric(perOne(b.Elapsed()), "us/event")
		b.ReportMetric(perOne(cpu()-before), "cpu-us/event")
	}
}

// BenchmarkApply applies commits with one new estimate each, of a proposal that
// exists, and derives what follows: at once or, behind, in the end. An operation
// is one transaction.
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		length int
		behind bool
	}{{1, false}, {256, false}, {1024, true}} {
		b.Run(fmt.Sprintf("batch=%d,behind=%t", c.length, c.behind), func(b *testing.B) {
			w, length := benchWorld(b), c.length
			w.behind = c.behind
			batches := make([][]Change, b.N)
			for i := range batches {
				for range length {
					batches[i] = append(batches[i], benchEstimate(b, w, benchAccounts*benchEstimates+i*length+len(batches[i])))
				}
			}
			defer perEvent(b, b.N*length)()
			for _, changes := range batches {
				w.apply(changes...)
			}
			mustDrain(b, w.s)
		})
	}
}

// BenchmarkDerive derives proposals of which nothing changed. An operation is
// as many as one transaction takes.
func BenchmarkDerive(b *testing.B) {
	w := benchWorld(b)
	defer perEvent(b, b.N*deriveAtOnce)()
	for range b.N {
		mustExec(b, w.s, `INSERT INTO dirty_proposal (uri) SELECT uri FROM proposal ORDER BY uri LIMIT $1`, deriveAtOnce)
		if _, err := w.s.DeriveStale(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
