package intake

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
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	// syncEvery is how often the lists are read, syncAgain how soon after that failed.
	syncEvery = time.Hour
	syncAgain = time.Minute
	// overlap is how far a list is read back beyond the last time: clocks differ, and what
	// is being made while a list is read may be missing in it.
	overlap = time.Hour
	// sessionsLive is how long a session can stay open, and so be paid after it was made.
	sessionsLive = 24 * time.Hour
)

// Read is what came of reading one list.
type Read struct {
	List string `json:"list"`
	// Objects were read, Noted of them are to be looked at.
	Objects int `json:"objects"`
	Noted   int `json:"noted"`
}

// list is one of the processor's, as objects that may have to be looked at.
type list struct {
	name string
	back time.Duration // how far it is read back at least
	read func(ctx context.Context, since time.Time) iter.Seq2[object, error]
	// events, instead of read, are kept once by their ids.
	events func(ctx context.Context, since time.Time) iter.Seq2[payments.Hint, error]
}

// lists are all of them. Sessions come first: what follows presupposes their charges.
func (w *Worker) lists() []list {
	p := w.Processor
	lists := []list{
		{name: "sessions", back: sessionsLive, read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
			return choose(p.Sessions(ctx, payments.Platform, payments.SessionQuery{Since: since}), func(s payments.Session) (object, bool, error) {
				news, err := w.sessionIsNews(ctx, s)
				return object{kind: kindSession, id: string(s.ID)}, news, err
			})
		}},
		{name: "movements", read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
			return choose(p.Movements(ctx, payments.MovementQuery{Since: since}), func(m payments.Movement) (object, bool, error) {
				news, err := w.movementIsNews(ctx, m)
				return object{kind: kindMovement, id: string(m.ID)}, news, err
			})
		}},
		{name: "refunds", read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
			return choose(p.Refunds(ctx, payments.RefundQuery{Since: since}), every(func(r payments.Refund) object { return object{kind: kindRefund, id: string(r.ID)} }))
		}},
		{name: "disputes", read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
			return choose(p.Disputes(ctx, payments.Platform, payments.DisputeQuery{Since: since}), every(func(d payments.Dispute) object { return object{kind: kindDispute, id: string(d.ID)} }))
		}},
		{name: "warnings", read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
			return choose(p.Warnings(ctx, payments.WarningQuery{Since: since}), every(func(x payments.Warning) object { return object{kind: kindWarning, id: string(x.ID)} }))
		}},
		{name: "transfers", read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
			return choose(p.Transfers(ctx, payments.TransferQuery{Since: since}), every(func(t payments.Transfer) object { return object{kind: kindTransfer, id: string(t.ID)} }))
		}},
		{name: "events", events: func(ctx context.Context, since time.Time) iter.Seq2[payments.Hint, error] {
			return p.Hints(ctx, payments.HintQuery{Since: since})
		}},
	}
	if w.Payees == nil {
		return lists
	}
	return append(lists, list{name: "accounts", read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
		return choose(p.Accounts(ctx, since), func(a payments.Account) (object, bool, error) {
			return object{kind: kindAccount, id: string(a.ID), account: a.ID}, a.Mark.Escrow == w.Escrow, nil
		})
	}})
}

// choose makes objects of a list; one that has not to be looked at is the zero object.
func choose[T any](list iter.Seq2[T, error], which func(T) (object, bool, error)) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		for one, err := range list {
			var o object
			news := false
			if err == nil {
				o, news, err = which(one)
			}
			if !news {
				o = object{}
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// every takes each object of a list.
func every[T any](of func(T) object) func(T) (object, bool, error) {
	return func(one T) (object, bool, error) { return of(one), true, nil }
}

// sessionIsNews tells whether a session of ours is over, and the ledger does not know, or
// whether this database has forgotten that it was ordered.
func (w *Worker) sessionIsNews(ctx context.Context, s payments.Session) (news bool, err error) {
	if !s.Mark.By(w.Escrow) {
		return false, nil
	}
	var h *ledger.Hold
	var order intent.Intent
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if h, err = ledger.LoadHold(ctx, q, ledger.HoldID(s.Mark.Intent)); err != nil {
			return err
		}
		order, err = intent.Load(ctx, q, s.Mark.Intent)
		return err
	})
	if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, intent.ErrNotFound) || err == nil && order.Object != string(s.ID) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	switch s.Status {
	case payments.SessionComplete:
		return h.Charge == "", nil
	case payments.SessionExpired:
		return h.State == ledger.HoldPending, nil
	}
	return false, nil
}

func (w *Worker) movementIsNews(ctx context.Context, m payments.Movement) (news bool, err error) {
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		_, known, err := ledger.BookedAs(ctx, q, string(m.ID))
		news = !known
		return err
	})
	return news, err
}

// RunSync reads the lists now and every hour until ctx ends, and then returns nil. Any
// other end is damage of ours.
func (w *Worker) RunSync(ctx context.Context) error {
	for {
		wait := syncEvery
		_, err := w.Sync(ctx, false)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !payments.Outside(err):
			return err
		case err != nil:
			w.log.Warn("the processor's lists cannot be read now", "err", err)
			wait = syncAgain
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

// Sync reads the processor's lists since the last time, or all of them in full, and notes
// what has to be looked at. The worker, or Drain, works it off.
func (w *Worker) Sync(ctx context.Context, full bool) ([]Read, error) {
	select {
	case w.syncing <- struct{}{}:
		defer func() { <-w.syncing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	reads, err := w.readLists(ctx, full)
	if err != nil {
		return reads, err
	}
	donees, err := w.syncDonees(ctx, full)
	reads = append(reads, donees...)
	if err != nil {
		return reads, err
	}
	w.metrics.synced.Set(float64(w.now().Unix()))
	w.stir()
	return reads, nil
}

// readLists reads the platform's own lists.
func (w *Worker) readLists(ctx context.Context, full bool) (reads []Read, err error) {
	for _, l := range w.lists() {
		read, err := w.syncList(ctx, l, full)
		if err != nil {
			return reads, fmt.Errorf("intake: read %s: %w", l.name, err)
		}
		reads = append(reads, read)
	}
	return reads, nil
}

// SyncSessions reads only the sessions, since the last time or all of them. A ledger that
// has forgotten something begins with them.
func (w *Worker) SyncSessions(ctx context.Context, full bool) error {
	select {
	case w.syncing <- struct{}{}:
		defer func() { <-w.syncing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := w.syncList(ctx, w.lists()[0], full)
	return err
}

func (w *Worker) syncList(ctx context.Context, l list, full bool) (Read, error) {
	began := w.now()
	var since time.Time
	err := w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		since, err = placeOf(ctx, q, l.name, began)
		return err
	})
	if err != nil {
		return Read{}, err
	}
	if full || since.IsZero() {
		since = time.Time{}
	} else {
		since = since.Add(-max(overlap, l.back))
	}
	read := Read{List: l.name}
	if l.events != nil {
		err = w.keepEvents(ctx, l.events(ctx, since), &read)
	} else {
		err = w.noteObjects(ctx, l.read(ctx, since), &read)
	}
	if err != nil {
		return read, err
	}
	if err := w.crash.At(crashpoint.AfterList); err != nil {
		return read, err
	}
	return read, w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return savePlace(ctx, tx, l.name, began) })
}

func (w *Worker) noteObjects(ctx context.Context, list iter.Seq2[object, error], read *Read) error {
	var some []object
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		err := w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, o := range some {
				if err := note(ctx, tx, o); err != nil {
					return err
				}
			}
			return nil
		})
		read.Noted += len(some)
		some = some[:0]
		return err
	}
	for o, err := range list {
		if err != nil {
			return err
		}
		read.Objects++
		if o == (object{}) {
			continue
		}
		if some = append(some, o); len(some) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (w *Worker) keepEvents(ctx context.Context, list iter.Seq2[payments.Hint, error], read *Read) error {
	var some []payments.Hint
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		err := w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, h := range some {
				fresh, err := keep(ctx, tx, h)
				if err != nil {
					return err
				}
				if fresh {
					read.Noted++
				}
			}
			return nil
		})
		some = some[:0]
		return err
	}
	for h, err := range list {
		if err != nil {
			return err
		}
		read.Objects++
		if some = append(some, h); len(some) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
