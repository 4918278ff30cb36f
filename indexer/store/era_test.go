package store

import (
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
)

func (s *testStore) era(t *testing.T) Era {
	t.Helper()
	e, ok, err := s.EraSince(t.Context(), s.Instant())
	if err != nil || !ok || !s.During(e) {
		t.Fatalf("there is no era: %+v, %t, %v", e, ok, err)
	}
	return e
}

func TestEra_EndsWithAWriteAndNotWithACursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	e := w.s.era(t)
	w.apply()
	if !w.s.During(e) {
		t.Error("a cursor ended it")
	}
	for name, write := range map[string]func() error{
		"a record": func() error { w.put(estimate(t, bob, 1, proposalURI(alice, 1), 500, "USD", nil)); return nil },
		"a handle": func() error { return w.s.SetHandle(t.Context(), alice, "alice.example", start) },
		"a status": func() error { w.status(bob, AccountDeactivated); return nil },
	} {
		e := w.s.era(t)
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if w.s.During(e) {
			t.Errorf("%s did not end it", name)
		}
	}
}

// Each account is asked about every day: most often nothing has happened to it.
func TestEra_OutlastsLookUpsThatFindNothingNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil), living(t, alice, "p", "website https://it.example/"))
	var job ClaimJob
	if err := w.s.SetHandle(t.Context(), alice, "alice.example", start); err != nil {
		t.Fatal(err)
	}
	sweep := func(status AccountStatus) func() error {
		return func() error {
			due, err := w.s.DueSweeps(t.Context(), start.Add(time.Hour), 10)
			if err != nil || len(due) == 0 {
				t.Fatalf("nobody is due: %v", err)
			}
			_, err = w.s.Sweep(t.Context(), due[0], Swept{Status: status})
			return err
		}
	}
	for _, look := range []struct {
		name  string
		at    func() error
		lasts bool
	}{
		{"a repository that is where it was", sweep(AccountActive), true},
		{"a PDS that does not answer", func() error { return w.s.SweepFailed(t.Context(), DueSweep{DID: alice}, start) }, true},
		{"the same handle", func() error { return w.s.SetHandle(t.Context(), alice, "alice.example", start.Add(time.Hour)) }, true},
		{"a directory that does not answer", func() error { return w.s.HandleUnavailable(t.Context(), alice, start) }, true},
		{"an address that is looked at", func() error { job = w.take(projectURI(alice, "p"), "https://it.example"); return nil }, true},
		{"nobody there", func() error { return w.s.ClaimUndecided(t.Context(), job, "timeout", start) }, false},
		{"again nobody there", func() error { return w.s.ClaimUndecided(t.Context(), job, "timeout", start) }, true},
		{"nothing to derive", func() error { _, err := w.s.DeriveStale(t.Context()); return err }, true},
		{"another handle", func() error { return w.s.SetHandle(t.Context(), alice, "alice.test", start) }, false},
		{"an account that is gone", sweep(AccountDeactivated), false},
	} {
		e := w.s.era(t)
		if err := look.at(); err != nil {
			t.Fatal(err)
		}
		if lasts := w.s.During(e); lasts != look.lasts {
			t.Errorf("after %s it lasts: %t", look.name, lasts)
		}
	}
}

func TestEra_EndsAtTheMomentThatIsNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	// Both exist ahead of their dates, by the tolerance.
	for n, ahead := range []time.Duration{2 * time.Minute, time.Minute} {
		w.put(proposal(t, alice, n, onAccount(bob), fields{"createdAt": stamp(start.Add(lifecycle.FutureTolerance + ahead))}))
	}
	for range 2 {
		e := w.s.era(t)
		w.s.clock.advance(time.Minute - time.Millisecond)
		if !w.s.During(e) {
			t.Error("it ended early")
		}
		w.s.clock.advance(time.Millisecond)
		if w.s.During(e) {
			t.Error("it outlasted the moment")
		}
	}
	e := w.s.era(t)
	w.s.clock.advance(-time.Millisecond)
	if w.s.During(e) {
		t.Error("it began before what it was found from")
	}
	w.s.clock.advance(eraLasts + time.Millisecond)
	if w.s.During(e) {
		t.Error("it has no end")
	}
}

func TestEra_IsNoneWhileATransactionCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.join(alice)
	before := w.s.era(t)
	looked := false
	w.s.crash = func(p crashpoint.Point) error {
		if p != crashpoint.AfterCommit { // until the writer has returned, readers may see either
			return nil
		}
		looked = true
		i := w.s.Instant()
		if _, ok, err := w.s.EraSince(t.Context(), i); ok || err != nil || i.settled() || w.s.During(before) {
			t.Errorf("an era in the middle of a commit: %t, %v", ok, err)
		}
		return nil
	}
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	if !looked {
		t.Fatal("nobody committed")
	}
	w.s.crash = nil
	w.s.era(t)
}

func TestEra_IsNoneWhileSomethingWaitsToBeDerived(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.join(alice)
	w.behind = true
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	if _, ok, err := w.s.EraSince(t.Context(), w.s.Instant()); ok || err != nil {
		t.Errorf("an era whose moments are not noted yet: %t, %v", ok, err)
	}
	mustDrain(t, w.s)
	w.s.era(t)
}

// The timeline tells of these when their time has come, without a stage or a sum
// that moves.
func TestEra_EndsWhenTheTimelineGoesOn(t *testing.T) {
	t.Parallel()
	attempt := developmentURI(bob, 1)
	soon := fields{"closesAt": stamp(start.Add(time.Minute))}
	pause := fields{"from": stamp(start.Add(time.Minute)), "dispute": ref(recordURI(alice, lexicons.CollectionDispute, key(1)))}
	for name, r := range map[string]Record{
		"a campaign closes":      campaignAs(t, escrow, attempt, proposalURI(alice, 1), soon),
		"a dispute stops it":     campaignAs(t, escrow, attempt, proposalURI(alice, 1), fields{"pauses": []fields{pause}}),
		"a release was accepted": campaignAs(t, escrow, attempt, proposalURI(alice, 1), fields{"acceptedAt": stamp(start.Add(time.Minute))}),
		"money moved": receipt(t, escrow, alice, 1, attempt, 500, "USD", "held", fields{
			"history": []fields{{"status": "held", "at": stamp(start.Add(time.Minute))}}, "updatedAt": stamp(start.Add(time.Minute)),
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newTestStore(t))
			w.put(r)
			e := w.s.era(t)
			w.s.clock.advance(time.Minute - time.Millisecond)
			if !w.s.During(e) {
				t.Error("it ended early")
			}
			w.s.clock.advance(time.Millisecond)
			if w.s.During(e) {
				t.Error("it outlasted the moment")
			}
		})
	}
}
