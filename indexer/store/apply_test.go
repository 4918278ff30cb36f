package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
)

func TestApply_TracksOnlyWithTrack(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := &peer{did: alice, records: map[syntax.ATURI]Record{}}
	c := p.commit([]Record{proposal(t, alice, 1, onAccount(bob), nil)})
	c.Track = false
	w.want(OutcomeIgnored, c)
	if n := count(t, w.s, "repo"); n != 0 {
		t.Fatalf("%d repos are tracked", n)
	}
	c.Track = true
	out := w.apply(c)
	if out.Outcomes[0] != OutcomeTracked || !out.MoreResyncs {
		t.Fatalf("got %+v", out)
	}
	// The records come with the resync, which has to reach the commit.
	if got := w.indexed(alice); len(got) != 0 {
		t.Errorf("records before the resync: %v", got)
	}
	if row := w.row(alice); row.state != RepoDesynchronized || row.seenRev != c.Rev {
		t.Errorf("row %+v", row)
	}
}

func TestApply_CommitsInOrder(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil), proposal(t, alice, 2, onAccount(bob), nil))
	w.put(proposal(t, alice, 1, onAccount(carol), nil))
	w.delete(proposalURI(alice, 2))
	if got, want := w.indexed(alice), []syntax.ATURI{proposalURI(alice, 1)}; !slices.Equal(got, want) {
		t.Fatalf("records %v, want %v", got, want)
	}
	if got := w.state(proposalURI(alice, 1)).Subject.Account; got != carol {
		t.Errorf("the edit is not there: subject %s", got)
	}
	if row := w.row(alice); row.rev != tid(w.peers[alice].rev) || row.data != w.peers[alice].data {
		t.Errorf("row %+v, repo at %d", row, w.peers[alice].rev)
	}
}

func TestApply_ReplayChangesNothing(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	batch := []Change{
		p.commit([]Record{proposal(t, alice, 1, onAccount(bob), nil)}),
		p.commit([]Record{estimate(t, alice, 1, proposalURI(alice, 1), 500, "USD", nil)}),
		p.commit(nil, proposalURI(alice, 1)),
		p.commit([]Record{proposal(t, alice, 2, onAccount(bob), nil)}),
	}
	w.apply(batch...)
	before := append(dump(t, w.s), dumpQuery(t, w.s, "repo", `SELECT * FROM repo`)...)
	w.s.clock.advance(1)
	for _, o := range w.apply(batch...).Outcomes {
		if o != OutcomeReplayed {
			t.Errorf("outcome %s", o)
		}
	}
	after := append(dump(t, w.s), dumpQuery(t, w.s, "repo", `SELECT * FROM repo`)...)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a replay changed the index (-before +after):\n%s", diff)
	}
}

func TestApply_GapDesynchronizes(t *testing.T) {
	for name, spoil := range map[string]func(*Change){
		"prevData of another commit": func(c *Change) { c.PrevData = "root 0" },
		"prevData missing":           func(c *Change) { c.PrevData = "" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newTestStore(t))
			p := w.join(alice)
			c := p.commit([]Record{proposal(t, alice, 1, onAccount(bob), nil)})
			spoil(&c)
			w.want(OutcomeDesynchronized, c)
			if got := w.indexed(alice); len(got) != 0 {
				t.Fatalf("applied all the same: %v", got)
			}
			later := p.commit([]Record{proposal(t, alice, 2, onAccount(bob), nil)})
			w.want(OutcomeWaiting, later)
			if row := w.row(alice); row.state != RepoDesynchronized || row.seenRev != later.Rev {
				t.Errorf("row %+v", row)
			}
			if !w.resync(alice) {
				t.Error("the resync does not end it")
			}
			if got := w.indexed(alice); len(got) != 2 {
				t.Errorf("records %v", got)
			}
			w.put(proposal(t, alice, 3, onAccount(bob), nil))
		})
	}
}

func TestApply_Sync(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	w.want(OutcomeReplayed, Change{Kind: ChangeSync, DID: alice, Rev: tid(p.rev), Data: "other"})
	w.want(OutcomeApplied, Change{Kind: ChangeSync, DID: alice, Rev: tid(p.rev + 1), Data: p.data})
	w.want(OutcomeDesynchronized, Change{Kind: ChangeSync, DID: alice, Rev: tid(p.rev + 2), Data: "other"})
	w.want(OutcomeWaiting, Change{Kind: ChangeSync, DID: alice, Rev: tid(p.rev + 3), Data: "another"})
	if row := w.row(alice); row.seenRev != tid(p.rev+3) {
		t.Errorf("row %+v", row)
	}
	err := w.s.Read(t.Context(), func(r *Reader) error {
		for did, want := range map[syntax.DID]syntax.TID{alice: tid(p.rev + 3), bob: ""} {
			if rev, err := r.Rev(t.Context(), did); err != nil || rev != want {
				t.Errorf("the newest rev of %s is %q, %v; want %q", did, rev, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestApply_InvalidRecordsAreKeptAndShownNowhere(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	bad := maybeInvalid(t, alice, lexicons.CollectionProposal, key(1), fields{"title": "No subject", "description": "x"})
	if bad.Invalid == nil {
		t.Fatal("the record is valid")
	}
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	w.put(bad) // an edit may make a record invalid
	if got := w.indexed(alice); len(got) != 1 {
		t.Fatalf("records %v", got)
	}
	if w.state(bad.URI()) != nil || count(t, w.s, "stage_interval") != 0 || count(t, w.s, "proposal") != 0 {
		t.Error("an invalid record is shown")
	}
	mustRead(t, w.s, func(r *Reader) error {
		got, err := r.Records(t.Context(), []syntax.ATURI{bad.URI()})
		if len(got) != 0 {
			t.Errorf("read %v", got)
		}
		return err
	})
	status, err := w.s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{string(bad.Invalid.Reason): 1}, status.Invalid); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestApply_IdentityMakesHandleDue(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(project(t, alice, "p", bob)) // bob is named, and not tracked
	for _, did := range []syntax.DID{alice, bob} {
		mustSetHandle(t, w.s, did, syntax.Handle(did[8:]+".test"), start.Add(1e15))
	}
	if due := mustDueHandles(t, w.s); len(due) != 0 {
		t.Fatalf("due already: %v", due)
	}
	for _, did := range []syntax.DID{alice, bob} {
		w.want(OutcomeApplied, Change{Kind: ChangeIdentity, DID: did})
		if due := mustDueHandles(t, w.s); !slices.Contains(due, did) {
			t.Errorf("%s is not due", did)
		}
	}
	w.want(OutcomeIgnored, Change{Kind: ChangeIdentity, DID: dave})
	if n := count(t, w.s, "repo"); n != 1 {
		t.Errorf("%d repos tracked", n)
	}
}

func TestApply_FailureLeavesNeitherRowsNorCursor(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	before := dump(t, w.s)
	good := p.commit([]Record{proposal(t, alice, 1, onAccount(bob), nil)})
	poisoned := p.commit([]Record{proposal(t, alice, 2, onAccount(bob), fields{"title": "Poison"})})
	unharmed := func(t *testing.T) {
		t.Helper()
		if diff := cmp.Diff(before, dump(t, w.s)); diff != "" {
			t.Errorf("rows of a failed change stayed (-before +after):\n%s", diff)
		}
		if seq, _, err := w.s.Cursor(t.Context(), upstream); err != nil || seq != w.seq {
			t.Errorf("cursor %d, %v; want %d", seq, err, w.seq)
		}
	}

	mustExec(t, w.s, `CREATE TRIGGER poison BEFORE INSERT ON proposal WHEN NEW.title = 'Poison'
		BEGIN SELECT RAISE(ABORT, 'poisoned'); END`)
	if _, err := w.s.Apply(t.Context(), upstream, w.seq+1, []Change{good, poisoned}); err == nil {
		t.Fatal("the trigger did not fire")
	}
	unharmed(t)
	mustExec(t, w.s, `DROP TRIGGER poison`)

	mustExec(t, w.s, `CREATE TRIGGER late BEFORE UPDATE ON cursor BEGIN SELECT RAISE(ABORT, 'late'); END`)
	if _, err := w.s.Apply(t.Context(), upstream, w.seq+1, []Change{good, poisoned}); err == nil {
		t.Fatal("the trigger did not fire")
	}
	unharmed(t)
	mustExec(t, w.s, `DROP TRIGGER late`)

	if _, err := w.s.Apply(canceled(t), upstream, w.seq+1, []Change{good, poisoned}); err == nil {
		t.Fatal("applied on a context that had ended")
	}
	unharmed(t)

	w.apply(good, poisoned)
	if got := w.indexed(alice); len(got) != 2 {
		t.Errorf("the store does not go on: %v", got)
	}
}

func TestApply_PanicReleasesTheWriter(t *testing.T) {
	s := newTestStore(t)
	func() {
		defer func() { _ = recover() }()
		_ = s.update(t.Context(), "panic", func(context.Context, *tx) error { panic("a bug") })
	}()
	if err := s.LostTrack(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestLostTrack_SweepsEverything(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil), proposal(t, bob, 1, onAccount(bob), nil))
	mustExec(t, w.s, `UPDATE repo SET swept_at = $1`, millis(start))
	if err := w.s.LostTrack(t.Context()); err != nil {
		t.Fatal(err)
	}
	due, err := w.s.DueSweeps(t.Context(), start, 10)
	var dids []syntax.DID
	for _, d := range due {
		dids = append(dids, d.DID)
	}
	slices.Sort(dids)
	if err != nil || !slices.Equal(dids, []syntax.DID{alice, bob}) {
		t.Errorf("due %v, %v", dids, err)
	}
	if w.state(proposalURI(alice, 1)) == nil {
		t.Error("what is known is not shown meanwhile")
	}
}

func TestForgetCursor_ForgetsOne(t *testing.T) {
	s := newTestStore(t)
	for _, name := range []string{"one", "another"} {
		if _, err := s.Apply(t.Context(), name, 7, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ForgetCursor(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{"one": 0, "another": 7} {
		seq, known, err := s.Cursor(t.Context(), name)
		if err != nil || seq != want || known != (want > 0) {
			t.Errorf("cursor of %s: %d, %t, %v; want %d", name, seq, known, err, want)
		}
	}
}

func TestReplaceRepo_OlderSnapshotIsStale(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	old := w.join(alice).snapshot(w.wanted(alice))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	before := dump(t, w.s)
	if _, _, err := w.s.ReplaceRepo(t.Context(), old); !errors.Is(err, ErrStale) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(before, dump(t, w.s)); diff != "" {
		t.Errorf("a stale snapshot changed the index:\n%s", diff)
	}
}

func TestApplyBehind_QueuesWhatBecomesStale(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := w.join(alice)
	w.behind = true
	uri := proposalURI(alice, 1)
	out := w.apply(
		p.commit([]Record{proposal(t, alice, 1, onAccount(bob), nil)}),
		p.commit([]Record{estimate(t, alice, 1, uri, 500, "USD", nil)}),
	)
	if !out.MoreStale || w.state(uri) != nil {
		t.Fatalf("derived at once: %+v", out)
	}
	if got := dumpQuery(t, w.s, "dirty", `SELECT uri FROM dirty_proposal`); !slices.Equal(got, []string{"dirty uri=" + uri.String()}) {
		t.Fatalf("queue %v", got)
	}
	// The first that has caught up derives what the others left, also with
	// nothing of its own.
	w.behind = false
	w.apply()
	w.wantCounted(uri, 500, 0)
}

func TestApplyBehind_HiddenAccountsVanishAtOnce(t *testing.T) {
	for _, status := range []AccountStatus{AccountDeactivated, AccountTakendown, AccountDeleted} {
		t.Run(string(status), func(t *testing.T) {
			w := newWorld(t, newTestStore(t))
			w.put(proposal(t, alice, 1, onAccount(bob), nil), estimate(t, bob, 1, proposalURI(alice, 1), 500, "USD", nil))
			w.behind = true
			w.status(alice, status)
			for _, table := range []string{"stage_interval", "funding", "ranking"} {
				if n := count(t, w.s, table); n != 0 {
					t.Errorf("%d rows in %s", n, table)
				}
			}
		})
	}
}

func TestDerive_WritesOnlyWhatDiffers(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	ahead := fields{"createdAt": stamp(start.Add(10 * time.Minute))}
	uri := proposalURI(alice, 1)
	w.put(proposal(t, alice, 1, onProject(projectURI(bob, "p")), nil), project(t, bob, "p", dave))
	w.put(development(t, dave, 1, uri, fields{"goal": value(9000, "USD")}))
	w.put(estimate(t, carol, 1, uri, 500, "USD", nil), estimate(t, dave, 1, uri, 500, "EUR", ahead))
	for _, table := range []string{"stage_interval", "funding", "ranking"} {
		if count(t, w.s, table) < 2 {
			t.Fatalf("%s has too little to tell", table)
		}
		for _, act := range []string{"INSERT", "UPDATE", "DELETE"} {
			mustExec(t, w.s, `CREATE TRIGGER no_`+act+table+` BEFORE `+act+` ON `+table+` BEGIN SELECT RAISE(ABORT, 'written'); END`)
		}
	}
	mustExec(t, w.s, `INSERT INTO dirty_proposal (uri) VALUES ($1)`, uri)
	mustDrain(t, w.s)
	if count(t, w.s, "dirty_proposal") != 0 {
		t.Error("not derived")
	}
	mustExec(t, w.s, `INSERT INTO dirty_proposal (uri) VALUES ($1)`, uri)
	mustExec(t, w.s, `UPDATE estimated SET rest = 600`)
	if _, err := w.s.DeriveStale(t.Context()); err == nil {
		t.Error("what differs is not written")
	}
}
