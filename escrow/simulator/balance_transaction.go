package simulator

import "time"

// BalanceTransaction is one movement of a balance. What is available and pending is nothing
// but their sum.
type BalanceTransaction struct {
	Header
	Amount            int64       `json:"amount"`
	AvailableOn       int64       `json:"available_on"`
	BalanceType       string      `json:"balance_type"`
	Currency          string      `json:"currency"`
	Description       *string     `json:"description"`
	ExchangeRate      *float64    `json:"exchange_rate"`
	Fee               int64       `json:"fee"`
	FeeDetails        []feeDetail `json:"fee_details"`
	Net               int64       `json:"net"`
	ReportingCategory string      `json:"reporting_category"`
	Source            *string     `json:"source"`
	Status            string      `json:"status"`
	Type              string      `json:"type"`

	Hidden hiddenMovement `json:"simulator"`
}

// hiddenMovement says which automatic payout paid it out, for the filter "payout".
type hiddenMovement struct {
	Payout *string `json:"payout"`
}

type feeDetail struct {
	Amount      int64   `json:"amount"`
	Application *string `json:"application"`
	Currency    string  `json:"currency"`
	Description string  `json:"description"`
	Type        string  `json:"type"`
}

// movement is what a balance transaction is made from.
type movement struct {
	kind, category string
	amount, fee    int64
	feeText        string
	currency       string
	source         string // the object that caused it; empty for none
	description    *string
	availableOn    time.Time
}

// post moves a balance. Money that arrives may let refunds through that waited for it.
func (t *tx) post(account string, m movement) (*BalanceTransaction, error) {
	h, err := t.newHeader("txn", kindBalanceTransaction, account)
	if err != nil {
		return nil, err
	}
	currency, err := t.currencyOf(account, m.currency)
	if err != nil {
		return nil, err
	}
	var rate *float64
	if currency != m.currency {
		m.amount, m.fee, m.currency, rate = converted(m.amount), converted(m.fee), currency, new(exchangeRate)
	}
	b := &BalanceTransaction{
		Header: h, Amount: m.amount, AvailableOn: m.availableOn.Unix(), BalanceType: "payments", Currency: m.currency, Description: m.description,
		ExchangeRate: rate, Fee: m.fee, FeeDetails: []feeDetail{}, Net: m.amount - m.fee, ReportingCategory: m.category, Type: m.kind,
	}
	if m.source != "" {
		b.Source = &m.source
	}
	if m.fee != 0 {
		b.FeeDetails = append(b.FeeDetails, feeDetail{m.fee, nil, m.currency, m.feeText, "stripe_fee"})
	}
	if err := t.insert(b); err != nil {
		return nil, err
	}
	if err := t.exec("move", `INSERT INTO movement (balance_transaction, account, currency, net, available_on) VALUES (?, ?, ?, ?, ?)`,
		b.ID, account, b.Currency, b.Net, b.AvailableOn); err != nil {
		return nil, err
	}
	if b.Net <= 0 {
		return b, nil
	}
	return b, t.plan(m.availableOn, taskFundsAvailable, b.ID)
}

// prepare says whether the funds are there yet.
func (b *BalanceTransaction) prepare(t *tx) error {
	b.Status = "pending"
	if b.AvailableOn <= t.now.Unix() {
		b.Status = "available"
	}
	return nil
}

// fundsAvailable lets refunds through that waited for funds, and pays out the rest
// where the schedule says so.
func fundsAvailable(t *tx, id string) error {
	b, err := load[BalanceTransaction](t, id)
	if err != nil {
		return err
	}
	if err := t.retryRefunds(b.account, b.Currency); err != nil {
		return err
	}
	return t.schedulePayout(b.account)
}

func (b *BalanceTransaction) availableOn() time.Time { return time.Unix(b.AvailableOn, 0).UTC() }
