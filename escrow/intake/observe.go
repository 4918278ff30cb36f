package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

var (
	// errIgnored is for an object of which nothing follows.
	errIgnored = errors.New("intake: nothing follows from such an object")
	// errStranger is for an object that this escrow did not make.
	errStranger = errors.New("intake: this escrow did not make it")
	// errNobody is for an object whose part of the escrow does not run.
	errNobody = errors.New("intake: nobody looks at such objects here")
)

// observe has an object looked at by whoever knows about its kind.
func (w *Worker) observe(ctx context.Context, o object) error {
	switch o.kind {
	case kindSession:
		return w.session(ctx, o.account, payments.SessionID(o.id))
	case kindPayment:
		return w.payment(ctx, o.account, payments.PaymentID(o.id))
	case kindCharge:
		return w.charge(ctx, o.account, payments.ChargeID(o.id))
	case kindAccount:
		if w.Payees == nil {
			return fmt.Errorf("%w: %s", errNobody, o.kind)
		}
		return w.Payees.Observe(ctx, payments.AccountID(o.id))
	}
	if o.account != payments.Platform {
		if o.kind == kindDispute {
			return w.donationDispute(ctx, o.account, payments.DisputeID(o.id))
		}
		return errIgnored // a payee's own money
	}
	switch o.kind {
	case kindRefund:
		return w.Outgoing.ObserveRefund(ctx, payments.RefundID(o.id))
	case kindDispute:
		return w.Outgoing.ObserveDispute(ctx, payments.DisputeID(o.id))
	case kindWarning:
		return w.Outgoing.ObserveWarning(ctx, payments.WarningID(o.id))
	case kindTransfer:
		return w.Outgoing.ObserveTransfer(ctx, payments.TransferID(o.id))
	case kindMovement:
		return w.fetchMovement(ctx, payments.MovementID(o.id))
	case kindTopup, kindPayout:
		return w.movementsOf(ctx, o.id)
	}
	return errIgnored
}

// session has a session looked at. One of ours whose hold the ledger does not know is
// adopted first: holds are opened before sessions, so the ledger has forgotten it.
func (w *Worker) session(ctx context.Context, account payments.AccountID, id payments.SessionID) error {
	if w.Checkouts == nil {
		return fmt.Errorf("%w: %s", errNobody, kindSession)
	}
	s, err := w.Processor.Session(ctx, account, id)
	if err != nil {
		return err
	}
	if !s.Mark.By(w.Escrow) {
		return fmt.Errorf("%w: session %s", errStranger, id)
	}
	if account == payments.Platform {
		known, err := w.holdKnown(ctx, ledger.HoldID(s.Mark.Intent))
		if err != nil {
			return err
		}
		switch {
		case !known && s.Status == payments.SessionExpired:
			return errIgnored // forgotten, and nobody can pay it
		case !known:
			w.log.Warn("the ledger has forgotten a checkout, which is adopted", "pledge", s.Mark.Subject, "hold", s.Mark.Intent, "amount", s.Amount, "session", id)
			if err := w.Checkouts.Adopt(ctx, s); err != nil {
				return err
			}
		}
	}
	return w.Checkouts.Observe(ctx, account, id)
}

// donationDispute is a chargeback on a payee's own account: of a donation, or none of our
// business. It counts once it is lost; the money is the payee's until then.
func (w *Worker) donationDispute(ctx context.Context, account payments.AccountID, id payments.DisputeID) error {
	if w.Checkouts == nil {
		return fmt.Errorf("%w: %s", errNobody, kindDispute)
	}
	d, err := w.Processor.Dispute(ctx, account, id)
	if err != nil {
		return err
	}
	c, err := w.Processor.Charge(ctx, account, d.Charge)
	if err != nil {
		return err
	}
	switch {
	case !c.Mark.By(w.Escrow):
		return fmt.Errorf("%w: dispute %s", errStranger, id)
	case d.Status != payments.DisputeLost || d.Amount != c.Amount:
		return errIgnored
	}
	// It may not be known yet that it was paid.
	if err := w.payment(ctx, account, c.Payment); err != nil {
		return err
	}
	return w.Checkouts.DonationReversed(ctx, account, c.Mark.Intent, true)
}

func (w *Worker) holdKnown(ctx context.Context, id ledger.HoldID) (known bool, err error) {
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		_, err := ledger.LoadHold(ctx, q, id)
		return err
	})
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// payment has the sessions of a payment looked at; there is one.
func (w *Worker) payment(ctx context.Context, account payments.AccountID, id payments.PaymentID) error {
	var ids []payments.SessionID
	for s, err := range w.Processor.Sessions(ctx, account, payments.SessionQuery{Payment: id}) {
		if err != nil {
			return err
		}
		ids = append(ids, s.ID)
	}
	if len(ids) == 0 {
		return fmt.Errorf("%w: payment %s", errStranger, id)
	}
	for _, id := range ids {
		if err := w.session(ctx, account, id); err != nil {
			return err
		}
	}
	return nil
}

// charge has the session of a charge looked at. A stranger's charge on the platform's
// account stops checkouts.
func (w *Worker) charge(ctx context.Context, account payments.AccountID, id payments.ChargeID) error {
	c, err := w.Processor.Charge(ctx, account, id)
	if err != nil {
		return err
	}
	switch {
	case c.Status == payments.ChargeFailed:
		return errIgnored
	case c.Mark.By(w.Escrow) && c.Payment != "":
		return w.payment(ctx, account, c.Payment)
	case account != payments.Platform:
		return fmt.Errorf("%w: charge %s", errStranger, id)
	}
	err = w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := halt.Stop(ctx, tx, halt.Strangers, string(id)); err != nil {
			return err
		}
		standing, err := halt.Standing(ctx, tx)
		if slices.ContainsFunc(standing, func(h halt.Halt) bool { return h.Detail == string(id) }) { // and no person has looked
			tx.OnCommit(func() { w.log.Error(halt.Strangers.Remedy(), "charge", id, "amount", c.Amount) })
		}
		return err
	})
	return errors.Join(err, fmt.Errorf("%w: charge %s", errStranger, id))
}

// costs are the kinds of movements that are nothing but the processor's own price, taxes on
// it, or what it takes of the operator for a payee who owes it.
var costs = []payments.MovementKind{payments.MovementFee, "stripe_fx_fee", "network_cost", "tax_fee", payments.MovementCollection}

// ObserveMovement has a movement of the balance looked at as if a hint had told of it, so
// that it ends up in the ledger, stops money, or is for later. Its error is damage of ours.
func (w *Worker) ObserveMovement(ctx context.Context, id payments.MovementID) error {
	one := &waiting{object: object{kind: kindMovement, id: string(id)}}
	_, err := w.outcome(ctx, one, w.observe(ctx, one.object))
	return err
}

// fetchMovement has looked at what caused a movement. It returns ledger.ErrUnknown for one
// that no rule places.
func (w *Worker) fetchMovement(ctx context.Context, id payments.MovementID) error {
	m, err := w.Processor.Movement(ctx, id)
	if err != nil {
		return err
	}
	return w.movement(ctx, m)
}

func (w *Worker) movement(ctx context.Context, m payments.Movement) error {
	switch m.Kind {
	case payments.MovementCharge:
		return w.charge(ctx, payments.Platform, payments.ChargeID(m.Source))
	case payments.MovementRefund, payments.MovementRefundFailure:
		return w.Outgoing.ObserveRefund(ctx, payments.RefundID(m.Source))
	case payments.MovementAdjustment:
		return w.adjustment(ctx, m)
	case payments.MovementTransfer:
		return w.Outgoing.ObserveTransfer(ctx, payments.TransferID(m.Source))
	case payments.MovementReversal:
		return w.reversal(ctx, m)
	case payments.MovementTopup:
		return w.operator(ctx, ledger.TopUp, m)
	case payments.MovementPayout, "payout_failure", "payout_cancel":
		if m.Amount.Amount < 0 {
			return w.operator(ctx, ledger.Withdrawal, m)
		}
		return w.operator(ctx, ledger.WithdrawalFailed, m)
	case payments.MovementReserve:
		return errIgnored // it stays on the balance, as what is reserved of it
	}
	for _, kind := range costs {
		if m.Kind == kind {
			return w.operator(ctx, ledger.OperatorCost, m)
		}
	}
	return fmt.Errorf("%w: movement %s, a %q of %s", ledger.ErrUnknown, m.ID, m.Kind, m.Amount)
}

// adjustment is a chargeback, or its return; anything else of that kind is unknown.
func (w *Worker) adjustment(ctx context.Context, m payments.Movement) error {
	if m.Source == "" {
		return fmt.Errorf("%w: movement %s, an adjustment of %s for nothing", ledger.ErrUnknown, m.ID, m.Amount)
	}
	err := w.Outgoing.ObserveDispute(ctx, payments.DisputeID(m.Source))
	if errors.Is(err, payments.ErrNotFound) {
		return fmt.Errorf("%w: movement %s, an adjustment of %s for %s", ledger.ErrUnknown, m.ID, m.Amount, m.Source)
	}
	return err
}

// reversal looks for the transfer that money came back from: the movement names only the
// reversal, which the processor gives to nobody who does not know its transfer.
func (w *Worker) reversal(ctx context.Context, m payments.Movement) error {
	for t, err := range w.Processor.Transfers(ctx, payments.TransferQuery{}) {
		if err != nil {
			return err
		}
		if t.Reversed.Amount == 0 {
			continue
		}
		for r, err := range w.Processor.Reversals(ctx, t.ID) {
			if err != nil {
				return err
			}
			if r.Movement == m.ID {
				return w.Outgoing.ObserveTransfer(ctx, t.ID)
			}
		}
	}
	return fmt.Errorf("%w: movement %s, %s back from no transfer", ledger.ErrUnknown, m.ID, m.Amount)
}

// operator posts a movement of the operator's own money.
func (w *Worker) operator(ctx context.Context, what ledger.Movement, m payments.Movement) error {
	return w.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return w.Ledger.Operator(ctx, tx, what, ledger.Transaction{
			ID: string(m.ID), Amount: m.Amount.Amount, Fee: m.Fee.Amount, Currency: m.Amount.Currency,
		})
	})
}

// movementsOf posts what an object of the operator's did to the balance.
func (w *Worker) movementsOf(ctx context.Context, source string) error {
	for m, err := range w.Processor.Movements(ctx, payments.MovementQuery{Source: source}) {
		if err != nil {
			return err
		}
		if err := w.movement(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
