package checkout

import (
	"context"
	"errors"
	"fmt"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Observe fetches a session and does what follows from it. It may be called at any time,
// in any order, as often as one likes. It returns ErrForeign for a session that no payment
// here belongs to, payments' errors when it cannot be fetched, and a *payments.Rejection,
// payments.ErrDoubled or an error of the ledger for money that does not fit: then nothing
// is posted, and outgoing money has to stop until a person has looked. A donation that does
// not fit is over, and stops nothing.
func (d *Desk) Observe(ctx context.Context, account payments.AccountID, id payments.SessionID) error {
	session, err := d.Processor.Session(ctx, account, id)
	if err != nil {
		return err
	}
	if !session.Mark.By(d.cfg.DID) {
		return fmt.Errorf("%w: %s", ErrForeign, id)
	}
	p, err := d.load(ctx, ledger.HoldID(session.Mark.Intent))
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %s for %s", ErrForeign, id, session.Mark.Intent)
	}
	if err != nil {
		return err
	}
	if account != payments.Platform && account != p.Account {
		return fmt.Errorf("%w: %s on %s, with the mark of %s", ErrForeign, id, account, p.ID)
	}
	if p.Session != id {
		if err := d.adopt(ctx, p, session); err != nil {
			return err
		}
	}
	return d.settle(ctx, p, session)
}

// Glance is Observe for a page that shows a payment. Anybody may load it, as often as they
// like: while somebody speaks to the processor about the payment, and for some seconds
// after a page did, it does nothing.
func (d *Desk) Glance(ctx context.Context, id ledger.HoldID) error {
	unlock, ok := d.locks.glance(id, d.Clock())
	if !ok {
		return nil
	}
	defer unlock()
	return d.ask(ctx, id)
}

// ask fetches the session of a payment and does what follows from it. The caller has the
// lock.
func (d *Desk) ask(ctx context.Context, id ledger.HoldID) error {
	p, err := d.load(ctx, id)
	if err != nil {
		return err
	}
	if !p.Confirmed {
		return fmt.Errorf("%w: %s has no session", ErrForeign, id)
	}
	session, err := d.session(ctx, p)
	if err != nil {
		return err
	}
	return d.settle(ctx, p, session)
}

// adopt notes a session of which only the answer was lost. One beside it is one too many.
func (d *Desk) adopt(ctx context.Context, p Payment, session payments.Session) error {
	unlock, err := d.locks.lock(ctx, p.ID)
	if err != nil {
		return err
	}
	defer unlock()
	if p, err = d.load(ctx, p.ID); err != nil {
		return err
	}
	if p.Session == "" && !p.Confirmed {
		// The database was restored, and has forgotten that the payer agreed.
		return d.update(ctx, func(ctx context.Context, tx *store.Tx) error { return ordered(ctx, tx, p.ID, session) })
	}
	if p.Session == "" {
		made, err := d.session(ctx, p)
		if errors.Is(err, ErrOver) {
			return d.reject(ctx, session)
		}
		if err != nil {
			return err
		}
		p.Session = made.ID
	}
	switch {
	case p.Session == session.ID:
		return nil
	case p.Kind == KindDonation: // whatever else its account shows
		return fmt.Errorf("%w: %s beside %s for %s", ErrForeign, session.ID, p.Session, p.ID)
	}
	return fmt.Errorf("%w: %s and %s for %s", payments.ErrDoubled, p.Session, session.ID, p.ID)
}

// reject ends a session that came about after its order was given up. Nobody was shown
// its page; if somebody paid even so, the money goes back.
func (d *Desk) reject(ctx context.Context, session payments.Session) error {
	if session.Status != payments.SessionOpen {
		return nil
	}
	_, err := d.Processor.ExpireSession(ctx, session.Account, session.ID)
	return err
}

// settle does what follows from a session that is the payment's.
func (d *Desk) settle(ctx context.Context, p Payment, session payments.Session) error {
	charge, err := payments.Taken(session, d.order(p), d.cfg.Mode)
	rejected, ok := errors.AsType[*payments.Rejection](err)
	switch {
	case err == nil && p.Kind == KindDonation && charge.Refunded.Amount != 0:
		return d.sentBack(ctx, p, charge)
	case err == nil:
		return d.paid(ctx, p, charge)
	case !ok:
		return err
	case rejected.Reason == payments.ReasonExpired:
		return d.update(ctx, func(ctx context.Context, tx *store.Tx) error { return d.void(ctx, tx, p, EndingExpired) })
	case rejected.Reason.Waiting() && session.Status == payments.SessionComplete:
		return d.update(ctx, func(ctx context.Context, tx *store.Tx) error { return move(ctx, tx, p.ID, StateProcessing) })
	case rejected.Reason.Waiting():
		return nil
	case p.Kind == KindDonation:
		return d.unfit(ctx, p, session, err)
	}
	return err
}

// unfit ends a donation whose money is not what was agreed. It lies on somebody else's
// account, so none of ours stands still for it.
func (d *Desk) unfit(ctx context.Context, p Payment, session payments.Session, why error) error {
	if err := d.reject(ctx, session); err != nil {
		return err
	}
	return d.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, err := load(ctx, tx, p.ID)
		if err != nil || !now.Live() {
			return err
		}
		tx.OnCommit(func() {
			d.Log.Warn("a donation that does not fit is over", "donation", p.Subject, "hold", p.ID, "account", p.Account, "amount", p.Value.Amount, "currency", p.Value.Currency, "err", why)
		})
		return d.void(ctx, tx, p, EndingUnfit)
	})
}

// paid posts a charge: held, unless it came too late or its pledge is gone. What of it
// has gone back since is for whoever looks at refunds: a ledger that was restored knows
// of neither, and a refund that nobody here decided stops outgoing money there.
func (d *Desk) paid(ctx context.Context, p Payment, charge payments.Charge) error {
	if err := d.Crash.At(crashpoint.BeforeCharge); err != nil {
		return err
	}
	fresh := false
	err := d.update(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if p, err = load(ctx, tx, p.ID); err != nil {
			return err
		}
		fresh = p.Live()
		if p.Kind == KindDonation {
			err = d.Repo.DonationPaid(ctx, tx, repo.Donation{Subject: p.Subject, CID: p.CID, Value: p.Value})
		} else {
			err = d.hold(ctx, tx, p, charge)
		}
		if err != nil || p.State == StateReversed {
			return err
		}
		return move(ctx, tx, p.ID, StatePaid)
	})
	if err == nil && fresh {
		d.metrics.came(p, outcomePaid)
		d.Log.Info("paid", "pledge", p.Subject, "hold", p.ID, "amount", p.Value.Amount, "currency", p.Value.Currency, "kind", p.Kind, "charge", charge.ID)
	}
	return err
}

func (d *Desk) hold(ctx context.Context, tx *store.Tx, p Payment, charge payments.Charge) error {
	why, err := d.returns(ctx, tx, p, charge)
	if err != nil {
		return err
	}
	m := charge.Movement
	return d.Ledger.Charge(ctx, tx, ledger.Charged{
		Hold: p.ID, Charge: string(charge.ID), Return: why,
		Transaction: ledger.Transaction{ID: string(m.ID), Amount: m.Amount.Amount, Fee: m.Fee.Amount, Currency: m.Amount.Currency},
	})
}

// returns says why a charge cannot be held (rule 10): its pledge was taken back, or the
// campaign had closed. Who paid in time, but was heard of only when everybody's money goes
// back, is told what everybody is. A pledge that was edited is held as the version that was
// paid for.
func (d *Desk) returns(ctx context.Context, q sqlite.Querier, p Payment, charge payments.Charge) (ledger.Reason, error) {
	if p.Ending == EndingWithdrawn {
		return ledger.ReasonWithdrawn, nil
	}
	c, err := campaign.Load(ctx, q, p.Attempt)
	if err != nil {
		return "", err
	}
	switch {
	case charge.CreatedAt.After(c.ClosesAt):
		return ledger.ReasonLate, nil
	case c.Phase == lifecycle.PhaseOpen:
		return "", nil
	case c.Reason != "":
		return c.Reason.OfRefunds(), nil
	}
	return ledger.ReasonLate, nil
}

// sentBack is a donation that its developer refunded. A part is a matter between the two.
func (d *Desk) sentBack(ctx context.Context, p Payment, charge payments.Charge) error {
	return d.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := d.Repo.DonationPaid(ctx, tx, repo.Donation{Subject: p.Subject, CID: p.CID, Value: p.Value}); err != nil {
			return err
		}
		if charge.Refunded != p.Value {
			return move(ctx, tx, p.ID, StatePaid)
		}
		return d.reverse(ctx, tx, p, false)
	})
}

// DonatedTo lists the accounts that received donations which did not go back.
func (d *Desk) DonatedTo(ctx context.Context) (accounts []payments.AccountID, err error) {
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		accounts, err = donatedTo(ctx, q)
		return err
	})
	return accounts, err
}

// DonationReversed tells that all of a donation went back from the account that it was paid
// to, perhaps because a bank said so. It returns ErrForeign for what is no donation to it.
func (d *Desk) DonationReversed(ctx context.Context, account payments.AccountID, intent payments.IntentID, byBank bool) error {
	return d.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		p, err := load(ctx, tx, ledger.HoldID(intent))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil || p.Kind != KindDonation || p.Account != account {
			return fmt.Errorf("%w: %s is no donation to %s", ErrForeign, intent, account)
		}
		return d.reverse(ctx, tx, p, byBank)
	})
}

func (d *Desk) reverse(ctx context.Context, tx *store.Tx, p Payment, byBank bool) error {
	if err := d.Repo.DonationReversed(ctx, tx, p.Subject, byBank); err != nil {
		return err
	}
	return move(ctx, tx, p.ID, StateReversed)
}

// void ends a payment that nobody can pay any more.
func (d *Desk) void(ctx context.Context, tx *store.Tx, p Payment, why Ending) error {
	now, err := load(ctx, tx, p.ID)
	if err != nil || !now.Live() {
		return err
	}
	if now.Kind == KindPledge {
		if err := d.Ledger.VoidHold(ctx, tx, p.ID); err != nil {
			return err
		}
	}
	if err := ending(ctx, tx, p.ID, why); err != nil {
		return err
	}
	if now.Ending != EndingNone {
		why = now.Ending // the first reason stays
	}
	tx.OnCommit(func() { d.metrics.came(now, string(why)) })
	return move(ctx, tx, p.ID, StateEnded)
}

func (d *Desk) load(ctx context.Context, id ledger.HoldID) (p Payment, err error) {
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		p, err = load(ctx, q, id)
		return err
	})
	return p, err
}

func (d *Desk) update(ctx context.Context, fn func(context.Context, *store.Tx) error) error {
	return d.Store.Update(ctx, fn)
}

// misfits tells whether an error says that money does not fit.
func misfits(err error) bool {
	_, rejected := errors.AsType[*payments.Rejection](err)
	_, conflict := errors.AsType[*ledger.ConflictError](err)
	return rejected || conflict || errors.Is(err, ledger.ErrUnknown) || errors.Is(err, payments.ErrDoubled)
}

// alarm tells of money that does not fit, and returns the error as it is.
func (d *Desk) alarm(ctx context.Context, p Payment, err error) error {
	if err == nil || !misfits(err) {
		return err
	}
	d.metrics.misfits.Inc()
	d.Log.Error("money that does not fit: none goes out until somebody has looked", "pledge", p.Subject, "hold", p.ID, "amount", p.Value.Amount, "currency", p.Value.Currency, "err", err)
	return errors.Join(err, d.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return d.Alarm(ctx, tx, err.Error())
	}))
}
