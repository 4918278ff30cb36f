package simulator

import "fmt"

// States of a refund.
const (
	refundPending   = "pending"
	refundSucceeded = "succeeded"
	refundFailed    = "failed"
)

// Refund gives back what a charge took. Cards are refunded at once as far as anybody
// can see; that the bank sent it back shows much later.
type Refund struct {
	Header
	Amount                    int64             `json:"amount"`
	BalanceTransaction        *string           `json:"balance_transaction"`
	Charge                    string            `json:"charge"`
	Currency                  string            `json:"currency"`
	FailureBalanceTransaction *string           `json:"failure_balance_transaction,omitempty"`
	FailureReason             *string           `json:"failure_reason,omitempty"`
	Metadata                  map[string]string `json:"metadata"`
	PaymentIntent             *string           `json:"payment_intent"`
	PendingReason             *string           `json:"pending_reason,omitempty"`
	Reason                    *string           `json:"reason"`
	ReceiptNumber             *string           `json:"receipt_number"`
	SourceTransferReversal    *string           `json:"source_transfer_reversal"`
	Status                    string            `json:"status"`
	TransferReversal          *string           `json:"transfer_reversal"`

	Hidden hiddenRefund `json:"simulator"`
}

// hiddenRefund says what the bank will do.
type hiddenRefund struct {
	Pends bool `json:"pends"`
	Fails bool `json:"fails"`
}

// createRefund answers POST /v1/refunds.
func createRefund(t *tx, r *request) (any, error) {
	chargeID, intentID := r.text("charge"), r.text("payment_intent")
	amount, partial := r.amount("amount")
	reason := r.optional("reason")
	r.oneOf("reason", "", "duplicate", "fraudulent", "requested_by_customer")
	metadata := r.metadata("metadata")
	if (chargeID == "") == (intentID == "") {
		r.fail(malformed("parameter_missing", "charge", "One of the following params should be provided for this request: payment_intent or charge."))
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	if intentID != "" {
		intent, err := loadOf[PaymentIntent](t, kindPaymentIntent, r.account, "payment_intent", intentID)
		if err != nil {
			return nil, err
		}
		if intent.Status != intentSucceeded {
			return nil, refused("", "", "This PaymentIntent (%s) does not have a successful charge to refund.", intentID)
		}
		chargeID = *intent.LatestCharge
	}
	charge, err := loadOf[Charge](t, kindCharge, r.account, "charge", chargeID)
	if err != nil {
		return nil, err
	}
	if !partial {
		amount = charge.Amount - charge.AmountRefunded
	}
	if err := t.mayRefund(charge, amount); err != nil {
		return nil, err
	}
	return t.refund(charge, amount, reason, metadata)
}

// mayRefund refuses what Stripe refuses.
func (t *tx) mayRefund(charge *Charge, amount int64) error {
	if !charge.Paid {
		return refused("", "", "Charge %s has not been paid, so it cannot be refunded.", charge.ID)
	}
	if charge.SourceTransfer != nil {
		return refused("charge_not_refundable", "charge", "Charge %s came by a transfer: reverse that.", charge.ID)
	}
	if charge.Refunded {
		return refused("charge_already_refunded", "", "Charge %s has already been refunded.", charge.ID)
	}
	disputes, err := t.disputesOf(charge.ID)
	if err != nil {
		return err
	}
	for _, d := range disputes {
		if d.holdsFunds() {
			return refused("charge_disputed", "", "Charge %s has been charged back; cannot issue a refund.", charge.ID)
		}
	}
	if left := charge.Amount - charge.AmountRefunded; amount > left {
		return refused("", "amount", "Refund amount (%s) is greater than unrefunded amount on charge (%s)", spoken(amount, charge.Currency), spoken(left, charge.Currency))
	}
	return nil
}

// refund gives an amount back, now or as soon as the funds are there.
func (t *tx) refund(charge *Charge, amount int64, reason *string, metadata map[string]string) (*Refund, error) {
	h, err := t.newHeader("re", kindRefund, charge.account)
	if err != nil {
		return nil, err
	}
	c, _ := cardOf(charge.Hidden.Card)
	refund := &Refund{
		Header: h, Amount: amount, Charge: charge.ID, Currency: charge.Currency, Metadata: metadata, PaymentIntent: charge.PaymentIntent,
		Reason: reason, Status: refundPending, Hidden: hiddenRefund{Pends: c.refundPends, Fails: c.refundFails},
	}
	if !refund.Hidden.Pends {
		if refund.Hidden.Pends, err = t.strikes(FaultRefundPending, ""); err != nil {
			return nil, err
		}
	}
	if !refund.Hidden.Fails {
		if refund.Hidden.Fails, err = t.strikes(FaultRefundFails, ""); err != nil {
			return nil, err
		}
	}
	if err := t.insert(refund); err != nil {
		return nil, err
	}
	if err := t.restore(charge, -amount); err != nil {
		return nil, err
	}
	if err := t.withdraw(refund); err != nil {
		return nil, err
	}
	if err := t.emit("charge.refunded", charge); err != nil {
		return nil, err
	}
	if err := t.emit("refund.created", refund); err != nil {
		return nil, err
	}
	return refund, t.closeInquiries(charge)
}

// withdraw takes the refund out of the balance if that suffices.
func (t *tx) withdraw(refund *Refund) error {
	covered, err := t.covers(refund.account, refund.Amount, refund.Currency, func(sum total) int64 { return sum.available })
	if err != nil {
		return err
	}
	if !covered {
		refund.PendingReason = new("insufficient_funds")
		return t.save(refund)
	}
	moved, err := t.post(refund.account, movement{
		kind: "refund", category: "refund", amount: -refund.Amount, currency: refund.Currency, source: refund.ID, description: new("REFUND FOR CHARGE"), availableOn: t.now,
	})
	if err != nil {
		return err
	}
	refund.BalanceTransaction = &moved.ID
	terms := t.server.config.Terms
	if refund.Hidden.Pends {
		refund.PendingReason = new("processing")
		if err := t.plan(t.now.Add(terms.RefundSettlesAfter), taskSettleRefund, refund.ID); err != nil {
			return err
		}
	} else {
		refund.PendingReason, refund.Status = nil, refundSucceeded
	}
	if refund.Hidden.Fails {
		if err := t.plan(t.now.Add(terms.RefundFailsAfter), taskFailRefund, refund.ID); err != nil {
			return err
		}
	}
	return t.save(refund)
}

// retryRefunds goes through the refunds that wait for funds, oldest first, up to the
// first for which the funds do not suffice.
func (t *tx) retryRefunds(account, currency string) error {
	waiting, err := selectObjects[Refund](t, `kind = ? AND account = ? AND body ->> '$.pending_reason' = 'insufficient_funds' ORDER BY seq`, string(kindRefund), account)
	if err != nil {
		return err
	}
	for _, refund := range waiting {
		if own, err := t.currencyOf(account, refund.Currency); err != nil || own != currency {
			if err != nil {
				return err
			}
			continue
		}
		if err := t.withdraw(refund); err != nil {
			return err
		}
		if refund.BalanceTransaction == nil {
			return nil
		}
		if err := t.tellOfRefund(refund); err != nil {
			return err
		}
	}
	return nil
}

// settleDue lets a refund that was pending at the bank succeed.
func settleDue(t *tx, id string) error {
	refund, err := load[Refund](t, id)
	if err != nil || refund.Status != refundPending || refund.BalanceTransaction == nil {
		return err
	}
	refund.Status, refund.PendingReason = refundSucceeded, nil
	if err := t.save(refund); err != nil {
		return err
	}
	return t.tellOfRefund(refund)
}

// failDue lets the bank send a refund back.
func failDue(t *tx, id string) error {
	refund, err := load[Refund](t, id)
	if err != nil || refund.Status == refundFailed || refund.BalanceTransaction == nil {
		return err
	}
	return t.failRefund(refund, "lost_or_stolen_card")
}

// failRefund ends a refund that the payer does not get. What was taken for it comes
// back into the balance.
func (t *tx) failRefund(refund *Refund, reason string) error {
	if refund.BalanceTransaction != nil {
		moved, err := t.post(refund.account, movement{
			kind: "refund_failure", category: "refund_failure", amount: refund.Amount, currency: refund.Currency, source: refund.ID,
			description: new("REFUND FAILURE"), availableOn: t.now,
		})
		if err != nil {
			return err
		}
		refund.FailureBalanceTransaction = &moved.ID
	}
	refund.Status, refund.PendingReason, refund.FailureReason = refundFailed, nil, &reason
	if err := t.save(refund); err != nil {
		return err
	}
	charge, err := load[Charge](t, refund.Charge)
	if err != nil {
		return fmt.Errorf("simulator: charge of %s: %w", refund.ID, err)
	}
	if err := t.restore(charge, refund.Amount); err != nil {
		return err
	}
	return t.tellOfRefund(refund)
}

// failPending ends the refunds of a charge that are not through yet when its payer's
// bank takes the money by a dispute: nobody is paid back twice.
func (t *tx) failPending(charge string) error {
	pending, err := selectObjects[Refund](t, `kind = ? AND body ->> '$.charge' = ? AND body ->> '$.status' = ? ORDER BY seq`, string(kindRefund), charge, refundPending)
	if err != nil {
		return err
	}
	for _, refund := range pending {
		if err := t.failRefund(refund, "charge_for_pending_refund_disputed"); err != nil {
			return err
		}
	}
	return nil
}

// tellOfRefund emits both events that a change of a refund has.
func (t *tx) tellOfRefund(refund *Refund) error {
	if err := t.emit("charge.refund.updated", refund); err != nil {
		return err
	}
	return t.emit("refund.updated", refund)
}
