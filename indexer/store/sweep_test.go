package store

import (
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

func TestSweep_TakesOverWhatTheStreamDidNotTell(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(bob, 1)
	w.put(proposal(t, bob, 1, onAccount(bob), nil), estimate(t, alice, 1, uri, 500, "USD", nil))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	sweep := func(status AccountStatus, rev syntax.TID) (missed bool) {
		t.Helper()
		missed, err := w.s.Sweep(t.Context(), mustDueSweep(t, w.s, alice), Swept{DID: alice, Status: status, Rev: rev})
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

// mustDueSweep is the account's repository as a sweep takes it up, however long
// ago the last one was.
func mustDueSweep(t *testing.T, s *testStore, did syntax.DID) DueSweep {
	t.Helper()
	due, err := s.DueSweeps(t.Context(), s.clock.Now().Add(time.Hour), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		if d.DID == did {
			return d
		}
	}
	t.Fatalf("%s is not tracked", did)
	return DueSweep{}
}

func TestSweep_LeavesADeletedAccountDeleted(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	w.want(OutcomeApplied, Change{Kind: ChangeAccount, DID: alice, Status: AccountDeleted})
	status := func() (status AccountStatus) {
		if err := w.s.read.QueryRowContext(t.Context(), `SELECT status FROM repo WHERE did = $1`, alice).Scan(&status); err != nil {
			t.Fatal(err)
		}
		return status
	}
	for _, c := range []struct{ said, want AccountStatus }{
		{AccountDeactivated, AccountDeleted},
		{AccountTakendown, AccountDeleted},
		{AccountActive, AccountDeleted},
	} {
		if _, err := w.s.Sweep(t.Context(), mustDueSweep(t, w.s, alice), Swept{DID: alice, Status: c.said}); err != nil {
			t.Fatal(err)
		}
		if got := status(); got != c.want {
			t.Errorf("the PDS says %s: %s, want %s", c.said, got, c.want)
		}
	}
}

func TestSweep_RequestedWhileThePDSIsAskedStaysDue(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	asked := mustDueSweep(t, w.s, alice)
	if err := w.s.RequestSweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Sweep(t.Context(), asked, Swept{DID: alice, Status: AccountActive}); err != nil {
		t.Fatal(err)
	}
	due, err := w.s.DueSweeps(t.Context(), start, 10)
	if err != nil || len(due) != 1 {
		t.Errorf("due %v, %v; want the one that was requested meanwhile", due, err)
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
