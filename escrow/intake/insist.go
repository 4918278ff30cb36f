package intake

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Insist works off all that can be, and then looks at once at what was put off and may say
// that money moved: a ledger that does not know what it sent would send it again. It returns
// an error of the outside (payments.Outside) when the processor does not say everything; any
// other is damage of ours. What the ledger cannot place yet, it does not wait for: that is of
// money which is not there, and nothing is sent out of it.
func (w *Worker) Insist(ctx context.Context) error {
	if err := w.Drain(ctx); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		var list []*waiting
		err := w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			list, err = due(ctx, q, platformDue, time.UnixMilli(math.MaxInt64), math.MaxInt)
			return err
		})
		if err != nil {
			return err
		}
		worked := 0
		for _, one := range list {
			if !one.moves() {
				continue
			}
			putOff, err := w.work(ctx, one)
			if err != nil {
				return err
			}
			if payments.Outside(putOff) {
				return fmt.Errorf("intake: look at %s %s: %w", one.kind, one.object.id, putOff)
			}
			if putOff == nil {
				worked++
			}
		}
		if worked == 0 {
			return nil
		}
		// What was worked off may be what another one waited for.
	}
}

// moves tells whether an object of the platform's may say that money moved, or has to.
func (o object) moves() bool {
	return slices.Contains([]string{kindRefund, kindTransfer, kindMovement, kindDispute, kindWarning}, o.kind)
}
