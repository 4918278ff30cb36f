package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// verify runs verify-statement, which needs no escrow.
func (o *operator) verify(args ...string) (string, error) {
	var out strings.Builder
	args = append([]string{"escrow", "verify-statement", "--plc-url", o.network.PLCURL()}, args...)
	err := run(o.t.Context(), args, func() []string { return nil }, &out, &strings.Builder{})
	return out.String(), err
}

func TestStatement_IsMadeOnRequestAndCheckedByAnybody(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.paid(3)
	_, settings := processor(t)
	p := o.start(settings)
	o.published(p)
	o.want(p, false, "says what is owed now", "statement")
	o.published(p)
	file := filepath.Join(t.TempDir(), "statement.json")
	out, err := o.verify("--did", o.account.DID.String(), "--pledge", pledgeOf(1).String(), "--save", file)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, words := range []string{
		"Test: no real money", "is signed by the account's key", "All 3 receipts", "held, of 1001 USD 1001 are owed", "3003 USD", "Not proven",
		"it follows 1 statements without a gap", "the operator's word: available at",
	} {
		if !strings.Contains(out, words) {
			t.Errorf("it does not say %q:\n%s", words, out)
		}
	}
	// The ledger has the head that was published.
	if out, err := o.run("ledger", "verify", "--against", file); err != nil || strings.Contains(out, "Only a head that was published") {
		t.Errorf("against its own statement: %v: %s", err, out)
	}
	o.stop(p)

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{}, "whose statement"},
		{[]string{"--did", "did:plc:nobodynobodynobodynobody"}, "not available"},
		{[]string{"--did", o.account.DID.String(), "--statement", "at://did:plc:payerpayerpayerpayerpaye/" + lexicons.CollectionStatement.String() + "/3lbqxkdzvqk2a"}, "not a statement of"},
		{[]string{"--statement", "at://" + o.account.DID.String() + "/" + lexicons.CollectionStatement.String() + "/3lbqxkdzvqk2a"}, "no such statement"},
		{[]string{"--statement", pledgeOf(1).String()}, "no address of a statement"},
		{[]string{"--did", o.account.DID.String(), "--pledge", pledgeOf(9).String()}, "does not hold"},
		{[]string{"--did", o.account.DID.String(), "--save", file}, "file exists"},
	} {
		if out, err := o.verify(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q: %s", c.args, err, c.want, out)
		}
	}
	// A receipt that is gone is said in a sentence.
	o.ok(o.account.DeleteRecord(t.Context(), syntax.ATURI("at://"+o.account.DID.String()+"/"+lexicons.CollectionReceipt.String()+"/"+lexicons.DerivedKey(pledgeOf(2)).String())))
	if out, err := o.verify("--did", o.account.DID.String()); err == nil || !strings.Contains(out, "has vanished from the repository") || strings.Contains(out, "All 3") {
		t.Errorf("with a receipt gone: %v: %s", err, out)
	}
}
