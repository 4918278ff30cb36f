package outgoing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	// lookEvery is how soon something that is due is sent, while the processor is well.
	lookEvery = time.Second
	// batch bounds what is read or sent at a time.
	batch = 100
)

// Processor is what is asked of the payment processor.
type Processor interface {
	payments.Charges
	payments.Refunds
	payments.Transfers
	payments.Chargebacks
	Movement(context.Context, payments.MovementID) (payments.Movement, error)
}

// Options are what a process, or a test, brings along.
type Options struct {
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
	// Crash is told of the moments before and after each order. Nil in production.
	Crash crashpoint.Hook
}

// Sender sends and follows. Pass and Run belong to one goroutine; the Observe functions to
// any.
type Sender struct {
	escrow    syntax.DID
	store     *store.Store
	ledger    *ledger.Ledger
	processor Processor
	carrier   *intent.Carrier
	log       *slog.Logger
	now       func() time.Time
	metrics   *metrics
}

// New wires a sender for the escrow of this DID, and starts nothing.
func New(escrow syntax.DID, s *store.Store, l *ledger.Ledger, p Processor, opts Options) *Sender {
	return &Sender{
		escrow: escrow, store: s, ledger: l, processor: p, carrier: intent.NewCarrier(s, opts.Crash),
		log: opts.Log.With("component", "outgoing"), now: opts.Clock, metrics: newMetrics(opts.Registry),
	}
}

// Run sends and follows until ctx ends, and then returns nil. Any other end is damage of
// ours.
func (s *Sender) Run(ctx context.Context) error {
	for {
		wait, err := s.Pass(ctx)
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
		case <-timer.C:
		}
	}
}

// Pass looks at what is followed and due, and sends what is due, unless money stands
// still. It returns when to look again. What goes wrong at the processor is for a later
// pass.
func (s *Sender) Pass(ctx context.Context) (wait time.Duration, err error) {
	steps := []func(context.Context) error{
		s.followDue,
		s.noteRefunds, s.send(intent.KindRefund, s.sendRefund),
		s.noteTransfers, s.send(intent.KindTransfer, s.sendTransfer),
		s.noteReversals, s.send(intent.KindReversal, s.sendReversal),
	}
	for n, step := range steps {
		if n > 0 {
			if stopped, err := s.stopped(ctx); err != nil || stopped {
				return lookEvery, err
			}
		}
		if err := step(ctx); err != nil {
			return 0, err
		}
	}
	return lookEvery, s.count(ctx)
}

// stopped reports whether money stands still.
func (s *Sender) stopped(ctx context.Context) (bool, error) {
	err := s.store.Read(ctx, halt.Money)
	if _, ok := errors.AsType[*halt.Error](err); ok {
		return true, s.count(ctx)
	}
	return false, err
}

// send carries out what is due of one kind.
func (s *Sender) send(kind intent.Kind, one func(context.Context, intent.Intent) error) func(context.Context) error {
	return func(ctx context.Context) error {
		var due []intent.Intent
		err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			due, err = intent.Due(ctx, q, kind, s.now(), batch)
			return err
		})
		if err != nil {
			return err
		}
		for _, i := range due {
			err := one(ctx, i)
			if errors.Is(err, intent.ErrClosed) {
				err = nil // its object was told meanwhile
			}
			stop, err := s.survive(ctx, kind, i.Subject, err)
			if err != nil || stop {
				return err
			}
		}
		return nil
	}
}

// survive decides what becomes of an error: money stops, or it is for later, or it is
// ours and returned. Stop says that nothing else should be sent now.
func (s *Sender) survive(ctx context.Context, kind intent.Kind, subject string, err error) (stop bool, fatal error) {
	if err == nil {
		s.metrics.sent(kind, outcomeSent)
		return false, nil
	}
	if ctx.Err() != nil {
		return true, err
	}
	if stopped, failed := halt.For(ctx, s.store, err); failed != nil {
		return true, failed
	} else if stopped {
		s.metrics.sent(kind, outcomeStopped)
		s.log.Error("outgoing money stops until somebody has looked", "kind", kind, "subject", subject, "err", err)
		return true, nil
	}
	switch {
	case errors.Is(err, errNotDue), errors.Is(err, ledger.ErrNotYet):
		s.metrics.sent(kind, outcomeLater)
		s.log.Info("not now", "kind", kind, "subject", subject, "err", err)
	case intent.Final(err):
		s.metrics.sent(kind, outcomeRefused)
		s.log.Error("the processor refuses", "kind", kind, "subject", subject, "err", err)
	case payments.Outside(err):
		s.metrics.sent(kind, outcomeLater)
		s.log.Warn("not sent, or nobody knows", "kind", kind, "subject", subject, "err", err)
	default:
		return true, err
	}
	return false, nil
}

// hold reads a hold.
func (s *Sender) hold(ctx context.Context, id ledger.HoldID) (h *ledger.Hold, err error) {
	err = s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		h, err = ledger.LoadHold(ctx, q, id)
		return err
	})
	return h, err
}

// mark is that of an order about a hold: what the hold's charge says, for another intent.
// So it needs nothing that this database may have lost.
func (s *Sender) mark(ctx context.Context, h *ledger.Hold, id payments.IntentID) (payments.Mark, error) {
	charge, err := s.charge(ctx, h)
	if err != nil {
		return payments.Mark{}, err
	}
	return markFor(charge, id), nil
}

func markFor(charge payments.Charge, id payments.IntentID) payments.Mark {
	mark := charge.Mark
	mark.Intent = id
	return mark
}

// charge fetches that of a hold.
func (s *Sender) charge(ctx context.Context, h *ledger.Hold) (payments.Charge, error) {
	charge, err := s.processor.Charge(ctx, payments.Platform, payments.ChargeID(h.Charge))
	if err != nil {
		return payments.Charge{}, err
	}
	if !charge.Mark.By(s.escrow) || charge.Mark.Subject != h.Pledge {
		return payments.Charge{}, fmt.Errorf("%w: charge %s of hold %s is marked for %q", ledger.ErrUnknown, h.Charge, h.ID, charge.Mark.Subject)
	}
	return charge, nil
}

// tell runs fn in a transaction that stays also when fn returns ErrNotYet, since what came
// before that is true.
func (s *Sender) tell(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	var early error
	err := s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		err := fn(ctx, tx)
		if errors.Is(err, ledger.ErrNotYet) {
			early = err
			return nil
		}
		return err
	})
	return errors.Join(err, early)
}

// movement fetches what moved the balance; nil for none.
func (s *Sender) movement(ctx context.Context, id payments.MovementID) (*ledger.Transaction, error) {
	if id == "" {
		return nil, nil
	}
	m, err := s.processor.Movement(ctx, id)
	if err != nil {
		return nil, err
	}
	t := transactionOf(m)
	return &t, nil
}

// transactionOf says a movement in the ledger's words.
func transactionOf(m payments.Movement) ledger.Transaction {
	return ledger.Transaction{ID: string(m.ID), Amount: m.Amount.Amount, Fee: m.Fee.Amount, Currency: m.Amount.Currency}
}

// nextTry is the id under which something is tried: the first, or one more after those
// that the processor has refused, later and later. ok is false while one is under way,
// was done, or it is too early or too late for another.
func nextTry(before []intent.Intent, first payments.IntentID, now time.Time, most int) (id payments.IntentID, ok bool) {
	tries := 0
	for _, i := range before {
		if i.Refused == "" {
			return "", false
		}
		tries++
		if now.Before(i.CreatedAt.Add(firstPause << min(tries-1, doublings))) {
			return "", false
		}
	}
	switch {
	case tries == 0:
		return first, true
	case tries >= most:
		return "", false
	}
	return payments.IntentID(fmt.Sprintf("%s/%d", first, tries+1)), true
}

const (
	// firstPause is how long to wait after the first refusal; each further one doubles it.
	firstPause = time.Hour
	// doublings make the longest pause about five days.
	doublings = 7
)
