package stripe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// kinds are the objects that answer each method.
var kinds = map[string]string{
	"OpenCheckout": "checkout.session", "Session": "checkout.session", "ExpireSession": "checkout.session", "Sessions": "checkout.session",
	"Charge": "charge", "Charges": "charge", "SendRefund": "refund", "Refund": "refund", "Refunds": "refund",
	"SendTransfer": "transfer", "Transfer": "transfer", "Transfers": "transfer", "SendReversal": "transfer_reversal", "Reversals": "transfer_reversal",
	"OpenAccount": "account", "Account": "account", "Accounts": "account", "Platform": "account", "Link": "account_link",
	"Balance": "balance", "Movement": "balance_transaction", "Movements": "balance_transaction", "Topups": "topup",
	"Dispute": "dispute", "Disputes": "dispute", "Warning": "radar.early_fraud_warning", "Warnings": "radar.early_fraud_warning", "Hints": "event",
}

// Each field of what the client returns comes from the answer: of objects in which
// everything is set, nothing is left empty.
func TestAnswersArriveWhole(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/objects.json")
	if err != nil {
		t.Fatal(err)
	}
	var objects map[string]json.RawMessage
	if err := json.Unmarshal(file, &objects); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL, Options{})
	for _, c := range contract {
		answer = objects[kinds[c.method]]
		if answer == nil {
			t.Fatalf("no object for %s", c.method)
		}
		if listed(c.method) {
			answer = fmt.Appendf(nil, `{"object":"list","has_more":false,"data":[%s]}`, answer)
		}
		got, want := c.call(t, client)
		compare(t, c.method, got, answer, want)
		whole(t, c.method, reflect.ValueOf(got))
	}
}

// listed tells whether a method gives a sequence.
func listed(method string) bool {
	m, ok := reflect.TypeFor[*Client]().MethodByName(method)
	return ok && m.Type.NumOut() == 1
}

// whole reports what is empty anywhere in a value.
func whole(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.IsZero() {
		t.Errorf("%s is empty", path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		whole(t, path, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			whole(t, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "Account" && ours(v.Interface()) {
				continue // the contract's other calls are on a payee's account
			}
			whole(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}

// ours tells whether an object is on the platform's account, which has no id there.
func ours(object any) bool {
	switch o := object.(type) {
	case payments.Session:
		return o.Account == payments.Platform
	case payments.Charge:
		return o.Account == payments.Platform
	}
	return false
}

// An answer with a gap in it is no reason to fall over it.
func TestGapsInAnswersAreUncertain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for body, call := range map[string]func(*Client) error{
		`{"object":"balance","available":[null]}`: func(c *Client) error { _, err := c.Balance(ctx); return err },
		`{"object":"dispute","id":"dp_1","amount":1,"currency":"usd","balance_transactions":[null]}`: func(c *Client) error {
			_, err := c.Dispute(ctx, payments.Platform, "dp_1")
			return err
		},
		`{"object":"account","id":"acct_1","requirements":{"errors":[null]}}`: func(c *Client) error { _, err := c.Account(ctx, "acct_1"); return err },
	} {
		if err := call(serve(t, answers(http.StatusOK, body))); !errors.Is(err, payments.ErrUncertain) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// What the objects above hold of the payer stays outside.
func TestNothingPersonalIsMapped(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/objects.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	all, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	personal := []string{"jenny", "Jenny", "4242", "AOB934RVNwzk6xtn", "client_secret", "pi_1_secret_2", "10115"}
	for _, word := range personal {
		if !bytes.Contains(all, []byte(word)) {
			t.Fatalf("%s is not even in the objects", word)
		}
	}
	var objects map[string]json.RawMessage
	if err := json.Unmarshal(all, &objects); err != nil {
		t.Fatal(err)
	}
	for _, c := range contract {
		answer := objects[kinds[c.method]]
		if listed(c.method) {
			answer = fmt.Appendf(nil, `{"object":"list","has_more":false,"data":[%s]}`, answer)
		}
		got, _ := c.call(t, serve(t, answers(http.StatusOK, string(answer))))
		printed, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range personal {
			if bytes.Contains(printed, []byte(word)) {
				t.Errorf("%s: %s is in %s", c.method, word, printed)
			}
		}
	}
}
