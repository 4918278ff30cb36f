package outgoing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// noteRefunds notes an intent for each hold of which something is to go back and nothing
// is under way.
func (s *Sender) noteRefunds(ctx context.Context) error {
	for after := int64(0); ; {
		var page []ledger.RefundDue
		var without []ledger.HoldID
		err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			if page, err = ledger.RefundsDue(ctx, q, after, batch); err != nil {
				return err
			}
			for _, due := range page {
				before, err := intent.Of(ctx, q, intent.KindRefund, string(due.Hold))
				if err != nil {
					return err
				}
				if !anyOpen(before) {
					without = append(without, due.Hold)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, hold := range without {
			if err := s.noteRefund(ctx, hold); err != nil {
				return err
			}
		}
		if len(page) < batch {
			return nil
		}
		after = page[len(page)-1].Place
	}
}

func anyOpen(list []intent.Intent) bool {
	for _, i := range list {
		if i.Open() {
			return true
		}
	}
	return false
}

// noteRefund notes the next try for a hold, if it is still due.
func (s *Sender) noteRefund(ctx context.Context, hold ledger.HoldID) error {
	return s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		h, err := ledger.LoadHold(ctx, tx, hold)
		if err != nil || refundable(h) == 0 {
			return err
		}
		before, err := intent.Of(ctx, tx, intent.KindRefund, string(hold))
		if err != nil || anyOpen(before) {
			return err
		}
		id := payments.IntentID(fmt.Sprintf("%s/%d", hold, intent.LastTry(before)+1))
		return intent.Note(ctx, tx, id, intent.KindRefund, string(hold))
	})
}

// refundable is what a refund of the hold is for: nothing while one is under way.
func refundable(h *ledger.Hold) int64 {
	for _, r := range h.Refunds {
		if r.State != ledger.RefundFailed {
			return 0
		}
	}
	return h.Balances[ledger.KindRefundDue]
}

func (s *Sender) sendRefund(ctx context.Context, i intent.Intent) error {
	hold := ledger.HoldID(i.Subject)
	h, err := s.hold(ctx, hold)
	if err != nil {
		return err
	}
	refund, err := intent.Carry(ctx, s.carrier, i.ID, intent.Order[payments.Refund]{
		Made: func(ctx context.Context, since time.Time) iter.Seq2[payments.Refund, error] {
			return s.processor.Refunds(ctx, payments.RefundQuery{Charge: payments.ChargeID(h.Charge), Since: since})
		},
		Send: func(ctx context.Context, key payments.Key) (payments.Refund, error) {
			return s.orderRefund(ctx, hold, i.ID, key)
		},
		ID: func(r payments.Refund) string { return string(r.ID) },
		Record: func(ctx context.Context, tx *store.Tx, r payments.Refund) error {
			if err := s.ledger.Refund(ctx, tx, ledger.RefundObject{ID: string(r.ID), Hold: hold, Amount: r.Amount.Amount, Status: ledger.RefundPending}); err != nil {
				return err
			}
			return follow(ctx, tx, followRefund, string(r.ID))
		},
		Refuse: func(ctx context.Context, tx *store.Tx, _ *payments.Failure) error {
			err := s.watched(ctx, tx, hold, func() error {
				return s.ledger.RefuseRefund(ctx, tx, hold, strings.TrimPrefix(string(i.ID), string(hold)+"/"))
			})
			if errors.Is(err, ledger.ErrNotDue) {
				return nil // a bank has taken it meanwhile
			}
			return err
		},
	})
	if err != nil {
		return err
	}
	s.log.Info("refund sent", "pledge", h.Pledge, "hold", h.ID, "refund", refund.ID, "amount", refund.Amount)
	return s.ObserveRefund(ctx, refund.ID)
}

// orderRefund sends what is due at this moment, of which a bank may have kept a part that
// nobody here has heard of, or which went back already, by an order that a restored database
// has forgotten.
func (s *Sender) orderRefund(ctx context.Context, hold ledger.HoldID, id payments.IntentID, key payments.Key) (payments.Refund, error) {
	h, err := s.hold(ctx, hold)
	if err != nil {
		return payments.Refund{}, err
	}
	charge, err := s.charge(ctx, h)
	unheard := err == nil && charge.Refunded.Amount > goneBack(h)
	if unheard {
		err = s.refundsOf(ctx, hold, charge.ID)
	}
	if err == nil && charge.Disputed {
		err = s.disputesOf(ctx, charge.ID)
	}
	if err != nil {
		return payments.Refund{}, asked(err)
	}
	err = s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if err := halt.Money(ctx, q); err != nil {
			return fmt.Errorf("%w: %w", errNotDue, err)
		}
		h, err = ledger.LoadHold(ctx, q, hold)
		return err
	})
	if err != nil {
		return payments.Refund{}, err
	}
	amount := refundable(h)
	switch {
	case amount == 0 && (unheard || contested(h)):
		return payments.Refund{}, fmt.Errorf("%w: a refund of hold %s", errNotDue, hold)
	case amount == 0:
		// A bank has it for good: nobody is owed anything that this intent could send.
		return payments.Refund{}, &payments.Failure{Kind: payments.ErrRefused, Code: codeNothingDue}
	}
	reason := payments.RefundRequested
	if h.Exit.Reason == ledger.ReasonFraud {
		reason = payments.RefundFraudulent
	}
	return s.processor.SendRefund(ctx, payments.RefundOrder{
		Key: key, Mark: markFor(charge, id), Charge: charge.ID, Amount: money.Money{Amount: amount, Currency: h.Value.Currency}, Reason: reason, Because: string(h.Exit.Reason),
	})
}

// goneBack is what went back of a hold, or is on its way, as the ledger knows it.
func goneBack(h *ledger.Hold) (sum int64) {
	for _, r := range h.Refunds {
		if r.State != ledger.RefundFailed {
			sum += r.Amount
		}
	}
	return sum
}

// codeNothingDue is our own refusal of an order for which there is no reason any more.
const codeNothingDue = "nothing_due"

// contested tells whether a bank has not decided about what the hold owes.
func contested(h *ledger.Hold) bool { return h.Balances[ledger.KindContested] > 0 }

// asked is an error of a question that came before an order: it refuses nothing.
func asked(err error) error {
	if intent.Final(err) {
		return fmt.Errorf("%w: the question before it: %s", errNotDue, err.Error())
	}
	return err
}

// refundStates are the processor's words in the ledger's.
var refundStates = map[payments.RefundStatus]ledger.RefundState{
	payments.RefundPending:   ledger.RefundPending,
	payments.RefundAction:    ledger.RefundPending,
	payments.RefundSucceeded: ledger.RefundSucceeded,
	payments.RefundFailed:    ledger.RefundFailed,
	payments.RefundCanceled:  ledger.RefundFailed,
}

// ObserveRefund fetches a refund and posts what it tells. It returns ErrStranger for one
// of somebody else's charge, and ledger.ErrUnknown for one of ours that nobody here made.
func (s *Sender) ObserveRefund(ctx context.Context, id payments.RefundID) error {
	r, err := s.processor.Refund(ctx, id)
	if err != nil {
		return err
	}
	hold, err := s.holdOf(ctx, r.Charge)
	if err != nil {
		return fmt.Errorf("outgoing: refund %s: %w", id, err)
	}
	status, known := refundStates[r.Status]
	if !known || !r.Mark.By(s.escrow) {
		return fmt.Errorf("%w: refund %s of hold %s, %s, was not made here", ledger.ErrUnknown, id, hold, r.Status)
	}
	if err := s.triesBefore(ctx, hold, r); err != nil {
		return err
	}
	object := ledger.RefundObject{ID: string(id), Hold: hold, Amount: r.Amount.Amount, Status: status}
	if object.Taken, err = s.movement(ctx, r.Movement); err != nil {
		return err
	}
	if object.Returned, err = s.movement(ctx, r.Return); err != nil {
		return err
	}
	return s.tell(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := intent.Adopt(ctx, tx, r.Mark.Intent, intent.KindRefund, string(hold), string(id)); err != nil {
			return err
		}
		if err := s.decideAgain(ctx, tx, hold, r); err != nil {
			return err
		}
		told := s.watched(ctx, tx, hold, func() error { return s.ledger.Refund(ctx, tx, object) })
		if told != nil && !errors.Is(told, ledger.ErrNotYet) {
			return told
		}
		if err := s.followRefundUntilSettled(ctx, tx, hold, id); err != nil {
			return err
		}
		return told
	})
}

// watched posts something about a refund, and tells the operator if more is owed by that to
// somebody whom the processor cannot pay: nobody else would do anything about it.
func (s *Sender) watched(ctx context.Context, tx *store.Tx, hold ledger.HoldID, post func() error) error {
	before, err := ledger.LoadHold(ctx, tx, hold)
	if err != nil {
		return err
	}
	was := before.Balances[ledger.KindReturned] // posting may change the hold that was read
	posted := post()
	if posted != nil && !errors.Is(posted, ledger.ErrNotYet) {
		return posted
	}
	now, err := ledger.LoadHold(ctx, tx, hold)
	if err != nil {
		return err
	}
	if back := now.Balances[ledger.KindReturned]; back > was {
		tx.OnCommit(func() {
			s.log.Error("a refund came back, and is owed until somebody acts: escrow retry-refund sends it again, escrow paid-otherwise notes that it was paid from elsewhere",
				"pledge", now.Pledge, "hold", hold, "amount", money.Money{Amount: back, Currency: now.Value.Currency})
		})
	}
	return posted
}

// triesBefore observes the refunds of earlier tries, if a database that was restored has
// forgotten this one: each was made because the one before it had failed.
func (s *Sender) triesBefore(ctx context.Context, hold ledger.HoldID, r payments.Refund) error {
	try := intent.Try(r.Mark.Intent)
	if try <= 1 {
		return nil
	}
	h, err := s.hold(ctx, hold)
	if err != nil || known(h, r.ID) {
		return err
	}
	var before []payments.Refund
	for earlier, err := range s.processor.Refunds(ctx, payments.RefundQuery{Charge: r.Charge}) {
		if err != nil {
			return err
		}
		if earlier.Mark.By(s.escrow) && intent.Try(earlier.Mark.Intent) < try {
			before = append(before, earlier)
		}
	}
	slices.SortFunc(before, func(a, b payments.Refund) int {
		return cmp.Compare(intent.Try(a.Mark.Intent), intent.Try(b.Mark.Intent))
	})
	for _, earlier := range before {
		if err := s.ObserveRefund(ctx, earlier.ID); err != nil {
			return err
		}
	}
	return nil
}

// known tells whether the ledger has heard of a refund.
func known(h *ledger.Hold, id payments.RefundID) bool {
	return slices.ContainsFunc(h.Refunds, func(have ledger.Refund) bool { return have.ID == string(id) })
}

// decideAgain decides what was decided before this refund was made, if a database that was
// restored has forgotten it: that the money goes back, or that it is sent once more. Nobody
// could write the mark but this escrow, and beside it stands why.
func (s *Sender) decideAgain(ctx context.Context, tx *store.Tx, hold ledger.HoldID, r payments.Refund) error {
	h, err := ledger.LoadHold(ctx, tx, hold)
	if err != nil || known(h, r.ID) {
		return err
	}
	log := s.log.With("pledge", h.Pledge, "hold", hold, "amount", h.Value, "reason", r.Because, "refund", r.ID)
	try := intent.Try(r.Mark.Intent)
	switch {
	case h.Exit == nil && slices.Contains(ledger.Reasons(), ledger.Reason(r.Because)):
		log.Warn("a refund is decided again, as the processor's says")
		return s.ledger.DecideRefund(ctx, tx, hold, ledger.Reason(r.Because))
	case try > 1 && refundable(h) == 0 && h.Balances[ledger.KindReturned] > 0:
		log.Warn("what came back is due again, as the processor's next refund says")
		return s.ledger.RetryRefund(ctx, tx, hold)
	}
	return nil
}

func (s *Sender) followRefundUntilSettled(ctx context.Context, tx *store.Tx, hold ledger.HoldID, id payments.RefundID) error {
	h, err := ledger.LoadHold(ctx, tx, hold)
	if err != nil {
		return err
	}
	for _, r := range h.Refunds {
		if r.ID == string(id) && (r.State == ledger.RefundPending || r.State == ledger.RefundTaken) {
			return follow(ctx, tx, followRefund, string(id))
		}
	}
	return unfollow(ctx, tx, followRefund, string(id))
}

// holdOf finds the hold of a charge: ErrNotYet for a charge of ours that the ledger has
// not seen, ErrStranger for another's.
func (s *Sender) holdOf(ctx context.Context, charge payments.ChargeID) (hold ledger.HoldID, err error) {
	err = s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		hold, err = ledger.HoldOfCharge(ctx, q, string(charge))
		return err
	})
	if !errors.Is(err, ledger.ErrNotFound) {
		return hold, err
	}
	c, err := s.processor.Charge(ctx, payments.Platform, charge)
	switch {
	case err != nil:
		return "", err
	case c.Mark.By(s.escrow):
		return "", fmt.Errorf("%w: charge %s", ledger.ErrNotYet, charge)
	}
	return "", fmt.Errorf("%w: charge %s", ErrStranger, charge)
}
