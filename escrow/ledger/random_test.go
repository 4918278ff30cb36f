package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// refusals are what the functions answer to whoever asks at the wrong moment.
var refusals = []error{
	ErrTaken, ErrPosted, ErrDecided, ErrPending, ErrNothingHeld, ErrNotHeld, ErrNotDue, ErrNotFound, ErrNotYet,
}

// processor behaves as a processor can, in any order, and is told again whenever it
// likes. What it says is the truth that the ledger is compared with.
type processor struct {
	*world
	t        *rapid.T
	net      map[string]int64 // of each movement that the ledger was told of
	refunds  map[HoldID]*RefundObject
	disputes map[HoldID]*DisputeObject
	sent     map[string]*TransferObject
	again    []func()
}

// tell tells something with its movements, now and perhaps again later.
func (p *processor) tell(fn func(context.Context, *store.Tx) error, moved ...*Transaction) {
	told := func() {
		err := p.try(fn)
		for _, refusal := range refusals {
			if errors.Is(err, refusal) {
				return
			}
		}
		p.ok(err)
		for _, t := range moved {
			if t != nil {
				p.net[t.ID] = t.Amount - t.Fee
			}
		}
	}
	told()
	p.again = append(p.again, told)
}

func (p *processor) tellRefund(r RefundObject) {
	p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.Refund(ctx, tx, r) }, r.Taken, r.Returned)
}

func (p *processor) tellDispute(d DisputeObject) {
	d.Reinstated = append([]Transaction(nil), d.Reinstated...)
	moved := []*Transaction{d.Withdrawn}
	for i := range d.Reinstated {
		moved = append(moved, &d.Reinstated[i])
	}
	p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.Chargeback(ctx, tx, d) }, moved...)
}

// find reads a hold; nil when there is none.
func (p *processor) find(id HoldID) (h *Hold) {
	err := p.s.Read(p.ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		h, err = LoadHold(ctx, q, id)
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		p.ok(err)
	}
	return h
}

func (p *processor) someHold() HoldID {
	return HoldID(rapid.SampledFrom([]string{"h1", "h1'", "h2", "h3", "h4"}).Draw(p.t, "hold"))
}

func amountOf(hold HoldID) int64 {
	return map[HoldID]int64{"h1": 2500, "h1'": 2500, "h2": 1, "h3": 99_999, "h4": 701}[hold]
}

// actions of the escrow and of the processor.
func (p *processor) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"open": func(*rapid.T) {
			c := checkout(p.someHold(), 0)
			c.Value.Amount = amountOf(c.Hold)
			p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.OpenHold(ctx, tx, c) })
		},
		"void": func(*rapid.T) {
			hold := p.someHold()
			p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.VoidHold(ctx, tx, hold) })
		},
		"charge": func(t *rapid.T) {
			h := p.find(p.someHold())
			if h == nil || h.Charge != "" {
				return
			}
			f := Charged{Hold: h.ID, Charge: "ch_" + string(h.ID), Transaction: *p.moved(h.Value.Amount, fee),
				Return: rapid.SampledFrom([]Reason{"", "", "", ReasonLate}).Draw(t, "return")}
			p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.Charge(ctx, tx, f) }, &f.Transaction)
		},
		"take back": func(*rapid.T) {
			hold := p.someHold()
			p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.DecideRefund(ctx, tx, hold, ReasonWithdrawn) })
		},
		"cancel": func(t *rapid.T) {
			if rapid.IntRange(0, 3).Draw(t, "rarely") == 0 {
				p.tell(func(ctx context.Context, tx *store.Tx) error {
					return p.l.DecideRefunds(ctx, tx, attempt, ReasonCancelled)
				})
			}
		},
		"settle": func(t *rapid.T) {
			if rapid.IntRange(0, 1).Draw(t, "rarely") == 0 {
				p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.Settle(ctx, tx, halves) })
			}
		},
		"refund":   func(t *rapid.T) { p.refundSomething(t) },
		"dispute":  func(t *rapid.T) { p.disputeSomething(t) },
		"transfer": func(t *rapid.T) { p.transferSomething(t) },
		"again": func(t *rapid.T) {
			if len(p.again) > 0 {
				p.again[rapid.IntRange(0, len(p.again)-1).Draw(t, "which")]()
			}
		},
		"": func(*rapid.T) { p.check() },
	}
}

// refundSomething makes a refund that is due, or lets one go on.
func (p *processor) refundSomething(t *rapid.T) {
	hold := p.someHold()
	h := p.find(hold)
	if h == nil {
		return
	}
	r := p.refunds[hold]
	switch {
	case r == nil || r.Status == RefundFailed:
		due := h.Balances[KindRefundDue]
		if due == 0 {
			if h.Balances[KindReturned] > 0 && rapid.Bool().Draw(t, "try again") {
				p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.RetryRefund(ctx, tx, hold) })
			}
			return
		}
		p.n++
		r = &RefundObject{ID: fmt.Sprintf("re_%d", p.n), Hold: hold, Amount: due, Status: RefundPending}
		p.refunds[hold] = r
	case r.Taken == nil:
		r.Taken = p.moved(-r.Amount, 0)
	case r.Status == RefundPending && rapid.Bool().Draw(t, "arrives"):
		r.Status = RefundSucceeded
	case rapid.Bool().Draw(t, "comes back"):
		r.Status, r.Returned = RefundFailed, p.moved(r.Amount, 0)
	}
	p.tellRefund(*r)
}

// disputeSomething takes a charge back, or decides. A refund that has not left the
// balance cannot leave it any more then.
func (p *processor) disputeSomething(t *rapid.T) {
	hold := p.someHold()
	h := p.find(hold)
	if h == nil || h.Charge == "" {
		return
	}
	d := p.disputes[hold]
	switch {
	case d == nil, d.State == ChargebackLost && rapid.Bool().Draw(t, "once more"):
		if r := p.refunds[hold]; r != nil && r.Taken == nil && r.Status == RefundPending {
			r.Status = RefundFailed
			p.tellRefund(*r)
		}
		amount := rapid.Int64Range(1, h.Value.Amount).Draw(t, "amount")
		p.n++
		d = &DisputeObject{ID: fmt.Sprintf("dp_%d", p.n), Hold: hold, Withdrawn: p.moved(-amount, 1500), State: ChargebackOpen}
		p.disputes[hold] = d
	case d.State != ChargebackOpen:
		return
	case rapid.Bool().Draw(t, "won"):
		d.State = ChargebackWon
		d.Reinstated = []Transaction{*p.moved(rapid.Int64Range(1, -d.Withdrawn.Amount).Draw(t, "back"), 0)}
		if rapid.Bool().Draw(t, "wholly") {
			d.Reinstated[0].Amount = -d.Withdrawn.Amount
		}
	default:
		d.State = ChargebackLost
	}
	p.tellDispute(*d)
}

// transferSomething asks for a transfer, makes it, settles or reverses it.
func (p *processor) transferSomething(t *rapid.T) {
	hold, payee := p.someHold(), rapid.SampledFrom([]syntax.DID{ann, ben}).Draw(t, "payee")
	key := string(hold) + string(payee)
	o := p.sent[key]
	h := p.find(hold)
	if h == nil || h.payout(payee) == nil {
		return
	}
	switch payout := h.payout(payee); {
	case payout.State == PayoutDue:
		p.requested(hold, payee)
		return
	case o == nil && payout.State == PayoutRequested:
		o = &TransferObject{ID: "tr_" + key, Hold: hold, Payee: payee, Created: *p.moved(-payout.Due(), 0)}
		p.sent[key] = o
	case o == nil:
		return // all of it was withheld
	case payout.Recoverable > payout.Recovered:
		r := Reversal{Transfer: o.ID, Hold: hold, Payee: payee,
			Returned: *p.moved(rapid.Int64Range(1, payout.Recoverable-payout.Recovered).Draw(t, "reversed"), 0)}
		p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.ReverseTransfer(ctx, tx, r) }, &r.Returned)
		return
	default:
		o.Settled = true
	}
	told := *o
	p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.Transfer(ctx, tx, told) }, &told.Created)
}

// check compares the ledger with the processor, and with itself.
func (p *processor) check() {
	p.verify()
	var net, balance int64
	for _, amount := range p.net {
		net += amount
	}
	p.ok(p.s.Read(p.ctx, func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT coalesce(sum(balance), 0) FROM account WHERE kind = 'processor'`).Scan(&balance)
	}))
	if net != balance {
		p.t.Fatalf("the processor has %d, and the ledger says %d", net, balance)
	}
	var owed int64
	for _, hold := range []HoldID{"h1", "h1'", "h2", "h3", "h4"} {
		h := p.find(hold)
		if h == nil || h.Charge == "" {
			continue
		}
		owed += h.Stand().Owed
		p.stands(h)
		r, err := p.receipt(h.Pledge)
		p.ok(err)
		if r.Hold != hold {
			continue
		}
		if status, reason := h.Status(); r.Status != status || r.Reason != reason {
			p.t.Fatalf("%s is %s %s, and its receipt says %s %s", hold, status, reason, r.Status, r.Reason)
		}
		if len(r.History) > historyLimit || r.History[len(r.History)-1] != r.Change {
			p.t.Fatalf("%s has the history %v", hold, r.History)
		}
		for i := 1; i < len(r.History); i++ {
			if r.History[i].At.Before(r.History[i-1].At) {
				p.t.Fatalf("the history of %s goes back: %v", hold, r.History)
			}
		}
	}
	p.owes(owed)
	p.equal()
}

// owes insists that what the holds owe is what the accounts owe.
func (p *processor) owes(owed int64) {
	var list []money.Money
	p.ok(p.s.Read(p.ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = Liabilities(ctx, q)
		return err
	}))
	var sum int64
	for _, m := range list {
		sum += m.Amount
	}
	if sum != owed {
		p.t.Fatalf("the holds owe %d, and the accounts %d", owed, sum)
	}
}

// stands insists that what a statement says of a hold goes with its status.
func (p *processor) stands(h *Hold) {
	s, fee := h.Stand(), h.fee().Amount
	status, _ := h.Status()
	all := s.Owed + s.Released + s.Refunded
	ok := s.Owed >= 0 && s.Released >= 0 && s.Refunded >= 0 && all <= h.Value.Amount
	switch status {
	case lifecycle.ReceiptHeld:
		ok = ok && s.Owed == h.Value.Amount
	case lifecycle.ReceiptRefunding, lifecycle.ReceiptRefundFailed:
		ok = ok && s.Owed > 0 && s.Released == 0
	case lifecycle.ReceiptRefunded:
		ok = ok && s.Owed == 0 && s.Refunded > 0 && s.Released == 0
	case lifecycle.ReceiptReleasing:
		ok = ok && s.Owed > 0 && all == h.Value.Amount-fee
	case lifecycle.ReceiptReleased:
		ok = ok && s.Owed == 0 && s.Refunded == 0 && all == h.Value.Amount-fee
	}
	if !ok {
		p.t.Fatalf("%s of %d is %s, and stands at %+v", h.ID, h.Value.Amount, status, s)
	}
}

// finish lets everything come to its end: banks decide, refunds arrive, payees are
// paid.
func (p *processor) finish() {
	for _, d := range p.disputes {
		if d.State == ChargebackOpen {
			d.State = ChargebackLost
			p.tellDispute(*d)
		}
	}
	for _, hold := range []HoldID{"h1", "h1'", "h2", "h3", "h4"} {
		p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.VoidHold(ctx, tx, hold) })
	}
	p.tell(func(ctx context.Context, tx *store.Tx) error {
		return p.l.DecideRefunds(ctx, tx, attempt, ReasonUndecided)
	})
	for _, hold := range []HoldID{"h1", "h1'", "h2", "h3", "h4"} {
		p.finishHold(hold)
	}
}

func (p *processor) finishHold(hold HoldID) {
	h := p.find(hold)
	if h == nil || h.Charge == "" {
		return
	}
	if r := p.refunds[hold]; r != nil && r.Status == RefundPending {
		if r.Taken == nil {
			r.Taken = p.moved(-r.Amount, 0)
		}
		r.Status = RefundSucceeded
		p.tellRefund(*r)
		h = p.find(hold)
	}
	if due := h.Balances[KindRefundDue]; due > 0 {
		p.tellRefund(RefundObject{ID: "re_last_" + string(hold), Hold: hold, Amount: due, Status: RefundSucceeded, Taken: p.moved(-due, 0)})
	}
	if h.Balances[KindReturned] > 0 {
		p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.PayOtherwise(ctx, tx, hold, Digest{1}) })
	}
	for _, payout := range h.Payouts {
		o := p.sent[string(hold)+string(payout.Payee)]
		switch {
		case payout.State == PayoutSettled:
			continue
		case o == nil:
			if payout.State == PayoutDue {
				p.requested(hold, payout.Payee)
			}
			o = &TransferObject{ID: "tr_" + string(hold) + string(payout.Payee), Hold: hold, Payee: payout.Payee, Created: *p.moved(-payout.Due(), 0)}
		}
		o.Settled = true
		p.tell(func(ctx context.Context, tx *store.Tx) error { return p.l.Transfer(ctx, tx, *o) }, &o.Created)
	}
	for kind, balance := range p.find(hold).Balances {
		if balance != 0 {
			p.t.Fatalf("in the end %s has %d %s", hold, balance, kind)
		}
	}
}

// Whatever the processor does, in whatever order it is told and however often: the
// ledger is whole, agrees with the processor and with its receipts, refuses nothing
// that happened, and in the end each hold is empty by one way out.
func TestLedger_AgreesWithTheProcessorWhateverHappens(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		w := openWorld(rt, t.Context(), filepath.Join(dir, fmt.Sprintf("%d.db", n)))
		defer w.close()
		p := &processor{
			world: w, t: rt, net: map[string]int64{}, refunds: map[HoldID]*RefundObject{},
			disputes: map[HoldID]*DisputeObject{}, sent: map[string]*TransferObject{},
		}
		rt.Repeat(p.actions())
		p.finish()
		p.check()
	})
}
