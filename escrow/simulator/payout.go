package simulator

// Payout is money on its way from a balance to a bank account.
type Payout struct {
	Header
	Amount               int64             `json:"amount"`
	ArrivalDate          int64             `json:"arrival_date"`
	Automatic            bool              `json:"automatic"`
	BalanceTransaction   *string           `json:"balance_transaction"`
	Currency             string            `json:"currency"`
	Description          *string           `json:"description"`
	FailureCode          *string           `json:"failure_code"`
	FailureMessage       *string           `json:"failure_message"`
	Livemode             bool              `json:"livemode"`
	Metadata             map[string]string `json:"metadata"`
	Method               string            `json:"method"`
	ReconciliationStatus string            `json:"reconciliation_status"`
	SourceType           string            `json:"source_type"`
	StatementDescriptor  *string           `json:"statement_descriptor"`
	Status               string            `json:"status"`
	Type                 string            `json:"type"`
}

// payOut sends an amount of what is available to the account's bank.
func (t *tx) payOut(account string, amount int64, currency string, automatic bool) (*Payout, error) {
	sum, err := t.total(account, currency)
	if err != nil {
		return nil, err
	}
	if sum.available < amount {
		return nil, refused("balance_insufficient", "amount", "You have insufficient funds in your Stripe account for this payout.")
	}
	h, err := t.newHeader("po", kindPayout, account)
	if err != nil {
		return nil, err
	}
	arrives := t.now.Add(t.server.config.Terms.PayoutTakes)
	payout := &Payout{
		Header: h, Amount: amount, ArrivalDate: arrives.Unix(), Automatic: automatic, Currency: currency, Metadata: map[string]string{}, Method: "standard",
		ReconciliationStatus: "not_applicable", SourceType: "card", Status: "in_transit", Type: "bank_account",
	}
	if automatic {
		payout.ReconciliationStatus = "completed"
		if err := t.attribute(payout); err != nil {
			return nil, err
		}
	}
	moved, err := t.insertAndPost(payout, movement{kind: "payout", category: "payout", amount: -amount, currency: currency, source: payout.ID, description: new("STRIPE PAYOUT"), availableOn: t.now})
	if err != nil {
		return nil, err
	}
	payout.BalanceTransaction = &moved.ID
	if automatic {
		moved.Hidden.Payout = &payout.ID
		if err := t.save(moved); err != nil {
			return nil, err
		}
	}
	if err := t.save(payout); err != nil {
		return nil, err
	}
	if err := t.emit("payout.created", payout); err != nil {
		return nil, err
	}
	return payout, t.plan(arrives, taskPayoutArrives, payout.ID)
}

// attribute notes which movements an automatic payout pays out: all that are available
// and that none before it did.
func (t *tx) attribute(payout *Payout) error {
	moved, err := selectObjects[BalanceTransaction](t, `kind = ? AND account = ? AND body ->> '$.currency' = ? AND body ->> '$.simulator.payout' IS NULL AND body ->> '$.available_on' <= ?`,
		string(kindBalanceTransaction), payout.account, payout.Currency, t.now.Unix())
	if err != nil {
		return err
	}
	for _, b := range moved {
		b.Hidden.Payout = &payout.ID
		if err := t.save(b); err != nil {
			return err
		}
	}
	return nil
}

// arriveDue lets a payout arrive.
func arriveDue(t *tx, id string) error {
	payout, err := load[Payout](t, id)
	if err != nil {
		return err
	}
	payout.Status = "paid"
	if err := t.save(payout); err != nil {
		return err
	}
	return t.emit("payout.paid", payout)
}

// schedulePayout plans the next automatic payout of an account that has them.
func (t *tx) schedulePayout(account string) error {
	a, err := load[Account](t, account)
	if err != nil || a.Settings.Payouts.Schedule.Interval != intervalDaily {
		return err
	}
	return t.plan(t.now.Truncate(day).Add(day), taskPayOut, account)
}

// payOutDue pays out everything that is available, if the schedule is still so and the
// account may.
func payOutDue(t *tx, account string) error {
	a, err := load[Account](t, account)
	if err != nil {
		return err
	}
	if a.Settings.Payouts.Schedule.Interval != intervalDaily || !a.PayoutsEnabled {
		return nil
	}
	totals, err := t.totals(account)
	if err != nil {
		return err
	}
	for _, sum := range totals {
		if sum.available <= 0 {
			continue
		}
		if _, err := t.payOut(account, sum.available, sum.currency, true); err != nil {
			return err
		}
	}
	return nil
}
