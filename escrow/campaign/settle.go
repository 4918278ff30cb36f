package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// patience remembers when the payees of an attempt are asked about again. A restart
// forgets it, and asks at once.
type patience map[ledger.AttemptKey]asking

type asking struct {
	at    time.Time
	tries int
}

const (
	// payableAgain is how soon payees who cannot be paid are asked about again, and
	// payableAtMost how late.
	payableAgain  = 5 * time.Second
	payableAtMost = 10 * time.Minute
)

// due tells whether it is time to ask.
func (p patience) due(key ledger.AttemptKey, now time.Time) bool { return !p[key].at.After(now) }

// put puts the next question off.
func (p patience) put(key ledger.AttemptKey, now time.Time) {
	tries := p[key].tries
	p[key] = asking{now.Add(min(payableAtMost, payableAgain<<min(tries, 10))), tries + 1}
}

// pay makes what is held due to the payees, in one decision, once the processor has said
// of each of them that he can be paid now, at the account that was frozen (rule 14), and
// has told what it knows of the money: a warning of fraud or a chargeback takes a pledge
// out of the settlement also when its webhook was lost (rule 17). Until then it waits; the
// final date ends that.
func (d *Driver) pay(ctx context.Context, c Campaign) (on bool, err error) {
	if d.payees == nil || !d.payable.due(c.Attempt, d.now()) {
		return false, nil
	}
	for _, ask := range []func(context.Context, Campaign) (bool, error){d.payeesReady, d.heard} {
		ready, err := ask(ctx, c)
		if err != nil {
			return false, err
		}
		if !ready {
			d.payable.put(c.Attempt, d.now())
			return false, nil
		}
	}
	if err := d.crash.At(crashpoint.BeforeSettlement); err != nil {
		return false, err
	}
	err = d.move(ctx, c, lifecycle.PhaseSettling, func(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
		if !tx.Now().Before(c.FinalAt) {
			return c, fmt.Errorf("%w: the final date of %s has come", ErrMoved, c.Development.Uri)
		}
		return c, d.ledger.Settle(ctx, tx, ledger.Settlement{Attempt: c.Attempt, Shares: c.Shares(), FeeBasisPoints: c.Fee})
	})
	if errors.Is(err, ErrMoved) || errors.Is(err, ledger.ErrPending) || errors.Is(err, ledger.ErrNothingHeld) || errors.Is(err, ledger.ErrDecided) {
		return false, nil // the next pass sees what came in between
	}
	if err == nil {
		delete(d.payable, c.Attempt)
	}
	return err == nil, err
}

// payeesReady asks the processor about each payee.
func (d *Driver) payeesReady(ctx context.Context, c Campaign) (bool, error) {
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	for _, p := range c.Payees {
		account, err := d.payees.Ready(asking, p.DID)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err == nil && account != p.Account {
			err = fmt.Errorf("the account is %s, and %s was frozen", account, p.Account)
		}
		if err == nil {
			continue
		}
		what := "payee"
		if _, ok := errors.AsType[*payee.UnpayableError](err); ok {
			what = "unpayable"
		}
		d.failed(what, "a settlement waits for a payee", "development", c.Development.Uri, "payee", p.DID, "until", c.FinalAt, "err", err)
		return false, nil
	}
	return true, nil
}

// hearFor is how long the processor may take to tell everything.
const hearFor = time.Minute

// heard lets the processor's news act.
func (d *Driver) heard(ctx context.Context, c Campaign) (bool, error) {
	if d.hear == nil {
		return true, nil
	}
	hearing, cancel := context.WithTimeout(ctx, hearFor)
	defer cancel()
	err := d.hear(hearing)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err == nil:
		return true, nil
	case hearing.Err() == nil && !payments.Outside(err):
		return false, err
	}
	d.failed("hear", "a settlement waits for the processor's news", "development", c.Development.Uri, "until", c.FinalAt, "err", err)
	return false, nil
}
