package appview

import (
	"context"
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

// statsKeeper keeps the last numbers, whatever is written meanwhile. Who holds its turn may look at them, and
// count anew; the others wait without a reader of the store, which has few.
type statsKeeper struct {
	turn chan struct{}
	out  *stratos.GetStats_Output // nil before the first
	at   time.Time
}

func newStatsKeeper() statsKeeper { return statsKeeper{turn: make(chan struct{}, 1)} }

// get returns what was counted at most [statsHold] ago. Of many who ask one
// counts; when it gives up, the next one does. Nobody may change the answer.
func (k *statsKeeper) get(ctx context.Context, now func() time.Time, count func(context.Context) (*stratos.GetStats_Output, time.Time, error)) (*stratos.GetStats_Output, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if age := now().Sub(k.at); k.out != nil && age >= 0 && age < statsHold {
		return k.out, nil
	}
	out, at, err := count(ctx)
	if err != nil {
		return nil, err
	}
	k.out, k.at = out, at
	return out, nil
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
