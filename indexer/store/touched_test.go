package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

func (s *testStore) state(t *testing.T) (state State) {
	t.Helper()
	mustRead(t, s, func(r *Reader) (err error) {
		state, err = r.State(t.Context())
		return err
	})
	return state
}

func TestTouched_IsWhatAViewShowsAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	about, other, claiming := proposalURI(alice, 1), proposalURI(carol, 2), projectURI(bob, "p")
	w.put(
		living(t, bob, "p", "website https://it.example/"),
		proposal(t, alice, 1, onURI("https://it.example/"), nil),
		proposal(t, carol, 2, onAccount(carol), nil),
	)
	w.join(dave)
	things := []string{about.String(), other.String(), claiming.String(), alice.String(), bob.String(), carol.String(), dave.String()}
	for _, change := range []struct {
		name    string
		make    func()
		touches []string
	}{
		{"a cursor", func() { w.apply() }, nil},
		{"an estimate", func() { w.put(estimate(t, dave, 1, about, 500, "USD", nil)) }, []string{about.String()}},
		{"one that counts for nothing", func() {
			w.put(estimate(t, dave, 2, about, 500, "CHF", fields{"createdAt": stamp(start.Add(-time.Hour))}))
		}, nil},
		{"a claim", func() { w.prove(w.take(claiming, "https://it.example"), lifecycle.ClaimByHost) }, []string{about.String()}},
		{"a project's name", func() { w.put(living(t, bob, "p", "website https://it.example/", "website https://other.example/")) }, []string{claiming.String()}},
		{"a proposal's text", func() { w.put(proposal(t, carol, 2, onAccount(carol), fields{"title": "Another"})) }, []string{other.String()}},
		{"a handle", func() { mustSetHandle(t, w.s, carol, "carol.example", start) }, []string{carol.String()}},
		{"the same handle", func() { mustSetHandle(t, w.s, carol, "carol.example", start) }, nil},
		{"a handle that moves", func() { mustSetHandle(t, w.s, dave, "carol.example", start) }, []string{carol.String(), dave.String()}},
		{"a status", func() { w.status(alice, AccountDeactivated) }, []string{about.String(), alice.String()}},
	} {
		before := w.s.state(t)
		change.make()
		after := w.s.state(t)
		for _, thing := range things {
			touched := !w.s.Untouched(before, after, []Thing{ThingOf(thing)})
			if want := slices.Contains(change.touches, thing); touched != want {
				t.Errorf("%s touches %s: %t", change.name, thing, touched)
			}
			if !w.s.Untouched(after, after, []Thing{ThingOf(thing)}) {
				t.Errorf("after %s what is read now is not known to hold: %s", change.name, thing)
			}
		}
	}
}

// Whoever reads a state must know already what it changed.
func TestTouched_IsNotedBeforeTheCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	uri := proposalURI(alice, 1)
	another := w.join(alice).commit([]Record{proposal(t, alice, 1, onAccount(bob), fields{"title": "Another"})})
	before, known := w.s.state(t), false
	w.s.crash = func(p crashpoint.Point) error {
		if p != crashpoint.BeforeCommit {
			return nil
		}
		known = !w.s.Untouched(before, before+1, []Thing{ThingOf(uri)})
		return errors.New("no commit")
	}
	if _, err := w.s.Apply(t.Context(), upstream, w.seq+1, []Change{another}); err == nil {
		t.Fatal("it was committed")
	}
	w.s.crash = nil
	if !known {
		t.Error("a commit was about to change what nobody was told of")
	}
	if now := w.s.state(t); now != before {
		t.Errorf("the state is %d after a transaction that failed, and was %d", now, before)
	}
}

func TestSpansOf_EndWithTheNextThingThatTheClockChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	ahead := start.Add(lifecycle.FutureTolerance + time.Minute)
	w.put(
		proposal(t, alice, 1, onAccount(bob), nil),
		estimate(t, dave, 1, proposalURI(alice, 1), 500, "USD", fields{"createdAt": stamp(ahead)}),
	)
	uri, exists := proposalURI(alice, 1), ahead.Add(-lifecycle.FutureTolerance)
	mustRead(t, w.s, func(r *Reader) error {
		for _, at := range []time.Time{start, exists.Add(-time.Millisecond), exists} {
			spans, err := r.At(at).SpansOf(t.Context(), []syntax.ATURI{uri, proposalURI(bob, 1)})
			if err != nil {
				return err
			}
			if span := spans[uri]; !span.Has(at) || span.Has(start) != at.Before(exists) || span.Has(exists) == at.Before(exists) {
				t.Errorf("at %s it holds from %s until %s", at, span.From, span.Until)
			}
			if len(spans) != 1 {
				t.Errorf("%d spans", len(spans))
			}
		}
		return nil
	})
}
