package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
)

func mustDueResyncs(t *testing.T, s *testStore) []syntax.DID {
	t.Helper()
	due, _, err := s.DueResyncs(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var dids []syntax.DID
	for _, r := range due {
		dids = append(dids, r.DID)
	}
	return dids
}

func TestReplaceRepo_HoldsExactlyTheSnapshot(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	same := proposal(t, alice, 1, onAccount(bob), nil)
	w.put(same, proposal(t, alice, 2, onAccount(bob), nil), proposal(t, alice, 3, onAccount(bob), nil))
	w.put(proposal(t, bob, 1, onAccount(bob), nil))
	w.s.clock.advance(time.Hour)

	p := w.peers[alice]
	p.commit([]Record{proposal(t, alice, 2, onAccount(carol), nil)}, proposalURI(alice, 3)) // never seen
	if !w.resync(alice) {
		t.Error("not synchronized")
	}
	if got, want := w.indexed(alice), []syntax.ATURI{proposalURI(alice, 1), proposalURI(alice, 2)}; !slices.Equal(got, want) {
		t.Fatalf("records %v, want %v", got, want)
	}
	if w.state(proposalURI(alice, 3)) != nil {
		t.Error("what the snapshot lacks is still shown")
	}
	if len(w.indexed(bob)) != 1 {
		t.Error("another account's records are gone")
	}
	mustRead(t, w.s, func(r *Reader) error {
		rows, err := r.Records(t.Context(), w.indexed(alice))
		if got := rows[proposalURI(alice, 1)].IndexedAt; !got.Equal(start) {
			t.Errorf("the record that did not change was indexed at %s", got)
		}
		if got := rows[proposalURI(alice, 2)].IndexedAt; !got.Equal(start.Add(time.Hour)) {
			t.Errorf("the record that changed was indexed at %s", got)
		}
		return err
	})
}

func TestReplaceRepo_BelowTheSeenRevStaysDesynchronized(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	early := p.snapshot(0)
	p.commit(nil) // missed
	w.want(OutcomeDesynchronized, p.commit([]Record{proposal(t, alice, 1, onAccount(bob), nil)}))
	w.want(OutcomeWaiting, p.commit([]Record{proposal(t, alice, 2, onAccount(bob), nil)}))

	early.Wanted = w.wanted(alice)
	synchronized, _, err := w.s.ReplaceRepo(t.Context(), early)
	if err != nil || synchronized || w.row(alice).state != RepoDesynchronized {
		t.Fatalf("synchronized %t, %v, row %+v", synchronized, err, w.row(alice))
	}
	if !w.resync(alice) || w.row(alice).state != RepoSynchronized {
		t.Errorf("row %+v", w.row(alice))
	}
}

// A PDS that never gets to the rev that its own stream showed must not make us
// fetch its repository without end.
func TestReplaceRepo_BelowTheSeenRevWaitsLongerEachTime(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	early := p.snapshot(0)
	p.commit(nil)
	w.want(OutcomeDesynchronized, p.commit(nil))
	early.Wanted = w.wanted(alice)
	var last time.Duration
	for range 5 {
		if _, _, err := w.s.ReplaceRepo(t.Context(), early); err != nil {
			t.Fatal(err)
		}
		due, next, err := w.s.DueResyncs(t.Context(), 1)
		if err != nil || len(due) != 0 {
			t.Fatalf("due %v, %v", due, err)
		}
		pause := next.Sub(w.s.clock.Now())
		if pause <= last {
			t.Fatalf("a pause of %s after one of %s", pause, last)
		}
		last = pause
		w.s.clock.advance(pause)
	}
	w.resync(alice)
	if due := mustDueResyncs(t, w.s); len(due) != 0 {
		t.Errorf("due %v", due)
	}
}

func TestReplaceRepo_ReasonsThatCameMeanwhileWantAnother(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	if err := w.s.RequestResync(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	claimed, _, err := w.s.DueResyncs(t.Context(), 1)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %v, %v", claimed, err)
	}
	snapshot := p.snapshot(claimed[0].Wanted)
	w.want(OutcomeWaiting, Change{Kind: ChangeUnproven, DID: alice})
	if synchronized, _, err := w.s.ReplaceRepo(t.Context(), snapshot); err != nil || synchronized {
		t.Fatalf("synchronized %t, %v", synchronized, err)
	}
	w.s.clock.advance(time.Second)
	if got := mustDueResyncs(t, w.s); !slices.Equal(got, []syntax.DID{alice}) {
		t.Fatalf("due %v", got)
	}
	if !w.resync(alice) {
		t.Error("not synchronized in the end")
	}
}

// What strangers send must not undo the pause that a failing PDS was given.
func TestApply_UnprovenKeepsThePauseOfAResync(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.join(alice)
	w.want(OutcomeDesynchronized, Change{Kind: ChangeUnproven, DID: alice})
	retry := start.Add(time.Hour)
	if err := w.s.ResyncFailed(t.Context(), alice, errors.New("no answer"), retry); err != nil {
		t.Fatal(err)
	}
	w.want(OutcomeWaiting, Change{Kind: ChangeUnproven, DID: alice})
	due, next, err := w.s.DueResyncs(t.Context(), 1)
	if err != nil || len(due) != 0 || !next.Equal(retry) {
		t.Fatalf("due %v, next %s, %v", due, next, err)
	}
	w.s.clock.advance(time.Hour)
	due, _, err = w.s.DueResyncs(t.Context(), 1)
	if err != nil || len(due) != 1 || due[0].Attempts != 1 {
		t.Fatalf("due %+v, %v", due, err)
	}
}

func TestDueResyncs_LongestWaitingFirst(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	for i, did := range []syntax.DID{carol, alice, bob} {
		w.join(did)
		w.s.clock.advance(time.Duration(i+1) * time.Second)
		w.want(OutcomeDesynchronized, Change{Kind: ChangeUnproven, DID: did})
	}
	w.join(dave)
	if err := w.s.ResyncFailed(t.Context(), alice, errors.New("no"), start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.status(carol, AccountSuspended)
	due, next, err := w.s.DueResyncs(t.Context(), 100)
	if err != nil || len(due) != 1 || due[0].DID != bob || !next.Equal(start.Add(time.Hour)) {
		t.Fatalf("due %v, next %s, %v", due, next, err)
	}
	w.s.clock.advance(2 * time.Hour)
	if got := mustDueResyncs(t, w.s); !slices.Equal(got, []syntax.DID{bob, alice}) {
		t.Errorf("due %v", got)
	}
}

func TestDueResyncs_AskTheClockOnce(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.join(alice)
	w.want(OutcomeDesynchronized, Change{Kind: ChangeUnproven, DID: alice})
	if err := w.s.ResyncFailed(t.Context(), alice, errors.New("no"), start.Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	// Time goes on while the question is answered.
	w.s.now = func() time.Time {
		defer w.s.clock.advance(time.Second)
		return w.s.clock.Now()
	}
	due, next, err := w.s.DueResyncs(t.Context(), 1)
	if err != nil || len(due) == 0 && next.IsZero() {
		t.Fatalf("a repository that waits is neither due nor next: %v, %s, %v", due, next, err)
	}
}

func TestTracked_ListsRepos(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.join(alice)
	if err := w.s.RequestResync(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	got, err := w.s.Tracked(t.Context())
	slices.Sort(got)
	if err != nil || !slices.Equal(got, []syntax.DID{alice, bob}) {
		t.Fatalf("tracked %v, %v", got, err)
	}
	if got := mustDueResyncs(t, w.s); !slices.Equal(got, []syntax.DID{bob}) {
		t.Errorf("due %v", got)
	}
}

func TestAccount_HiddenAtOnceAndBackAfterAResync(t *testing.T) {
	for _, status := range []AccountStatus{AccountDeactivated, AccountSuspended, AccountTakendown} {
		t.Run(string(status), func(t *testing.T) {
			w := newWorld(t, newTestStore(t))
			uri := proposalURI(alice, 1)
			w.put(proposal(t, alice, 1, onAccount(bob), nil), estimate(t, carol, 1, uri, 500, "USD", nil))
			w.put(project(t, alice, "p"))
			before := dump(t, w.s)

			w.want(OutcomeApplied, Change{Kind: ChangeAccount, DID: alice, Status: status})
			assertHidden(t, w, uri)
			if len(w.indexed(alice)) != 2 {
				t.Error("hiding deleted records")
			}
			w.want(OutcomeReplayed, Change{Kind: ChangeAccount, DID: alice, Status: status})

			w.want(OutcomeDesynchronized, Change{Kind: ChangeAccount, DID: alice, Status: AccountActive})
			if !w.resync(alice) {
				t.Error("not synchronized")
			}
			if diff := cmp.Diff(before, dump(t, w.s)); diff != "" {
				t.Errorf("it did not come back as it was (-before +after):\n%s", diff)
			}
		})
	}
}

func assertHidden(t *testing.T, w *world, uri syntax.ATURI) {
	t.Helper()
	if got := w.list(ProposalFilter{Sort: SortNew}); slices.Contains(got, uri) {
		t.Errorf("%s is listed", uri)
	}
	if w.state(uri) != nil {
		t.Errorf("%s has a state", uri)
	}
	mustRead(t, w.s, func(r *Reader) error {
		rows, err := r.Records(t.Context(), []syntax.ATURI{uri})
		if len(rows) != 0 {
			t.Errorf("%s can be read", uri)
		}
		if _, err := r.Facts(t.Context(), uri); !errors.Is(err, ErrNotFound) {
			t.Errorf("facts: %v", err)
		}
		projects, err2 := r.ListProjects(t.Context(), "", nil, 10)
		if len(projects) != 0 {
			t.Errorf("projects are listed: %v", projects)
		}
		return errors.Join(err, err2)
	})
}

func TestSetAccountStatus_HidesAtOnce(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(bob, 1)
	w.put(proposal(t, bob, 1, onAccount(bob), nil), estimate(t, alice, 1, uri, 500, "USD", nil))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	if err := w.s.SetAccountStatus(t.Context(), alice, AccountTakendown); err != nil {
		t.Fatal(err)
	}
	assertHidden(t, w, proposalURI(alice, 1))
	if got := w.state(uri).Funding; len(got) != 0 {
		t.Errorf("the estimate of a hidden account counts: %+v", got)
	}
	if n := count(t, w.s, "dirty_proposal"); n != 0 {
		t.Errorf("%d proposals stay stale", n)
	}
	if err := w.s.SetAccountStatus(t.Context(), dave, AccountTakendown); err != nil {
		t.Errorf("an account that is not tracked: %v", err)
	}
}

func TestAccount_DeletedPurgesAndStaysDead(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	create := p.commit([]Record{proposal(t, alice, 1, onAccount(bob), nil)})
	edit := p.commit([]Record{estimate(t, alice, 1, proposalURI(alice, 1), 500, "USD", nil)})
	w.apply(create, edit)
	snapshot := p.snapshot(w.wanted(alice))

	w.status(alice, AccountDeleted)
	gone := func(t *testing.T) {
		t.Helper()
		if got := w.indexed(alice); len(got) != 0 {
			t.Fatalf("records %v", got)
		}
		if got := dumpDerived(t, w.s); len(got) != 0 {
			t.Fatalf("derived rows %v", got)
		}
	}
	gone(t)
	if row := w.row(alice); row.rev != edit.Rev {
		t.Errorf("the rev did not outlive the purge: %+v", row)
	}
	w.want(OutcomeIgnored, create)
	w.want(OutcomeIgnored, Change{Kind: ChangeSync, DID: alice, Rev: tid(99), Data: "x"})
	w.want(OutcomeIgnored, Change{Kind: ChangeUnproven, DID: alice})
	if synchronized, _, err := w.s.ReplaceRepo(t.Context(), snapshot); err != nil || synchronized {
		t.Errorf("synchronized %t, %v", synchronized, err)
	}
	gone(t)

	// Back again, and the past is replayed.
	w.want(OutcomeDesynchronized, Change{Kind: ChangeAccount, DID: alice, Status: AccountActive})
	w.want(OutcomeReplayed, create)
	w.want(OutcomeReplayed, edit)
	gone(t)
	snapshot.Rev = create.Rev
	if _, _, err := w.s.ReplaceRepo(t.Context(), snapshot); !errors.Is(err, ErrStale) {
		t.Errorf("an old snapshot: %v", err)
	}
	gone(t)
	p.commit([]Record{proposal(t, alice, 2, onAccount(bob), nil)})
	if !w.resync(alice) || w.state(proposalURI(alice, 2)) == nil {
		t.Error("the account does not come back")
	}
}
