package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// records is what the processor says happened, for people and for the model: nothing of
// it comes from the escrow.
type records struct {
	platform string
	// charges that took money for pledges, by pledge, the first one first.
	charges map[syntax.ATURI][]*charge
	byID    map[string]*charge
	// movements of the platform's balance in the order in which they happened.
	movements []simulator.BalanceTransaction
	balance   simulator.BalanceTruth // in the world's currency
	// payees counts the accounts of payees by DID, and accountOf has them.
	payees    map[string]int
	accountOf map[syntax.DID]string
	fired     map[simulator.Fault]int64
	// undelivered webhooks wait.
	undelivered int
}

// charge is a payment, and everything that came of it.
type charge struct {
	simulator.Charge
	mark      payments.Mark
	refunds   []simulator.Refund
	disputes  []simulator.Dispute
	transfers []simulator.Transfer
	warnedAt  time.Time // by the card's issuer; zero for never
}

func (c *charge) at() time.Time { return time.Unix(c.Created, 0).UTC() }

// records asks the processor for everything.
func (p *processor) records(ctx context.Context) (*records, error) {
	truth, err := p.Truth(ctx)
	if err != nil {
		return nil, err
	}
	platform := truth.Accounts[truth.Platform]
	r := &records{
		platform: truth.Platform, charges: map[syntax.ATURI][]*charge{}, byID: map[string]*charge{}, payees: map[string]int{}, accountOf: map[syntax.DID]string{},
		balance: platform.Balances["usd"], fired: truth.Fired,
	}
	var charges []simulator.Charge
	var refunds []simulator.Refund
	var disputes []simulator.Dispute
	var warnings []simulator.FraudWarning
	var transfers []simulator.Transfer
	for kind, into := range map[string]any{
		"charge": &charges, "refund": &refunds, "dispute": &disputes, "radar.early_fraud_warning": &warnings, "transfer": &transfers,
		"balance_transaction": &r.movements,
	} {
		if err := decodeAll(platform.Objects[kind], into); err != nil {
			return nil, err
		}
	}
	for _, c := range charges {
		if !c.Paid {
			continue
		}
		found := &charge{Charge: c, mark: payments.ParseMark(c.Metadata)}
		r.byID[c.ID] = found
		r.charges[found.mark.Subject] = append(r.charges[found.mark.Subject], found)
	}
	for _, refund := range refunds {
		r.byID[refund.Charge].refunds = append(r.byID[refund.Charge].refunds, refund)
	}
	for _, d := range disputes {
		r.byID[d.Charge].disputes = append(r.byID[d.Charge].disputes, d)
	}
	for _, warning := range warnings {
		r.byID[warning.Charge].warnedAt = second(warning.Created)
	}
	for id, account := range truth.Accounts {
		if id == truth.Platform {
			continue
		}
		var list []simulator.Account
		if err := decodeAll(account.Objects["account"], &list); err != nil {
			return nil, err
		}
		for _, a := range list {
			r.payees[a.Metadata["payee"]]++
			r.accountOf[syntax.DID(a.Metadata["payee"])] = a.ID
		}
	}
	for _, d := range truth.Deliveries {
		if d.State == "waiting" || d.State == "sending" {
			r.undelivered++
		}
	}
	return r, r.addTransfers(transfers)
}

// decodeAll reads objects as the API shows them, into a slice of their type.
func decodeAll(raw []json.RawMessage, into any) error {
	joined, err := json.Marshal(raw)
	if err == nil {
		err = json.Unmarshal(joined, into)
	}
	if err != nil {
		return fmt.Errorf("oracle: read what the processor knows: %w", err)
	}
	return nil
}

// actAsBank lets a bank do something about a charge.
func (w *World) actAsBank(ctx context.Context) error {
	r, err := w.processor.records(ctx)
	if err != nil {
		return err
	}
	var all []*charge
	for _, p := range w.pledges { // in an order that the seed decides
		all = append(all, r.charges[p.uri()]...)
	}
	if len(all) == 0 {
		return nil
	}
	c := pick(w.dice, all)
	for _, d := range c.disputes {
		return w.goOnWithDispute(ctx, d)
	}
	for _, refund := range c.refunds {
		if refund.Status == "succeeded" && w.one(2) {
			w.note("the bank sends refund %s back", refund.ID)
			w.fired.fire(FaultRefundFails)
			return w.processor.FailRefund(ctx, refund.ID, "lost_or_stolen_card")
		}
	}
	if c.warnedAt.IsZero() && w.one(4) {
		w.note("the issuer warns of %s", c.ID)
		w.fired.fire(FaultWarning)
		_, err := w.processor.WarnOfFraud(ctx, c.ID)
		return err
	}
	return w.disputeCharge(ctx, c)
}

func (w *World) disputeCharge(ctx context.Context, c *charge) error {
	d := simulator.NewDispute{Inquiry: w.one(4)}
	if c.Amount > 1 && c.AmountRefunded == 0 && w.one(3) {
		d.Amount = 1 + w.Int64N(c.Amount-1)
		w.fired.fire(FaultPartial)
	}
	w.fired.fire(FaultDispute)
	id, err := w.processor.Control.Dispute(ctx, c.ID, d)
	w.note("the bank disputes %s (%+v): %s %v", c.ID, d, id, err)
	return err
}

// unheardFor is how young a refund is that the escrow may not have heard of.
const unheardFor = time.Hour

// disputeUnheard lets the escrow die as soon as it has sent an order, and a bank take back for
// good what was just refunded, before the escrow is there again: of both the dispute may be
// what it hears of first.
func (w *World) disputeUnheard(ctx context.Context) error {
	if err := w.doomNow(crashpoint.AfterSend); err != nil {
		return err
	}
	if err := w.escrow.start(); err != nil {
		return err
	}
	for range readyLooks {
		if err := w.escrow.bury(); err != nil {
			return err
		}
		if w.escrow.process == nil {
			break
		}
		if err := sleep(ctx, lookOver); err != nil {
			return err
		}
	}
	c, err := w.justRefunded(ctx)
	if err != nil || c == nil || w.escrow.process != nil {
		return err
	}
	id, err := w.processor.Control.Dispute(ctx, c.ID, simulator.NewDispute{})
	if err != nil {
		return err
	}
	w.note("the bank takes %s back, which was just refunded, and nobody hears of it: %s", c.ID, id)
	w.fired.fire(FaultUnheard)
	if err := w.processor.Lose(ctx, id); err != nil {
		return err
	}
	_, err = w.processor.LoseWebhooks(ctx)
	return err
}

// justRefunded is a charge that went back a moment ago, or nil.
func (w *World) justRefunded(ctx context.Context) (*charge, error) {
	r, err := w.processor.records(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range w.pledges {
		for _, c := range r.charges[p.uri()] {
			if len(c.disputes) == 0 && len(c.refunds) == 1 && second(c.refunds[0].Created).After(w.clock.Now().Add(-unheardFor)) {
				return c, nil
			}
		}
	}
	return nil, nil
}

func (w *World) goOnWithDispute(ctx context.Context, d simulator.Dispute) error {
	switch d.Status {
	case "warning_needs_response":
		if w.one(3) {
			w.note("inquiry %s ends", d.ID)
			return w.processor.Lose(ctx, d.ID)
		}
		w.note("inquiry %s becomes a dispute", d.ID)
		w.fired.fire(FaultEscalated)
		return w.processor.Escalate(ctx, d.ID)
	case "needs_response", "under_review":
		switch w.IntN(4) {
		case 0:
			w.note("dispute %s is lost", d.ID)
			return w.processor.Lose(ctx, d.ID)
		case 1:
			if d.Amount > 1 {
				amount := 1 + w.Int64N(d.Amount-1)
				w.note("of dispute %s, %d come back", d.ID, amount)
				w.fired.fire(FaultPartlyWon)
				return w.processor.Win(ctx, d.ID, amount)
			}
			fallthrough
		case 2:
			w.note("dispute %s is won", d.ID)
			return w.processor.Win(ctx, d.ID, 0)
		}
		if d.Status == "needs_response" {
			return w.processor.Review(ctx, d.ID)
		}
	}
	return nil
}
