package payments

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	testEscrow  = syntax.DID("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
	testPledge  = syntax.ATURI("at://did:plc:z72i7hdynmk6r22z27h6tvur/fund.stratos.feature.pledge/3l4kq2xyzab22")
	testAttempt = syntax.ATURI("at://did:plc:yk4dd2qkboz2yv6tpubpc6co/fund.stratos.work.development/3l4kq2xyzab23")
	testCID     = syntax.CID("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a")
)

func testMark(intent IntentID) Mark {
	return Mark{testEscrow, testPledge, testCID, testAttempt, intent}
}

func testCheckout() Checkout {
	return Checkout{
		Key: "checkout:41", Mark: testMark("41"), Amount: money.Money{Amount: 2500, Currency: "USD"},
		Title: "Dark mode", SuccessURL: "https://escrow.test/paid", CancelURL: "https://escrow.test/back",
		ExpiresAt: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
	}
}

// paid is a session as it is when everything went as the checkout says.
func paid(in Checkout, live bool) Session {
	none := money.Money{Currency: in.Amount.Currency}
	return Session{
		ID: "cs_1", Account: in.Account, Live: live, Mark: in.Mark, Status: SessionComplete, Paid: true, Amount: in.Amount,
		CreatedAt: in.ExpiresAt, ExpiresAt: in.ExpiresAt, PaymentID: "pi_1",
		Payment: &Payment{
			ID: "pi_1", Live: live, Mark: in.Mark, Group: in.Group(), Status: PaymentSucceeded,
			Amount: in.Amount, Received: in.Amount, CreatedAt: in.ExpiresAt,
			Charge: &Charge{
				ID: "ch_1", Account: in.Account, Payment: "pi_1", Live: live, Mark: in.Mark, Group: in.Group(),
				Status: ChargeSucceeded, Method: MethodCard, Captured: true, Amount: in.Amount, Refunded: none, CreatedAt: in.ExpiresAt,
				Movement: &Movement{
					ID: "txn_1", Kind: MovementCharge, Amount: in.Amount, Fee: none, Net: in.Amount, Source: "ch_1",
					CreatedAt: in.ExpiresAt, AvailableAt: in.ExpiresAt,
				},
			},
		},
	}
}

func TestR9_PaymentIsAcceptedWhenItIsWhatWasAgreed(t *testing.T) {
	t.Parallel()
	donation := testCheckout()
	donation.Account = "acct_payee"
	yen := testCheckout()
	yen.Amount = money.Money{Amount: 3500, Currency: "JPY"}
	for name, in := range map[string]Checkout{"a pledge": testCheckout(), "a donation": donation, "a currency without decimals": yen} {
		for _, mode := range []Mode{Live, Test, Simulator} {
			s := paid(in, mode.Live())
			got, err := Accept(s, in, mode)
			if err != nil {
				t.Errorf("%s in %s: %v", name, mode, err)
			}
			if diff := cmp.Diff(*s.Payment.Charge, got); diff != "" {
				t.Errorf("%s in %s: %s", name, mode, diff)
			}
		}
	}
}

func TestR9_PaymentIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	other := testMark("42")
	cases := []struct {
		name    string
		reason  Reason
		waiting bool
		change  func(*Session)
	}{
		{"still open", ReasonNotComplete, true, func(s *Session) { s.Status = SessionOpen }},
		{"complete and unpaid", ReasonNotPaid, true, func(s *Session) { s.Paid = false }},
		{"without a payment", ReasonNoPayment, true, func(s *Session) { s.Payment = nil }},
		{"a payment under way", ReasonNotSucceeded, true, func(s *Session) { s.Payment.Status = "processing" }},
		{"a payment that waits for capture", ReasonNotSucceeded, true, func(s *Session) { s.Payment.Status = "requires_capture" }},
		{"without a charge", ReasonNoCharge, true, func(s *Session) { s.Payment.Charge = nil }},
		{"a charge of another payment", ReasonNoCharge, true, func(s *Session) { s.Payment.Charge.Payment = "pi_2" }},
		{"a charge that is pending", ReasonNotCaptured, true, func(s *Session) { s.Payment.Charge.Status = ChargePending }},
		{"a charge that failed", ReasonNotCaptured, true, func(s *Session) { s.Payment.Charge.Status = ChargeFailed }},
		{"a charge that is only reserved", ReasonNotCaptured, true, func(s *Session) { s.Payment.Charge.Captured = false }},
		{"not on the balance yet", ReasonNoMovement, true, func(s *Session) { s.Payment.Charge.Movement = nil }},

		{"expired", ReasonExpired, false, func(s *Session) { s.Status = SessionExpired }},
		{"expired before anybody tried", ReasonExpired, false, func(s *Session) { s.Status, s.Payment = SessionExpired, nil }},
		{"live money in test mode", ReasonMode, false, func(s *Session) { s.Live = true }},
		{"a live payment", ReasonMode, false, func(s *Session) { s.Payment.Live = true }},
		{"a live charge", ReasonMode, false, func(s *Session) { s.Payment.Charge.Live = true }},
		{"on another account", ReasonAccount, false, func(s *Session) { s.Account = "acct_other" }},
		{"of another intent", ReasonMark, false, func(s *Session) { s.Mark = other }},
		{"of nobody", ReasonMark, false, func(s *Session) { s.Mark = Mark{} }},
		{"paid for another intent", ReasonMark, false, func(s *Session) { s.Payment.Mark = other }},
		{"of another version of the record", ReasonMark, false, func(s *Session) { s.Mark.CID += "x" }},
		{"of another attempt", ReasonGroup, false, func(s *Session) { s.Payment.Group = "other" }},
		{"of no attempt", ReasonGroup, false, func(s *Session) { s.Payment.Group = "" }},
		{"a cent too little", ReasonAmount, false, func(s *Session) { s.Amount.Amount-- }},
		{"a cent too much", ReasonAmount, false, func(s *Session) { s.Amount.Amount++ }},
		{"a smaller payment", ReasonAmount, false, func(s *Session) { s.Payment.Amount.Amount-- }},
		{"received in part", ReasonAmount, false, func(s *Session) { s.Payment.Received.Amount-- }},
		{"a smaller charge", ReasonAmount, false, func(s *Session) { s.Payment.Charge.Amount.Amount-- }},
		{"less on the balance", ReasonAmount, false, func(s *Session) { s.Payment.Charge.Movement.Amount.Amount-- }},
		{"in another currency", ReasonCurrency, false, func(s *Session) { s.Amount.Currency = "JPY" }},
		{"a payment in another currency", ReasonCurrency, false, func(s *Session) { s.Payment.Amount.Currency = "JPY" }},
		{"a charge in another currency", ReasonCurrency, false, func(s *Session) { s.Payment.Charge.Amount.Currency = "JPY" }},
		{"offered in another currency", ReasonConverted, false, func(s *Session) { s.Converted = true }},
		{"on the balance in another currency", ReasonConverted, false, func(s *Session) { s.Payment.Charge.Movement.Amount.Currency = "EUR" }},
		{"converted and back", ReasonConverted, false, func(s *Session) { s.Payment.Charge.Movement.Converted = true }},
		{"not by card", ReasonMethod, false, func(s *Session) { s.Payment.Charge.Method = "sepa_debit" }},
		{"refunded", ReasonRefunded, false, func(s *Session) { s.Payment.Charge.Refunded = s.Amount }},
		{"refunded in part", ReasonRefunded, false, func(s *Session) { s.Payment.Charge.Refunded.Amount = 1 }},
	}
	for _, c := range cases {
		in := testCheckout()
		s := paid(in, false)
		c.change(&s)
		_, err := Accept(s, in, Test)
		no, ok := errors.AsType[*Rejection](err)
		if !ok {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		if no.Reason != c.reason || no.Reason.Waiting() != c.waiting || no.Session != s.ID {
			t.Errorf("%s: %v (waiting %v) instead of %s (%v)", c.name, no, no.Reason.Waiting(), c.reason, c.waiting)
		}
	}
}

// TestR5_ADonationMayBeConvertedIntoThePayeesOwnCurrency: what becomes of it on an account
// of theirs is theirs to know; on the escrow's own account it never may.
func TestR5_ADonationMayBeConvertedIntoThePayeesOwnCurrency(t *testing.T) {
	t.Parallel()
	for _, account := range []AccountID{Platform, "acct_payee"} {
		in := testCheckout()
		in.Account = account
		s := paid(in, false)
		m := s.Payment.Charge.Movement
		m.Amount, m.Converted = money.Money{Amount: 2250, Currency: "EUR"}, true
		_, err := Accept(s, in, Test)
		if no, _ := errors.AsType[*Rejection](err); (no == nil) == (account == Platform) {
			t.Errorf("on %q: %v", account, err)
		}
		s.Payment.Charge.Movement = nil
		if _, err := Accept(s, in, Test); err == nil {
			t.Errorf("on %q: accepted before it was there", account)
		}
	}
}

func TestTaken_IsAcceptForMoneyThatMayHaveGoneBack(t *testing.T) {
	t.Parallel()
	in := testCheckout()
	for _, refunded := range []int64{0, 1, in.Amount.Amount} {
		s := paid(in, false)
		s.Payment.Charge.Refunded.Amount = refunded
		got, err := Taken(s, in, Test)
		if err != nil || got.Refunded.Amount != refunded {
			t.Errorf("with %d back: %+v, %v", refunded, got, err)
		}
	}
	s := paid(in, false)
	s.Payment.Charge.Refunded, s.Payment.Charge.Movement = in.Amount, nil
	_, err := Taken(s, in, Test)
	if no, ok := errors.AsType[*Rejection](err); !ok || no.Reason != ReasonNoMovement {
		t.Errorf("before it is on the balance: %v", err)
	}
}

// What another payment says is never a reason to wait for it.
func TestR9_AnotherIntentsPaymentIsRefusedForGoodHoweverFarItIs(t *testing.T) {
	t.Parallel()
	in := testCheckout()
	s := paid(in, false)
	s.Mark, s.Status, s.Paid, s.Payment = testMark("42"), SessionOpen, false, nil
	_, err := Accept(s, in, Test)
	if no, ok := errors.AsType[*Rejection](err); !ok || no.Reason.Waiting() {
		t.Error(err)
	}
}

func TestR9_NothingIsAcceptedForNoIntentOrInNoMode(t *testing.T) {
	t.Parallel()
	in := testCheckout()
	in.Mark = Mark{}
	if _, err := Accept(paid(in, false), in, Test); err == nil {
		t.Error("somebody else's payment was accepted")
	}
	in = testCheckout()
	if _, err := Accept(paid(in, false), in, ""); err == nil {
		t.Error("accepted without a mode")
	}
}

// Whoever adds a field has to decide whether it matters for acceptance.
func TestR9_EachFieldOfASessionDecidesOrIsKnownNotTo(t *testing.T) {
	t.Parallel()
	beside := map[string]bool{
		"Session.ID": true, "Session.URL": true, "Session.CreatedAt": true, "Session.ExpiresAt": true, "Session.PaymentID": true,
		"Payment.CreatedAt": true,
		// The charge carries what the payment does, and a chargeback comes after acceptance.
		"Charge.ID": true, "Charge.Account": true, "Charge.Mark": true, "Charge.Group": true, "Charge.Disputed": true,
		"Charge.FailureCode": true, "Charge.CreatedAt": true,
		// The fee is the operator's matter, and when it can be used is not the payer's.
		"Movement.ID": true, "Movement.Kind": true, "Movement.Category": true, "Movement.Fee": true, "Movement.Net": true,
		"Movement.Source": true, "Movement.Available": true, "Movement.CreatedAt": true, "Movement.AvailableAt": true,
	}
	in := testCheckout()
	parts := func(s *Session) []any { return []any{s, s.Payment, s.Payment.Charge, s.Payment.Charge.Movement} }
	for i, part := range parts(new(paid(in, false))) {
		kind := reflect.TypeOf(part).Elem()
		for f := range kind.NumField() {
			name := kind.Name() + "." + kind.Field(f).Name
			s := paid(in, false)
			alter(t, reflect.ValueOf(parts(&s)[i]).Elem().Field(f))
			if _, err := Accept(s, in, Test); (err == nil) != beside[name] {
				t.Errorf("%s: %v", name, err)
			}
			delete(beside, name)
		}
	}
	for name := range beside {
		t.Errorf("there is no %s", name)
	}
}

// alter gives a value another one.
func alter(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Pointer:
		v.SetZero()
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(at.Add(time.Hour)))
			return
		}
		alter(t, v.Field(0))
	default:
		t.Fatal(fmt.Errorf("no way to alter a %s", v.Kind()))
	}
}
