package restored

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// A comparison that could not be made, or failed, is made again: soon at first, then after
// up to longest.
const (
	again   = time.Second
	longest = 10 * time.Second
	// doublings are enough to come there.
	doublings = 4
)

// Repository is what the escrow has published.
type Repository interface {
	Ahead(context.Context) ([]repo.Ahead, error)
}

// Intake reads the processor's lists and works them off.
type Intake interface {
	SyncSessions(ctx context.Context, full bool) error
	Sync(ctx context.Context, full bool) ([]intake.Read, error)
	Drain(context.Context) error
}

// Guard lets nothing go out before the ledger knows what was published.
type Guard struct {
	store      *store.Store
	ledger     *ledger.Ledger
	repository Repository
	intake     Intake // nil without a processor
	log        *slog.Logger
	done       chan struct{}
	once       sync.Once
}

// New wires a guard; in may be nil when there is no processor to catch up with.
func New(s *store.Store, l *ledger.Ledger, r Repository, in Intake, log *slog.Logger) *Guard {
	return &Guard{store: s, ledger: l, repository: r, intake: in, log: log.With("component", "restored"), done: make(chan struct{})}
}

// Raise lets everything stand still until the comparison was made. It belongs before
// everything else that a process does.
func (g *Guard) Raise(ctx context.Context) error {
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return halt.Stop(ctx, tx, halt.Behind, "what was published was not compared with the ledger yet")
	})
}

// Done is closed once the ledger knows what was published.
func (g *Guard) Done() <-chan struct{} { return g.done }

// Run compares, and catches up, until the ledger knows what was published or ctx ends,
// and then returns nil. Any other end is damage of ours.
func (g *Guard) Run(ctx context.Context) error {
	for tries := 0; ; tries++ {
		done, err := g.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || done {
			return err
		}
		timer := time.NewTimer(min(longest, again<<min(tries, doublings)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Pass compares, and catches up once if need be. Done says that the ledger knows what was
// published; trouble outside is for a later pass.
func (g *Guard) Pass(ctx context.Context) (done bool, err error) {
	ahead, err := g.compare(ctx)
	switch {
	case err != nil && (payments.Outside(err) || repo.Outside(err)):
		g.log.Warn("what was published cannot be compared with the ledger now", "err", err)
		return false, nil
	case err != nil:
		return false, err
	case len(ahead) > 0:
		for _, a := range ahead {
			g.log.Error("a published receipt tells more than the ledger knows", "pledge", a.Pledge, "status", a.Status, "reason", a.Reason, "at", a.At)
		}
		return false, nil
	}
	err = g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return halt.Clear(ctx, tx, halt.Behind, "the ledger knows what was published")
	})
	if err != nil {
		return false, err
	}
	g.once.Do(func() { close(g.done) })
	return true, nil
}

// compare brings the ledger to what the receipts and the processor know, and returns which
// receipts are ahead of it even so. What the processor did since this database last heard
// of it is heard in any case: not each order that a restored database has forgotten shows
// in a receipt, and none may be sent again.
func (g *Guard) compare(ctx context.Context) ([]repo.Ahead, error) {
	ahead, err := g.repository.Ahead(ctx)
	if err != nil {
		return nil, err
	}
	behind := len(ahead) > 0
	if behind {
		if err := g.stop(ctx, ahead); err != nil {
			return nil, err
		}
	}
	if g.intake == nil {
		return ahead, nil
	}
	// Sessions first, with their charges: what went back presupposes them, and why.
	if err := g.intake.SyncSessions(ctx, behind); err != nil {
		return nil, err
	}
	if err := g.intake.Drain(ctx); err != nil {
		return nil, err
	}
	for _, a := range ahead {
		if err := g.decideAgain(ctx, a); err != nil {
			return nil, err
		}
	}
	if _, err := g.intake.Sync(ctx, behind); err != nil {
		return nil, err
	}
	if err := g.intake.Drain(ctx); err != nil || !behind {
		return nil, err
	}
	return g.repository.Ahead(ctx)
}

// stop says that the ledger is behind.
func (g *Guard) stop(ctx context.Context, ahead []repo.Ahead) error {
	g.log.Error("the ledger is behind what was published: it was restored from a backup, and catches up before anything else happens", "receipts", len(ahead))
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return halt.Stop(ctx, tx, halt.Behind, fmt.Sprintf("%d published receipts tell more than the ledger knows", len(ahead)))
	})
}

// decideAgain decides what a receipt says was decided: the escrow has signed it.
func (g *Guard) decideAgain(ctx context.Context, a repo.Ahead) error {
	if !a.Returning() || !slices.Contains(ledger.Reasons(), a.Reason) {
		return nil
	}
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		ours, err := ledger.ReceiptState(ctx, tx, a.Pledge)
		if errors.Is(err, ledger.ErrNotFound) {
			return nil // its session was not adopted; it stays ahead
		}
		if err != nil || ours.Status != lifecycle.ReceiptHeld {
			return err
		}
		g.log.Warn("a refund is decided again, as its receipt says", "pledge", a.Pledge, "hold", ours.Hold, "amount", ours.Value, "reason", a.Reason)
		return g.ledger.DecideRefund(ctx, tx, ours.Hold, a.Reason)
	})
}
