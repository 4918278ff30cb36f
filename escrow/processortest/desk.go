package processortest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// PledgeOf is the pledge of a hold, another one for each.
func PledgeOf(hold ledger.HoldID) syntax.ATURI {
	h := fnv.New32a()
	h.Write([]byte(hold)) // a hash takes everything
	return syntax.ATURI("at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.pledge/" + string(syntax.NewTID(int64(h.Sum32()), 0)))
}

// Session opens a hold and its page.
func (w *World) Session(hold ledger.HoldID, amount int64) payments.SessionID {
	w.T.Helper()
	value := money.Money{Amount: amount, Currency: "USD"}
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.OpenHold(ctx, tx, ledger.Checkout{Hold: hold, Pledge: PledgeOf(hold), CID: CID, Attempt: ledger.AttemptOf(Development), Value: value})
	})
	session, err := w.Client.OpenCheckout(w.T.Context(), w.checkout(hold, value))
	w.OK(err)
	return session.ID
}

// Donated is a donation that Ann's account received, as the processor says. It returns the
// charge.
func (w *World) Donated(intent payments.IntentID, amount int64) payments.ChargeID {
	w.T.Helper()
	order := w.checkout(ledger.HoldID(intent), money.Money{Amount: amount, Currency: "USD"})
	order.Account, order.Mark.Subject = w.Account, "at://did:plc:payerpayerpayerpayerpaye/fund.stratos.feature.donation/3lbqxkdzvqk2a"
	opened, err := w.Client.OpenCheckout(w.T.Context(), order)
	w.OK(err)
	result, err := w.Control.Pay(w.T.Context(), string(opened.ID), simulator.Payment{})
	w.OK(err)
	if result.Outcome != "paid" {
		w.T.Fatalf("the donation was %s", result.Outcome)
	}
	session, err := w.Client.Session(w.T.Context(), w.Account, opened.ID)
	w.OK(err)
	return session.Payment.Charge.ID
}

func (w *World) checkout(hold ledger.HoldID, value money.Money) payments.Checkout {
	return payments.Checkout{
		Key:    payments.Key("checkout/" + string(hold)),
		Mark:   payments.Mark{Escrow: Escrow, Subject: PledgeOf(hold), CID: CID, Attempt: Development, Intent: payments.IntentID(hold)},
		Amount: value, Title: "Dark mode", SuccessURL: "http://escrow.test/done", CancelURL: "http://escrow.test/back", ExpiresAt: w.Now().Add(time.Hour),
	}
}

// Paid opens a hold and its page, on which somebody pays. The ledger has not heard of it.
func (w *World) Paid(hold ledger.HoldID, amount int64, card string) payments.SessionID {
	w.T.Helper()
	session := w.Session(hold, amount)
	result, err := w.Control.Pay(w.T.Context(), string(session), simulator.Payment{Card: card})
	w.OK(err)
	if result.Outcome != "paid" {
		w.T.Fatalf("the payment was %s", result.Outcome)
	}
	return session
}

// Held is a hold that was paid, and of which the ledger knows.
func (w *World) Held(hold ledger.HoldID, amount int64, card string) {
	w.T.Helper()
	w.OK(w.Observe(w.T.Context(), payments.Platform, w.Paid(hold, amount, card)))
}

// Observe posts what became of a session.
func (w *World) Observe(ctx context.Context, account payments.AccountID, id payments.SessionID) error {
	s, err := w.Client.Session(ctx, account, id)
	if err != nil {
		return err
	}
	if account != payments.Platform {
		w.Observed = append(w.Observed, s.Mark.Intent)
		return nil
	}
	hold := ledger.HoldID(s.Mark.Intent)
	return w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		h, err := ledger.LoadHold(ctx, tx, hold)
		if err != nil {
			return err
		}
		if s.Status == payments.SessionExpired {
			return w.Ledger.VoidHold(ctx, tx, hold)
		}
		want := payments.Checkout{Mark: s.Mark, Amount: h.Value}
		charge, err := payments.Taken(s, want, payments.Simulator)
		var rejection *payments.Rejection
		if errors.As(err, &rejection) && rejection.Reason.Waiting() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ledger.ErrUnknown, err)
		}
		return w.Ledger.Charge(ctx, tx, ledger.Charged{Hold: hold, Charge: string(charge.ID), Transaction: ledger.Transaction{
			ID: string(charge.Movement.ID), Amount: charge.Movement.Amount.Amount, Fee: charge.Movement.Fee.Amount, Currency: charge.Movement.Amount.Currency,
		}})
	})
}

// Adopt opens the hold of a session that the ledger has forgotten.
func (w *World) Adopt(ctx context.Context, s payments.Session) error {
	return w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.OpenHold(ctx, tx, ledger.Checkout{
			Hold: ledger.HoldID(s.Mark.Intent), Pledge: s.Mark.Subject, CID: s.Mark.CID, Attempt: ledger.AttemptOf(s.Mark.Attempt), Value: s.Amount,
		})
	})
}

// DonatedTo is Ann's account: it is known to have received donations.
func (w *World) DonatedTo(context.Context) ([]payments.AccountID, error) {
	return []payments.AccountID{w.Account}, nil
}

// DonationReversed keeps what it is told.
func (w *World) DonationReversed(_ context.Context, _ payments.AccountID, intent payments.IntentID, _ bool) error {
	w.Reversed = append(w.Reversed, intent)
	return nil
}

// Hold reads a hold.
func (w *World) Hold(id ledger.HoldID) (h *ledger.Hold) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) (err error) {
		h, err = ledger.LoadHold(ctx, q, id)
		return err
	})
	return h
}

// DecideRefund lets a hold go back.
func (w *World) DecideRefund(hold ledger.HoldID, reason ledger.Reason) {
	w.T.Helper()
	w.Update(func(ctx context.Context, tx *store.Tx) error { return w.Ledger.DecideRefund(ctx, tx, hold, reason) })
}

// Settle decides that Ann gets everything that is held.
func (w *World) Settle() {
	w.T.Helper()
	w.Update(func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.Settle(ctx, tx, ledger.Settlement{
			Attempt: ledger.AttemptOf(Development), Shares: []ledger.Share{{Payee: Ann, BasisPoints: 10_000}}, FeeBasisPoints: 500,
		})
	})
}

// Want compares what the receipt of a hold's pledge says.
func (w *World) Want(hold ledger.HoldID, status string) {
	w.T.Helper()
	w.Read(func(ctx context.Context, q sqlite.Querier) error {
		r, err := ledger.ReceiptState(ctx, q, PledgeOf(hold))
		if err != nil {
			return err
		}
		got := string(r.Status)
		if r.Reason != "" {
			got += "(" + string(r.Reason) + ")"
		}
		if got != status {
			w.T.Errorf("%s is %s, want %s", hold, got, status)
		}
		return nil
	})
}
