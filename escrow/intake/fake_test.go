package intake

import (
	"context"
	"iter"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

type querier = sqlite.Querier

// moved is a processor with one more movement.
type moved struct {
	payments.Processor
	more payments.Movement
}

func (m moved) Movement(ctx context.Context, id payments.MovementID) (payments.Movement, error) {
	if id == m.more.ID {
		return m.more, nil
	}
	return m.Processor.Movement(ctx, id)
}

func noting(o object) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error { return note(ctx, tx, o) }
}

// payees remembers of which accounts it was told.
type payees struct{ told []payments.AccountID }

func (p *payees) Observe(_ context.Context, id payments.AccountID) error {
	p.told = append(p.told, id)
	return nil
}

// silent is a processor without events.
type silent struct{ payments.Processor }

func (silent) Hints(context.Context, payments.HintQuery) iter.Seq2[payments.Hint, error] {
	return func(func(payments.Hint, error) bool) {}
}
