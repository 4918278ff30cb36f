package appview

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// statsHold is how old the numbers may be; the lexicon says so. Counting reads
// whole indexes.
const statsHold = time.Minute

const methodGetStats = "fund.stratos.getStats"

type getStatsParams struct{}

// getStats answers fund.stratos.getStats.
func (a *API) getStats(ctx context.Context, _ getStatsParams) (*stratos.GetStats_Output, error) {
	return a.stats.get(ctx, a.store.Now, a.countStats)
}

// statsKeeper keeps the last numbers, whatever is written meanwhile. Who holds its turn may
// count anew; the others wait without a reader of the store, which has few.
type statsKeeper struct {
	turn chan struct{}
	last atomic.Pointer[countedStats] // nil before the first
	// wanted tells who counts beside those who ask that somebody saw numbers; there is
	// somebody as long as beside is true.
	wanted chan struct{}
	beside atomic.Bool
}

// countedStats are numbers, and when they were counted. Nobody may change them.
type countedStats struct {
	out *stratos.GetStats_Output
	at  time.Time
}

// countStats is how they are counted.
type countStats func(context.Context) (*stratos.GetStats_Output, time.Time, error)

func newStatsKeeper() *statsKeeper {
	return &statsKeeper{turn: make(chan struct{}, 1), wanted: make(chan struct{}, 1)}
}

func (c *countedStats) holds(now time.Time) bool {
	if c == nil {
		return false
	}
	age := now.Sub(c.at)
	return age >= 0 && age < statsHold
}

// get returns what was counted at most [statsHold] ago. Of many who ask one
// counts; when it gives up, the next one does.
func (k *statsKeeper) get(ctx context.Context, now func() time.Time, count countStats) (*stratos.GetStats_Output, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if last := k.last.Load(); last.holds(now()) {
		return last.out, nil
	}
	out, at, err := count(ctx)
	if err != nil {
		return nil, err
	}
	k.last.Store(&countedStats{out, at})
	return out, nil
}

// seen returns the last numbers, however old, for who would rather not wait. Only the first
// one has to.
func (k *statsKeeper) seen(ctx context.Context, now func() time.Time, count countStats) (*stratos.GetStats_Output, error) {
	last := k.last.Load()
	if last == nil || !k.beside.Load() {
		return k.get(ctx, now, count)
	}
	select {
	case k.wanted <- struct{}{}:
	default: // somebody said so already
	}
	return last.out, nil
}

// keep counts anew whenever somebody saw numbers that are old, until ctx ends.
func (k *statsKeeper) keep(ctx context.Context, now func() time.Time, count countStats) error {
	k.beside.Store(true)
	defer k.beside.Store(false)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wanted:
		}
		if _, err := k.get(ctx, now, count); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// KeepStats counts the numbers that pages show beside those who look at them, until ctx
// ends. Without it they are counted by whoever asks when they are old.
func (a *API) KeepStats(ctx context.Context) error {
	return a.stats.keep(ctx, a.store.Now, a.countStats)
}

func (a *API) countStats(ctx context.Context) (out *stratos.GetStats_Output, at time.Time, err error) {
	err = a.store.Read(ctx, func(r *store.Reader) error {
		at = r.Now()
		stats, err := r.Stats(ctx)
		out = statsView(stats, at)
		return err
	})
	return out, at, err
}
