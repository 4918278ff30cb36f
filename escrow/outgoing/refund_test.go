package outgoing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/indexer/sqlite/sqlitetest"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const day = 24 * time.Hour

func newDispute(part int64, inquiry bool) simulator.NewDispute {
	return simulator.NewDispute{Amount: part, Inquiry: inquiry}
}

func TestR14_ARefundIsSentOnceAndInFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.pass()
	if len(w.refundsAt("h1")) != 0 {
		t.Error("what is held was refunded")
	}
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.Want("h1", "refunding(withdrawn)")
	w.pass()
	w.pass()
	r := w.oneRefund("h1")
	if r.Amount.Amount != amount || r.Reason != payments.RefundRequested || r.Mark.Intent != "h1/1" || r.Mark.Subject != processortest.PledgeOf("h1") {
		t.Errorf("the refund is %+v", r)
	}
	w.Want("h1", "refunded(withdrawn)")
	if w.following() != 0 {
		t.Error("what is settled is followed")
	}
	w.Agree()
	w.noHalt()
}

func TestRefund_OfFraudSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	warning, err := w.Control.WarnOfFraud(t.Context(), w.Hold("h1").Charge)
	w.OK(err)
	w.OK(w.sender.ObserveWarning(t.Context(), payments.WarningID(warning)))
	w.OK(w.sender.ObserveWarning(t.Context(), payments.WarningID(warning)))
	w.pass()
	if r := w.oneRefund("h1"); r.Reason != payments.RefundFraudulent {
		t.Errorf("the processor was told %s", r.Reason)
	}
	w.Want("h1", "refunded(fraud)")
	w.OK(w.sender.ObserveWarning(t.Context(), payments.WarningID(warning)))
	w.Agree()
}

func TestRefund_PendingIsRefundingUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.RefundPends)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.pass()
	w.Want("h1", "refunding(cancelled)")
	w.Agree()
	w.passes(4 * day)
	w.Want("h1", "refunding(cancelled)")
	w.passes(2 * day)
	w.Want("h1", "refunded(cancelled)")
	w.oneRefund("h1")
	w.Agree()
}

func TestRefund_ThatTheBalanceDoesNotCoverWaitsAndIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays) // its funds come in two days
	_, err := w.Control.PayOut(t.Context(), "", processortest.Float, "usd")
	w.OK(err)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.pass()
	if r := w.oneRefund("h1"); r.Status != payments.RefundPending {
		t.Fatalf("the refund is %s", r.Status)
	}
	w.Want("h1", "refunding(cancelled)")
	_, err = w.Control.TopUp(t.Context(), processortest.Float, "usd")
	w.OK(err)
	w.passes(day)
	w.oneRefund("h1")
	w.Want("h1", "refunded(cancelled)")
}

func TestRefund_ThatFailsWeeksLaterIsOwedUntilAnAdminTriesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.RefundFails)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.pass()
	w.Want("h1", "refunded(cancelled)")
	first := w.oneRefund("h1").ID
	w.Advance(22 * day)
	w.OK(w.sender.ObserveRefund(t.Context(), first))
	w.Want("h1", "refund-failed(cancelled)")
	w.Agree()
	w.passes(day)
	if len(w.refundsAt("h1")) != 1 {
		t.Error("it was sent again, although nobody asked for that")
	}
	w.Update(func(ctx context.Context, tx *store.Tx) error { return w.Ledger.RetryRefund(ctx, tx, "h1") })
	w.pass()
	list := w.refundsAt("h1")
	if len(list) != 2 || list[0].Mark.Intent != "h1/2" {
		t.Fatalf("after the retry: %+v", list)
	}
	w.Want("h1", "refunded(cancelled)")
	w.Agree()
	w.noHalt()
}

// faster is a processor at which a bank takes the money between a question and the order.
type faster struct {
	Processor
	take func()
}

func (p faster) SendRefund(ctx context.Context, o payments.RefundOrder) (payments.Refund, error) {
	p.take()
	return p.Processor.SendRefund(ctx, o)
}

// Nobody but a person can do anything about a refund that came back, so one is told, once.
func TestRefund_ThatComesBackIsToldToTheOperator(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		card  string
		after func(*world)
	}{
		"it fails weeks later": {processortest.RefundFails, func(w *world) {
			w.Advance(22 * day)
			for range 2 {
				w.OK(w.sender.ObserveRefund(t.Context(), w.oneRefund("h1").ID))
			}
		}},
		"it is refused": {processortest.Pays, func(*world) {}},
	} {
		w := newWorld(t)
		var said bytes.Buffer
		w.Log = slog.New(slog.NewTextHandler(&said, nil))
		w.restart(nil)
		w.Held("h1", amount, c.card)
		if c.card == processortest.Pays {
			w.sender.processor = faster{w.Client, func() {
				_, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, simulator.NewDispute{})
				w.OK(err)
			}}
		}
		w.DecideRefund("h1", ledger.ReasonCancelled)
		w.pass()
		c.after(w)
		w.Want("h1", "refund-failed(cancelled)")
		if n := strings.Count(said.String(), "a refund came back"); n != 1 || !strings.Contains(said.String(), "escrow retry-refund") || !strings.Contains(said.String(), processortest.PledgeOf("h1").String()) {
			t.Errorf("%s: it was told %d times: %s", name, n, &said)
		}
		w.Read(func(ctx context.Context, q sqlite.Querier) error {
			list, err := ledger.RefundsReturned(ctx, q, 10)
			want := ledger.CameBack{Hold: "h1", Pledge: processortest.PledgeOf("h1"), Amount: money.Money{Amount: amount, Currency: "USD"}}
			if len(list) != 1 || list[0] != want {
				t.Errorf("%s: %+v came back", name, list)
			}
			return err
		})
	}
}

func TestRefund_ThatIsRefusedIsOwed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	var id string
	w.sender.processor = faster{w.Client, func() {
		var err error
		id, err = w.Control.Dispute(t.Context(), w.Hold("h1").Charge, simulator.NewDispute{})
		w.OK(err)
	}}
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.pass()
	w.Want("h1", "refund-failed(withdrawn)")
	w.restart(nil)
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	w.Want("h1", "charged-back(chargeback)")
	w.win(payments.DisputeID(id), 0)
	w.Want("h1", "refunding(withdrawn)")
	w.pass()
	w.Want("h1", "refunded(withdrawn)")
	w.Agree()
	w.noHalt()
}

func TestRefund_OnceWhateverIsLost(t *testing.T) {
	t.Parallel()
	for _, fault := range []simulator.Fault{
		simulator.FaultRateLimit, simulator.FaultErrorBefore, simulator.FaultCloseBefore,
		simulator.FaultErrorAfter, simulator.FaultCloseAfter, simulator.FaultTruncateAfter, simulator.FaultHangAfter,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Held("h1", amount, processortest.Pays)
			w.DecideRefund("h1", ledger.ReasonWithdrawn)
			w.Fault(fault, "POST /v1/refunds")
			w.pass()
			w.Fired(fault)
			w.Want("h1", "refunding(withdrawn)")
			w.Advance(30 * day) // the processor has forgotten the key
			w.restart(nil)
			w.pass()
			w.oneRefund("h1")
			w.Want("h1", "refunded(withdrawn)")
			w.Agree()
			w.noHalt()
		})
	}
}

func TestRefund_OnceWhereverTheProcessDies(t *testing.T) {
	t.Parallel()
	dead := errors.New("dead")
	for _, point := range []crashpoint.Point{crashpoint.BeforeSend, crashpoint.AfterSend} {
		w := newWorld(t)
		w.Held("h1", amount, processortest.Pays)
		w.DecideRefund("h1", ledger.ReasonWithdrawn)
		w.restart(func(p crashpoint.Point) error {
			if p == point {
				return dead
			}
			return nil
		})
		if _, err := w.sender.Pass(t.Context()); !errors.Is(err, dead) {
			t.Fatalf("%s: it did not die: %v", point, err)
		}
		w.restart(nil)
		w.pass()
		w.oneRefund("h1")
		w.Want("h1", "refunded(withdrawn)")
		w.Agree()
	}
}

func TestRefund_ThatOnlyTheProcessorRemembersIsAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	mark, err := w.sender.mark(t.Context(), w.Hold("h1"), "h1/1")
	w.OK(err)
	r, err := w.Client.SendRefund(t.Context(), payments.RefundOrder{
		Key: "refund/h1/1", Mark: mark, Charge: payments.ChargeID(w.Hold("h1").Charge), Amount: w.Hold("h1").Value, Reason: payments.RefundRequested,
	})
	w.OK(err)
	w.OK(w.sender.ObserveRefund(t.Context(), r.ID))
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		i, err := intent.Load(ctx, q, "h1/1")
		if err == nil && i.Object != string(r.ID) {
			t.Errorf("its intent is %+v", i)
		}
		return err
	})
	w.pass()
	w.oneRefund("h1")
	w.Want("h1", "refunded(withdrawn)")
	w.Agree()
}

// TestRefund_IsNotSentBesideOneThatWasNotHeardOf: the database was restored, the processor
// has forgotten the key, and the charge says that it went back.
func TestRefund_IsNotSentBesideOneThatWasNotHeardOf(t *testing.T) {
	t.Parallel()
	for card, until := range map[string]string{processortest.Pays: "refunded(withdrawn)", processortest.RefundPends: "refunding(withdrawn)"} {
		t.Run(until, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Held("h1", amount, card)
			mark, err := w.sender.mark(t.Context(), w.Hold("h1"), "h1/1")
			w.OK(err)
			_, err = w.Client.SendRefund(t.Context(), payments.RefundOrder{
				Key: "refund/h1/1", Mark: mark, Charge: payments.ChargeID(w.Hold("h1").Charge), Amount: w.Hold("h1").Value, Reason: payments.RefundRequested,
			})
			w.OK(err)
			w.Advance(25 * time.Hour)
			w.DecideRefund("h1", ledger.ReasonWithdrawn)
			w.pass()
			w.Want("h1", until)
			w.passes(2 * time.Hour)
			w.oneRefund("h1")
			if open := w.openIntents(); open != 0 {
				t.Errorf("%d intents are open", open)
			}
			w.noHalt()
			w.Agree()
		})
	}
}

func TestRefund_MadeByHandStopsMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	mark, err := w.sender.mark(t.Context(), w.Hold("h1"), "h1/1")
	w.OK(err)
	r, err := w.Client.SendRefund(t.Context(), payments.RefundOrder{
		Key: "by-hand", Mark: mark, Charge: payments.ChargeID(w.Hold("h1").Charge), Amount: w.Hold("h1").Value, Reason: payments.RefundRequested,
	})
	w.OK(err)
	if err := w.sender.ObserveRefund(t.Context(), r.ID); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a refund that nobody decided gave %v", err)
	}
}

func TestRefund_OfAStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	charge, err := w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 900, Currency: "usd"})
	w.OK(err)
	id, err := w.Control.Dispute(t.Context(), charge, simulator.NewDispute{})
	w.OK(err)
	if err := w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)); !errors.Is(err, ErrStranger) {
		t.Errorf("somebody else's dispute gave %v", err)
	}
}

func TestHalt_NothingIsSentUntilItIsLifted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.stop(halt.UnknownMoney, "txn_1")
	w.passes(3 * time.Hour)
	if len(w.refundsAt("h1")) != 0 {
		t.Fatal("a refund was sent while money stands still")
	}
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		_, err := halt.Lift(ctx, tx, "looked at it")
		return err
	})
	w.stop(halt.Strangers, "ch_1") // stops checkouts only
	w.pass()
	w.oneRefund("h1")
	w.Want("h1", "refunded(withdrawn)")
}

func TestHalt_DoneTwiceStopsMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Held("h2", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.DecideRefund("h2", ledger.ReasonWithdrawn)
	w.Fault(simulator.FaultRateLimit, "POST /v1/refunds")
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return intent.Note(ctx, tx, "h1/1", intent.KindRefund, "h1")
	})
	mark, err := w.sender.mark(t.Context(), w.Hold("h1"), "h1/1")
	w.OK(err)
	w.pass()
	w.Fired(simulator.FaultRateLimit)
	for _, key := range []payments.Key{"a", "b"} {
		half := w.Hold("h1").Value
		half.Amount /= 2
		_, err := w.Client.SendRefund(t.Context(), payments.RefundOrder{Key: key, Mark: mark, Charge: payments.ChargeID(w.Hold("h1").Charge), Amount: half, Reason: payments.RefundRequested})
		w.OK(err)
	}
	w.passes(2 * time.Hour)
	if len(w.halts()) != 1 {
		t.Errorf("standing: %q", w.halts())
	}
}

func TestStatements_ParametersAppearInOrder(t *testing.T) {
	t.Parallel()
	sqlitetest.ParametersInOrder(t, ".", 4)
}

// TestObserveDispute_HearsFirstOfTheRefundThatWentBefore: its answer was lost, and the bank
// was faster than the question.
func TestObserveDispute_HearsFirstOfTheRefundThatWentBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.Advance(72 * time.Hour) // the funds are there
	dead := errors.New("died")
	w.restart(func(p crashpoint.Point) error {
		if p == crashpoint.AfterSend {
			return dead
		}
		return nil
	})
	if _, err := w.sender.Pass(t.Context()); !errors.Is(err, dead) {
		t.Fatalf("the process ended with %v", err)
	}
	w.restart(nil)
	w.lose(w.dispute("h1", 0, false))
	w.passes(2 * time.Hour)
	w.noHalt()
	w.Want("h1", "refunded(cancelled)")
	w.oneRefund("h1")
}

// TestObserveDispute_HearsFirstThatAPendingRefundHasLeft: the ledger knows the refund, and
// not that the balance covered it before the bank took all of it.
func TestObserveDispute_HearsFirstThatAPendingRefundHasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays) // its funds come in two days
	_, err := w.Control.PayOut(t.Context(), "", processortest.Float, "usd")
	w.OK(err)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.pass()
	r := w.oneRefund("h1")
	if r.Status != payments.RefundPending {
		t.Fatalf("the refund is %s", r.Status)
	}
	_, err = w.Control.TopUp(t.Context(), processortest.Float, "usd")
	w.OK(err)
	w.Advance(time.Hour)
	if r := w.oneRefund("h1"); r.Status != payments.RefundSucceeded {
		t.Fatalf("the refund is %s", r.Status)
	}
	id, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, newDispute(0, false))
	w.OK(err)
	w.OK(w.Control.Lose(t.Context(), id))
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	w.OK(w.sender.ObserveRefund(t.Context(), r.ID))
	w.passes(2 * time.Hour)
	w.noHalt()
	w.Want("h1", "refunded(cancelled)")
	w.Agree()
}

// TestObserveRefund_OfAForgottenDecisionDecidesItAgain: the database was restored, and the
// refund says why it was made.
func TestObserveRefund_OfAForgottenDecisionDecidesItAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Advance(72 * time.Hour)
	h := w.Hold("h1")
	charge, err := w.Client.Charge(t.Context(), payments.Platform, payments.ChargeID(h.Charge))
	w.OK(err)
	mark := charge.Mark
	mark.Intent = "h1/1"
	made, err := w.Client.SendRefund(t.Context(), payments.RefundOrder{
		Key: "refund/h1/1", Mark: mark, Charge: charge.ID, Amount: h.Value, Reason: payments.RefundRequested, Because: "withdrawn",
	})
	w.OK(err)
	w.OK(w.sender.ObserveRefund(t.Context(), made.ID))
	w.passes(2 * time.Hour)
	w.noHalt()
	w.Want("h1", "refunded(withdrawn)")
	w.oneRefund("h1")
}

// TestObserveRefund_OfATryThatWasForgottenHearsOfAllThatCameBefore: the operator sent a
// refund again that a bank had returned, and the database was restored to before that.
func TestObserveRefund_OfATryThatWasForgottenHearsOfAllThatCameBefore(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]int{"held": 0, "decided": 1, "refunded": 2, "failed": 3, "tried again": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Held("h1", amount, processortest.RefundFails)
			for step, do := range []func(){
				func() {},
				func() { w.DecideRefund("h1", ledger.ReasonCancelled) },
				w.pass,
				func() {
					w.Advance(22 * day)
					w.OK(w.sender.ObserveRefund(t.Context(), w.oneRefund("h1").ID))
				},
				func() {
					w.Update(func(ctx context.Context, tx *store.Tx) error { return w.Ledger.RetryRefund(ctx, tx, "h1") })
				},
				w.pass,
			} {
				do()
				if step == at {
					w.OK(w.Store.Backup(t.Context(), w.Path+".backup"))
				}
			}
			second := w.refundsAt("h1")[0] // the newest
			if second.Mark.Intent != "h1/2" {
				t.Fatalf("the newest refund is %+v", second)
			}
			w.OK(w.Store.Close())
			w.Path += ".backup"
			w.Open()
			w.restart(nil)
			w.OK(w.sender.ObserveRefund(t.Context(), second.ID))
			w.Want("h1", "refunded(cancelled)")
			w.passes(3 * time.Hour)
			if n := len(w.refundsAt("h1")); n != 2 {
				t.Errorf("%d refunds, want 2", n)
			}
			w.noHalt()
			w.Agree()

			// And once more, by the number that follows.
			w.Advance(22 * day)
			w.OK(w.sender.ObserveRefund(t.Context(), second.ID))
			w.Update(func(ctx context.Context, tx *store.Tx) error { return w.Ledger.RetryRefund(ctx, tx, "h1") })
			w.pass()
			if third := w.refundsAt("h1")[0]; third.Mark.Intent != "h1/3" {
				t.Errorf("the third refund is %+v", third)
			}
		})
	}
}

// TestObserveRefund_OfAForgottenTryAfterABankGaveTheMoneyBack: what came back was due once
// more already when the bank took it, and the database was restored to after that.
func TestObserveRefund_OfAForgottenTryAfterABankGaveTheMoneyBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.RefundFails)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.pass()
	w.Advance(22 * day)
	w.OK(w.sender.ObserveRefund(t.Context(), w.oneRefund("h1").ID))
	again := func() {
		w.Update(func(ctx context.Context, tx *store.Tx) error { return w.Ledger.RetryRefund(ctx, tx, "h1") })
	}
	again()
	w.win(w.dispute("h1", amount, false), 0)
	w.Want("h1", "refund-failed(cancelled)")
	w.OK(w.Store.Backup(t.Context(), w.Path+".backup"))
	again()
	w.pass()
	second := w.refundsAt("h1")[0]
	if second.Mark.Intent != "h1/2" {
		t.Fatalf("the newest refund is %+v", second)
	}
	w.OK(w.Store.Close())
	w.Path += ".backup"
	w.Open()
	w.restart(nil)
	w.OK(w.sender.ObserveRefund(t.Context(), second.ID))
	w.Want("h1", "refunded(cancelled)")
	w.passes(3 * time.Hour)
	if n := len(w.refundsAt("h1")); n != 2 {
		t.Errorf("%d refunds, want 2", n)
	}
	w.noHalt()
	w.Agree()
}

// TestRefund_WhatABankKeepsIsNotOrderedForEver: the refund was noted, and a bank was faster.
func TestRefund_WhatABankKeepsIsNotOrderedForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.OK(w.sender.noteRefunds(t.Context()))
	d := w.dispute("h1", 0, false)
	w.passes(time.Hour)
	if open := w.openIntents(); open != 1 {
		t.Errorf("while the bank has not decided, %d intents are open", open)
	}
	w.lose(d)
	w.passes(2 * time.Hour)
	if open := w.openIntents(); open != 0 {
		t.Errorf("%d intents are open", open)
	}
	w.noHalt()
	w.Want("h1", "charged-back(chargeback)")
}

// TestRefund_IsWithoutWhatABankKeptUnheard: a dispute began and ended while nobody here
// listened, and the processor refunds whatever it is told to by then.
func TestRefund_IsWithoutWhatABankKeptUnheard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonCancelled)
	w.OK(w.sender.noteRefunds(t.Context()))
	id, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, newDispute(2000, false))
	w.OK(err)
	w.OK(w.Control.Win(t.Context(), id, 500))
	w.passes(2 * time.Hour)
	if got := w.oneRefund("h1").Amount.Amount; got != amount-1500 {
		t.Errorf("%d of %d were refunded, and a bank keeps 1500", got, amount)
	}
	w.Agree()
	w.noHalt()
}

func (w *world) openIntents() (n int) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT count(*) FROM intent WHERE object IS NULL AND refused IS NULL`).Scan(&n)
	})
	return n
}
