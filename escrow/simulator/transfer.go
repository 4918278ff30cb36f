package simulator

import (
	"net/http"
	"time"
)

// Transfer moves money from the platform to a connected account.
type Transfer struct {
	Header
	Amount             int64             `json:"amount"`
	AmountReversed     int64             `json:"amount_reversed"`
	BalanceTransaction string            `json:"balance_transaction"`
	Currency           string            `json:"currency"`
	Description        *string           `json:"description"`
	Destination        string            `json:"destination"`
	DestinationPayment string            `json:"destination_payment"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	Reversals          page              `json:"reversals"`
	Reversed           bool              `json:"reversed"`
	SourceTransaction  *string           `json:"source_transaction"`
	SourceType         string            `json:"source_type"`
	TransferGroup      *string           `json:"transfer_group"`
}

// createTransfer answers POST /v1/transfers.
func createTransfer(t *tx, r *request) (any, error) {
	transfer := &Transfer{
		Currency: r.currency("currency"), Description: r.optional("description"), Destination: r.need("destination"),
		Metadata: r.metadata("metadata"), SourceTransaction: r.optional("source_transaction"), SourceType: r.oneOf("source_type", "card", "card"),
		TransferGroup: r.optional("transfer_group"),
	}
	r.need("amount")
	transfer.Amount, _ = r.amount("amount")
	if err := r.done(); err != nil {
		return nil, err
	}
	if r.account != t.server.platform {
		return nil, refused("", "", "The simulator transfers from the platform only.")
	}
	destination, err := t.receiver(transfer.Destination)
	if err != nil {
		return nil, err
	}
	availableOn := t.now
	var charge *Charge
	if transfer.SourceTransaction == nil {
		err = t.mayTransferFromBalance(transfer)
	} else {
		charge, availableOn, err = t.mayTransferFromCharge(transfer)
	}
	if err != nil {
		return nil, err
	}
	return transfer, t.transfer(transfer, destination, charge, availableOn)
}

// receiver returns the account that a transfer goes to, if it may receive one.
func (t *tx) receiver(id string) (*Account, error) {
	account, err := loadOf[Account](t, kindAccount, t.server.platform, "destination", id)
	if err != nil {
		return nil, err
	}
	if account.mayReceive() {
		struck, err := t.strikes(FaultRestrict, "")
		if err != nil {
			return nil, err
		}
		if struck {
			if err := t.restrict(account, "requirements.past_due"); err != nil {
				return nil, err
			}
			if err := t.plan(t.now.Add(t.server.config.Terms.RestrictedFor), taskLiftRestrict, account.ID); err != nil {
				return nil, err
			}
		}
	}
	if !account.mayReceive() {
		return nil, &apiError{
			status: http.StatusBadRequest, committed: true, Type: invalidRequest, Code: "insufficient_capabilities_for_transfer",
			Message: "Your destination account needs to have at least one of the following capabilities enabled: transfers, crypto_transfers, legacy_payments",
		}
	}
	return account, nil
}

func (t *tx) mayTransferFromBalance(transfer *Transfer) error {
	sum, err := t.total(t.server.platform, transfer.Currency)
	if err != nil {
		return err
	}
	if sum.available < transfer.Amount {
		return refused("balance_insufficient", "", "You have insufficient available funds in your Stripe account. One likely reason you have insufficient funds is that your funds are automatically being paid out; try enabling manual payouts by going to https://dashboard.stripe.com/account/payouts.")
	}
	return nil
}

// mayTransferFromCharge checks a transfer that is tied to a charge. Its funds become
// available with the charge's.
func (t *tx) mayTransferFromCharge(transfer *Transfer) (*Charge, time.Time, error) {
	charge, err := loadOf[Charge](t, kindCharge, t.server.platform, "source_transaction", *transfer.SourceTransaction)
	if err != nil {
		return nil, time.Time{}, err
	}
	if !charge.Paid {
		return nil, time.Time{}, refused("", "source_transaction", "The charge %s was not successful.", charge.ID)
	}
	if charge.Currency != transfer.Currency {
		return nil, time.Time{}, refused("transfer_source_balance_parameters_mismatch", "currency", "The currency of source_transaction's balance transaction (%s) must be the same as the transfer currency (%s)", charge.Currency, transfer.Currency)
	}
	if charge.TransferGroup != nil {
		if transfer.TransferGroup == nil {
			transfer.TransferGroup = charge.TransferGroup
		} else if *transfer.TransferGroup != *charge.TransferGroup {
			return nil, time.Time{}, refused("", "transfer_group", "You cannot set a transfer_group that differs from that of the source_transaction.")
		}
	}
	if left := charge.Amount - charge.Hidden.Transferred; transfer.Amount > left {
		return nil, time.Time{}, refused("balance_insufficient", "amount", "The transfer amount (%s) exceeds what is left of the source_transaction (%s)", spoken(transfer.Amount, transfer.Currency), spoken(left, transfer.Currency))
	}
	funds, err := load[BalanceTransaction](t, *charge.BalanceTransaction)
	if err != nil {
		return nil, time.Time{}, err
	}
	return charge, laterOf(t.now, funds.availableOn()), nil
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// transfer moves the money out of one balance and into the other.
func (t *tx) transfer(transfer *Transfer, destination *Account, charge *Charge, availableOn time.Time) error {
	var err error
	if transfer.Header, err = t.newHeader("tr", kindTransfer, t.server.platform); err != nil {
		return err
	}
	payment := &Charge{
		Amount: transfer.Amount, AmountCaptured: transfer.Amount, Captured: true, Currency: transfer.Currency, FraudDetails: map[string]string{},
		Metadata: map[string]string{}, Paid: true, PaymentMethodDetails: paymentMethodDetails{Type: "stripe_account", StripeAccount: &struct{}{}},
		SourceTransfer: &transfer.ID, Status: "succeeded", TransferGroup: transfer.TransferGroup,
	}
	if payment.Header, err = t.newHeader("py", kindCharge, destination.ID); err != nil {
		return err
	}
	out, err := t.insertAndPost(transfer, movement{
		kind: "transfer", category: "transfer", amount: -transfer.Amount, currency: transfer.Currency, source: transfer.ID, description: transfer.Description, availableOn: availableOn,
	})
	if err != nil {
		return err
	}
	in, err := t.insertAndPost(payment, movement{
		kind: "payment", category: "charge", amount: transfer.Amount, currency: transfer.Currency, source: payment.ID, availableOn: availableOn,
	})
	if err != nil {
		return err
	}
	transfer.BalanceTransaction, transfer.DestinationPayment, payment.BalanceTransaction = out.ID, payment.ID, &in.ID
	if err := t.save(payment); err != nil {
		return err
	}
	if err := t.save(transfer); err != nil {
		return err
	}
	if charge != nil {
		charge.Hidden.Transferred += transfer.Amount
		if err := t.save(charge); err != nil {
			return err
		}
	}
	return t.emit("transfer.created", transfer)
}

// insertAndPost stores an object and the movement that it causes on its account.
func (t *tx) insertAndPost(o object, m movement) (*BalanceTransaction, error) {
	if err := t.insert(o); err != nil {
		return nil, err
	}
	return t.post(o.header().account, m)
}

// prepare adds the reversals that a transfer shows.
func (transfer *Transfer) prepare(t *tx) error {
	transfer.Reversals = page{Object: "list", URL: "/v1/transfers/" + transfer.ID + "/reversals", Data: []map[string]any{}}
	found, err := selectObjects[Reversal](t, `kind = ? AND body ->> '$.transfer' = ? ORDER BY seq DESC LIMIT ?`, string(kindReversal), transfer.ID, defaultPage+1)
	if err != nil {
		return err
	}
	transfer.Reversals.HasMore = len(found) > defaultPage
	for _, reversal := range found[:min(len(found), defaultPage)] {
		shown, err := t.show(reversal)
		if err != nil {
			return err
		}
		transfer.Reversals.Data = append(transfer.Reversals.Data, shown)
	}
	return nil
}
