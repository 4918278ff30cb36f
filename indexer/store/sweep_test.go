package store

import (
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

func TestSweep_TakesOverWhatTheStreamDidNotTell(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(bob, 1)
	w.put(proposal(t, bob, 1, onAccount(bob), nil), estimate(t, alice, 1, uri, 500, "USD", nil))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	sweep := func(status AccountStatus, rev syntax.TID) (missed bool) {
		t.Helper()
		missed, err := w.s.Sweep(t.Context(), Swept{DID: alice, Status: status, Rev: rev})
		if err != nil {
			t.Fatal(err)
		}
		return missed
	}
	rev := tid(w.peers[alice].rev)
	if sweep(AccountActive, rev) || sweep(AccountActive, "") || len(mustDueResyncs(t, w.s)) != 0 {
		t.Error("it was in step")
	}
	if !sweep(AccountTakendown, "") {
		t.Error("the status was not known")
	}
	assertHidden(t, w, proposalURI(alice, 1))
	if got := w.state(uri).Funding; len(got) != 0 {
		t.Errorf("the estimate of a hidden account counts: %+v", got)
	}
	if !sweep(AccountActive, rev) || !slices.Equal(mustDueResyncs(t, w.s), []syntax.DID{alice}) {
		t.Error("an account that is back is not fetched")
	}
	w.resync(alice)
	w.wantCounted(uri, 500, 0)
	if !sweep(AccountActive, tid(w.peers[alice].rev+1)) || !slices.Equal(mustDueResyncs(t, w.s), []syntax.DID{alice}) {
		t.Error("a newer rev is not fetched")
	}
}

func TestRebuild_FindsNothingUnlessThereIsDamage(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(carol, 1)
	w.put(project(t, bob, "p", dave), proposal(t, carol, 1, onProject(projectURI(bob, "p")), fields{"tags": []string{"ui"}}))
	w.put(development(t, bob, 1, uri, nil), estimate(t, alice, 1, uri, 50_000, "USD", nil))
	w.put(receipt(t, escrow, alice, 1, developmentURI(bob, 1), 5_000, "USD", "paid", nil))
	before := dump(t, w.s)
	rebuild := func() []Difference {
		t.Helper()
		found, err := w.s.Rebuild(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if after := dump(t, w.s); !slices.Equal(before, after) {
			t.Errorf("rebuilt:\n%v\nwas:\n%v", after, before)
		}
		return found
	}
	if found := rebuild(); len(found) != 0 {
		t.Errorf("differences %v", found)
	}
	mustExec(t, w.s, `DELETE FROM standing`)
	mustExec(t, w.s, `UPDATE funding SET estimated = 1`)
	mustExec(t, w.s, `DELETE FROM estimate`)
	got := rebuild()
	want := []Difference{{Table: "estimate", New: 1}, {Table: "standing", New: 1}, {Table: "funding", Lost: 1, New: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("differences %v, want %v", got, want)
	}
}
