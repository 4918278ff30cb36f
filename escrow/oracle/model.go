package oracle

import (
	"slices"
	"time"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// The states in which a pledge may end, in the words of receipts.
const (
	statusRefunded     = "refunded"
	statusRefundFailed = "refund-failed"
	statusChargedBack  = "charged-back"
)

// The reasons why money goes back, in the words of receipts.
const (
	reasonWithdrawn   = "withdrawn"
	reasonLate        = "late"
	reasonCancelled   = "cancelled"
	reasonNotReleased = "not-released"
	reasonUndecided   = "undecided"
	reasonFraud       = "fraud"
	reasonChargeback  = "chargeback"
)

// ends is what may have become of a pledge, as far as one can know from what people did
// and what the processor says: nothing here comes from the escrow.
type ends struct {
	statuses, reasons []string
	// cid of the version that was paid for.
	cid string
}

// lost is what banks kept of a charge.
func (c *charge) lost(movements []simulator.BalanceTransaction) int64 {
	var taken int64
	for _, m := range movements {
		for _, d := range c.disputes {
			if m.Source != nil && *m.Source == d.ID {
				taken -= m.Amount
			}
		}
	}
	return taken
}

func (c *charge) refunded() (succeeded, failed, pending int) {
	for _, r := range c.refunds {
		switch r.Status {
		case "succeeded":
			succeeded++
		case "failed":
			failed++
		default:
			pending++
		}
	}
	return succeeded, failed, pending
}

// tookMoney reports whether a bank took money for a dispute, whatever became of it.
func (c *charge) tookMoney(movements []simulator.BalanceTransaction) bool {
	return slices.ContainsFunc(movements, func(m simulator.BalanceTransaction) bool {
		return slices.ContainsFunc(c.disputes, func(d simulator.Dispute) bool { return m.Source != nil && *m.Source == d.ID })
	})
}

// endsOf predicts. Nothing is released in this society, so all money goes back, or was
// taken by a bank.
func endsOf(p *pledge, c *charge, r *records) ends {
	e := ends{cid: c.mark.CID.String()}
	lost := c.lost(r.movements)
	succeeded, failed, _ := c.refunded()
	if succeeded > 0 || p.paidOtherwise {
		e.statuses = append(e.statuses, statusRefunded)
	}
	if failed > 0 && succeeded == 0 && !p.paidOtherwise {
		e.statuses = append(e.statuses, statusRefundFailed)
	}
	if lost > 0 {
		e.statuses = append(e.statuses, statusChargedBack)
	}
	e.reasons = reasonsOf(p, c, r)
	return e
}

// reasonsOf lists why the money of a charge may have gone back.
func reasonsOf(p *pledge, c *charge, r *records) (out []string) {
	a := p.attempt
	if c.tookMoney(r.movements) {
		out = append(out, reasonChargeback)
	}
	if !c.warnedAt.IsZero() {
		out = append(out, reasonFraud)
	}
	cancelled := !a.cancelledAt.IsZero()
	if cancelled {
		out = append(out, reasonCancelled)
	}
	if p.gone() {
		out = append(out, reasonWithdrawn)
	}
	// Seconds are all that the processor says.
	if cancelled && !c.at().Before(a.cancelledAt.Truncate(time.Second)) || !c.at().Before(a.closesAt.Truncate(time.Second)) {
		out = append(out, reasonLate)
	}
	// Who took a pledge back in time must not be told that the developer was late (rule 9).
	inTime := p.gone() && p.deletedAt.Before(a.closesAt)
	if !inTime {
		out = append(out, reasonNotReleased, reasonUndecided)
	}
	return out
}
