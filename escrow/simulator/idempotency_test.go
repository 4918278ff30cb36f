package simulator

import "testing"

func TestAKeyInUseIsBusyForItsAccountOnly(t *testing.T) {
	var f inFlight
	end, busy := f.begin("acct_1", "k")
	if busy != nil {
		t.Fatal(busy)
	}
	if _, busy := f.begin("acct_1", "k"); busy == nil || busy.status != 409 || busy.Code != "idempotency_key_in_use" || !busy.unsaved {
		t.Errorf("the same key: %v", busy)
	}
	if other, busy := f.begin("acct_2", "k"); busy != nil {
		t.Error("another account's key is busy")
	} else {
		other()
	}
	end()
	if again, busy := f.begin("acct_1", "k"); busy != nil {
		t.Error("still busy after the end")
	} else {
		again()
	}
}
