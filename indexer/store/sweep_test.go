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
		return w.sweep(alice, status, rev)
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
func mustDueSweep(t tester, s *testStore, did syntax.DID) DueSweep {
	t.Helper()
	due, err := s.DueSweeps(t.Context(), s.clock.Now().Add(time.Hour), 100)
	if err != nil {
		t.Fatalf("list due sweeps: %v", err)
	}
	for _, d := range due {
		if d.DID == did {
			return d
		}
	}
	t.Fatalf("%s is not tracked", did)
	return DueSweep{}
}

func (w *world) accountStatus(did syntax.DID) (status AccountStatus) {
	w.t.Helper()
	if err := w.s.read.QueryRowContext(w.t.Context(), `SELECT status FROM repo WHERE did = $1`, did).Scan(&status); err != nil {
		w.t.Fatalf("read the repo: %v", err)
	}
	return status
}

func TestSweep_LeavesADeletedAccountDeleted(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	w.status(alice, AccountDeleted)
	for _, said := range []AccountStatus{AccountDeleted, AccountDeactivated, AccountTakendown, AccountActive} {
		w.sweep(alice, said, "")
		if got := w.accountStatus(alice); got != AccountDeleted {
			t.Errorf("the PDS says %s: %s", said, got)
		}
	}
}

func TestF5_ADeletionThatIsToldOnlyHidesUntilThePDSConfirmsIt(t *testing.T) {
	tell := func(w *world, status AccountStatus) {
		t.Helper()
		w.apply(Change{Kind: ChangeAccount, DID: alice, Status: status})
	}
	for name, c := range map[string]struct {
		happens func(w *world)
		want    AccountStatus
		purged  bool
	}{
		"told":     {func(w *world) { tell(w, AccountDeleted) }, AccountDeactivated, false},
		"not told": {func(w *world) { w.sweep(alice, AccountDeleted, "") }, AccountDeactivated, false},
		"told and confirmed": {func(w *world) {
			tell(w, AccountDeleted)
			w.sweep(alice, AccountDeleted, "")
		}, AccountDeleted, true},
		"told and refuted": {func(w *world) {
			tell(w, AccountDeleted)
			w.sweep(alice, AccountActive, "")
			w.sweep(alice, AccountDeleted, "")
		}, AccountDeactivated, false},
		"told and hidden for another reason": {func(w *world) {
			tell(w, AccountDeleted)
			w.sweep(alice, AccountTakendown, "")
			w.sweep(alice, AccountDeleted, "")
		}, AccountDeactivated, false},
		"told and taken back": {func(w *world) {
			tell(w, AccountDeleted)
			tell(w, AccountSuspended)
			w.sweep(alice, AccountDeleted, "")
		}, AccountDeactivated, false},
		"deleted, and told to be back": {func(w *world) {
			w.status(alice, AccountDeleted)
			tell(w, AccountActive)
			if err := w.s.SetAccountStatus(t.Context(), alice, AccountDeleted); err != nil {
				t.Fatal(err)
			}
		}, AccountDeleted, true},
		"not found by a fetch": {func(w *world) {
			if err := w.s.SetAccountStatus(t.Context(), alice, AccountDeleted); err != nil {
				t.Fatal(err)
			}
			tell(w, AccountDeleted)
			w.sweep(alice, AccountDeleted, "")
		}, AccountDeleted, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newTestStore(t))
			w.put(proposal(t, alice, 1, onAccount(bob), nil))
			c.happens(w)
			if got := w.accountStatus(alice); got != c.want {
				t.Errorf("the account is %s, want %s", got, c.want)
			}
			if purged := len(w.indexed(alice)) == 0; purged != c.purged {
				t.Errorf("purged: %t", purged)
			}
			assertHidden(t, w, proposalURI(alice, 1))
		})
	}
}

func TestSweep_AnAnswerFromBeforeADeletionRaisesNobody(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	w.apply(Change{Kind: ChangeAccount, DID: alice, Status: AccountActive})
	asked := mustDueSweep(t, w.s, alice)
	w.apply(Change{Kind: ChangeAccount, DID: alice, Status: AccountDeleted})
	if missed, err := w.s.Sweep(t.Context(), asked, Swept{Status: AccountActive}); err != nil || missed {
		t.Fatalf("missed %t, %v", missed, err)
	}
	if got := w.accountStatus(alice); got != AccountDeactivated {
		t.Errorf("an old answer makes the account %s", got)
	}
	if w.sweep(alice, AccountDeleted, ""); w.accountStatus(alice) != AccountDeleted {
		t.Error("the PDS is not asked again")
	}
}

func TestSweep_WantedWhileThePDSIsAskedStaysDue(t *testing.T) {
	for name, end := range map[string]func(s *testStore, asked DueSweep) error{
		"answered": func(s *testStore, asked DueSweep) error {
			_, err := s.Sweep(t.Context(), asked, Swept{Status: AccountActive})
			return err
		},
		"failed": func(s *testStore, asked DueSweep) error { return s.SweepFailed(t.Context(), asked, start) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newTestStore(t))
			w.put(proposal(t, alice, 1, onAccount(bob), nil))
			asked := mustDueSweep(t, w.s, alice)
			if err := w.s.LostTrack(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := end(w.s, asked); err != nil {
				t.Fatal(err)
			}
			due, err := w.s.DueSweeps(t.Context(), start, 10)
			if err != nil || len(due) != 1 {
				t.Errorf("due %v, %v; want the one that was wanted meanwhile", due, err)
			}
		})
	}
}

func TestSweep_ANewerRevDuringAResyncIsFetchedAfterIt(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	w.apply(Change{Kind: ChangeUnproven, DID: alice})
	under := p.snapshot(w.wanted(alice))
	newer := p.commit([]Record{proposal(t, alice, 2, onAccount(bob), nil)})
	w.sweep(alice, AccountActive, newer.Rev)
	if synchronized, _, err := w.s.ReplaceRepo(t.Context(), under); err != nil || synchronized {
		t.Errorf("in step with a snapshot from before: %t, %v", synchronized, err)
	}
	if !w.resync(alice) || w.state(proposalURI(alice, 2)) == nil {
		t.Error("what the sweep found is not there")
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
