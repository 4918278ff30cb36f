package simulator

// Reversal takes a transfer back, in whole or in part.
type Reversal struct {
	Header
	Amount                   int64             `json:"amount"`
	BalanceTransaction       string            `json:"balance_transaction"`
	Currency                 string            `json:"currency"`
	DestinationPaymentRefund string            `json:"destination_payment_refund"`
	Metadata                 map[string]string `json:"metadata"`
	SourceRefund             *string           `json:"source_refund"`
	Transfer                 string            `json:"transfer"`
}

// createReversal answers POST /v1/transfers/{id}/reversals.
func createReversal(t *tx, r *request) (any, error) {
	amount, partial := r.amount("amount")
	description, metadata := r.optional("description"), r.metadata("metadata")
	if err := r.done(); err != nil {
		return nil, err
	}
	transfer, err := loadOf[Transfer](t, kindTransfer, r.account, "id", r.id)
	if err != nil {
		return nil, err
	}
	left := transfer.Amount - transfer.AmountReversed
	if left == 0 {
		return nil, refused("", "", "Transfer %s is already fully reversed.", transfer.ID)
	}
	if !partial {
		amount = left
	}
	if amount > left {
		return nil, refused("", "amount", "Transfer reversal amount (%s) is greater than unreversed amount on transfer (%s)", spoken(amount, transfer.Currency), spoken(left, transfer.Currency))
	}
	covered, err := t.covers(transfer.Destination, amount, transfer.Currency, func(sum total) int64 { return sum.available + sum.pending })
	if err != nil {
		return nil, err
	}
	if !covered {
		return nil, refused("balance_insufficient", "", "The recipient account's balance does not suffice to reverse this transfer.")
	}
	return t.reverse(transfer, amount, description, metadata)
}

// reverse moves the money back. What was pending at the payee comes back pending.
func (t *tx) reverse(transfer *Transfer, amount int64, description *string, metadata map[string]string) (*Reversal, error) {
	h, err := t.newHeader("trr", kindReversal, transfer.account)
	if err != nil {
		return nil, err
	}
	payment, err := load[Charge](t, transfer.DestinationPayment)
	if err != nil {
		return nil, err
	}
	received, err := load[BalanceTransaction](t, *payment.BalanceTransaction)
	if err != nil {
		return nil, err
	}
	availableOn := laterOf(t.now, received.availableOn())
	reversal := &Reversal{Header: h, Amount: amount, Currency: transfer.Currency, Metadata: metadata, Transfer: transfer.ID}
	back := &Refund{Amount: amount, Charge: payment.ID, Currency: transfer.Currency, Metadata: map[string]string{}, SourceTransferReversal: &reversal.ID, Status: refundSucceeded}
	if back.Header, err = t.newHeader("pyr", kindRefund, transfer.Destination); err != nil {
		return nil, err
	}
	out, err := t.insertAndPost(back, movement{
		kind: "payment_refund", category: "refund", amount: -amount, currency: transfer.Currency, source: back.ID, availableOn: availableOn,
	})
	if err != nil {
		return nil, err
	}
	in, err := t.insertAndPost(reversal, movement{
		kind: "transfer_refund", category: "transfer_reversal", amount: amount, currency: transfer.Currency, source: reversal.ID, description: description, availableOn: availableOn,
	})
	if err != nil {
		return nil, err
	}
	back.BalanceTransaction, reversal.BalanceTransaction, reversal.DestinationPaymentRefund = &out.ID, in.ID, back.ID
	if err := t.save(back); err != nil {
		return nil, err
	}
	if err := t.save(reversal); err != nil {
		return nil, err
	}
	if err := t.restore(payment, -amount); err != nil {
		return nil, err
	}
	transfer.AmountReversed += amount
	transfer.Reversed = transfer.AmountReversed == transfer.Amount
	if err := t.save(transfer); err != nil {
		return nil, err
	}
	return reversal, t.emit("transfer.reversed", transfer)
}

// listReversals answers GET /v1/transfers/{id}/reversals.
func listReversals(t *tx, r *request) (any, error) {
	if _, err := loadOf[Transfer](t, kindTransfer, r.account, "id", r.id); err != nil {
		return nil, err
	}
	return paged[Reversal](t, r, kindReversal, `kind = ? AND account = ? AND body ->> '$.transfer' = ?`, []any{string(kindReversal), r.account, r.id})
}
