package intent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// clockMargin is how far the processor's clock may be from ours: objects are asked for
// from that much before an intent was sent.
const clockMargin = time.Hour

// ErrClosed is returned by Carry for an intent that is done or refused already.
var ErrClosed = errors.New("intent: done or refused")

// Order is how one kind of intent is carried out.
type Order[T payments.Marked] struct {
	// Made lists what was made since a time, and may list more: the intent's own is
	// found by its mark. It is asked before an intent is sent once more.
	Made func(ctx context.Context, since time.Time) iter.Seq2[T, error]
	// Send sends it.
	Send func(context.Context, payments.Key) (T, error)
	// ID is the processor's id of what was made.
	ID func(T) string
	// Record keeps what was made, in the transaction that notes it. Nil for nothing.
	Record func(context.Context, *store.Tx, T) error
	// Refuse keeps that the processor will never make it, in the same way.
	Refuse func(context.Context, *store.Tx, *payments.Failure) error
}

// Carrier carries intents out. It may be shared; one intent is carried by one goroutine
// at a time.
type Carrier struct {
	store *store.Store
	crash crashpoint.Hook
}

// NewCarrier returns a carrier; crash is nil in production.
func NewCarrier(s *store.Store, crash crashpoint.Hook) *Carrier {
	return &Carrier{store: s, crash: crash}
}

// Carry brings an intent to its end: asks whether it was done already if it may have
// been sent before, sends it if it was not, and notes what came of it. It returns
// payments' error when nothing came of it this time, after it noted when to try again;
// one that says that the processor never will is noted as that. It returns ErrClosed for
// an intent that is done or refused, and payments.ErrDoubled for one that was done twice.
func Carry[T payments.Marked](ctx context.Context, c *Carrier, id payments.IntentID, o Order[T]) (made T, err error) {
	i, now, err := c.begin(ctx, id)
	if err != nil {
		return made, err
	}
	made, found, err := ask(ctx, i, now, o)
	if err != nil {
		// A question that is refused says nothing about the intent.
		return made, c.note(ctx, err, func(ctx context.Context, tx *store.Tx, failure *payments.Failure) error {
			return later(ctx, tx, i, failure)
		})
	}
	if !found {
		if err := c.crash.At(crashpoint.BeforeSend); err != nil {
			return made, err
		}
		made, err = o.Send(ctx, i.Key())
		if err := c.crash.At(crashpoint.AfterSend); err != nil {
			return made, err
		}
	}
	return made, c.note(ctx, err, func(ctx context.Context, tx *store.Tx, failure *payments.Failure) error {
		switch {
		case err == nil:
			return done(ctx, tx, i, o, made)
		case failure != nil && Final(err):
			return refused(ctx, tx, i, o, failure)
		}
		return later(ctx, tx, i, failure)
	})
}

// note keeps what came of a call, and returns the call's error.
func (c *Carrier) note(ctx context.Context, called error, fn func(context.Context, *store.Tx, *payments.Failure) error) error {
	var failure *payments.Failure
	errors.As(called, &failure)
	return errors.Join(called, c.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return fn(ctx, tx, failure)
	}))
}

// Final tells whether an error of the processor means that the same call will never
// succeed.
func Final(err error) bool {
	return errors.Is(err, payments.ErrDeclined) || errors.Is(err, payments.ErrRefused) || errors.Is(err, payments.ErrNotFound)
}

// begin notes that the intent is about to be sent now, and returns it as it was before.
func (c *Carrier) begin(ctx context.Context, id payments.IntentID) (i Intent, now time.Time, err error) {
	err = c.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		now = tx.Now()
		if i, err = Load(ctx, tx, id); err != nil {
			return err
		}
		if !i.Open() {
			return fmt.Errorf("%w: %s", ErrClosed, id)
		}
		if !i.SentAt.IsZero() {
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE intent SET sent_at = $1 WHERE id = $2`, tx.Now().UnixMilli(), id)
		if err != nil {
			return fmt.Errorf("intent: note that %s is sent: %w", id, err)
		}
		return nil
	})
	return i, now, err
}

// ask looks for what an earlier try has made, if there was one.
func ask[T payments.Marked](ctx context.Context, i Intent, now time.Time, o Order[T]) (made T, found bool, err error) {
	if i.SentAt.IsZero() {
		return made, false, nil
	}
	since := i.SentAt.Add(-clockMargin)
	if i.SentAt.After(now) {
		since = time.Time{} // the clock was set back: nobody knows when that was
	}
	return payments.Find(o.Made(ctx, since), i.ID)
}

func done[T payments.Marked](ctx context.Context, tx *store.Tx, i Intent, o Order[T], made T) error {
	if _, err := tx.ExecContext(ctx, `UPDATE intent SET object = $1 WHERE id = $2`, o.ID(made), i.ID); err != nil {
		return fmt.Errorf("intent: note what became of %s: %w", i.ID, err)
	}
	if o.Record == nil {
		return nil
	}
	return o.Record(ctx, tx, made)
}

func refused[T payments.Marked](ctx context.Context, tx *store.Tx, i Intent, o Order[T], failure *payments.Failure) error {
	noted, err := tx.ExecContext(ctx, `UPDATE intent SET refused = $1 WHERE id = $2 AND object IS NULL`, failure.Error(), i.ID)
	if err != nil {
		return fmt.Errorf("intent: note that %s was refused: %w", i.ID, err)
	}
	// What an earlier try made was told meanwhile, and is why this one was refused.
	if n, err := noted.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if o.Refuse == nil {
		return nil
	}
	return o.Refuse(ctx, tx, failure)
}

// The first try again is after a second, the later ones after up to an hour.
const (
	firstPause = time.Second
	doublings  = 12
	longest    = time.Hour
)

// later notes when to try again.
func later(ctx context.Context, tx *store.Tx, i Intent, failure *payments.Failure) error {
	pause := min(longest, firstPause<<min(i.Tries, doublings))
	if failure != nil {
		pause = max(pause, min(longest, failure.RetryAfter))
	}
	_, err := tx.ExecContext(ctx, `UPDATE intent SET tries = tries + 1, due_at = $1 WHERE id = $2`, tx.Now().Add(pause).UnixMilli(), i.ID)
	if err != nil {
		return fmt.Errorf("intent: put %s off: %w", i.ID, err)
	}
	return nil
}
