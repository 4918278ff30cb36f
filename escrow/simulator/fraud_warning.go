package simulator

// FraudWarning is an issuer's early word that a payment was fraudulent. No money moves.
type FraudWarning struct {
	Header
	Actionable    bool    `json:"actionable"`
	Charge        string  `json:"charge"`
	FraudType     string  `json:"fraud_type"`
	Livemode      bool    `json:"livemode"`
	PaymentIntent *string `json:"payment_intent,omitempty"`
}

// warn tells of fraud with a charge.
func (t *tx) warn(charge *Charge) (*FraudWarning, error) {
	if !charge.Paid || charge.SourceTransfer != nil {
		return nil, refused("", "charge", "Charge %s took no money from a card.", charge.ID)
	}
	h, err := t.newHeader("issfr", kindFraudWarning, charge.account)
	if err != nil {
		return nil, err
	}
	warning := &FraudWarning{Header: h, Charge: charge.ID, FraudType: "unauthorized_use_of_card", PaymentIntent: charge.PaymentIntent}
	if err := t.insert(warning); err != nil {
		return nil, err
	}
	return warning, t.emit("radar.early_fraud_warning.created", warning)
}

// prepare says whether a refund could still forestall a dispute.
func (w *FraudWarning) prepare(t *tx) error {
	charge, err := load[Charge](t, w.Charge)
	if err != nil {
		return err
	}
	w.Actionable = !charge.Refunded && !charge.Disputed
	return nil
}

func warningDue(t *tx, id string) error {
	charge, err := load[Charge](t, id)
	if err != nil {
		return err
	}
	_, err = t.warn(charge)
	return err
}
