package simulator_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

const (
	cardPays      = "4242424242424242"
	cardInstant   = "4000000000000077"
	cardDeclined  = "4000000000000002"
	cardChallenge = "4000002500003155"
	cardDisputes  = "4000000000000259"
	cardInquires  = "4000000000001976"
	cardWarns     = "4000000000005423"
	cardPends     = "4000000000007726"
	cardFails     = "4000000000005126"
)

// unsound lists what does not add up in the simulator's world.
func unsound(truth *simulator.Truth) []string {
	var wrong []string
	for id, account := range truth.Accounts {
		for currency, b := range account.Balances {
			if b.Available+b.Pending != b.Net {
				wrong = append(wrong, fmt.Sprintf("%s: %d available and %d pending %s are not the net %d", id, b.Available, b.Pending, currency, b.Net))
			}
			var gross int64
			for _, amount := range b.Amount {
				gross += amount
			}
			if gross-b.Fee != b.Net {
				wrong = append(wrong, fmt.Sprintf("%s: gross %d less fees %d is not the net %d", id, gross, b.Fee, b.Net))
			}
		}
	}
	platform := truth.Accounts[truth.Platform]
	refunded, transferred := map[string]int64{}, map[string]int64{}
	for _, raw := range platform.Objects["refund"] {
		var refund stripe.Refund
		must(json.Unmarshal(raw, &refund))
		if refund.Status != stripe.RefundStatusFailed {
			refunded[refund.Charge.ID] += refund.Amount
		}
	}
	for _, raw := range platform.Objects["transfer"] {
		var transfer stripe.Transfer
		must(json.Unmarshal(raw, &transfer))
		if transfer.SourceTransaction != nil {
			transferred[transfer.SourceTransaction.ID] += transfer.Amount
		}
		if transfer.AmountReversed > transfer.Amount {
			wrong = append(wrong, fmt.Sprintf("%s: %d of %d reversed", transfer.ID, transfer.AmountReversed, transfer.Amount))
		}
	}
	for _, raw := range platform.Objects["charge"] {
		var charge stripe.Charge
		must(json.Unmarshal(raw, &charge))
		if refunded[charge.ID] != charge.AmountRefunded || refunded[charge.ID] > charge.Amount {
			wrong = append(wrong, fmt.Sprintf("%s of %d: refunds are %d, it says %d", charge.ID, charge.Amount, refunded[charge.ID], charge.AmountRefunded))
		}
		if transferred[charge.ID] > charge.Amount {
			wrong = append(wrong, fmt.Sprintf("%s of %d: %d transferred", charge.ID, charge.Amount, transferred[charge.ID]))
		}
	}
	return wrong
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func TestAChargeArrivesLessItsFeeAndBecomesAvailable(t *testing.T) {
	w := start(t)
	charge := w.paid(10_000, "usd", cardPays)
	if b := charge.BalanceTransaction; b.Amount != 10_000 || b.Fee != 320 || b.Net != 9_680 || b.Status != "pending" {
		t.Errorf("the charge moved %d, fee %d, net %d, %s", b.Amount, b.Fee, b.Net, b.Status)
	}
	w.wantBalance("", "usd", 0, 9_680)
	w.advance(2*24*time.Hour - time.Second)
	w.wantBalance("", "usd", 0, 9_680)
	w.advance(time.Second)
	w.wantBalance("", "usd", 9_680, 0)
	if b := w.charge(charge.ID).BalanceTransaction; b.Status != "available" {
		t.Errorf("the movement is %s", b.Status)
	}
	w.paid(1_000, "usd", cardInstant)
	w.wantBalance("", "usd", 9_680+941, 0)
	w.sums()
}

func TestZeroDecimalCurrenciesAreWholeUnits(t *testing.T) {
	w := start(t)
	charge := w.paid(3_500, "jpy", cardInstant)
	if b := charge.BalanceTransaction; b.Fee != 132 || b.Currency != "jpy" { // 101.5 and 30, rounded
		t.Errorf("fee %d %s", b.Fee, b.Currency)
	}
	w.wantBalance("", "jpy", 3_368, 0)
	w.wantBalance("", "usd", 0, 0)
}

func TestARefundComesOutOfTheAvailableBalanceAndTheFeeStays(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant)
	_, err := w.control.TopUp(t.Context(), 1_000, "usd")
	w.ok(err)
	refund := w.refund(charge.ID)
	if refund.Status != "succeeded" || refund.BalanceTransaction == nil {
		t.Fatalf("the refund is %s", refund.Status)
	}
	w.wantBalance("", "usd", 1_000-175, 0)
	_, err = w.api.Refunds.New(&stripe.RefundParams{Charge: &charge.ID})
	w.refused(err, 400, stripe.ErrorCodeChargeAlreadyRefunded)
	w.sums()
}

func TestARefundWaitsForFundsInOrder(t *testing.T) {
	w := start(t)
	first, second := w.paid(5_000, "usd", cardPays), w.paid(1_000, "usd", cardPays)
	large, small := w.refund(first.ID), w.refund(second.ID)
	for _, r := range []*stripe.Refund{large, small} {
		if r.Status != "pending" || r.BalanceTransaction != nil {
			t.Fatalf("a refund without funds is %s", r.Status)
		}
	}
	w.wantBalance("", "usd", 0, 5_766)
	_, err := w.control.TopUp(t.Context(), 1_500, "usd") // enough for the second, not for the first
	w.ok(err)
	if got := w.refundNow(small.ID); got.Status != "pending" {
		t.Errorf("the second refund overtook the first: it is %s", got.Status)
	}
	_, err = w.control.PayOut(t.Context(), "", 1_500, "usd")
	w.ok(err)
	w.advance(2 * 24 * time.Hour) // 5 766 are there, 6 000 are owed
	if got := w.refundNow(large.ID); got.Status != "succeeded" || got.BalanceTransaction == nil {
		t.Errorf("with funds there the refund is %s", got.Status)
	}
	if got := w.refundNow(small.ID); got.Status != "pending" {
		t.Errorf("beyond the funds the refund is %s", got.Status)
	}
	_, err = w.control.TopUp(t.Context(), 300, "usd")
	w.ok(err)
	if got := w.refundNow(small.ID); got.Status != "succeeded" {
		t.Errorf("after the top-up the refund is %s", got.Status)
	}
	w.wantBalance("", "usd", 66, 0)
	w.sums()
}

func TestARefundMayFailWeeksLaterAndTheMoneyIsBack(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardFails)
	w.advance(2 * 24 * time.Hour)
	_, err := w.control.TopUp(t.Context(), 1_000, "usd")
	w.ok(err)
	refund := w.refund(charge.ID)
	if refund.Status != "succeeded" {
		t.Fatalf("at first the refund is %s", refund.Status)
	}
	before, _ := w.balance("", "usd")
	w.advance(21 * 24 * time.Hour)
	failed := w.refundNow(refund.ID)
	if failed.Status != "failed" || failed.FailureReason == "" || failed.FailureBalanceTransaction == nil {
		t.Fatalf("later the refund is %s, reason %q", failed.Status, failed.FailureReason)
	}
	back, err := w.api.BalanceTransactions.Get(failed.FailureBalanceTransaction.ID, nil)
	w.ok(err)
	if back.Type != "refund_failure" || back.Net != 5_000 || back.Source.ID != refund.ID {
		t.Errorf("came back as %s of %d from %s", back.Type, back.Net, back.Source.ID)
	}
	w.wantBalance("", "usd", before+5_000, 0)
	if got := w.charge(charge.ID); got.Refunded || got.AmountRefunded != 0 {
		t.Error("the charge still counts as refunded")
	}
	w.sums()
}

func TestARefundMayBePendingAtTheBank(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardPends)
	_, err := w.control.TopUp(t.Context(), 6_000, "usd")
	w.ok(err)
	refund := w.refund(charge.ID)
	if refund.Status != "pending" || refund.BalanceTransaction == nil {
		t.Fatalf("the refund is %s", refund.Status)
	}
	w.advance(5 * 24 * time.Hour)
	if got := w.refundNow(refund.ID); got.Status != "succeeded" {
		t.Errorf("in the end the refund is %s", got.Status)
	}
}

func TestNothingIsRefundedBeyondTheCharge(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant)
	_, err := w.api.Refunds.New(&stripe.RefundParams{Charge: &charge.ID, Amount: new(int64(5_001))})
	w.refused(err, 400, "")
	_, err = w.api.Refunds.New(&stripe.RefundParams{Charge: &charge.ID, Amount: new(int64(3_000))})
	w.ok(err)
	_, err = w.api.Refunds.New(&stripe.RefundParams{PaymentIntent: &charge.PaymentIntent.ID, Amount: new(int64(2_001))})
	w.refused(err, 400, "")
	_, err = w.api.Refunds.New(&stripe.RefundParams{Charge: &charge.ID, Amount: new(int64(0))})
	w.refused(err, 400, stripe.ErrorCodeParameterInvalidInteger)
	if got := w.charge(charge.ID); got.AmountRefunded != 3_000 || got.Refunded {
		t.Errorf("refunded %d, all: %v", got.AmountRefunded, got.Refunded)
	}
	w.sums()
}

func TestATransferOfAChargeSucceedsBeforeItsFundsAreAvailable(t *testing.T) {
	w := start(t)
	charge, payee := w.paid(10_000, "usd", cardPays), w.payee()
	transfer := w.transfer(charge, 6_000, payee.ID)
	if transfer.TransferGroup != "attempt-1" || transfer.DestinationPayment == nil {
		t.Errorf("group %q", transfer.TransferGroup)
	}
	w.wantBalance("", "usd", 0, 3_680)
	w.wantBalance(payee.ID, "usd", 0, 6_000)
	w.transfer(charge, 4_000, payee.ID)
	_, err := w.api.Transfers.New(transferParams(charge, 1, payee.ID))
	w.refused(err, 400, stripe.ErrorCodeBalanceInsufficient)
	w.wantBalance("", "usd", 0, -320)
	w.advance(2 * 24 * time.Hour)
	w.wantBalance("", "usd", -320, 0)
	w.wantBalance(payee.ID, "usd", 10_000, 0)
	w.sums()
}

func TestATransferFromTheBalanceNeedsAvailableFunds(t *testing.T) {
	w := start(t)
	payee := w.payee()
	w.paid(10_000, "usd", cardPays)
	params := &stripe.TransferParams{Amount: new(int64(5_000)), Currency: new("usd"), Destination: &payee.ID}
	_, err := w.api.Transfers.New(params)
	w.refused(err, 400, stripe.ErrorCodeBalanceInsufficient)
	w.advance(2 * 24 * time.Hour)
	_, err = w.api.Transfers.New(params)
	w.ok(err)
	w.wantBalance("", "usd", 4_680, 0)
}

func TestATransferOfAnotherCurrencyOrGroupIsRefused(t *testing.T) {
	w := start(t)
	charge, payee := w.paid(10_000, "usd", cardPays), w.payee()
	params := transferParams(charge, 100, payee.ID)
	params.Currency = new("eur")
	_, err := w.api.Transfers.New(params)
	w.refused(err, 400, stripe.ErrorCodeTransferSourceBalanceParametersMismatch)
	params = transferParams(charge, 100, payee.ID)
	params.TransferGroup = new("attempt-2")
	_, err = w.api.Transfers.New(params)
	w.refused(err, 400, "")
	_, err = w.api.Transfers.New(transferParams(charge, 100, "acct_nobody"))
	w.refused(err, 404, stripe.ErrorCodeResourceMissing)
}

func TestAReversalTakesBackWhatThePayeeStillHas(t *testing.T) {
	w := start(t)
	charge, payee := w.paid(10_000, "usd", cardInstant), w.payee()
	transfer := w.transfer(charge, 6_000, payee.ID)
	reverse := func(amount int64) error {
		_, err := w.api.TransferReversals.New(&stripe.TransferReversalParams{ID: &transfer.ID, Amount: &amount})
		return err
	}
	w.refused(reverse(6_001), 400, "")
	w.ok(reverse(2_000))
	w.wantBalance(payee.ID, "usd", 4_000, 0)
	_, err := w.control.PayOut(t.Context(), payee.ID, 3_000, "usd")
	w.ok(err)
	w.refused(reverse(4_000), 400, stripe.ErrorCodeBalanceInsufficient)
	w.ok(reverse(1_000))
	got, err := w.api.Transfers.Get(transfer.ID, nil)
	w.ok(err)
	if got.AmountReversed != 3_000 || got.Reversed || len(got.Reversals.Data) != 2 {
		t.Errorf("%d reversed in %d reversals", got.AmountReversed, len(got.Reversals.Data))
	}
	w.sums()
}

func TestPayoutsAreManualForThePlatformAndDailyForPayees(t *testing.T) {
	w := start(t)
	own, err := w.api.Accounts.Get()
	w.ok(err)
	if got := own.Settings.Payouts.Schedule.Interval; got != "manual" {
		t.Errorf("the platform pays out %s", got)
	}
	charge, payee := w.paid(10_000, "usd", cardPays), w.payee()
	w.transfer(charge, 5_000, payee.ID)
	w.advance(30 * 24 * time.Hour)
	w.wantBalance("", "usd", 4_680, 0)
	w.wantBalance(payee.ID, "usd", 0, 0)
	params := &stripe.PayoutListParams{}
	params.SetStripeAccount(payee.ID)
	payouts := w.api.Payouts.List(params)
	if !payouts.Next() || payouts.Payout().Amount != 5_000 || payouts.Payout().Status != "paid" || !payouts.Payout().Automatic {
		t.Fatalf("the payee was not paid out: %v", payouts.Err())
	}
	members := &stripe.BalanceTransactionListParams{Payout: &payouts.Payout().ID}
	members.SetStripeAccount(payee.ID)
	list := w.api.BalanceTransactions.List(members)
	var sum int64
	for list.Next() {
		sum += list.BalanceTransaction().Net
	}
	w.ok(list.Err())
	if sum != 0 {
		t.Errorf("the payout and what it pays out differ by %d", sum)
	}
	w.ok(w.control.SchedulePayouts(t.Context(), own.ID, "daily"))
	w.advance(24 * time.Hour)
	w.wantBalance("", "usd", 0, 0)
	w.sums()
}

func TestAConnectedAccountOfAnotherCurrencyConvertsWhatComes(t *testing.T) {
	w := start(t)
	payee := w.payee()
	w.ok(w.control.Settle(t.Context(), payee.ID, "eur"))
	params := sessionParams(10_000, "usd")
	params.SetStripeAccount(payee.ID)
	session, err := w.api.CheckoutSessions.New(params)
	w.ok(err)
	result, err := w.control.Pay(t.Context(), session.ID, simulator.Payment{Card: cardInstant})
	w.ok(err)
	wanted := &stripe.PaymentIntentParams{}
	wanted.SetStripeAccount(payee.ID)
	wanted.AddExpand("latest_charge.balance_transaction")
	intent, err := w.api.PaymentIntents.Get(*result.Session.PaymentIntent, wanted)
	w.ok(err)
	charge := intent.LatestCharge
	if charge.Amount != 10_000 || charge.Currency != "usd" {
		t.Errorf("the card paid %d %s", charge.Amount, charge.Currency)
	}
	if b := charge.BalanceTransaction; b.Amount != 9_000 || b.Fee != 288 || b.Currency != "eur" || b.ExchangeRate != 0.9 {
		t.Errorf("on the balance it is %d %s, fee %d, at %v", b.Amount, b.Currency, b.Fee, b.ExchangeRate)
	}
	w.wantBalance(payee.ID, "eur", 8_712, 0)
	transfer := w.transfer(w.paid(10_000, "usd", cardInstant), 5_000, payee.ID)
	w.wantBalance(payee.ID, "eur", 8_712+4_500, 0)
	_, err = w.api.TransferReversals.New(&stripe.TransferReversalParams{ID: &transfer.ID})
	w.ok(err)
	w.wantBalance(payee.ID, "eur", 8_712, 0)
	back := &stripe.RefundParams{Charge: &charge.ID, Amount: new(int64(5_000))}
	back.SetStripeAccount(payee.ID)
	refund, err := w.api.Refunds.New(back)
	if err != nil || refund.Status != stripe.RefundStatusSucceeded {
		t.Errorf("the refund is %+v, %v", refund, err)
	}
	w.wantBalance(payee.ID, "eur", 8_712-4_500, 0)
	w.wantBalance(payee.ID, "usd", 0, 0)
	w.sums()
}

func TestADisputeWithdrawsTheFundsAndAFee(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant)
	id, err := w.control.Dispute(t.Context(), charge.ID, simulator.NewDispute{})
	w.ok(err)
	w.wantBalance("", "usd", 4_825-5_000-1_500, 0)
	dispute, err := w.api.Disputes.Get(id, nil)
	w.ok(err)
	if len(dispute.BalanceTransactions) != 1 {
		t.Fatalf("the dispute shows %d movements", len(dispute.BalanceTransactions))
	}
	if b := dispute.BalanceTransactions[0]; b.Type != "adjustment" || b.Amount != -5_000 || b.Fee != 1_500 || b.ReportingCategory != "dispute" {
		t.Errorf("withdrawn as %s (%s) of %d, fee %d", b.Type, b.ReportingCategory, b.Amount, b.Fee)
	}
	if dispute.Status != "needs_response" || dispute.IsChargeRefundable || !w.charge(charge.ID).Disputed {
		t.Errorf("the dispute is %s", dispute.Status)
	}
	_, err = w.api.Refunds.New(&stripe.RefundParams{Charge: &charge.ID})
	w.refused(err, 400, stripe.ErrorCodeChargeDisputed)
	w.ok(w.control.Review(t.Context(), id))
	w.ok(w.control.Win(t.Context(), id, 0))
	w.wantBalance("", "usd", 4_825-1_500, 0)
	if w.control.Lose(t.Context(), id) == nil {
		t.Error("a dispute that was won was lost as well")
	}
	w.sums()
}

func TestADisputeThatNobodyWinsIsLostWhenItsEvidenceIsDue(t *testing.T) {
	w := start(t)
	w.paid(5_000, "usd", cardDisputes)
	w.advance(0) // the card disputes at once
	list := w.api.Disputes.List(nil)
	if !list.Next() || list.Dispute().Status != "needs_response" {
		t.Fatalf("the card did not dispute: %v", list.Err())
	}
	id := list.Dispute().ID
	w.advance(21*24*time.Hour - time.Second)
	if got, err := w.api.Disputes.Get(id, nil); err != nil || got.Status != "needs_response" {
		t.Fatalf("too early: %v", err)
	}
	w.advance(time.Second)
	got, err := w.api.Disputes.Get(id, nil)
	w.ok(err)
	if got.Status != "lost" {
		t.Errorf("the dispute is %s", got.Status)
	}
	w.sums()
}

func TestAPartOfADisputeMayComeBack(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInstant)
	id, err := w.control.Dispute(t.Context(), charge.ID, simulator.NewDispute{Amount: 3_000})
	w.ok(err)
	if w.control.Win(t.Context(), id, 3_001) == nil {
		t.Error("more came back than was withdrawn")
	}
	w.ok(w.control.Win(t.Context(), id, 1_000))
	w.wantBalance("", "usd", 4_825-3_000-1_500+1_000, 0)
	w.sums()
}

func TestADisputeEndsRefundsThatAreNotThroughYet(t *testing.T) {
	for name, c := range map[string]struct {
		card  string
		topUp int64
		taken bool // out of the balance
	}{
		"waiting for funds": {cardPays, 1, false},
		"at the bank":       {cardPends, 10_000, true},
	} {
		w := start(t)
		charge := w.paid(5_000, "usd", c.card)
		_, err := w.control.TopUp(t.Context(), c.topUp, "usd")
		w.ok(err)
		refund := w.refund(charge.ID)
		if refund.Status != "pending" || (refund.BalanceTransaction != nil) != c.taken {
			t.Fatalf("%s: the refund is %s", name, refund.Status)
		}
		id, err := w.control.Dispute(t.Context(), charge.ID, simulator.NewDispute{})
		w.ok(err)
		w.wantBalance("", "usd", c.topUp-5_000-1_500, 4_825)
		failed := w.refundNow(refund.ID)
		if failed.Status != "failed" || failed.FailureReason != "charge_for_pending_refund_disputed" || (failed.FailureBalanceTransaction != nil) != c.taken {
			t.Errorf("%s: the refund is %s, reason %s", name, failed.Status, failed.FailureReason)
		}
		w.ok(w.control.Win(t.Context(), id, 0))
		w.advance(30 * 24 * time.Hour)
		w.wantBalance("", "usd", c.topUp-1_500+4_825, 0)
		w.sums()
	}
}

func TestAnInquiryMovesNoMoneyUntilItEscalates(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardInquires)
	w.advance(0)
	list := w.api.Disputes.List(&stripe.DisputeListParams{Charge: &charge.ID})
	if !list.Next() || list.Dispute().Status != "warning_needs_response" {
		t.Fatalf("the card did not inquire: %v", list.Err())
	}
	w.wantBalance("", "usd", 0, 4_825)
	w.ok(w.control.Escalate(t.Context(), list.Dispute().ID))
	w.wantBalance("", "usd", -6_500, 4_825)

	other := w.paid(5_000, "usd", cardInstant)
	id, err := w.control.Dispute(t.Context(), other.ID, simulator.NewDispute{Inquiry: true})
	w.ok(err)
	w.refund(other.ID)
	got, err := w.api.Disputes.Get(id, nil)
	w.ok(err)
	if got.Status != "warning_closed" {
		t.Errorf("after the refund the inquiry is %s", got.Status)
	}
	w.sums()
}

func TestAFraudWarningMovesNoMoney(t *testing.T) {
	w := start(t)
	charge := w.paid(5_000, "usd", cardWarns)
	w.advance(0)
	list := w.api.RadarEarlyFraudWarnings.List(&stripe.RadarEarlyFraudWarningListParams{Charge: &charge.ID})
	if !list.Next() || !list.RadarEarlyFraudWarning().Actionable {
		t.Fatalf("nobody warned: %v", list.Err())
	}
	w.wantBalance("", "usd", 0, 4_825)
	_, err := w.control.TopUp(t.Context(), 5_000, "usd")
	w.ok(err)
	w.refund(charge.ID)
	got, err := w.api.RadarEarlyFraudWarnings.Get(list.RadarEarlyFraudWarning().ID, nil)
	w.ok(err)
	if got.Actionable {
		t.Error("after the refund there is still something to do")
	}
}

func TestStrangersChargesAndFeesAreInTheBalance(t *testing.T) {
	w := start(t)
	_, err := w.control.Charge(t.Context(), simulator.StrangerCharge{Amount: 2_000, Currency: "usd", Card: cardInstant})
	w.ok(err)
	_, err = w.control.ChargeFee(t.Context(), 200, "usd", "Radar")
	w.ok(err)
	w.wantBalance("", "usd", 2_000-88-200, 0)
	list := w.api.BalanceTransactions.List(&stripe.BalanceTransactionListParams{Type: new("stripe_fee")})
	if !list.Next() || list.BalanceTransaction().Net != -200 || list.BalanceTransaction().Source != nil {
		t.Errorf("the fee is not there: %v", list.Err())
	}
	w.sums()
}

// TestWhateverIsAskedTheBalanceIsTheSumOfItsMovements does what strangers might, in any
// order, with faults.
func TestWhateverIsAskedTheBalanceIsTheSumOfItsMovements(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := start(t)
		defer w.stop()
		w.reporter = r
		ctx := r.Context()
		w.ok(w.control.SetFaults(ctx, simulator.Faults{
			Seed: rapid.Uint64().Draw(r, "seed"),
			Probability: map[simulator.Fault]float64{
				simulator.FaultErrorAfter: 0.1, simulator.FaultRefundFails: 0.2, simulator.FaultRefundPending: 0.2, simulator.FaultDispute: 0.2,
				simulator.FaultDisputeWon: 0.5, simulator.FaultInquiry: 0.3, simulator.FaultRestrict: 0.1,
			},
		}))
		charges, transfers, disputes := []string{}, []string{}, []string{}
		var payees []string
		for range 2 {
			a, err := w.api.Accounts.New(accountParams())
			if err == nil { // else a fault
				w.ok(w.control.Complete(ctx, a.ID))
				payees = append(payees, a.ID)
			}
		}
		pick := func(name string, from []string) string {
			if len(from) == 0 {
				return "none"
			}
			return rapid.SampledFrom(from).Draw(r, name)
		}
		amount := func(most int64) int64 { return rapid.Int64Range(1, most).Draw(r, "amount") }
		currency := func() string { return rapid.SampledFrom([]string{"usd", "jpy"}).Draw(r, "currency") }
		// Refusals are part of the game; what must hold holds whatever the answer.
		r.Repeat(map[string]func(*rapid.T){
			"charge": func(*rapid.T) {
				id, err := w.control.Charge(ctx, simulator.StrangerCharge{
					Amount: 50 + amount(20_000), Currency: currency(), Card: rapid.SampledFrom([]string{cardPays, cardInstant, cardFails, cardPends, cardDeclined}).Draw(r, "card"),
				})
				w.ok(err)
				charges = append(charges, id)
			},
			"refund": func(*rapid.T) {
				_, _ = w.api.Refunds.New(&stripe.RefundParams{Charge: new(pick("charge", charges)), Amount: new(amount(20_000))})
			},
			"refund all": func(*rapid.T) {
				_, _ = w.api.Refunds.New(&stripe.RefundParams{Charge: new(pick("charge", charges))})
			},
			"transfer": func(*rapid.T) {
				transfer, err := w.api.Transfers.New(&stripe.TransferParams{
					Amount: new(amount(20_000)), Currency: new(currency()), Destination: new(pick("payee", payees)), SourceTransaction: new(pick("charge", charges)),
				})
				if err == nil {
					transfers = append(transfers, transfer.ID)
				}
			},
			"reverse": func(*rapid.T) {
				_, _ = w.api.TransferReversals.New(&stripe.TransferReversalParams{ID: new(pick("transfer", transfers)), Amount: new(amount(20_000))})
			},
			"dispute": func(*rapid.T) {
				id, err := w.control.Dispute(ctx, pick("charge", charges), simulator.NewDispute{Inquiry: rapid.Bool().Draw(r, "inquiry")})
				if err == nil {
					disputes = append(disputes, id)
				}
			},
			"win":      func(*rapid.T) { _ = w.control.Win(ctx, pick("dispute", disputes), 0) },
			"escalate": func(*rapid.T) { _ = w.control.Escalate(ctx, pick("dispute", disputes)) },
			"top up": func(*rapid.T) {
				_, err := w.control.TopUp(ctx, amount(20_000), currency())
				w.ok(err)
			},
			"pay out": func(*rapid.T) { _, _ = w.control.PayOut(ctx, "", amount(20_000), currency()) },
			"wait":    func(*rapid.T) { w.advance(time.Duration(rapid.IntRange(0, 40).Draw(r, "days")) * 24 * time.Hour) },
			"": func(*rapid.T) {
				if wrong := unsound(w.truth()); len(wrong) > 0 {
					r.Fatal(wrong)
				}
			},
		})
	})
}
