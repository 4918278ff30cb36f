package simulator

import (
	"slices"
	"time"
)

// States of a dispute.
const (
	disputeInquiry       = "warning_needs_response"
	disputeInquiryClosed = "warning_closed"
	disputeNeedsResponse = "needs_response"
	disputeUnderReview   = "under_review"
	disputeWon           = "won"
	disputeLost          = "lost"
)

// Dispute is a payer's objection at the bank: what this house calls a chargeback. An
// inquiry only asks; anything else withdraws the funds at once, and a fee.
type Dispute struct {
	Header
	Amount              int64             `json:"amount"`
	BalanceTransactions []map[string]any  `json:"balance_transactions"`
	Charge              string            `json:"charge"`
	Currency            string            `json:"currency"`
	EligibilityTypes    []string          `json:"enhanced_eligibility_types"`
	Evidence            evidence          `json:"evidence"`
	EvidenceDetails     evidenceDetails   `json:"evidence_details"`
	IsChargeRefundable  bool              `json:"is_charge_refundable"`
	Livemode            bool              `json:"livemode"`
	Metadata            map[string]string `json:"metadata"`
	PaymentIntent       *string           `json:"payment_intent"`
	PaymentMethod       disputedMethod    `json:"payment_method_details"`
	Reason              string            `json:"reason"`
	Status              string            `json:"status"`
}

type evidence struct {
	Enhanced struct{} `json:"enhanced_evidence"`
}

type evidenceDetails struct {
	DueBy               *int64   `json:"due_by"`
	EnhancedEligibility struct{} `json:"enhanced_eligibility"`
	HasEvidence         bool     `json:"has_evidence"`
	PastDue             bool     `json:"past_due"`
	SubmissionCount     int      `json:"submission_count"`
}

type disputedMethod struct {
	Type string       `json:"type"`
	Card disputedCard `json:"card"`
}

type disputedCard struct {
	Brand             string  `json:"brand"`
	CaseType          string  `json:"case_type"`
	Network           string  `json:"network"`
	NetworkReasonCode *string `json:"network_reason_code"`
}

// holdsFunds says whether the charge's money is with the bank.
func (d *Dispute) holdsFunds() bool {
	return slices.Contains([]string{disputeNeedsResponse, disputeUnderReview, disputeLost}, d.Status)
}

func (d *Dispute) open() bool {
	return slices.Contains([]string{disputeInquiry, disputeNeedsResponse, disputeUnderReview}, d.Status)
}

func (t *tx) disputesOf(charge string) ([]*Dispute, error) {
	return selectObjects[Dispute](t, `kind = ? AND body ->> '$.charge' = ? ORDER BY seq`, string(kindDispute), charge)
}

// dispute opens a dispute of an amount, or of everything that was not refunded, or of
// everything when all of it was: banks do not look. Disputes that are open are of different
// parts of a charge; after one that is over all of it may be disputed again.
func (t *tx) dispute(id string, amount int64, reason string, inquiry bool) (*Dispute, error) {
	if !inquiry {
		if err := t.failPending(id); err != nil {
			return nil, err
		}
	}
	charge, err := load[Charge](t, id)
	if err != nil {
		return nil, err
	}
	if !charge.Paid || charge.SourceTransfer != nil {
		return nil, refused("", "charge", "Charge %s took no money from a card.", charge.ID)
	}
	if amount == 0 {
		amount = charge.Amount - charge.AmountRefunded
	}
	if amount == 0 {
		amount = charge.Amount
	}
	if amount < 0 || amount > charge.Amount {
		return nil, refused("", "amount", "A dispute is about part of its charge.")
	}
	earlier, err := t.disputesOf(charge.ID)
	if err != nil {
		return nil, err
	}
	all := amount
	for _, d := range earlier {
		if d.open() {
			all += d.Amount
		}
	}
	if all > charge.Amount {
		return nil, refused("", "charge", "Charge %s is disputed already.", charge.ID)
	}
	h, err := t.newHeader("dp", kindDispute, charge.account)
	if err != nil {
		return nil, err
	}
	terms := t.server.config.Terms
	card := charge.PaymentMethodDetails.Card
	d := &Dispute{
		Header: h, Amount: amount, BalanceTransactions: []map[string]any{}, Charge: charge.ID, Currency: charge.Currency, EligibilityTypes: []string{},
		Metadata: map[string]string{}, PaymentIntent: charge.PaymentIntent, Reason: reason, Status: disputeNeedsResponse,
		PaymentMethod: disputedMethod{"card", disputedCard{card.Brand, "chargeback", card.Network, nil}},
	}
	if inquiry {
		d.Status, d.PaymentMethod.Card.CaseType = disputeInquiry, "inquiry"
	}
	due := t.now.Add(terms.EvidenceWithin)
	d.EvidenceDetails.DueBy = new(due.Unix())
	if err := t.insert(d); err != nil {
		return nil, err
	}
	charge.Disputed = true
	if err := t.save(charge); err != nil {
		return nil, err
	}
	if err := t.emit("charge.dispute.created", d); err != nil {
		return nil, err
	}
	if !inquiry {
		if err := t.withdrawDisputed(d); err != nil {
			return nil, err
		}
	}
	won, err := t.strikes(FaultDisputeWon, "")
	if err != nil {
		return nil, err
	}
	if won && !inquiry {
		return d, t.plan(t.now.Add(t.server.dice.between("dispute-won", time.Second, terms.EvidenceWithin-time.Second)), taskWinDispute, d.ID)
	}
	return d, t.plan(due, taskLoseDispute, d.ID)
}

// withdrawDisputed takes the funds and the fee. The balance may become negative.
func (t *tx) withdrawDisputed(d *Dispute) error {
	if _, err := t.post(d.account, movement{
		kind: "adjustment", category: "dispute", amount: -d.Amount, fee: t.server.config.Terms.DisputeFee, feeText: "Dispute fee",
		currency: d.Currency, source: d.ID, description: new("Chargeback withdrawal for " + d.Charge), availableOn: t.now,
	}); err != nil {
		return err
	}
	return t.emit("charge.dispute.funds_withdrawn", d)
}

// escalate makes a chargeback of an inquiry.
func (t *tx) escalate(d *Dispute) error {
	if d.Status != disputeInquiry {
		return refused("", "", "Dispute %s is no open inquiry: %s.", d.ID, d.Status)
	}
	if err := t.failPending(d.Charge); err != nil {
		return err
	}
	d.Status, d.PaymentMethod.Card.CaseType = disputeNeedsResponse, "chargeback"
	d.EvidenceDetails.DueBy = new(t.now.Add(t.server.config.Terms.EvidenceWithin).Unix())
	if err := t.saveDispute(d, "charge.dispute.updated"); err != nil {
		return err
	}
	if err := t.plan(time.Unix(*d.EvidenceDetails.DueBy, 0), taskLoseDispute, d.ID); err != nil {
		return err
	}
	return t.withdrawDisputed(d)
}

// review says that evidence was submitted and the bank looks at it.
func (t *tx) review(d *Dispute) error {
	if d.Status != disputeNeedsResponse {
		return refused("", "", "Dispute %s does not wait for evidence: %s.", d.ID, d.Status)
	}
	d.Status, d.EvidenceDetails.HasEvidence, d.EvidenceDetails.SubmissionCount = disputeUnderReview, true, 1
	return t.saveDispute(d, "charge.dispute.updated")
}

// win gives the funds back, or a part of them; the fee stays with the processor.
func (t *tx) win(d *Dispute, amount int64) error {
	if !d.holdsFunds() || !d.open() {
		return refused("", "", "Dispute %s cannot be won: %s.", d.ID, d.Status)
	}
	if amount == 0 {
		amount = d.Amount
	}
	if amount < 0 || amount > d.Amount {
		return refused("", "amount", "More cannot come back than was withdrawn.")
	}
	if _, err := t.post(d.account, movement{
		kind: "adjustment", category: "dispute_reversal", amount: amount, currency: d.Currency, source: d.ID,
		description: new("Chargeback reversal for " + d.Charge), availableOn: t.now,
	}); err != nil {
		return err
	}
	d.Status = disputeWon
	if err := t.saveDispute(d, "charge.dispute.funds_reinstated"); err != nil {
		return err
	}
	return t.emit("charge.dispute.closed", d)
}

// lose ends an open dispute without anything coming back; an inquiry just ends.
func (t *tx) lose(d *Dispute) error {
	switch {
	case !d.open():
		return refused("", "", "Dispute %s is over: %s.", d.ID, d.Status)
	case d.Status == disputeInquiry:
		d.Status = disputeInquiryClosed
	default:
		d.Status = disputeLost
	}
	return t.saveDispute(d, "charge.dispute.closed")
}

func (t *tx) saveDispute(d *Dispute, event string) error {
	if err := t.save(d); err != nil {
		return err
	}
	return t.emit(event, d)
}

// closeInquiries ends what asks about a charge that was refunded in full.
func (t *tx) closeInquiries(charge *Charge) error {
	if !charge.Refunded {
		return nil
	}
	disputes, err := t.disputesOf(charge.ID)
	if err != nil {
		return err
	}
	for _, d := range disputes {
		if d.Status == disputeInquiry {
			if err := t.lose(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare adds the movements that a dispute shows and what depends on the charge.
func (d *Dispute) prepare(t *tx) error {
	moved, err := selectObjects[BalanceTransaction](t, `kind = ? AND body ->> '$.source' = ? ORDER BY seq`, string(kindBalanceTransaction), d.ID)
	if err != nil {
		return err
	}
	d.BalanceTransactions = []map[string]any{}
	for _, b := range moved {
		shown, err := t.show(b)
		if err != nil {
			return err
		}
		d.BalanceTransactions = append(d.BalanceTransactions, shown)
	}
	charge, err := load[Charge](t, d.Charge)
	if err != nil {
		return err
	}
	d.IsChargeRefundable = !d.holdsFunds() && !charge.Refunded
	d.EvidenceDetails.PastDue = d.Status == disputeNeedsResponse && *d.EvidenceDetails.DueBy <= t.now.Unix()
	return nil
}

// disputeDue and inquiryDue let a charge be disputed that its card or a fault chose.
func disputeDue(t *tx, charge string) error { return t.disputeLater(charge, false) }
func inquiryDue(t *tx, charge string) error { return t.disputeLater(charge, true) }

func (t *tx) disputeLater(id string, inquiry bool) error {
	charge, err := load[Charge](t, id)
	if err != nil || charge.Disputed {
		return err
	}
	_, err = t.dispute(id, 0, "fraudulent", inquiry)
	return err
}

func winDue(t *tx, id string) error {
	d, err := load[Dispute](t, id)
	if err != nil || !d.open() || !d.holdsFunds() {
		return err
	}
	return t.win(d, 0)
}

// loseDue ends a dispute whose evidence is due, unless it was escalated meanwhile.
func loseDue(t *tx, id string) error {
	d, err := load[Dispute](t, id)
	if err != nil || !d.open() || *d.EvidenceDetails.DueBy > t.now.Unix() {
		return err
	}
	return t.lose(d)
}
