package oracle

import (
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// The states in which a pledge may end, in the words of receipts.
const (
	statusRefunded     = "refunded"
	statusRefundFailed = "refund-failed"
	statusChargedBack  = "charged-back"
	statusReleased     = "released"
	statusHeld         = "held"
)

// The reasons why money goes back, in the words of receipts.
const (
	reasonWithdrawn   = "withdrawn"
	reasonLate        = "late"
	reasonCancelled   = "cancelled"
	reasonNotReleased = "not-released"
	reasonUndecided   = "undecided"
	reasonUpheld      = "dispute-upheld"
	reasonUnpayable   = "payee-unpayable"
	reasonNothing     = "nothing-pledged" // of campaigns alone
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

// endsOf predicts, from how the attempt ended: that this is as it may be is judged by itself.
func (w *World) endsOf(p *pledge, c *charge, r *records, story ending) ends {
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
	e.reasons = w.reasonsOf(p, c, r, story)
	if story.phase == phaseReleased && lost == 0 && c.transferred() > 0 && !w.surelyBack(p, c) {
		e.statuses, e.reasons = append(e.statuses, statusReleased), append(e.reasons, "")
	}
	return e
}

// surelyBack reports whether a charge has to go back whatever becomes of its attempt: it
// came when pledging was over, or its author took the pledge back when no release was there
// that could have been seen before (rules 9, 10).
func (w *World) surelyBack(p *pledge, c *charge) bool {
	return c.at().After(p.attempt.closesAt) || w.takenBackInTime(p)
}

func (w *World) takenBackInTime(p *pledge) bool {
	if !p.gone() || !p.deletedAt.Before(p.attempt.closesAt) {
		return false
	}
	closed, ok := p.attempt.first(phaseClosed)
	if !ok {
		return len(p.attempt.work.releases) == 0
	}
	return len(p.attempt.work.releases) == 0 || p.attempt.work.releases[0].at.After(closed.heard)
}

// reasonsOf lists why the money of a charge may have gone back.
func (w *World) reasonsOf(p *pledge, c *charge, r *records, story ending) (out []string) {
	a := p.attempt
	if c.tookMoney(r.movements) {
		out = append(out, reasonChargeback)
	}
	if !c.warnedAt.IsZero() {
		out = append(out, reasonFraud)
	}
	if p.gone() {
		out = append(out, reasonWithdrawn)
	}
	// Seconds are all that the processor says.
	cancelled := story.reason == reasonCancelled && !c.at().Before(a.cancelledAt.Truncate(time.Second))
	if cancelled || !c.at().Before(a.closesAt.Truncate(time.Second)) {
		out = append(out, reasonLate)
	}
	switch {
	case story.phase == phaseReleased:
	case story.reason == reasonCancelled:
		out = append(out, reasonCancelled)
	case w.takenBackInTime(p): // who did must not be told that the developer was late (rule 9)
	case story.reason == reasonNothing:
		out = append(out, reasonNotReleased)
	default:
		out = append(out, story.reason)
	}
	return out
}

// shownMoney is what everybody should see of each attempt's money when all is over.
func (w *World) shownMoney(r *records, receipts map[syntax.ATURI]*stratos.EscrowReceipt) map[*attempt]lifecycle.Funding {
	out := map[*attempt]lifecycle.Funding{}
	for _, p := range w.pledges {
		receipt := receipts[p.uri()]
		if receipt == nil {
			continue
		}
		f := out[p.attempt]
		switch amount := r.charges[p.uri()][0].Amount; receipt.Status {
		case statusReleased:
			f.Released += amount
		case statusRefunded:
			f.Refunded += amount
		case statusChargedBack:
			f.ChargedBack += amount
		}
		out[p.attempt] = f
	}
	return out
}
