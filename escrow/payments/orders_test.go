package payments

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/lexicons/money"
)

func TestOrdersAreCheckedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	dollar := money.Money{Amount: 100, Currency: "USD"}
	refund := RefundOrder{"refund:1", testMark("1"), "ch_1", dollar, RefundRequested, "withdrawn"}
	transfer := TransferOrder{"transfer:1", testMark("1"), "acct_1", "ch_1", dollar}
	reversal := ReversalOrder{"reversal:1", testMark("1"), "tr_1", dollar}
	account := AccountOrder{"account:1", PayeeMark{testEscrow, "did:web:payee.example", "1"}, "DE", true}
	link := LinkOrder{"acct_1", "https://escrow.test/back", "https://escrow.test/again"}

	for name, err := range map[string]error{
		"checkout": testCheckout().Check(), "refund": refund.Check(), "transfer": transfer.Check(),
		"reversal": reversal.Check(), "account": account.Check(), "link": link.Check(),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	checkout := func(change func(*Checkout)) error { o := testCheckout(); change(&o); return o.Check() }
	refunded := func(change func(*RefundOrder)) error { o := refund; change(&o); return o.Check() }
	transferred := func(change func(*TransferOrder)) error { o := transfer; change(&o); return o.Check() }
	reversed := func(change func(*ReversalOrder)) error { o := reversal; change(&o); return o.Check() }
	opened := func(change func(*AccountOrder)) error { o := account; change(&o); return o.Check() }
	linked := func(change func(*LinkOrder)) error { o := link; change(&o); return o.Check() }
	for name, err := range map[string]error{
		"checkout without key":         checkout(func(o *Checkout) { o.Key = "" }),
		"checkout, endless key":        checkout(func(o *Checkout) { o.Key = Key(strings.Repeat("k", maxKey+1)) }),
		"checkout, key of two lines":   checkout(func(o *Checkout) { o.Key = "a\r\nb" }),
		"checkout without mark":        checkout(func(o *Checkout) { o.Mark = Mark{} }),
		"checkout of nothing":          checkout(func(o *Checkout) { o.Amount.Amount = 0 }),
		"checkout below nothing":       checkout(func(o *Checkout) { o.Amount.Amount = -1 }),
		"checkout in no currency":      checkout(func(o *Checkout) { o.Amount.Currency = "" }),
		"checkout in a small currency": checkout(func(o *Checkout) { o.Amount.Currency = "usd" }),
		"checkout without title":       checkout(func(o *Checkout) { o.Title = "" }),
		"checkout, endless title":      checkout(func(o *Checkout) { o.Title = strings.Repeat("ü", maxTitle+1) }),
		"checkout, endless note":       checkout(func(o *Checkout) { o.Note = strings.Repeat("ü", maxNote+1) }),
		"checkout without end":         checkout(func(o *Checkout) { o.ExpiresAt = time.Time{} }),
		"checkout that leads nowhere":  checkout(func(o *Checkout) { o.SuccessURL = "/paid" }),
		"checkout that runs a script":  checkout(func(o *Checkout) { o.CancelURL = "javascript://x/%0aalert(1)" }),
		"refund without key":           refunded(func(o *RefundOrder) { o.Key = "" }),
		"refund without mark":          refunded(func(o *RefundOrder) { o.Mark.Intent = "" }),
		"refund of nothing":            refunded(func(o *RefundOrder) { o.Charge = "" }),
		"refund of no amount":          refunded(func(o *RefundOrder) { o.Amount.Amount = 0 }),
		"refund for another reason":    refunded(func(o *RefundOrder) { o.Reason = "duplicate" }),
		"transfer without key":         transferred(func(o *TransferOrder) { o.Key = "" }),
		"transfer without mark":        transferred(func(o *TransferOrder) { o.Mark.Attempt = "" }),
		"transfer to ourselves":        transferred(func(o *TransferOrder) { o.To = Platform }),
		"transfer from the float":      transferred(func(o *TransferOrder) { o.Source = "" }),
		"transfer of nothing":          transferred(func(o *TransferOrder) { o.Amount.Amount = 0 }),
		"reversal without key":         reversed(func(o *ReversalOrder) { o.Key = "" }),
		"reversal without mark":        reversed(func(o *ReversalOrder) { o.Mark = Mark{} }),
		"reversal of nothing":          reversed(func(o *ReversalOrder) { o.Transfer = "" }),
		"reversal of no amount":        reversed(func(o *ReversalOrder) { o.Amount.Amount = -5 }),
		"account without key":          opened(func(o *AccountOrder) { o.Key = "" }),
		"account of nobody":            opened(func(o *AccountOrder) { o.Mark = PayeeMark{} }),
		"account in no country":        opened(func(o *AccountOrder) { o.Country = "" }),
		"account in a small country":   opened(func(o *AccountOrder) { o.Country = "de" }),
		"link for ourselves":           linked(func(o *LinkOrder) { o.Account = Platform }),
		"link that leads nowhere":      linked(func(o *LinkOrder) { o.ReturnURL = "" }),
		"link that ends nowhere":       linked(func(o *LinkOrder) { o.RefreshURL = "ftp://escrow.test" }),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPledgeIsInItsAttemptsGroupAndDonationInNone(t *testing.T) {
	t.Parallel()
	pledge, donation := testCheckout(), testCheckout()
	donation.Account = "acct_1"
	transfer := TransferOrder{Mark: pledge.Mark}
	if pledge.Group() == "" || pledge.Group() != transfer.Group() || donation.Group() != "" {
		t.Errorf("%q, %q, %q", pledge.Group(), transfer.Group(), donation.Group())
	}
	if GroupOf(testAttempt) == GroupOf(testPledge) {
		t.Error("two attempts share a group")
	}
}

func TestFailureIsItsKindAndItsCause(t *testing.T) {
	t.Parallel()
	err := error(&Failure{Kind: ErrUncertain, Status: 502, Request: "req_1", Cause: context.Canceled})
	if !errors.Is(err, ErrUncertain) || !errors.Is(err, context.Canceled) || errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if want := "it may have happened, request req_1, status 502: context canceled"; err.Error() != want {
		t.Errorf("%s instead of %s", err, want)
	}
	if err := error(&Failure{Kind: ErrDeclined, Code: "card_declined", DeclineCode: "lost_card"}); !errors.Is(err, ErrDeclined) {
		t.Error(err)
	}
}

func TestModeIsOneOfThree(t *testing.T) {
	t.Parallel()
	for _, m := range []Mode{Live, Test, Simulator} {
		if got, err := ParseMode(string(m)); got != m || err != nil || m.Live() != (m == Live) {
			t.Error(m, err)
		}
	}
	for _, name := range []string{"", "Live", "prod", "live "} {
		if got, err := ParseMode(name); err == nil {
			t.Errorf("%q is %q", name, got)
		}
	}
}
