package checkout

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
)

// Config is what an operator decides.
type Config struct {
	// DID is the escrow, and Mode whose money it is.
	DID  syntax.DID
	Mode payments.Mode
	// PublicURL is where payers come back to: the escrow's own pages.
	PublicURL string
	// Local allows to return to http on this machine, where everything is.
	Local bool
	// Costs is what a payment may cost the float.
	Costs Costs
	// Key signs acknowledgements.
	Key *Key
}

// Processor is what is asked of the payment processor.
type Processor interface {
	payments.Checkouts
	Account(context.Context, payments.AccountID) (payments.Account, error)
}

// Proofs fetches what an author has signed.
type Proofs interface {
	Fetch(context.Context, syntax.ATURI) (proof.Proof, error)
}

// Parts are what a desk stands on.
type Parts struct {
	Store     *store.Store
	Ledger    *ledger.Ledger
	Repo      *repo.Repo
	Index     *index.Store
	Processor Processor
	Proofs    Proofs
	// Donee finds the account at the processor of somebody who receives donations. It
	// returns ErrNoAccount for who has none.
	Donee func(context.Context, syntax.DID) (payments.AccountID, error)
	// Halted is why nothing is taken in, in a sentence for people; nil while it is.
	Halted func(context.Context, sqlite.Querier) error
	// Alarm is told, in a transaction, of money that does not fit: no other money may go
	// out until a person has looked.
	Alarm func(ctx context.Context, tx *store.Tx, detail string) error

	Log   *slog.Logger
	Clock func() time.Time
	// Registry receives the metrics; nil means none.
	Registry prometheus.Registerer
	// Crash is told of the moments at which the process may die. Nil in production.
	Crash crashpoint.Hook
}

// Desk is where people come to pay.
type Desk struct {
	cfg Config
	Parts
	carrier *intent.Carrier
	locks   locks
	metrics *metrics
}

// New returns a desk. It starts nothing.
func New(cfg Config, p Parts) *Desk {
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	p.Log = p.Log.With("component", "checkout")
	return &Desk{cfg: cfg, Parts: p, carrier: intent.NewCarrier(p.Store, p.Crash), locks: newLocks(), metrics: newMetrics(p.Registry)}
}

// PayURL is the page of a payment, before it is paid.
func (d *Desk) PayURL(id ledger.HoldID) string { return d.cfg.PublicURL + "/pay/" + string(id) }

// PaidURL is the page that shows where a payment stands.
func (d *Desk) PaidURL(id ledger.HoldID) string { return d.cfg.PublicURL + "/paid/" + string(id) }

// locks let one goroutine at a time speak to the processor about a payment. Two payments
// may share a lock, which only costs time.
type locks struct {
	seed    maphash.Seed
	stripes *[256]lock
}

type lock struct {
	turn   chan struct{} // whoever holds it speaks
	queued atomic.Int32  // payers who hold it, or wait for it
	// glanced is what a page asked about last, and when; for who holds the turn.
	glanced   ledger.HoldID
	glancedAt time.Time
}

func newLocks() locks {
	l := locks{maphash.MakeSeed(), new([256]lock)}
	for i := range l.stripes {
		l.stripes[i].turn = make(chan struct{}, 1)
	}
	return l
}

func (l locks) of(id ledger.HoldID) *lock {
	return &l.stripes[maphash.String(l.seed, string(id))%uint64(len(l.stripes))]
}

// lock waits for its turn, or until ctx ends.
func (l locks) lock(ctx context.Context, id ledger.HoldID) (unlock func(), err error) {
	s := l.of(id)
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// mostQueued is how many payers may wait for one another: somebody who pressed twice, and
// not somebody who wants to take the places of others.
const mostQueued = 4

// queue is lock for payers, who are strangers. It returns ErrBusy when too many wait, or
// ctx ends.
func (l locks) queue(ctx context.Context, id ledger.HoldID) (unlock func(), err error) {
	s := l.of(id)
	if s.queued.Add(1) > mostQueued {
		s.queued.Add(-1)
		return nil, fmt.Errorf("%w: many ask for %s at the same time", ErrBusy, id)
	}
	free, err := l.lock(ctx, id)
	if err != nil {
		s.queued.Add(-1)
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return func() { free(); s.queued.Add(-1) }, nil
}

// glanceEvery is how often a page asks the processor about a payment at most.
const glanceEvery = 5 * time.Second

// glance is lock for pages. It does not wait: ok is false while somebody speaks about the
// payment, and for a moment after a page asked.
func (l locks) glance(id ledger.HoldID, now time.Time) (unlock func(), ok bool) {
	s := l.of(id)
	select {
	case s.turn <- struct{}{}:
	default:
		return nil, false
	}
	if s.glanced == id && now.Sub(s.glancedAt).Abs() < glanceEvery {
		<-s.turn
		return nil, false
	}
	s.glanced, s.glancedAt = id, now
	return func() { <-s.turn }, true
}
