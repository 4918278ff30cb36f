package outgoing

import (
	"context"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const amount = 2500

type world struct {
	*processortest.World
	sender *Sender
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: processortest.New(t)}
	w.restart(nil)
	return w
}

// restart is a new process.
func (w *world) restart(crash crashpoint.Hook) {
	w.sender = New(processortest.Escrow, w.Store, w.Ledger, w.Client, Options{Log: w.Log, Clock: w.Now, Crash: crash})
}

func (w *world) pass() {
	w.T.Helper()
	_, err := w.sender.Pass(w.T.Context())
	w.OK(err)
}

// passes lets time go by with a pass every hour.
func (w *world) passes(span time.Duration) {
	w.T.Helper()
	for ; span > 0; span -= time.Hour {
		w.Advance(time.Hour)
		w.pass()
	}
}

// refundsAt are those of a hold's charge at the processor.
func (w *world) refundsAt(hold ledger.HoldID) (list []payments.Refund) {
	w.T.Helper()
	for r, err := range w.Client.Refunds(w.T.Context(), payments.RefundQuery{Charge: payments.ChargeID(w.Hold(hold).Charge)}) {
		w.OK(err)
		list = append(list, r)
	}
	return list
}

func (w *world) oneRefund(hold ledger.HoldID) payments.Refund {
	w.T.Helper()
	list := w.refundsAt(hold)
	if len(list) != 1 {
		w.T.Fatalf("hold %s has %d refunds", hold, len(list))
	}
	return list[0]
}

func (w *world) halts() (details []string) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		standing, err := halt.Standing(ctx, q)
		for _, h := range standing {
			details = append(details, string(h.Reason)+": "+h.Detail)
		}
		return err
	})
	return details
}

func (w *world) noHalt() {
	w.T.Helper()
	if halts := w.halts(); len(halts) != 0 {
		w.T.Errorf("money stands still: %q", halts)
	}
}

func (w *world) following() (n int) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT count(*) FROM follow`).Scan(&n)
	})
	return n
}

// dispute opens a dispute of a hold's charge, which is told to the escrow.
func (w *world) dispute(hold ledger.HoldID, part int64, inquiry bool) payments.DisputeID {
	w.T.Helper()
	id, err := w.Control.Dispute(w.T.Context(), w.Hold(hold).Charge, newDispute(part, inquiry))
	w.OK(err)
	w.OK(w.sender.ObserveDispute(w.T.Context(), payments.DisputeID(id)))
	return payments.DisputeID(id)
}

func (w *world) win(id payments.DisputeID, part int64) {
	w.T.Helper()
	w.OK(w.Control.Win(w.T.Context(), string(id), part))
	w.OK(w.sender.ObserveDispute(w.T.Context(), id))
}

func (w *world) lose(id payments.DisputeID) {
	w.T.Helper()
	w.OK(w.Control.Lose(w.T.Context(), string(id)))
	w.OK(w.sender.ObserveDispute(w.T.Context(), id))
}

func (w *world) stop(reason halt.Reason, detail string) {
	w.T.Helper()
	w.Update(func(ctx context.Context, tx *store.Tx) error { return halt.Stop(ctx, tx, reason, detail) })
}
