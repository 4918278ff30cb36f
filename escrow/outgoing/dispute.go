package outgoing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// ObserveDispute fetches a chargeback, or an inquiry, and posts what it tells.
func (s *Sender) ObserveDispute(ctx context.Context, id payments.DisputeID) error {
	d, err := s.processor.Dispute(ctx, payments.Platform, id)
	if err != nil {
		return err
	}
	hold, err := s.holdOf(ctx, d.Charge)
	if err != nil {
		return fmt.Errorf("outgoing: dispute %s: %w", id, err)
	}
	object, err := disputeObject(d, hold)
	if err != nil {
		return err
	}
	if object.Withdrawn != nil {
		if err := s.refundsOf(ctx, hold, d.Charge); err != nil {
			return err
		}
	}
	return s.tell(ctx, func(ctx context.Context, tx *store.Tx) error {
		told := s.ledger.Chargeback(ctx, tx, object)
		if told != nil && !errors.Is(told, ledger.ErrNotYet) {
			return told
		}
		// What is told is not yet closed: its money, or the bank's word, is to come.
		if told == nil && over(d.Status) {
			err = unfollow(ctx, tx, followDispute, string(id))
		} else {
			err = follow(ctx, tx, followDispute, string(id))
		}
		if err != nil {
			return err
		}
		tx.OnCommit(func() { s.say(hold, d) })
		return told
	})
}

// say tells of a dispute, and while its bank waits for an answer, until when somebody has to
// give it.
func (s *Sender) say(hold ledger.HoldID, d payments.Dispute) {
	log := s.log.With("hold", hold, "dispute", d.ID, "status", d.Status, "reason", d.Reason, "amount", d.Amount)
	if d.Status == payments.DisputeOpen || d.Status == payments.InquiryOpen {
		log.Warn("a payer's bank waits for evidence: give it at the processor, or the money is lost", "by", d.EvidenceBy)
		return
	}
	log.Info("chargeback")
}

// refundsOf observes the refunds of a charge that the ledger has not heard of, or not that
// they have left, before it hears of a bank that took money. The processor refunds nothing
// that a bank has, so they left before; told after it, they would be of money that nobody is
// owed any more.
func (s *Sender) refundsOf(ctx context.Context, hold ledger.HoldID, charge payments.ChargeID) error {
	var h *ledger.Hold
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		h, err = ledger.LoadHold(ctx, q, hold)
		return err
	})
	if err != nil {
		return err
	}
	for r, err := range s.processor.Refunds(ctx, payments.RefundQuery{Charge: charge}) {
		if err != nil {
			return err
		}
		if left(h, r.ID) {
			continue
		}
		if err := s.ObserveRefund(ctx, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// left tells whether the ledger has heard that a refund left the balance, or never will.
func left(h *ledger.Hold, id payments.RefundID) bool {
	return slices.ContainsFunc(h.Refunds, func(have ledger.Refund) bool {
		return have.ID == string(id) && have.State != ledger.RefundPending
	})
}

// disputesOf observes the disputes of a charge.
func (s *Sender) disputesOf(ctx context.Context, charge payments.ChargeID) error {
	for d, err := range s.processor.Disputes(ctx, payments.Platform, payments.DisputeQuery{Charge: charge}) {
		if err != nil {
			return err
		}
		if err := s.ObserveDispute(ctx, d.ID); err != nil {
			return err
		}
	}
	return nil
}

// over tells whether the bank has decided, or asks no more.
func over(status payments.DisputeStatus) bool {
	switch status {
	case payments.DisputeWon, payments.DisputeLost, payments.DisputePrevented, payments.InquiryClosed:
		return true
	}
	return false
}

// disputeObject says a dispute in the ledger's words.
func disputeObject(d payments.Dispute, hold ledger.HoldID) (ledger.DisputeObject, error) {
	object := ledger.DisputeObject{ID: string(d.ID), Hold: hold, State: ledger.ChargebackOpen}
	switch {
	case d.Status == payments.DisputeWon:
		object.State = ledger.ChargebackWon
	case over(d.Status): // whatever it is called, what did not come back stays away
		object.State = ledger.ChargebackLost
	}
	for _, m := range d.Movements {
		t := transactionOf(m)
		switch {
		case t.Amount > 0:
			object.Reinstated = append(object.Reinstated, t)
		case object.Withdrawn == nil:
			object.Withdrawn = &t
		default:
			return object, fmt.Errorf("%w: dispute %s took twice: %s and %s", ledger.ErrUnknown, d.ID, object.Withdrawn.ID, t.ID)
		}
	}
	return object, nil
}

// ObserveWarning fetches an early fraud warning: what is still held goes back, before
// the bank takes it.
func (s *Sender) ObserveWarning(ctx context.Context, id payments.WarningID) error {
	w, err := s.processor.Warning(ctx, id)
	if err != nil {
		return err
	}
	hold, err := s.holdOf(ctx, w.Charge)
	if err != nil {
		return fmt.Errorf("outgoing: warning %s: %w", id, err)
	}
	return s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		h, err := ledger.LoadHold(ctx, tx, hold)
		if err != nil || h.Balances[ledger.KindHeld] == 0 {
			return err // it is on its way, or with a bank, already
		}
		if err := s.ledger.DecideRefund(ctx, tx, hold, ledger.ReasonFraud); err != nil {
			return err
		}
		s.log.Info("refund decided", "pledge", h.Pledge, "hold", hold, "amount", h.Value, "reason", ledger.ReasonFraud, "warning", id)
		return nil
	})
}

// tries of reversals: the last is about a month after the first.
const mostReversals = 10

// reversalID is the first intent that takes a lost chargeback back from a transfer.
func reversalID(transfer, dispute string) payments.IntentID {
	return payments.IntentID(transfer + "/" + dispute)
}

// ofDispute are the tries for one dispute.
func ofDispute(list []intent.Intent, first payments.IntentID) (out []intent.Intent) {
	for _, i := range list {
		if i.ID == first || len(i.ID) > len(first) && i.ID[:len(first)+1] == first+"/" {
			out = append(out, i)
		}
	}
	return out
}
