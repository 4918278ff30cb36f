package intake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// disputesLast is longer than a bank takes to decide about a chargeback, so that none is
// decided behind the place to which a list of them is read back.
const disputesLast = 180 * 24 * time.Hour

// ofDonations are the events that tell of donations, out of all that happens on an account.
var ofDonations = []string{"charge.dispute.closed", "charge.refunded", "checkout.session.completed"}

// donee are the lists of an account that donations went to: its chargebacks, and its
// events for everything else. The platform's own lists have nothing of it.
func (w *Worker) donee(account payments.AccountID) []list {
	p := w.Processor
	return []list{
		{name: "disputes of " + string(account), back: disputesLast, read: func(ctx context.Context, since time.Time) iter.Seq2[object, error] {
			return choose(p.Disputes(ctx, account, payments.DisputeQuery{Since: since}), func(d payments.Dispute) (object, bool, error) {
				o := object{kind: kindDispute, id: string(d.ID), account: account}
				if d.Status != payments.DisputeLost {
					return o, false, nil // nothing follows yet
				}
				news, err := w.neverWorkedOff(ctx, o)
				return o, news, err
			})
		}},
		{name: "events of " + string(account), events: func(ctx context.Context, since time.Time) iter.Seq2[payments.Hint, error] {
			return p.Hints(ctx, payments.HintQuery{Account: account, Types: ofDonations, Since: since})
		}},
	}
}

// syncDonees reads the lists of all accounts that donations went to. One that the processor
// does not show us any more keeps nobody else waiting.
func (w *Worker) syncDonees(ctx context.Context, full bool) (reads []Read, err error) {
	if w.Checkouts == nil {
		return nil, nil
	}
	accounts, err := w.Checkouts.DonatedTo(ctx)
	if err != nil {
		return nil, err
	}
	for _, account := range accounts {
		for _, l := range w.donee(account) {
			read, err := w.syncList(ctx, l, full)
			if unseen(err) {
				w.log.Warn("the lists of an account that donations went to cannot be read", "account", account, "err", err)
				break
			}
			if err != nil {
				return reads, fmt.Errorf("intake: read %s: %w", l.name, err)
			}
			reads = append(reads, read)
		}
	}
	return reads, nil
}

// unseen tells whether the processor does not let us see an account: its owner has cut the
// connection, or it is closed.
func unseen(err error) bool {
	return errors.Is(err, payments.ErrMisconfigured) || errors.Is(err, payments.ErrRefused) || errors.Is(err, payments.ErrNotFound)
}

// neverWorkedOff tells whether an object of a list is still to be looked at.
func (w *Worker) neverWorkedOff(ctx context.Context, o object) (never bool, err error) {
	err = w.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		done, err := workedOff(ctx, q, o)
		never = !done
		return err
	})
	return never, err
}
