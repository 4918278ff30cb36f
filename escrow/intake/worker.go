package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/outgoing"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	// lookEvery is how soon a hint is worked off that nobody woke the worker for.
	lookEvery = time.Second
	// batch bounds what is read or written at a time.
	batch = 100
	// forgetEvery is how often old hints are dropped.
	forgetEvery = time.Hour
)

// Outgoing looks at what went out, or was taken back.
type Outgoing interface {
	ObserveRefund(context.Context, payments.RefundID) error
	ObserveTransfer(context.Context, payments.TransferID) error
	ObserveDispute(context.Context, payments.DisputeID) error
	ObserveWarning(context.Context, payments.WarningID) error
}

// Checkouts looks at sessions.
type Checkouts interface {
	// Observe fetches a session and does whatever follows from it.
	Observe(context.Context, payments.AccountID, payments.SessionID) error
	// Adopt opens the hold of a session of ours that the ledger does not know, because it
	// was restored, from the session's mark. The session is observed after that.
	Adopt(context.Context, payments.Session) error
	// DonatedTo lists the accounts that received donations which did not go back.
	DonatedTo(context.Context) ([]payments.AccountID, error)
	// DonationReversed tells that all of a donation went back from an account; byBank, by a
	// chargeback.
	DonationReversed(ctx context.Context, account payments.AccountID, intent payments.IntentID, byBank bool) error
}

// Payees looks at the accounts of payees.
type Payees interface {
	Observe(context.Context, payments.AccountID) error
}

// Parts are what a worker works with.
type Parts struct {
	// Escrow is the DID in the marks of our objects.
	Escrow    syntax.DID
	Store     *store.Store
	Ledger    *ledger.Ledger
	Processor payments.Processor
	Outgoing  Outgoing
	// Checkouts and Payees may be nil: then hints about theirs wait.
	Checkouts Checkouts
	Payees    Payees
	// Foreign are the errors with which they say that an object is not ours.
	Foreign []error
	// Parse checks events.
	Parse payments.ParseEvent
}

// Options are what a process, or a test, brings along.
type Options struct {
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
	// Crash is told of the moments at which the process may die. Nil in production.
	Crash crashpoint.Hook
}

// Worker notes what is told and works it off. Pass and Run belong to one goroutine, and
// RunSync, Sync and Hear to any; those and Drain may be called beside them.
type Worker struct {
	Parts
	log     *slog.Logger
	now     func() time.Time
	crash   crashpoint.Hook
	metrics *metrics
	wake    chan struct{}
	turn    chan struct{} // whoever holds it works hints off
	syncing chan struct{} // whoever holds it reads lists, but Hear
	forget  time.Time     // when old hints are dropped next
}

// New wires a worker, and starts nothing.
func New(parts Parts, opts Options) *Worker {
	return &Worker{
		Parts: parts, log: opts.Log.With("component", "intake"), now: opts.Clock, crash: opts.Crash,
		metrics: newMetrics(opts.Registry), wake: make(chan struct{}, 1), turn: make(chan struct{}, 1), syncing: make(chan struct{}, 1),
	}
}

// Run works off what is noted until ctx ends, and then returns nil. Any other end is
// damage of ours.
func (w *Worker) Run(ctx context.Context) error {
	for {
		wait, err := w.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-w.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// stir lets the worker look at once.
func (w *Worker) stir() {
	select {
	case w.wake <- struct{}{}:
	default: // it will
	}
}

// Pass works off what is due, and returns when to look again.
func (w *Worker) Pass(ctx context.Context) (wait time.Duration, err error) {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	more, err := w.some(ctx, allDue)
	if err != nil {
		return 0, err
	}
	if !w.now().Before(w.forget) {
		if err := w.Store.Update(ctx, forget); err != nil {
			return 0, err
		}
		w.forget = w.now().Add(forgetEvery)
	}
	if err := w.count(ctx); err != nil {
		return 0, err
	}
	if more {
		return 0, nil
	}
	return lookEvery, nil
}

// Drain works off all that can be at this moment.
func (w *Worker) Drain(ctx context.Context) error {
	for {
		if wait, err := w.Pass(ctx); err != nil || wait > 0 {
			return err
		}
	}
}

// some works off a batch of what is due, and reports whether there may be more.
func (w *Worker) some(ctx context.Context, which string) (more bool, err error) {
	var list []*waiting
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = due(ctx, q, which, w.now(), batch)
		return err
	})
	if err != nil {
		return false, err
	}
	hints := 0
	for _, one := range list {
		if _, err := w.work(ctx, one); err != nil {
			return false, err
		}
		hints += len(one.hints)
	}
	return hints == batch, nil
}

// work looks at one object, and notes how that ended; putOff is why it will be looked at
// again. Its error is damage of ours.
func (w *Worker) work(ctx context.Context, one *waiting) (putOff, err error) {
	seen := w.observe(ctx, one.object)
	outcome, err := w.outcome(ctx, one, seen)
	if err != nil {
		return nil, err
	}
	if err := w.crash.At(crashpoint.AfterObserve); err != nil {
		return nil, err
	}
	err = w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if outcome == "" {
			return later(ctx, tx, one)
		}
		return end(ctx, tx, one, outcome)
	})
	if outcome == "" {
		putOff = seen
	}
	return putOff, err
}

// outcome decides what becomes of the hints about an object; empty for another try.
func (w *Worker) outcome(ctx context.Context, one *waiting, err error) (Outcome, error) {
	log := w.log.With("kind", one.kind, "object", one.id)
	switch {
	case err == nil:
		w.metrics.worked(OutcomeDone)
		return OutcomeDone, nil
	case ctx.Err() != nil:
		return "", err
	case errors.Is(err, errIgnored):
		w.metrics.worked(OutcomeIgnored)
		return OutcomeIgnored, nil
	case w.strange(err):
		w.metrics.worked(OutcomeStranger)
		log.Warn("an object at the processor is not this escrow's", "err", err)
		return OutcomeStranger, nil
	case errors.Is(err, payments.ErrInvalid):
		// It leads to what has no name, or no amount of ours, today and tomorrow. On a payee's
		// own account that is nothing of this escrow's.
		if one.account != payments.Platform {
			w.metrics.worked(OutcomeStranger)
			log.Warn("an object on a payee's account cannot be looked at", "account", one.account, "err", err)
			return OutcomeStranger, nil
		}
		err = fmt.Errorf("%w: %s %s: %w", ledger.ErrUnknown, one.kind, one.id, err)
	}
	stopped, failed := halt.For(ctx, w.Store, err)
	switch {
	case failed != nil:
		return "", failed
	case stopped:
		w.metrics.worked(OutcomeStopped)
		log.Error("money stops until somebody has looked", "err", err)
		return OutcomeStopped, nil
	case errors.Is(err, ledger.ErrNotYet), errors.Is(err, ledger.ErrTaken), errors.Is(err, ledger.ErrDecided), errors.Is(err, errNobody), payments.Outside(err):
		w.metrics.late()
		log.Info("not worked off now", "err", err, "tries", one.tries+1)
		return "", nil
	}
	return "", err
}

func (w *Worker) strange(err error) bool {
	for _, foreign := range append(w.Foreign, outgoing.ErrStranger, errStranger) {
		if errors.Is(err, foreign) {
			return true
		}
	}
	return false
}

func (w *Worker) count(ctx context.Context) error {
	return w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		waiting, err := CountWaiting(ctx, q)
		if err == nil {
			w.metrics.waiting.Set(float64(waiting.Hints))
			w.metrics.failing.Set(float64(waiting.Failing))
		}
		return err
	})
}
