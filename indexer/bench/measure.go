package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

const (
	// readyWithin and doneWithin bound the waiting for a contender.
	readyWithin = 5 * time.Minute
	doneWithin  = 10 * time.Minute
	// settleWithin is how long a result that is not complete may take to become
	// so: a repair that is under way counts as complete, late as it is.
	settleWithin = 15 * time.Second
)

// Figures are what one run, or the medians of several, cost.
type Figures struct {
	Events  int
	Elapsed time.Duration
	CPU     time.Duration
	Peak    int64 // bytes
}

// PerSecond is how many events a second were applied.
func (f Figures) PerSecond() float64 { return float64(f.Events) / f.Elapsed.Seconds() }

// PerEvent is the CPU time of one event.
func (f Figures) PerEvent() time.Duration { return f.CPU / time.Duration(f.Events) }

// Measure runs a contender on the feed once. It returns the figures together
// with an error when the result is not complete, and none when the contender did
// not get to the end.
func Measure(ctx context.Context, feed *Feed, c Contender) (f Figures, err error) {
	dir, err := os.MkdirTemp("", "bench-"+c.Name()+"-")
	if err != nil {
		return f, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	up, err := NewUpstream(feed)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, up.Close()) }()
	r, err := c.start(ctx, dir, up)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.close()) }()

	p := r.process()
	err = p.until(ctx, "ready", 50*time.Millisecond, readyWithin, func() (bool, error) { return r.ready(ctx) })
	if err != nil {
		return f, err
	}
	if err := r.begin(); err != nil {
		return f, fmt.Errorf("bench: %w", err)
	}
	before, err := p.cpu()
	if err != nil {
		return f, err
	}
	began := time.Now()
	up.Open()
	if err := p.until(ctx, "done", r.poll(), doneWithin, func() (bool, error) { return r.done(ctx) }); err != nil {
		return f, err
	}
	f.Events, f.Elapsed = feed.Events(), time.Since(began)
	after, err1 := p.cpu()
	held, err2 := p.memory()
	f.CPU, f.Peak = after-before, held.peak
	return f, errors.Join(err1, err2, settled(ctx, feed.Want, c.Name(), p, r.records))
}

// settled compares the records that a process has left with what it should.
func settled(ctx context.Context, want map[syntax.ATURI]string, name string, p *process,
	records func(context.Context) (map[syntax.ATURI]string, error),
) error {
	var d difference
	err := p.until(ctx, "complete", 200*time.Millisecond, settleWithin, func() (bool, error) {
		got, err := records(ctx)
		if err != nil || got == nil {
			return got == nil, err
		}
		d = compare(want, got)
		return d == difference{}, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s: of %d records %d are missing, %d wrong, %d too many",
			errIncomplete, name, len(want), d.missing, d.wrong, d.extra)
	}
	return err
}

// Median takes the middle of each figure by itself.
func Median(runs []Figures) Figures {
	middle := func(of func(Figures) int64) int64 {
		values := make([]int64, 0, len(runs))
		for _, f := range runs {
			values = append(values, of(f))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return Figures{
		Events:  runs[0].Events,
		Elapsed: time.Duration(middle(func(f Figures) int64 { return int64(f.Elapsed) })),
		CPU:     time.Duration(middle(func(f Figures) int64 { return int64(f.CPU) })),
		Peak:    middle(func(f Figures) int64 { return f.Peak }),
	}
}
