package winddown

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/journal"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	// page is how many campaigns are listed at a time.
	page = 100
	// again is how soon something is looked at that waits for the processor.
	again = 5 * time.Second
)

var (
	// ErrStopped is returned by Run while outgoing money stands still: a person has to look
	// first. The same call goes on after that.
	ErrStopped = errors.New("winddown: money stands still until somebody has looked")
	// ErrLeft is returned by Run when all that goes back by itself did, and something is
	// left for a person.
	ErrLeft = errors.New("winddown: something is left for a person")
)

// Processor is what is asked of the payment processor.
type Processor interface {
	Charges(context.Context, payments.AccountID, payments.ChargeQuery) iter.Seq2[payments.Charge, error]
	Transfers(context.Context, payments.TransferQuery) iter.Seq2[payments.Transfer, error]
}

// Intake reads the processor's lists and works them off.
type Intake interface {
	Sync(ctx context.Context, full bool) ([]intake.Read, error)
	Drain(context.Context) error
	Insist(context.Context) error
}

// Checkouts ends what is under way of an attempt, and returns how much still is.
type Checkouts interface {
	Finish(context.Context, ledger.AttemptKey) (open int, err error)
}

// Sender sends what is due, and follows it.
type Sender interface {
	Pass(context.Context) (wait time.Duration, err error)
}

// Parts are what a winder works with.
type Parts struct {
	Escrow    syntax.DID
	Store     *store.Store
	Ledger    *ledger.Ledger
	Processor Processor
	Intake    Intake
	Checkouts Checkouts
	Sender    Sender
	// CaughtUp says that the database is known not to be behind what was published. Without
	// it the processor's lists are all that it can catch up with.
	CaughtUp bool
	// Tell is told of each step, for people. It may be nil.
	Tell func(sentence string)
	Log  *slog.Logger
}

// Winder brings an escrow to its end.
type Winder struct {
	Parts
	log  *slog.Logger
	left map[ledger.AttemptKey]string // why something was left
	told string
	// wait is replaced in tests, whose processor has a clock of its own.
	wait func(context.Context, time.Duration) error
}

// New wires a winder, and starts nothing.
func New(p Parts) *Winder {
	if p.Tell == nil {
		p.Tell = func(string) {}
	}
	return &Winder{Parts: p, log: p.Log.With("component", "winddown"), left: map[ledger.AttemptKey]string{}, wait: wait}
}

// Begun reads why and since when the escrow ends; ok is false while it does not.
func Begun(ctx context.Context, q sqlite.Querier) (because string, since time.Time, ok bool, err error) {
	var at int64
	err = q.QueryRowContext(ctx, `SELECT because, begun_at FROM wind_down`).Scan(&because, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, false, nil
	}
	if err != nil {
		return "", time.Time{}, false, fmt.Errorf("winddown: look whether it was begun: %w", err)
	}
	return because, time.UnixMilli(at).UTC(), true, nil
}

// Begin notes that the escrow ends, with a line in the journal. The same again is nothing,
// and the first reason stays.
func Begin(ctx context.Context, s *store.Store, because string) error {
	return s.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, _, begun, err := Begun(ctx, tx)
		if err != nil || begun {
			return err
		}
		if err := journal.Write(ctx, tx, journal.Line{Action: "wind-down", Because: because, Outcome: "The escrow ends: everything that is held goes back."}); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO wind_down (id, because, begun_at) VALUES (1, $1, $2)`, because, tx.Now().UnixMilli()); err != nil {
			return fmt.Errorf("winddown: begin: %w", err)
		}
		return nil
	})
}

// Lift lets money go on that stands still, because somebody has looked, with a line in the
// journal. It belongs before anything is heard: nobody has looked at what is found then.
func Lift(ctx context.Context, s *store.Store, because string) error {
	return s.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		lifted, err := halt.Lift(ctx, tx, "winding down: "+because)
		if err != nil || len(lifted) == 0 {
			return err
		}
		return journal.Write(ctx, tx, journal.Line{Action: "wind-down", Because: because, Outcome: fmt.Sprintf("%d halts were lifted: %v", len(lifted), lifted)})
	})
}

// Run brings everything back that is held, and returns nil when nothing is any more. It may
// be called again after any end. It returns ErrStopped, ErrLeft, or what the processor does
// not answer; an error that none of these wraps is damage of ours.
func (w *Winder) Run(ctx context.Context) error {
	because, _, begun, err := w.begun(ctx)
	switch {
	case err != nil:
		return err
	case !begun:
		return errors.New("winddown: it was not begun")
	}
	w.Tell("The processor's lists are read.")
	if _, err := w.Intake.Sync(ctx, true); err != nil {
		return fmt.Errorf("winddown: read the processor's lists: %w", err)
	}
	for _, step := range []func(context.Context) error{w.Intake.Drain, w.adoptStrays, w.Intake.Insist, w.release(because), w.decideAll} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return w.sendAll(ctx)
}

func (w *Winder) begun(ctx context.Context) (because string, since time.Time, ok bool, err error) {
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		because, since, ok, err = Begun(ctx, q)
		return err
	})
	return because, since, ok, err
}

// release lets money go on that waited for what was published, where the processor's lists
// have to do.
func (w *Winder) release(because string) func(context.Context) error {
	return func(ctx context.Context) error {
		if w.CaughtUp {
			return nil
		}
		return w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			return halt.Clear(ctx, tx, halt.Behind, "winding down by the processor's own lists: "+because)
		})
	}
}

// adoptStrays keeps charges of ours that no hold is known for, and lets them go back.
func (w *Winder) adoptStrays(ctx context.Context) error {
	for c, err := range w.Processor.Charges(ctx, payments.Platform, payments.ChargeQuery{}) {
		if err != nil {
			return fmt.Errorf("winddown: list the charges: %w", err)
		}
		if !c.Mark.By(w.Escrow) || c.Status != payments.ChargeSucceeded || c.Movement == nil {
			continue
		}
		known, err := w.knows(ctx, c)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if err := w.adopt(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (w *Winder) knows(ctx context.Context, c payments.Charge) (known bool, err error) {
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		_, err := ledger.HoldOfCharge(ctx, q, string(c.ID))
		return err
	})
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// adopt opens the hold of a charge whose checkout is lost, and makes it due to go back,
// unless it was paid out.
func (w *Winder) adopt(ctx context.Context, c payments.Charge) error {
	attempt := ledger.AttemptOf(c.Mark.Attempt)
	out, err := w.paidOut(ctx, c.Mark.Attempt)
	if err != nil {
		return err
	}
	if out[c.ID] {
		w.leave(attempt, fmt.Sprintf("charge %s of %s was paid out, and this database does not know its payment", c.ID, c.Amount))
		return nil
	}
	m := c.Movement
	err = w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		hold := ledger.HoldID(c.Mark.Intent)
		err := w.Ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: hold, Pledge: c.Mark.Subject, CID: c.Mark.CID, Attempt: attempt, Value: c.Amount})
		if err != nil {
			return err
		}
		return w.Ledger.Charge(ctx, tx, ledger.Charged{
			Hold: hold, Charge: string(c.ID), Return: ledger.ReasonWindDown,
			Transaction: ledger.Transaction{ID: string(m.ID), Amount: m.Amount.Amount, Fee: m.Fee.Amount, Currency: m.Amount.Currency},
		})
	})
	if errors.Is(err, ledger.ErrTaken) || errors.Is(err, ledger.ErrDecided) || errors.Is(err, ledger.ErrUnknown) {
		w.leave(attempt, fmt.Sprintf("charge %s of %s cannot be given back by itself: %v", c.ID, c.Amount, err))
		return nil
	}
	if err != nil {
		return err
	}
	w.log.Warn("a charge that was lost goes back", "charge", c.ID, "pledge", c.Mark.Subject, "amount", c.Amount)
	w.Tell(fmt.Sprintf("Charge %s of %s was unknown here, and goes back.", c.ID, c.Amount))
	return nil
}

// paidOut are the charges of an attempt of which something went to payees and did not come
// back, as the processor says.
func (w *Winder) paidOut(ctx context.Context, development syntax.ATURI) (map[payments.ChargeID]bool, error) {
	out := map[payments.ChargeID]bool{}
	for t, err := range w.Processor.Transfers(ctx, payments.TransferQuery{Group: payments.GroupOf(development)}) {
		if err != nil {
			return nil, fmt.Errorf("winddown: list the transfers of %s: %w", development, err)
		}
		if t.Reversed.Amount < t.Amount.Amount {
			out[t.Source] = true
		}
	}
	return out, nil
}

// decideAll lets the money of every campaign go back that is not decided about.
func (w *Winder) decideAll(ctx context.Context) error {
	return w.each(ctx, w.decide)
}

// each calls fn with every campaign that is not over.
func (w *Winder) each(ctx context.Context, fn func(context.Context, ledger.AttemptKey) error) error {
	for after := ledger.AttemptKey(""); ; {
		var keys []ledger.AttemptKey
		err := w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			keys, err = campaign.Unfinished(ctx, q, after, page)
			return err
		})
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := fn(ctx, key); err != nil {
				return err
			}
		}
		if len(keys) < page {
			return nil
		}
		after = keys[len(keys)-1]
	}
}

func (w *Winder) decide(ctx context.Context, key ledger.AttemptKey) error {
	var c campaign.Campaign
	var money ledger.AttemptState
	err := w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if c, err = campaign.Load(ctx, q, key); err != nil {
			return err
		}
		money, err = ledger.StateOf(ctx, q, key)
		return err
	})
	if err != nil || money.Decision != nil {
		return err
	}
	if err := w.finish(ctx, key); err != nil {
		return err
	}
	out, err := w.paidOut(ctx, syntax.ATURI(c.Development.Uri))
	if err != nil {
		return err
	}
	if len(out) > 0 {
		w.leave(key, fmt.Sprintf("%s: %d of its charges were paid out in part or whole, so it was decided to pay it out, and this database does not know that", c.Development.Uri, len(out)))
		return nil
	}
	err = w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return campaign.WindDown(ctx, tx, w.Ledger, key) })
	if errors.Is(err, campaign.ErrMoved) {
		w.leave(key, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	w.log.Info("refunds decided", "development", c.Development.Uri, "attempt", key, "amount", money.Held, "currency", c.Currency, "holds", money.Holds)
	w.Tell(fmt.Sprintf("%s: %d pledges of %d %s go back.", c.Development.Uri, money.Holds, money.Held, c.Currency))
	return nil
}

// finish sees to it that nobody can pay for an attempt any more.
func (w *Winder) finish(ctx context.Context, key ledger.AttemptKey) error {
	for {
		open, err := w.Checkouts.Finish(ctx, key)
		if err != nil {
			return fmt.Errorf("winddown: end the checkouts of %s: %w", key, err)
		}
		if open == 0 {
			return nil
		}
		w.Tell(fmt.Sprintf("%d payments are still under way.", open))
		if err := w.wait(ctx, again); err != nil {
			return err
		}
	}
}

func (w *Winder) leave(key ledger.AttemptKey, why string) {
	w.left[key] = why
	w.log.Error("left for a person", "attempt", key, "reason", why)
	w.Tell("Left for a person: " + why + ".")
}

// sendAll sends and follows until nothing goes back, or to payees, by itself any more.
func (w *Winder) sendAll(ctx context.Context) error {
	for {
		if err := w.Intake.Insist(ctx); err != nil {
			return err
		}
		pause, err := w.Sender.Pass(ctx)
		if err != nil {
			return err
		}
		if err := w.Intake.Drain(ctx); err != nil {
			return err
		}
		if err := w.stopped(ctx); err != nil {
			return err
		}
		waiting, err := w.look(ctx)
		if err != nil {
			return err
		}
		if !waiting {
			return w.end(ctx)
		}
		if err := w.wait(ctx, max(pause, again)); err != nil {
			return err
		}
	}
}

func (w *Winder) stopped(ctx context.Context) error {
	err := w.Store.Read(ctx, halt.Money)
	if halted, ok := errors.AsType[*halt.Error](err); ok {
		return fmt.Errorf("%w: %v", ErrStopped, halted.Halts)
	}
	return err
}

// look tells how far it is, and whether something still goes back, or to payees, by itself.
func (w *Winder) look(ctx context.Context) (waiting bool, err error) {
	var list []Progress
	var payouts int64
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if list, err = ProgressOf(ctx, q); err != nil {
			return err
		}
		payouts, err = payoutsUnderWay(ctx, q)
		return err
	})
	if err != nil {
		return false, err
	}
	text := ""
	waiting = payouts > 0
	for _, p := range list {
		waiting = waiting || p.Waiting() > 0
		text += fmt.Sprintf("%s: %d held, %d to go back, %d on the way, %d came back, %d with banks, %d for payees. ",
			p.Currency, p.Held, p.Due, p.Sent, p.Returned, p.Contested, p.Payees)
	}
	if text != w.told {
		w.told = text
		w.Tell(text)
	}
	return waiting, nil
}

// end says of campaigns that they are over, as the ledger says, and what is left for a
// person.
func (w *Winder) end(ctx context.Context) error {
	unfinished := 0
	err := w.each(ctx, func(ctx context.Context, key ledger.AttemptKey) error {
		return w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			over, err := campaign.End(ctx, tx, key)
			if !over {
				unfinished++
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	var list []Progress
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = ProgressOf(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	left := len(w.left)
	for _, p := range list {
		if p.Held+p.Returned+p.Contested+p.Payees > 0 {
			left++
		}
	}
	if left > 0 || unfinished > 0 {
		return fmt.Errorf("%w: %d campaigns are not over; what is held, came back, is with banks or goes to payees stands above", ErrLeft, unfinished)
	}
	w.Tell("Everything that was held went back.")
	return nil
}

func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
