package stripe

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// testKey is of the simulator's form, and of the form that stripe-mock wants.
const testKey = "sk_test_simulator"

var (
	testMark = payments.Mark{
		Escrow:  "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
		Subject: "at://did:plc:z72i7hdynmk6r22z27h6tvur/fund.stratos.feature.pledge/3l4kq2xyzab22",
		CID:     "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
		Attempt: "at://did:plc:yk4dd2qkboz2yv6tpubpc6co/fund.stratos.work.development/3l4kq2xyzab23",
		Intent:  "41",
	}
	testPayee = payments.PayeeMark{Escrow: testMark.Escrow, Payee: syntax.DID("did:web:payee.example"), Intent: "7"}

	testDollars = money.Money{Amount: 2500, Currency: "USD"}

	testCheckout = payments.Checkout{
		Key: "checkout:41", Mark: testMark, Amount: testDollars, Title: "Dark mode", Note: "Held until it is released",
		SuccessURL: "https://escrow.test/paid?session={CHECKOUT_SESSION_ID}", CancelURL: "https://escrow.test/back",
		ExpiresAt: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
	}
	testRefund   = payments.RefundOrder{Key: "refund:41", Mark: testMark, Charge: "ch_1", Amount: testDollars, Reason: payments.RefundRequested}
	testTransfer = payments.TransferOrder{Key: "transfer:41", Mark: testMark, To: "acct_1", Source: "ch_1", Amount: testDollars}
	testReversal = payments.ReversalOrder{Key: "reversal:41", Mark: testMark, Transfer: "tr_1", Amount: testDollars}
	testAccount  = payments.AccountOrder{Key: "account:7", Mark: testPayee, Country: "DE", Donations: true}
	testLink     = payments.LinkOrder{Account: "acct_1", ReturnURL: "https://escrow.test/back", RefreshURL: "https://escrow.test/again"}
)

// clientOf returns a client of a server.
func clientOf(t *testing.T, url string, opts Options) *Client {
	t.Helper()
	client, err := New(Config{Mode: payments.Simulator, Key: payments.NewSecret(testKey), URL: url}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// serve returns a client of a server that answers like this.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return clientOf(t, server.URL, Options{})
}

// answers is a handler that always says the same.
func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Request-Id", "req_1")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}
