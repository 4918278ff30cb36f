package intake

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Hear has all that the processor tells by now of money that may be held looked at, before
// something is decided that nothing takes back: the platform's lists are read, so that a
// webhook that was lost is not missed, and whatever says that money may be gone is looked at
// now, also where that was put off. It returns an error of the outside (payments.Outside)
// when the processor does not say everything; any other is damage of ours. It does not wait
// for what is of money that is not held: what the ledger cannot place yet, and donations.
func (w *Worker) Hear(ctx context.Context) error {
	// Nor for a reading that is under way: who reads a list twice notes the same.
	if _, err := w.readLists(ctx, false); err != nil {
		return err
	}
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for more := true; more; {
		var err error
		if more, err = w.some(ctx, platformDue); err != nil {
			return err
		}
	}
	var list []*waiting
	err := w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = pressing(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	for _, one := range list {
		putOff, err := w.work(ctx, one)
		if err != nil {
			return err
		}
		if payments.Outside(putOff) {
			return fmt.Errorf("intake: look at %s %s: %w", one.kind, one.id, putOff)
		}
	}
	return nil
}

// pressing lists what waits on the platform's account, due or not, and may say that money is
// gone: warnings, chargebacks, and movements of the balance.
func pressing(ctx context.Context, q sqlite.Querier) ([]*waiting, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT id, account, kind, object, tries FROM hint INDEXED BY hint_waiting
		WHERE done_at IS NULL AND account = '' AND (kind = $1 OR kind = $2 OR kind = $3) ORDER BY received_at, id`,
		func(rows *sql.Rows) (*waiting, error) {
			var id string
			one := &waiting{}
			err := rows.Scan(&id, &one.account, &one.kind, &one.object.id, &one.tries)
			one.hints = []string{id}
			return one, err
		}, kindMovement, kindDispute, kindWarning)
	if err != nil {
		return nil, fmt.Errorf("intake: list what presses: %w", err)
	}
	return list, nil
}
