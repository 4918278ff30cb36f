package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// figures are what one contender did with so many writers.
type figures struct {
	entries   int
	commits   int
	took      time.Duration
	cpu       time.Duration
	latencies []time.Duration
}

func (f *figures) add(g figures) {
	f.entries += g.entries
	f.commits += g.commits
	f.took += g.took
	f.cpu += g.cpu
	f.latencies = append(f.latencies, g.latencies...)
}

func (f *figures) perSecond() float64 { return float64(f.entries) / f.took.Seconds() }

func (f *figures) cpuEach() int64 { return (f.cpu / time.Duration(max(1, f.entries))).Microseconds() }

func (f *figures) percentile(p float64) time.Duration {
	slices.Sort(f.latencies)
	return f.latencies[int(p*float64(len(f.latencies)-1))]
}

// round lets so many writers post for a while, each its next entry once the one
// before is durable.
func round(ctx context.Context, writers int, length time.Duration, next *atomic.Int64, post func(context.Context, int64) error) (figures, error) {
	var f figures
	var mu sync.Mutex
	begin, spent := time.Now(), cpuTime()
	g, ctx := errgroup.WithContext(ctx)
	for range writers {
		g.Go(func() error {
			var mine []time.Duration
			for time.Since(begin) < length {
				at := time.Now()
				if err := post(ctx, next.Add(1)); err != nil {
					return err
				}
				mine = append(mine, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			f.latencies = append(f.latencies, mine...)
			return nil
		})
	}
	err := g.Wait()
	f.took, f.cpu, f.entries = time.Since(begin), cpuTime()-spent, len(f.latencies)
	return f, err
}

// cpuTime is what this process has used so far, in itself and in the kernel.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // never, for oneself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
