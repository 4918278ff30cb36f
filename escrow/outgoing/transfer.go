package outgoing

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// transferID is the first intent of a payout. It is also the subject of all of them.
func transferID(p ledger.PayoutOf) payments.IntentID {
	return payments.IntentID(string(p.Hold) + "/" + string(p.Payee))
}

// payoutOf reads the intent of a transfer.
func payoutOf(id payments.IntentID) (p ledger.PayoutOf, ok bool) {
	hold, rest, ok := strings.Cut(string(id), "/")
	payee, _, _ := strings.Cut(rest, "/")
	did, err := syntax.ParseDID(payee)
	return ledger.PayoutOf{Hold: ledger.HoldID(hold), Payee: did}, ok && err == nil && hold != ""
}

// noteTransfers asks for the transfers of payouts that are due.
func (s *Sender) noteTransfers(ctx context.Context) error {
	return s.eachPayout(ctx, ledger.PayoutsDue, s.noteTransfer)
}

// noteTransfer notes the next try for a payout, if it is still due.
func (s *Sender) noteTransfer(ctx context.Context, tx *store.Tx, p ledger.PayoutOf) error {
	before, err := intent.Of(ctx, tx, intent.KindTransfer, string(transferID(p)))
	if err != nil {
		return err
	}
	// An account that may not receive now may later.
	id, ok := nextTry(before, transferID(p), tx.Now(), math.MaxInt)
	if !ok {
		return nil
	}
	_, err = s.ledger.RequestTransfer(ctx, tx, p.Hold, p.Payee)
	if errors.Is(err, ledger.ErrNotDue) {
		return nil // a bank has kept it since the list was read
	}
	if err != nil {
		return err
	}
	return intent.Note(ctx, tx, id, intent.KindTransfer, string(transferID(p)))
}

// eachPayout goes through a list of payouts, and runs fn for each in a transaction.
func (s *Sender) eachPayout(ctx context.Context,
	list func(context.Context, sqlite.Querier, ledger.PayoutOf, int) ([]ledger.PayoutOf, error),
	fn func(context.Context, *store.Tx, ledger.PayoutOf) error,
) error {
	for after := (ledger.PayoutOf{}); ; {
		var page []ledger.PayoutOf
		err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			page, err = list(ctx, q, after, batch)
			return err
		})
		if err != nil || len(page) == 0 {
			return err
		}
		err = s.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			for _, p := range page {
				if err := fn(ctx, tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = page[len(page)-1]
	}
}

func (s *Sender) sendTransfer(ctx context.Context, i intent.Intent) error {
	p, ok := payoutOf(i.ID)
	if !ok {
		return fmt.Errorf("outgoing: %s is no transfer's intent", i.ID)
	}
	h, err := s.hold(ctx, p.Hold)
	if err != nil {
		return err
	}
	transfer, err := intent.Carry(ctx, s.carrier, i.ID, intent.Order[payments.Transfer]{
		Made: func(ctx context.Context, since time.Time) iter.Seq2[payments.Transfer, error] {
			return s.processor.Transfers(ctx, payments.TransferQuery{Group: payments.Group(h.Attempt), Since: since})
		},
		Send: func(ctx context.Context, key payments.Key) (payments.Transfer, error) {
			return s.orderTransfer(ctx, p, i.ID, key)
		},
		ID: func(t payments.Transfer) string { return string(t.ID) },
		Record: func(ctx context.Context, tx *store.Tx, t payments.Transfer) error {
			return follow(ctx, tx, followTransfer, string(t.ID))
		},
	})
	if err != nil {
		return err
	}
	s.log.Info("transfer sent", "pledge", h.Pledge, "hold", h.ID, "payee", p.Payee, "transfer", transfer.ID, "amount", transfer.Amount)
	return s.ObserveTransfer(ctx, transfer.ID)
}

// orderTransfer sends what is due at this moment, to the account that was frozen when the
// campaign opened.
func (s *Sender) orderTransfer(ctx context.Context, p ledger.PayoutOf, id payments.IntentID, key payments.Key) (payments.Transfer, error) {
	var h *ledger.Hold
	var c campaign.Campaign
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if err := halt.Money(ctx, q); err != nil {
			return fmt.Errorf("%w: %w", errNotDue, err)
		}
		if h, err = ledger.LoadHold(ctx, q, p.Hold); err != nil {
			return err
		}
		if c, err = campaign.Load(ctx, q, h.Attempt); errors.Is(err, campaign.ErrNotFound) {
			return fmt.Errorf("%w: nobody knows where to: %w", errNotDue, err)
		}
		return err
	})
	if err != nil {
		return payments.Transfer{}, err
	}
	payout, ok := payoutIn(h, p.Payee)
	account := accountOf(c, p.Payee)
	if !ok || payout.State != ledger.PayoutRequested || account == payments.Platform {
		return payments.Transfer{}, fmt.Errorf("%w: a transfer of hold %s to %s", errNotDue, p.Hold, p.Payee)
	}
	mark, err := s.mark(ctx, h, id)
	if err != nil {
		return payments.Transfer{}, asked(err)
	}
	return s.processor.SendTransfer(ctx, payments.TransferOrder{
		Key: key, Mark: mark, To: account, Source: payments.ChargeID(h.Charge),
		Amount: money.Money{Amount: payout.Due(), Currency: h.Value.Currency},
	})
}

func payoutIn(h *ledger.Hold, payee syntax.DID) (ledger.Payout, bool) {
	for _, p := range h.Payouts {
		if p.Payee == payee {
			return p, true
		}
	}
	return ledger.Payout{}, false
}

func accountOf(c campaign.Campaign, payee syntax.DID) payments.AccountID {
	for _, p := range c.Payees {
		if p.DID == payee {
			return p.Account
		}
	}
	return payments.Platform
}

// ObserveTransfer fetches a transfer with its reversals and posts what they tell. It
// returns ErrStranger for one of somebody else's charge, and ledger.ErrUnknown for one of
// ours that nobody here made, or of no charge at all.
func (s *Sender) ObserveTransfer(ctx context.Context, id payments.TransferID) error {
	t, err := s.processor.Transfer(ctx, id)
	if err != nil {
		return err
	}
	if t.Source == "" { // out of the balance, as one that was made by hand
		return fmt.Errorf("%w: transfer %s out of no charge was not made here", ledger.ErrUnknown, id)
	}
	hold, err := s.holdOf(ctx, t.Source)
	if err != nil {
		return fmt.Errorf("outgoing: transfer %s: %w", id, err)
	}
	p, ok := payoutOf(t.Mark.Intent)
	if !ok || p.Hold != hold || !t.Mark.By(s.escrow) {
		return fmt.Errorf("%w: transfer %s out of hold %s was not made here", ledger.ErrUnknown, id, hold)
	}
	moved, err := s.processor.Movement(ctx, t.Movement)
	if err != nil {
		return err
	}
	reversals, err := s.reversalsOf(ctx, t, p)
	if err != nil {
		return err
	}
	object := ledger.TransferObject{ID: string(id), Hold: hold, Payee: p.Payee, Created: transactionOf(moved), Settled: moved.Available}
	return s.tell(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := intent.Adopt(ctx, tx, t.Mark.Intent, intent.KindTransfer, string(transferID(p)), string(id)); err != nil {
			return err
		}
		if err := s.ledger.Transfer(ctx, tx, object); err != nil {
			return err
		}
		for _, r := range reversals {
			if err := intent.Adopt(ctx, tx, r.mark, intent.KindReversal, string(id), r.id); err != nil {
				return err
			}
			if err := s.ledger.ReverseTransfer(ctx, tx, r.Reversal); err != nil {
				return err
			}
		}
		if object.Settled {
			return unfollow(ctx, tx, followTransfer, string(id))
		}
		return follow(ctx, tx, followTransfer, string(id))
	})
}

// reversal is one that was fetched.
type reversal struct {
	ledger.Reversal
	id   string
	mark payments.IntentID
}

func (s *Sender) reversalsOf(ctx context.Context, t payments.Transfer, p ledger.PayoutOf) (list []reversal, err error) {
	if t.Reversed.Amount == 0 {
		return nil, nil
	}
	for r, err := range s.processor.Reversals(ctx, t.ID) {
		if err != nil {
			return nil, err
		}
		if !r.Mark.By(s.escrow) {
			return nil, fmt.Errorf("%w: reversal %s of transfer %s was not made here", ledger.ErrUnknown, r.ID, t.ID)
		}
		moved, err := s.processor.Movement(ctx, r.Movement)
		if err != nil {
			return nil, err
		}
		list = append(list, reversal{
			ledger.Reversal{Transfer: string(t.ID), Hold: p.Hold, Payee: p.Payee, Returned: transactionOf(moved)}, string(r.ID), r.Mark.Intent,
		})
	}
	return list, nil
}

// noteReversals asks for what may be taken back after lost chargebacks.
func (s *Sender) noteReversals(ctx context.Context) error {
	return s.eachPayout(ctx, ledger.Recoverable, func(ctx context.Context, tx *store.Tx, of ledger.PayoutOf) error {
		h, err := ledger.LoadHold(ctx, tx, of.Hold)
		if err != nil {
			return err
		}
		p, _ := payoutIn(h, of.Payee)
		if p.Recoverable == p.Recovered {
			return nil // it came back since the list was read
		}
		before, err := intent.Of(ctx, tx, intent.KindReversal, p.Transfer)
		if err != nil || anyOpen(before) {
			return err
		}
		// Banks decide in an order of their own, so what was taken back, or refused, for one
		// of them says nothing of another.
		for _, c := range slices.Backward(h.Chargebacks) {
			if c.State != ledger.ChargebackLost {
				continue
			}
			first := reversalID(p.Transfer, c.ID)
			if id, ok := nextTry(ofDispute(before, first), first, tx.Now(), mostReversals); ok {
				return intent.Note(ctx, tx, id, intent.KindReversal, p.Transfer)
			}
		}
		return nil
	})
}

func (s *Sender) sendReversal(ctx context.Context, i intent.Intent) error {
	transfer := payments.TransferID(i.Subject)
	sent, err := intent.Carry(ctx, s.carrier, i.ID, intent.Order[payments.Reversal]{
		Made: func(ctx context.Context, _ time.Time) iter.Seq2[payments.Reversal, error] {
			return s.processor.Reversals(ctx, transfer)
		},
		Send: func(ctx context.Context, key payments.Key) (payments.Reversal, error) {
			return s.orderReversal(ctx, transfer, i.ID, key)
		},
		ID: func(r payments.Reversal) string { return string(r.ID) },
		Record: func(ctx context.Context, tx *store.Tx, _ payments.Reversal) error {
			return follow(ctx, tx, followTransfer, string(transfer))
		},
	})
	if err != nil {
		return err
	}
	s.log.Info("transfer reversed", "transfer", transfer, "reversal", sent.ID, "amount", sent.Amount)
	return s.ObserveTransfer(ctx, transfer)
}

// orderReversal takes back what may be taken back at this moment.
func (s *Sender) orderReversal(ctx context.Context, transfer payments.TransferID, id payments.IntentID, key payments.Key) (payments.Reversal, error) {
	var h *ledger.Hold
	var of ledger.PayoutOf
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if err := halt.Money(ctx, q); err != nil {
			return fmt.Errorf("%w: %w", errNotDue, err)
		}
		if of, err = ledger.PayoutOfTransfer(ctx, q, string(transfer)); err != nil {
			return err
		}
		h, err = ledger.LoadHold(ctx, q, of.Hold)
		return err
	})
	if err != nil {
		return payments.Reversal{}, err
	}
	p, _ := payoutIn(h, of.Payee)
	if p.Recoverable == p.Recovered {
		return payments.Reversal{}, fmt.Errorf("%w: a reversal of %s", errNotDue, transfer)
	}
	mark, err := s.mark(ctx, h, id)
	if err != nil {
		return payments.Reversal{}, asked(err)
	}
	return s.processor.SendReversal(ctx, payments.ReversalOrder{
		Key: key, Mark: mark, Transfer: transfer, Amount: money.Money{Amount: p.Recoverable - p.Recovered, Currency: h.Value.Currency},
	})
}
