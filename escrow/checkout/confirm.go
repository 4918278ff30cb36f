package checkout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

const (
	// sessionLife is how long the processor's page stands. The last checkout begins
	// lifecycle.CheckoutMargin before the closing, so it is over by then; where test
	// terms have a shorter margin, the closing ends it.
	sessionLife = 34 * time.Minute
	// sessionLeast is the shortest that the processor opens a page for. What is between the
	// two is the time in which an order may be sent again.
	sessionLeast = 30 * time.Minute
)

// codeTooLate is our own refusal of an order that the processor would refuse.
const codeTooLate = "session_would_end_too_soon"

// Confirm takes a payer's agreement to the terms, and returns the processor's page. It may
// be called again, and returns the same page as long as that is open. It returns ErrOver,
// ErrTerms, ErrBusy or ErrNotFound.
func (d *Desk) Confirm(ctx context.Context, id ledger.HoldID, agreed string) (url string, err error) {
	unlock, err := d.locks.queue(ctx, id)
	if err != nil {
		return "", err
	}
	defer unlock()
	p, err := d.agree(ctx, id, agreed)
	if err != nil {
		return "", err
	}
	session, err := d.session(ctx, p)
	if err != nil {
		return "", busy(err)
	}
	if err := d.settle(ctx, p, session); err != nil {
		return "", busy(d.alarm(ctx, p, err))
	}
	if p, err = d.load(ctx, id); err != nil {
		return "", err
	}
	if !p.Live() {
		return "", fmt.Errorf("%w: %s is %s %s", ErrOver, id, p.State, p.Ending)
	}
	if session.Status != payments.SessionOpen || session.URL == "" {
		return "", fmt.Errorf("%w: %s, its session is %s", ErrOver, id, session.Status)
	}
	return session.URL, nil
}

// busy says of an error of the processor that nothing can be paid now. One that says never
// ends the payment.
func busy(err error) error {
	switch _, failed := errors.AsType[*payments.Failure](err); {
	case !failed:
		return err
	case intent.Final(err):
		return fmt.Errorf("%w: %w", ErrOver, err)
	}
	return fmt.Errorf("%w: %w", ErrBusy, err)
}

// agree notes the agreement, until when the session lasts, and the intent to open it, in
// one transaction. Whoever comes later finds it agreed.
func (d *Desk) agree(ctx context.Context, id ledger.HoldID, agreed string) (p Payment, err error) {
	err = d.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if p, err = load(ctx, tx, id); err != nil {
			return err
		}
		if agreed != p.Terms.Uri {
			return fmt.Errorf("%w: %s", ErrTerms, id)
		}
		if !p.Payable(tx.Now()) {
			return fmt.Errorf("%w: %s is %s %s", ErrOver, id, p.State, p.Ending)
		}
		if p.Confirmed {
			return nil
		}
		if err := d.Halted(ctx, tx); err != nil {
			return fmt.Errorf("%w: %w", ErrBusy, err)
		}
		if p.Kind == KindPledge {
			_, _, err := d.takes(ctx, tx, p.Attempt, tx.Now())
			if _, refused := errors.AsType[*Refusal](err); refused {
				return fmt.Errorf("%w: %w", ErrOver, err)
			}
			if err != nil {
				return err
			}
		}
		// Whole seconds, as the processor counts, or the same order would be another one.
		if err := confirm(ctx, tx, id, tx.Now().Add(sessionLife).Truncate(time.Second)); err != nil {
			return err
		}
		if err := intent.Note(ctx, tx, payments.IntentID(id), intent.KindCheckout, string(id)); err != nil {
			return err
		}
		p, err = load(ctx, tx, id)
		return err
	})
	if err != nil {
		return Payment{}, err
	}
	return p, d.Crash.At(crashpoint.AfterAgreement)
}

// order is the payment as it is sent to the processor: the same each time.
func (d *Desk) order(p Payment) payments.Checkout {
	note := "A pledge. It is held until the feature is released, or goes back to you."
	if p.Kind == KindDonation {
		note = "A donation. It goes straight to the developer and does not come back."
	}
	if !d.cfg.Mode.Live() {
		note = "Test: no real money moves. " + note
	}
	return payments.Checkout{
		Mark: p.mark(d.cfg.DID), Account: p.Account, Amount: p.Value, Title: shortened(p.Title), Note: note,
		SuccessURL: d.PaidURL(p.ID), CancelURL: d.PayURL(p.ID), ExpiresAt: p.ExpiresAt,
	}
}

// maxTitle is how much of a title the processor's page shows, in characters.
const maxTitle = 120

func shortened(title string) string {
	if runes := []rune(title); len(runes) > maxTitle {
		return string(runes[:maxTitle-1]) + "…"
	}
	return title
}

// session returns the session of a confirmed payment as it is now: the one that was
// opened, or one that is opened now if that is still possible. The caller has the lock.
func (d *Desk) session(ctx context.Context, p Payment) (payments.Session, error) {
	if p.Session == "" {
		made, err := intent.Carry(ctx, d.carrier, payments.IntentID(p.ID), d.opening(p))
		if p.Kind == KindDonation && errors.Is(err, payments.ErrDoubled) {
			if failed := d.unfit(ctx, p, payments.Session{}, err); failed != nil {
				return payments.Session{}, failed
			}
			return payments.Session{}, fmt.Errorf("%w: %s: %v", ErrOver, p.ID, err)
		}
		if !errors.Is(err, intent.ErrClosed) {
			return made, err
		}
		// It was opened since p was read.
		if p, err = d.load(ctx, p.ID); err != nil {
			return payments.Session{}, err
		}
		if p.Session == "" {
			return payments.Session{}, fmt.Errorf("%w: %s", ErrOver, p.ID) // refused
		}
	}
	return d.Processor.Session(ctx, p.Account, p.Session)
}

// opening is how a session is opened.
func (d *Desk) opening(p Payment) intent.Order[payments.Session] {
	return intent.Order[payments.Session]{
		Made: func(ctx context.Context, since time.Time) iter.Seq2[payments.Session, error] {
			return d.Processor.Sessions(ctx, p.Account, payments.SessionQuery{Since: since})
		},
		Send: func(ctx context.Context, key payments.Key) (payments.Session, error) {
			// The processor refuses it as well; but it is not asked for what nobody wants.
			if p.Ending != EndingNone || d.Clock().Add(sessionLeast).After(p.ExpiresAt) {
				return payments.Session{}, &payments.Failure{Kind: payments.ErrRefused, Code: codeTooLate}
			}
			order := d.order(p)
			order.Key = key
			return d.Processor.OpenCheckout(ctx, order)
		},
		ID: func(s payments.Session) string { return string(s.ID) },
		Record: func(ctx context.Context, tx *store.Tx, s payments.Session) error {
			return opened(ctx, tx, p.ID, s.ID)
		},
		Refuse: func(ctx context.Context, tx *store.Tx, _ *payments.Failure) error {
			return d.void(ctx, tx, p, EndingRefused)
		},
	}
}
