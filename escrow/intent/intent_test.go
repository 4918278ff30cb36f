package intent

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
)

// thing is what the processor of these tests makes.
type thing struct {
	id     string
	intent payments.IntentID
	at     time.Time
}

func (t thing) ForIntent() payments.IntentID { return t.intent }

// world is a store, and a processor that keeps what it made.
type world struct {
	t      *testing.T
	store  *store.Store
	clock  time.Time
	made   []thing
	sent   []payments.Key
	asked  int
	answer func() error // after it was made
	refuse error        // instead of making it
	lists  error        // instead of listing
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	w.store, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "escrow.db"), Mode: payments.Simulator},
		store.Options{Clock: func() time.Time { return w.clock }})
	w.ok(err)
	t.Cleanup(func() { w.ok(w.store.Close()) })
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) note(id payments.IntentID) {
	w.t.Helper()
	w.ok(w.store.Update(w.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return Note(ctx, tx, id, KindRefund, "h1")
	}))
}

func (w *world) load(id payments.IntentID) (i Intent) {
	w.t.Helper()
	w.ok(w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		i, err = Load(ctx, q, id)
		return err
	}))
	return i
}

func (w *world) due() []Intent {
	w.t.Helper()
	var list []Intent
	w.ok(w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = Due(ctx, q, KindRefund, w.clock, 10)
		return err
	}))
	return list
}

// order is carried out at the processor of the test.
func (w *world) order(id payments.IntentID, recorded *int) Order[thing] {
	return Order[thing]{
		Made: func(_ context.Context, since time.Time) iter.Seq2[thing, error] {
			w.asked++
			return func(yield func(thing, error) bool) {
				if w.lists != nil {
					yield(thing{}, w.lists)
					return
				}
				for _, made := range w.made {
					if !made.at.Before(since) && !yield(made, nil) {
						return
					}
				}
			}
		},
		Send: func(_ context.Context, key payments.Key) (thing, error) {
			w.sent = append(w.sent, key)
			if w.refuse != nil {
				return thing{}, w.refuse
			}
			made := thing{"re_" + string(rune('0'+len(w.made))), id, w.clock}
			w.made = append(w.made, made)
			if w.answer != nil {
				return thing{}, w.answer()
			}
			return made, nil
		},
		ID:     func(t thing) string { return t.id },
		Record: func(context.Context, *store.Tx, thing) error { *recorded++; return nil },
	}
}

func failure(kind error) error { return &payments.Failure{Kind: kind} }

// carry is one try of a process that may die at a point.
func (w *world) carry(id payments.IntentID, crash crashpoint.Hook) (recorded int, err error) {
	_, err = Carry(w.t.Context(), NewCarrier(w.store, crash), id, w.order(id, &recorded))
	return recorded, err
}

func TestCarry_AsksBeforeItSendsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	w.answer = func() error { return failure(payments.ErrUncertain) }
	if _, err := w.carry("h1/1", nil); !errors.Is(err, payments.ErrUncertain) {
		t.Fatalf("a lost answer gave %v", err)
	}
	if w.asked != 0 || len(w.sent) != 1 {
		t.Errorf("the first time it asked %d and sent %d times", w.asked, len(w.sent))
	}
	if len(w.due()) != 0 {
		t.Error("it is due again at once")
	}
	// The processor has forgotten the key, and its clock is behind ours.
	w.made[0].at = w.made[0].at.Add(-clockMargin / 2)
	w.clock = w.clock.Add(30 * 24 * time.Hour)
	if len(w.due()) != 1 {
		t.Fatal("what is uncertain is never tried again")
	}
	recorded, err := w.carry("h1/1", nil)
	w.ok(err)
	if recorded != 1 || len(w.sent) != 1 || w.load("h1/1").Object != w.made[0].id {
		t.Errorf("it recorded %d, sent %d times, and keeps %+v", recorded, len(w.sent), w.load("h1/1"))
	}
	if _, err := w.carry("h1/1", nil); !errors.Is(err, ErrClosed) || len(w.sent) != 1 {
		t.Errorf("a done intent gave %v, sent %d times", err, len(w.sent))
	}
}

// What was sent by a clock that was ahead is found all the same, and not sent again when the
// processor has forgotten the key.
func TestCarry_AClockThatLeaptAheadAndWasSetBackSendsNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	at := w.clock
	w.clock = at.Add(72 * time.Hour)
	w.answer = func() error { return failure(payments.ErrUncertain) }
	if _, err := w.carry("h1/1", nil); !errors.Is(err, payments.ErrUncertain) {
		t.Fatalf("the answer was lost, and it gave %v", err)
	}
	w.made[0].at = at // by the processor's clock
	w.clock = at.Add(time.Minute)
	if due := w.due(); len(due) != 1 {
		t.Errorf("%d are due, want the one", len(due))
	}
	w.answer = nil
	_, err := w.carry("h1/1", nil)
	w.ok(err)
	if object := w.load("h1/1").Object; len(w.sent) != 1 || object != w.made[0].id {
		t.Errorf("it was sent %d times, and made %q", len(w.sent), object)
	}
}

func TestCarry_DiesAtAnyMomentAndSendsOnce(t *testing.T) {
	t.Parallel()
	dead := errors.New("dead")
	for _, point := range []crashpoint.Point{crashpoint.BeforeSend, crashpoint.AfterSend} {
		w := newWorld(t)
		w.note("h1/1")
		died := false
		_, err := w.carry("h1/1", func(p crashpoint.Point) error {
			if p == point {
				died = true
				return dead
			}
			return nil
		})
		if !errors.Is(err, dead) || !died {
			t.Fatalf("%s: it did not die: %v", point, err)
		}
		recorded, err := w.carry("h1/1", nil)
		w.ok(err)
		if recorded != 1 || len(w.made) != 1 || w.asked != 1 {
			t.Errorf("%s: recorded %d, made %d, asked %d", point, recorded, len(w.made), w.asked)
		}
		if w.sent[0] != "refund/h1/1" {
			t.Errorf("%s: the key is %s", point, w.sent[0])
		}
	}
}

func TestCarry_WhatIsRefusedStaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	w.refuse = failure(payments.ErrRefused)
	refused := 0
	order := w.order("h1/1", new(int))
	order.Refuse = func(context.Context, *store.Tx, *payments.Failure) error { refused++; return nil }
	if _, err := Carry(t.Context(), NewCarrier(w.store, nil), "h1/1", order); !errors.Is(err, payments.ErrRefused) {
		t.Fatalf("it gave %v", err)
	}
	w.refuse = nil
	if _, err := Carry(t.Context(), NewCarrier(w.store, nil), "h1/1", order); !errors.Is(err, ErrClosed) {
		t.Errorf("a refused intent gave %v", err)
	}
	if refused != 1 || len(w.sent) != 1 || w.load("h1/1").Open() {
		t.Errorf("refused %d, sent %d, %+v", refused, len(w.sent), w.load("h1/1"))
	}
}

func TestCarry_WhatIsOnlyLateIsTriedAgainLaterAndLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	last := time.Duration(0)
	for n, kind := range []error{payments.ErrUnreachable, payments.ErrLimited, payments.ErrMisconfigured, payments.ErrMismatch} {
		w.refuse = &payments.Failure{Kind: kind, RetryAfter: time.Millisecond}
		if _, err := w.carry("h1/1", nil); !errors.Is(err, kind) {
			t.Fatalf("%v gave %v", kind, err)
		}
		wait := time.Duration(0)
		for len(w.due()) == 0 {
			wait += time.Second
			w.clock = w.clock.Add(time.Second)
		}
		if n > 0 && wait <= last {
			t.Errorf("after %v it waits %s, not longer than %s", kind, wait, last)
		}
		last = wait
	}
}

func TestCarry_AQuestionThatIsRefusedRefusesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	w.answer = func() error { return failure(payments.ErrUncertain) }
	_, _ = w.carry("h1/1", nil)
	w.lists = failure(payments.ErrRefused)
	if _, err := w.carry("h1/1", nil); !errors.Is(err, payments.ErrRefused) || !w.load("h1/1").Open() || len(w.sent) != 1 {
		t.Errorf("it gave %v, sent %d times, %+v", err, len(w.sent), w.load("h1/1"))
	}
}

func TestCarry_DoneTwiceIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	w.answer = func() error { return failure(payments.ErrUncertain) }
	_, _ = w.carry("h1/1", nil)
	w.made = append(w.made, thing{"re_x", "h1/1", w.clock})
	if _, err := w.carry("h1/1", nil); !errors.Is(err, payments.ErrDoubled) || len(w.sent) != 1 {
		t.Errorf("it gave %v, sent %d times", err, len(w.sent))
	}
}

func TestAdopt_BeforeTheAnswerComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	adopt := func(object string) error {
		return w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return Adopt(ctx, tx, "h1/1", KindRefund, "h1", object)
		})
	}
	// An earlier try has made it, which is told while this one is refused for that.
	w.refuse = failure(payments.ErrRefused)
	order := w.order("h1/1", new(int))
	send := order.Send
	order.Send = func(ctx context.Context, key payments.Key) (thing, error) {
		w.ok(adopt("re_0"))
		return send(ctx, key)
	}
	order.Refuse = func(context.Context, *store.Tx, *payments.Failure) error {
		t.Error("what was made is told as refused")
		return nil
	}
	if _, err := Carry(t.Context(), NewCarrier(w.store, nil), "h1/1", order); !errors.Is(err, payments.ErrRefused) {
		t.Fatalf("it gave %v", err)
	}
	if i := w.load("h1/1"); i.Object != "re_0" || i.Refused != "" {
		t.Errorf("it keeps %+v", i)
	}
	w.ok(adopt("re_0"))
	if err := adopt("re_1"); !errors.Is(err, ErrOther) {
		t.Errorf("another object gave %v", err)
	}
}

func TestAdopt_OfWhatWasRefusedIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	w.refuse = failure(payments.ErrRefused)
	_, _ = w.carry("h1/1", nil)
	err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return Adopt(ctx, tx, "h1/1", KindRefund, "h1", "re_0")
	})
	if !errors.Is(err, ErrRefusedYet) {
		t.Errorf("it gave %v", err)
	}
}

func TestOpen_CountsWhatIsNeitherDoneNorRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	oldest := w.clock
	w.note("h1/1")
	w.clock = w.clock.Add(time.Hour)
	w.note("h1/2")
	open := func() (out Waiting) {
		w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
			out, err = Open(ctx, q)
			return err
		}))
		return out
	}
	if got := open(); got != (Waiting{2, oldest}) {
		t.Errorf("open: %+v", got)
	}
	for _, id := range []payments.IntentID{"h1/1", "h1/2"} {
		_, err := w.carry(id, nil)
		w.ok(err)
	}
	if got := open(); got != (Waiting{}) {
		t.Errorf("open after all is done: %+v", got)
	}
	w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		list, err := Of(ctx, q, KindRefund, "h1")
		if err != nil || len(list) != 2 || list[0].ID != "h1/1" {
			t.Errorf("those of h1: %+v, %v", list, err)
		}
		by, err := ByObject(ctx, q, "re_1")
		if err != nil || by.ID != "h1/2" {
			t.Errorf("that of re_1: %+v, %v", by, err)
		}
		return nil
	}))
}

func TestNote_TheIdOfAnotherIntentIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.note("h1/1")
	w.note("h1/1")
	err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return Note(ctx, tx, "h1/1", KindRefund, "h2")
	})
	if !errors.Is(err, ErrOther) {
		t.Errorf("it gave %v", err)
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 3)
}
