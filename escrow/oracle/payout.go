package oracle

import (
	"context"
	"fmt"
	"slices"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// whole is everything, in basis points.
const whole = 10_000

// feeOf is the published fee of an amount.
func feeOf(amount int64) int64 { return amount * feeBasisPoints / whole }

// received is what a payee got of a charge, and what was taken back of it.
func (c *charge) received(account string) (sum, back int64) {
	for _, t := range c.transfers {
		if t.Destination == account {
			sum, back = sum+t.Amount, back+t.AmountReversed
		}
	}
	return sum, back
}

// transferred is what all payees got of a charge.
func (c *charge) transferred() (sum int64) {
	for _, t := range c.transfers {
		sum += t.Amount
	}
	return sum
}

// judgePayouts adds up what the processor sent to whom: of each charge of a released
// attempt everything but the fee, to its payees by their shares, and of others nothing. It
// returns what the operator has earned.
func (w *World) judgePayouts(r *records, ends map[*attempt]ending, wrong func(string, ...any)) (f fees) {
	for _, a := range w.attempts {
		released := ends[a].phase == phaseReleased
		var nets, lost int64
		var n int
		for _, p := range w.pledges {
			for _, c := range r.charges[p.uri()] {
				if p.attempt != a {
					continue
				}
				if len(c.transfers) == 0 && !c.untouched(released) {
					if released && c.lost(r.movements) > 0 {
						f.most += feeOf(c.Amount) // a bank took it, perhaps between the decision and the transfers
					}
					continue
				}
				n++
				w.judgeTransfers(a, c, released, r, wrong)
				nets, lost = nets+c.Amount-feeOf(c.Amount), lost+c.lost(r.movements)
				f.least, f.most = f.least+feeOf(c.Amount), f.most+feeOf(c.Amount)
			}
		}
		if lost > 0 || n == 0 {
			continue // the payees bear a part of what a bank took
		}
		w.judgeShares(a, nets, r, wrong)
	}
	return f
}

// fees are what the operator has earned, as far as one can know.
type fees struct{ least, most int64 }

// untouched reports whether a charge of a released attempt never went another way.
func (c *charge) untouched(released bool) bool {
	succeeded, failed, pending := c.refunded()
	return released && succeeded+failed+pending == 0 && len(c.disputes) == 0
}

func (w *World) judgeTransfers(a *attempt, c *charge, released bool, r *records, wrong func(string, ...any)) {
	net, sent, lost := c.Amount-feeOf(c.Amount), c.transferred(), c.lost(r.movements)
	if !released {
		wrong("%d of charge %s were sent to payees, and nothing was released", sent, c.ID)
	}
	if succeeded, failed, pending := c.refunded(); sent > 0 && succeeded+failed+pending > 0 {
		wrong("charge %s was sent to payees, and back to its payer", c.ID)
	}
	if sent > net || lost == 0 && sent != net {
		wrong("of charge %s of %d, %d were sent to payees and not %d", c.ID, c.Amount, sent, net)
	}
	ours := map[string]bool{}
	for _, payee := range a.payees {
		ours[r.accountOf[payee.DID]] = true
	}
	to := map[string]int{}
	for _, t := range c.transfers {
		to[t.Destination]++
		if !ours[t.Destination] || to[t.Destination] > 1 {
			wrong("transfer %s of charge %s goes to %s, for the %d. time", t.ID, c.ID, t.Destination, to[t.Destination])
		}
		if t.AmountReversed > 0 && lost == 0 {
			wrong("%d of transfer %s were taken back, and no bank took anything", t.AmountReversed, t.ID)
		}
	}
}

// judgeShares wants each payee to have the share, to a cent.
func (w *World) judgeShares(a *attempt, nets int64, r *records, wrong func(string, ...any)) {
	shares := []int64{whole}
	if len(a.payees) > 1 {
		shares = []int64{firstShare, whole - firstShare}
	}
	for i, payee := range a.payees {
		var got int64
		for _, p := range w.pledges {
			for _, c := range r.charges[p.uri()] {
				if p.attempt == a {
					sum, _ := c.received(r.accountOf[payee.DID])
					got += sum
				}
			}
		}
		if off := got*whole - nets*shares[i]; off >= whole || off <= -whole {
			wrong("%s got %d of %d, with a share of %d", payee.name, got, nets, shares[i])
		}
	}
}

// restrictPayee lets the processor stop somebody's account, for weeks perhaps, or lets
// everybody be paid again.
func (w *World) restrictPayee(ctx context.Context) error {
	if slices.ContainsFunc(w.attempts, func(a *attempt) bool { return a.stopped }) {
		return w.liftRestrictions(ctx)
	}
	if !w.one(3) {
		return nil
	}
	a := pick(w.dice, w.attempts)
	payee := pick(w.dice, a.payees)
	r, err := w.processor.records(ctx)
	if err != nil || r.accountOf[payee.DID] == "" {
		return err
	}
	w.note("the processor stops the account of %s", payee.name)
	w.fired.fire(FaultRestricted)
	for _, a := range w.attempts {
		if slices.ContainsFunc(a.payees, func(p *person) bool { return p.DID == payee.DID }) {
			a.stopped, a.restricted = true, true
		}
	}
	return w.processor.Restrict(ctx, r.accountOf[payee.DID], "requirements.past_due")
}

// liftRestrictions ends what stands against payees.
func (w *World) liftRestrictions(ctx context.Context) error {
	w.note("the processor lets everybody be paid")
	r, err := w.processor.records(ctx)
	if err != nil {
		return err
	}
	for _, a := range w.attempts {
		a.stopped = false
		for _, payee := range a.payees {
			if account := r.accountOf[payee.DID]; account != "" && a.onboard[payee.DID] {
				if err := w.processor.Complete(ctx, account); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// addTransfers puts transfers to their charges.
func (r *records) addTransfers(list []simulator.Transfer) error {
	for _, t := range list {
		if t.SourceTransaction == nil || r.byID[*t.SourceTransaction] == nil {
			return fmt.Errorf("%w: transfer %s is out of no charge", ErrWrong, t.ID)
		}
		c := r.byID[*t.SourceTransaction]
		c.transfers = append(c.transfers, t)
	}
	return nil
}
