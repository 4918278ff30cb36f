package outgoing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/processortest"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// net is what Ann gets of an amount.
const net = amount - amount*5/100

func (w *world) transfers() (list []payments.Transfer) {
	w.T.Helper()
	for t, err := range w.Client.Transfers(w.T.Context(), payments.TransferQuery{}) {
		w.OK(err)
		list = append(list, t)
	}
	return list
}

// released is a hold of which the payee has the money.
func (w *world) released(hold ledger.HoldID) payments.TransferID {
	w.T.Helper()
	w.Held(hold, amount, processortest.PaysAtOnce)
	w.Settle()
	w.pass()
	w.Want(hold, "released")
	return w.transfers()[0].ID
}

func TestR14_ATransferIsSentOnceAndReleasedWhenItsFundsAreThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Settle()
	w.Want("h1", "releasing")
	w.pass()
	w.pass()
	list := w.transfers()
	if len(list) != 1 {
		t.Fatalf("%d transfers", len(list))
	}
	sent := list[0]
	if sent.To != w.Account || sent.Amount.Amount != net || string(sent.Source) != w.Hold("h1").Charge || sent.Mark.Intent != payments.IntentID("h1/"+processortest.Ann) {
		t.Errorf("the transfer is %+v", sent)
	}
	w.Want("h1", "releasing")
	w.Agree()
	w.passes(3 * day)
	w.Want("h1", "released")
	if w.following() != 0 || len(w.transfers()) != 1 {
		t.Errorf("followed %d, transfers %d", w.following(), len(w.transfers()))
	}
	w.Agree()
	w.noHalt()
}

func TestTransfer_OnceWhateverIsLost(t *testing.T) {
	t.Parallel()
	for _, fault := range []simulator.Fault{simulator.FaultErrorBefore, simulator.FaultErrorAfter, simulator.FaultCloseAfter, simulator.FaultHangAfter} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Held("h1", amount, processortest.PaysAtOnce)
			w.Settle()
			w.Fault(fault, "POST /v1/transfers")
			w.pass()
			w.Fired(fault)
			w.Advance(2 * day)
			w.restart(nil)
			w.pass()
			if list := w.transfers(); len(list) != 1 {
				t.Errorf("%d transfers", len(list))
			}
			w.Want("h1", "released")
			w.Agree()
		})
	}
}

func TestTransfer_OnceWhereverTheProcessDies(t *testing.T) {
	t.Parallel()
	dead := errors.New("dead")
	for _, point := range []crashpoint.Point{crashpoint.BeforeSend, crashpoint.AfterSend} {
		w := newWorld(t)
		w.Held("h1", amount, processortest.PaysAtOnce)
		w.Settle()
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
		if list := w.transfers(); len(list) != 1 {
			t.Errorf("%s: %d transfers", point, len(list))
		}
		w.Want("h1", "released")
	}
}

func TestTransfer_ToAnAccountThatIsBlockedIsTriedUntilItIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.OK(w.Control.Restrict(t.Context(), string(w.Account), "requirements.past_due"))
	w.Held("h1", amount, processortest.PaysAtOnce)
	w.Settle()
	w.passes(2 * day)
	w.Want("h1", "releasing")
	if len(w.transfers()) != 0 {
		t.Fatal("a transfer was made to an account that may not receive one")
	}
	w.OK(w.Control.Complete(t.Context(), string(w.Account)))
	w.passes(2 * day)
	w.Want("h1", "released")
	if len(w.transfers()) != 1 {
		t.Errorf("%d transfers", len(w.transfers()))
	}
	w.Agree()
	w.noHalt()
}

func TestTransfer_MadeByHandIsUnknownMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.PaysAtOnce)
	mark, err := w.sender.mark(t.Context(), w.Hold("h1"), "h1")
	w.OK(err)
	sent, err := w.Client.SendTransfer(t.Context(), payments.TransferOrder{Key: "by-hand", Mark: mark, To: w.Account, Source: payments.ChargeID(w.Hold("h1").Charge), Amount: w.Hold("h1").Value})
	w.OK(err)
	if err := w.sender.ObserveTransfer(t.Context(), sent.ID); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("it gave %v", err)
	}
}

// Each row of the table of chargebacks in docs/escrow.md, told by the simulator.

// Only the operator can answer a bank, and not for ever.
func TestR17_TheOperatorIsToldWhatABankWaitsFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var said bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&said, nil))
	w.restart(nil)
	w.Held("h1", amount, processortest.Pays)
	id, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, simulator.NewDispute{})
	w.OK(err)
	w.OK(w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)))
	due := w.Now().Add(simulator.StripeTerms().EvidenceWithin).UTC().Format("2006-01-02")
	if text := said.String(); !strings.Contains(text, "waits for evidence") || !strings.Contains(text, "by="+due) || !strings.Contains(text, id) {
		t.Errorf("it was told %s, want until %s", text, due)
	}
	said.Reset()
	w.win(payments.DisputeID(id), 0)
	if text := said.String(); strings.Contains(text, "waits for evidence") || !strings.Contains(text, "status=won") {
		t.Errorf("after it was won, it was told %s", text)
	}
}

func TestR17_InquiryMovesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	id := w.dispute("h1", 0, true)
	w.Want("h1", "held")
	if w.following() != 1 {
		t.Error("an open inquiry is not followed")
	}
	w.OK(w.Control.Lose(t.Context(), string(id)))
	w.passes(day)
	w.Want("h1", "held")
	if w.following() != 0 {
		t.Error("a closed inquiry is followed")
	}
	w.Agree()
}

func TestR17_InquiryThatBecomesAChargebackIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	id := w.dispute("h1", 0, true)
	w.OK(w.Control.Escalate(t.Context(), string(id)))
	w.passes(day)
	w.Want("h1", "charged-back(chargeback)")
	w.Agree()
}

func TestR17_WhileHeldAndWonIsHeldAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	id := w.dispute("h1", 0, false)
	w.Want("h1", "charged-back(chargeback)")
	w.Agree()
	w.win(id, 0)
	w.Want("h1", "held")
	w.Agree()
}

// early is a processor that says won before the money is back.
type early struct{ Processor }

func (p early) Dispute(ctx context.Context, account payments.AccountID, id payments.DisputeID) (payments.Dispute, error) {
	d, err := p.Processor.Dispute(ctx, account, id)
	d.Status = payments.DisputeWon
	return d, err
}

func TestR17_WonBeforeTheMoneyIsBackIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	id, err := w.Control.Dispute(t.Context(), w.Hold("h1").Charge, newDispute(0, false))
	w.OK(err)
	w.sender.processor = early{w.Client}
	if err := w.sender.ObserveDispute(t.Context(), payments.DisputeID(id)); !errors.Is(err, ledger.ErrNotYet) {
		t.Errorf("it gave %v", err)
	}
	// What is known is posted, and the rest is looked for.
	w.Want("h1", "charged-back(chargeback)")
	w.Agree()
	w.passes(2 * time.Hour)
	w.restart(nil)
	w.OK(w.Control.Win(t.Context(), id, 0))
	w.passes(day)
	w.Want("h1", "held")
	w.noHalt()
}

func TestR17_WhileHeldAndLostIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.Held("h2", amount, processortest.Pays)
	w.dispute("h1", 0, false)
	w.passes(22 * day) // nobody answers the bank, which no webhook tells
	w.Want("h1", "charged-back(chargeback)")
	if state := w.Hold("h1").Chargebacks[0].State; state != ledger.ChargebackLost {
		t.Errorf("the chargeback is %s", state)
	}
	w.Want("h2", "held")
	w.Agree()
	w.noHalt()
}

func TestR17_PartlyLostGivesTheRestBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	id := w.dispute("h1", 0, false)
	w.win(id, 1000)
	// The rest is the payer's.
	w.Want("h1", "refunding(chargeback)")
	w.pass()
	if r := w.oneRefund("h1"); r.Amount.Amount != 1000 {
		t.Errorf("the refund is of %d", r.Amount.Amount)
	}
	w.Want("h1", "charged-back(chargeback)")
	if due := w.Hold("h1").Balances[ledger.KindRefundDue]; due != 0 {
		t.Errorf("%d is still due", due)
	}
	w.Agree()
	w.noHalt()
}

func TestR17_OfAPartWhileHeldAndLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	id := w.dispute("h1", 1000, false)
	w.lose(id)
	w.Want("h1", "refunding(chargeback)")
	w.pass()
	// The processor refunds nothing of a charge that was charged back.
	w.Want("h1", "refund-failed(chargeback)")
	w.Agree()
	w.noHalt()
}

func TestR17_WhileARefundIsPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.RefundPends)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.pass()
	id := w.dispute("h1", 0, false) // which lets the refund fail
	w.passes(day)
	w.Want("h1", "charged-back(chargeback)")
	w.win(id, 0)
	// Its refund has failed before, so a person has to look.
	w.Want("h1", "refund-failed(withdrawn)")
	w.Agree()
	w.noHalt()
}

func TestR17_AfterARefundIsTheOperatorsLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.Pays)
	w.DecideRefund("h1", ledger.ReasonWithdrawn)
	w.pass()
	id := w.dispute("h1", 0, false)
	w.Want("h1", "refunded(withdrawn)")
	w.lose(id)
	w.Want("h1", "refunded(withdrawn)")
	w.Agree()
	w.noHalt()
}

func TestR17_AfterAReleaseAndWonChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.released("h1")
	id := w.dispute("h1", 0, false)
	w.win(id, 0)
	w.passes(2 * time.Hour)
	w.Want("h1", "released")
	if w.transfers()[0].Reversed.Amount != 0 {
		t.Error("a transfer was reversed, although the chargeback was won")
	}
	w.Agree()
}

func TestR17_AfterAReleaseAndLostIsTakenFromThePayee(t *testing.T) {
	t.Parallel()
	for _, fault := range []simulator.Fault{"", simulator.FaultErrorAfter, simulator.FaultCloseAfter} {
		w := newWorld(t)
		transfer := w.released("h1")
		id := w.dispute("h1", 0, false)
		w.pass()
		if w.transfers()[0].Reversed.Amount != 0 {
			t.Error("a transfer was reversed before the bank decided")
		}
		w.lose(id)
		if fault != "" {
			w.Fault(fault, "POST /v1/transfers/{id}/reversals")
			w.pass()
			w.Fired(fault)
			w.Advance(2 * day)
		}
		w.passes(2 * time.Hour)
		if got := w.transfers()[0].Reversed.Amount; got != net {
			t.Errorf("%q: %d was taken back, want %d", fault, got, net)
		}
		if p := w.Hold("h1").Payouts[0]; p.Recovered != net || p.Transfer != string(transfer) {
			t.Errorf("%q: the payout is %+v", fault, p)
		}
		w.Want("h1", "charged-back(chargeback)")
		w.Agree()
		w.noHalt()
	}
}

// TestR17_EachOfTwoThatAreLostIsTakenFromThePayee: also of the one that began first and was
// lost last.
func TestR17_EachOfTwoThatAreLostIsTakenFromThePayee(t *testing.T) {
	t.Parallel()
	for _, first := range []int{0, 1} {
		w := newWorld(t)
		w.released("h1")
		ids := []payments.DisputeID{w.dispute("h1", 1000, false), w.dispute("h1", 1500, false)}
		w.lose(ids[first])
		w.passes(2 * time.Hour)
		if p := w.Hold("h1").Payouts[0]; p.Recovered == 0 || p.Recovered != p.Recoverable || p.Recovered == net {
			t.Errorf("after one of two the payout is %+v", p)
		}
		w.lose(ids[1-first])
		w.passes(2 * time.Hour)
		if p := w.Hold("h1").Payouts[0]; p.Recovered != net || p.Recovered != p.Recoverable {
			t.Errorf("after both the payout is %+v", p)
		}
		w.Agree()
		w.noHalt()
	}
}

// TestR17_WhatIsLostAfterAllTriesForAnotherIsStillTaken: the payee had nothing for a month,
// and then another bank decides.
func TestR17_WhatIsLostAfterAllTriesForAnotherIsStillTaken(t *testing.T) {
	t.Parallel()
	w := &world{World: processortest.New(t, func(c *simulator.Config) { c.Terms.EvidenceWithin = 90 * day })}
	w.restart(nil)
	w.released("h1")
	_, err := w.Control.PayOut(t.Context(), string(w.Account), net, "usd")
	w.OK(err)
	earlier, later := w.dispute("h1", 1000, false), w.dispute("h1", 1500, false)
	w.lose(later)
	for range mostReversals {
		w.Advance(firstPause << doublings)
		w.pass()
	}
	_, err = w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 10_000, Currency: "usd", Account: string(w.Account)})
	w.OK(err)
	w.passes(2 * day)
	if p := w.Hold("h1").Payouts[0]; p.Recovered != 0 {
		t.Errorf("after all tries the payout is %+v", p)
	}
	w.lose(earlier)
	w.passes(2 * time.Hour)
	if p := w.Hold("h1").Payouts[0]; p.Recovered != net {
		t.Errorf("after the other was lost the payout is %+v", p)
	}
	w.Agree()
	w.noHalt()
}

func TestR17_WhatThePayeeHasNoMoreStaysTheOperatorsLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.released("h1")
	_, err := w.Control.PayOut(t.Context(), string(w.Account), net, "usd")
	w.OK(err)
	id := w.dispute("h1", 0, false)
	w.lose(id)
	w.passes(day)
	if w.transfers()[0].Reversed.Amount != 0 {
		t.Fatal("money was taken from an account that has none")
	}
	w.Agree()
	// Later there is some, by another escrow or shop.
	_, err = w.Control.Charge(t.Context(), simulator.StrangerCharge{Amount: 10_000, Currency: "usd", Account: string(w.Account)})
	w.OK(err)
	w.passes(2 * day)
	if got := w.transfers()[0].Reversed.Amount; got != net {
		t.Errorf("%d was taken back, want %d", got, net)
	}
	w.Agree()
	w.noHalt()
}

func TestR17_BeforeTheTransferIsWithheld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.PaysAtOnce)
	w.Settle()
	id := w.dispute("h1", 0, false)
	w.lose(id)
	w.passes(2 * time.Hour)
	if len(w.transfers()) != 0 {
		t.Error("what a bank has taken was paid out")
	}
	w.Want("h1", "charged-back(chargeback)")
	w.Agree()
}

// TestR17_WithheldWhileTransfersAreNoted: a bank keeps everything between the list of what is
// due and the note of it.
func TestR17_WithheldWhileTransfersAreNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Held("h1", amount, processortest.PaysAtOnce)
	w.Held("h2", amount, processortest.PaysAtOnce)
	w.Settle()
	list := func(ctx context.Context, q sqlite.Querier, after ledger.PayoutOf, limit int) ([]ledger.PayoutOf, error) {
		due, err := ledger.PayoutsDue(ctx, q, after, limit)
		if len(due) == 2 {
			w.lose(w.dispute("h1", 0, false))
		}
		return due, err
	}
	w.OK(w.sender.eachPayout(t.Context(), list, w.sender.noteTransfer))
	w.passes(2 * time.Hour)
	if len(w.transfers()) != 1 {
		t.Errorf("of two payouts, one of them withheld, these were sent: %v", w.transfers())
	}
	w.Want("h1", "charged-back(chargeback)")
	w.Want("h2", "released")
	w.Agree()
	w.noHalt()
}

// TestDisputeObject_WhatIsOverIsNotOpen: nobody asks again about a dispute that is over, so
// one that stayed open would keep what it took contested for ever.
func TestDisputeObject_WhatIsOverIsNotOpen(t *testing.T) {
	t.Parallel()
	took := payments.Movement{ID: "txn_1", Kind: payments.MovementAdjustment, Amount: money.Money{Amount: -amount, Currency: "USD"}, Fee: money.Money{Currency: "USD"}}
	for status, want := range map[payments.DisputeStatus]ledger.ChargebackState{
		payments.InquiryOpen:      ledger.ChargebackOpen,
		payments.InquiryInReview:  ledger.ChargebackOpen,
		payments.InquiryClosed:    ledger.ChargebackLost,
		payments.DisputeOpen:      ledger.ChargebackOpen,
		payments.DisputeInReview:  ledger.ChargebackOpen,
		payments.DisputeWon:       ledger.ChargebackWon,
		payments.DisputeLost:      ledger.ChargebackLost,
		payments.DisputePrevented: ledger.ChargebackLost,
	} {
		object, err := disputeObject(payments.Dispute{ID: "dp_1", Status: status, Movements: []payments.Movement{took}}, "h1")
		if err != nil || object.State != want || over(status) == (object.State == ledger.ChargebackOpen) {
			t.Errorf("%s, over %t: %+v, %v", status, over(status), object, err)
		}
		if object, err := disputeObject(payments.Dispute{ID: "dp_1", Status: status}, "h1"); err != nil || object.Withdrawn != nil {
			t.Errorf("%s, which took nothing: %+v, %v", status, object, err)
		}
	}
}
