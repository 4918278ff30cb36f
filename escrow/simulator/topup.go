package simulator

// Topup is money that the platform's owner puts into its balance.
type Topup struct {
	Header
	Amount              int64             `json:"amount"`
	BalanceTransaction  *string           `json:"balance_transaction"`
	Currency            string            `json:"currency"`
	Description         *string           `json:"description"`
	ExpectedOn          *int64            `json:"expected_availability_date"`
	FailureCode         *string           `json:"failure_code"`
	FailureMessage      *string           `json:"failure_message"`
	Livemode            bool              `json:"livemode"`
	Metadata            map[string]string `json:"metadata"`
	StatementDescriptor *string           `json:"statement_descriptor"`
	Status              string            `json:"status"`
	TransferGroup       *string           `json:"transfer_group"`
}

// topUp adds to the platform's balance, available at once.
func (t *tx) topUp(amount int64, currency string) (*Topup, error) {
	h, err := t.newHeader("tu", kindTopup, t.server.platform)
	if err != nil {
		return nil, err
	}
	topup := &Topup{Header: h, Amount: amount, Currency: currency, ExpectedOn: new(t.now.Unix()), Metadata: map[string]string{}, Status: "succeeded"}
	moved, err := t.insertAndPost(topup, movement{kind: "topup", category: "topup", amount: amount, currency: currency, source: topup.ID, availableOn: t.now})
	if err != nil {
		return nil, err
	}
	topup.BalanceTransaction = &moved.ID
	if err := t.save(topup); err != nil {
		return nil, err
	}
	if err := t.emit("topup.created", topup); err != nil {
		return nil, err
	}
	return topup, t.emit("topup.succeeded", topup)
}

// chargeFee takes a fee of the processor's own that belongs to no payment.
func (t *tx) chargeFee(amount int64, currency, description string) (*BalanceTransaction, error) {
	return t.post(t.server.platform, movement{kind: "stripe_fee", category: "fee", amount: -amount, currency: currency, description: &description, availableOn: t.now})
}
