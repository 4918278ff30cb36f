package checkout

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// end sees to it that nobody can pay any more, and returns the payment as it then is: it
// ended, or it was paid before that. The reason is noted first and stays. It returns the
// processor's error while that is not known.
func (d *Desk) end(ctx context.Context, p Payment, why Ending) (Payment, error) {
	unlock, err := d.locks.lock(ctx, p.ID)
	if err != nil {
		return p, err
	}
	defer unlock()
	err = d.update(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if p, err = load(ctx, tx, p.ID); err != nil || !p.Live() {
			return err
		}
		if err := ending(ctx, tx, p.ID, why); err != nil {
			return err
		}
		if !p.Confirmed { // no session was ordered, and none will be
			if err := d.void(ctx, tx, p, why); err != nil {
				return err
			}
		}
		p, err = load(ctx, tx, p.ID)
		return err
	})
	if err != nil || !p.Live() {
		return p, err
	}
	if err := d.Crash.At(crashpoint.AfterEnding); err != nil {
		return p, err
	}
	err = d.endSession(ctx, p)
	if err = d.alarm(ctx, p, err); err != nil {
		return p, err
	}
	return d.load(ctx, p.ID)
}

// endSession ends the processor's session, and does what follows from what it became.
func (d *Desk) endSession(ctx context.Context, p Payment) error {
	session, err := d.session(ctx, p)
	if errors.Is(err, payments.ErrRefused) || errors.Is(err, ErrOver) {
		return nil // there was none, and none will be
	}
	if err != nil {
		return err
	}
	if session.Status == payments.SessionOpen {
		session, err = d.Processor.ExpireSession(ctx, p.Account, session.ID)
		if errors.Is(err, payments.ErrRefused) { // somebody was faster: its payer, or the clock
			session, err = d.Processor.Session(ctx, p.Account, p.Session)
		}
		if err != nil {
			return err
		}
	}
	return d.settle(ctx, p, session)
}

const (
	// finishedAtOnce is how many payments one call of Finish looks at, and
	// finishingTogether how many of them at the same time.
	finishedAtOnce    = 100
	finishingTogether = 4
)

// Finish ends what is under way of an attempt, and returns how many pledges still are: it
// is called again until none is. Then every hold of the attempt is posted or voided, and
// stays so if the campaign takes no new ones. Donations hold nothing, and nobody waits for
// them.
func (d *Desk) Finish(ctx context.Context, attempt ledger.AttemptKey) (open int, err error) {
	var list []Payment
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = underWay(ctx, q, attempt, finishedAtOnce)
		return err
	})
	if err != nil {
		return 0, err
	}
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(finishingTogether)
	for _, p := range list {
		g.Go(func() error { return d.attend(together, p, EndingClosed) })
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		open, err = countUnderWay(ctx, q, attempt)
		return err
	})
	return open, err
}

// attend ends a payment, or notes when to try again. Its error is one of ours only.
func (d *Desk) attend(ctx context.Context, p Payment, why Ending) error {
	now, err := d.end(ctx, p, why)
	if err == nil && !now.Live() {
		d.Log.Info("over", "pledge", p.Subject, "hold", p.ID, "amount", p.Value.Amount, "currency", p.Value.Currency, "state", now.State, "reason", now.Ending)
		return nil
	}
	if err != nil && !outside(err) {
		return err
	}
	return d.later(ctx, p, err)
}

// outside tells whether an error is the world's and not ours: it is tried again.
func outside(err error) bool {
	return slices.ContainsFunc([]error{
		payments.ErrUncertain, payments.ErrDeclined, payments.ErrRefused, payments.ErrNotFound, payments.ErrLimited,
		payments.ErrMisconfigured, payments.ErrMismatch, payments.ErrUnreachable, payments.ErrInvalid, payments.ErrDoubled,
		payments.ErrPlace, ErrOver, ledger.ErrUnknown,
	}, func(kind error) bool { return errors.Is(err, kind) }) || misfits(err)
}

// later notes when to look again: soon at first, then ever later.
func (d *Desk) later(ctx context.Context, p Payment, cause error) error {
	d.metrics.vain.Inc()
	d.Log.Warn("looked at in vain", "pledge", p.Subject, "hold", p.ID, "tries", p.Tries+1, "err", cause)
	return d.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return lookAgain(ctx, tx, p.ID, tx.Now().Add(pause(p.Tries)), p.Tries+1)
	})
}
