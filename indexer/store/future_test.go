package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

func TestF3_RecordDatedAheadComesIntoBeingByTheClockAlone(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(alice, 1)
	ahead := fields{"createdAt": stamp(start.Add(10 * time.Minute))}
	w.put(proposal(t, alice, 1, onProject(projectURI(bob, "p")), ahead), project(t, bob, "p"))
	before := dump(t, w.s)
	visible := func() bool {
		t.Helper()
		listed := slices.Contains(w.list(ProposalFilter{Sort: SortNew}), uri)
		for _, sort := range []ProposalSort{SortHot, SortEstimated} {
			if slices.Contains(w.list(ProposalFilter{Sort: sort, SortCurrency: "USD"}), uri) != listed {
				t.Errorf("%s differs from new", sort)
			}
		}
		if (w.state(uri) != nil) != listed {
			t.Error("state and list differ")
		}
		mustRead(t, w.s, func(r *Reader) error {
			if _, err := r.Facts(t.Context(), uri); errors.Is(err, ErrNotFound) == listed {
				t.Errorf("facts: %v, listed: %t", err, listed)
			}
			p, err := r.ProjectStates(t.Context(), []syntax.ATURI{projectURI(bob, "p")})
			if got := p[projectURI(bob, "p")].Proposals; (got == 1) != listed {
				t.Errorf("the project has %d proposals", got)
			}
			return err
		})
		return listed
	}
	if visible() {
		t.Fatal("a record of the future is visible")
	}
	w.s.clock.advance(5*time.Minute - time.Millisecond)
	if visible() {
		t.Fatal("visible a millisecond early")
	}
	w.s.clock.advance(time.Millisecond)
	if !visible() {
		t.Fatal("it does not come into being")
	}
	if diff := cmp.Diff(before, dump(t, w.s)); diff != "" {
		t.Errorf("somebody wrote:\n%s", diff)
	}
}

func TestF3_ProjectDatedAhead(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := projectURI(alice, "p")
	w.put(mustRecord(t, alice, uri.Collection(), "p", fields{"name": "P", "createdAt": stamp(start.Add(10 * time.Minute))}))
	visible := func() (n int) {
		mustRead(t, w.s, func(r *Reader) error {
			states, err := r.ProjectStates(t.Context(), []syntax.ATURI{uri})
			keys, err2 := r.ListProjects(t.Context(), alice, nil, 10)
			n = len(keys)
			if len(states) != n {
				t.Errorf("%d states, %d listed", len(states), n)
			}
			return errors.Join(err, err2)
		})
		return n
	}
	if visible() != 0 {
		t.Error("a project of the future is visible")
	}
	w.s.clock.advance(5 * time.Minute)
	if visible() != 1 {
		t.Error("it does not come into being")
	}
}

func TestF3_EstimateDatedAheadCountsByTheClockAlone(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	one, two := proposalURI(bob, 1), proposalURI(bob, 2)
	ahead := fields{"createdAt": stamp(start.Add(10 * time.Minute))}
	w.put(proposal(t, bob, 1, onAccount(bob), nil), proposal(t, bob, 2, onAccount(bob), nil))
	w.put(estimate(t, alice, 1, one, 700, "USD", nil), estimate(t, alice, 2, one, 100, "USD", ahead))
	w.put(estimate(t, carol, 1, two, 500, "USD", nil), estimate(t, carol, 2, two, 900, "USD", ahead))
	byEstimate := ProposalFilter{Sort: SortEstimated, SortCurrency: "USD"}

	w.wantCounted(one, 700, 0)
	w.wantCounted(two, 500, 0)
	if got := w.list(byEstimate); !slices.Equal(got, []syntax.ATURI{one, two}) {
		t.Errorf("order %v", got)
	}
	w.s.clock.advance(5 * time.Minute)
	w.wantCounted(one, 100, 0) // the newer one replaces the older one
	w.wantCounted(two, 900, 0)
	if got := w.list(byEstimate); !slices.Equal(got, []syntax.ATURI{two, one}) {
		t.Errorf("order %v", got)
	}
	if got := w.list(ProposalFilter{Sort: SortHot}); !slices.Equal(got, []syntax.ATURI{two, one}) {
		t.Errorf("hot order %v", got)
	}
}

func TestAttempt_LapsesByTheClockAlone(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(alice, 1)
	w.put(proposal(t, alice, 1, onAccount(bob), nil))
	w.put(development(t, bob, 1, uri, fields{"goal": value(9000, "USD")}))
	inStage := func(stage lifecycle.Stage) {
		t.Helper()
		for _, s := range lifecycle.Stages() {
			listed := slices.Contains(w.list(ProposalFilter{Sort: SortNew, Stages: []lifecycle.Stage{s}}), uri)
			if listed != (s == stage) {
				t.Errorf("listed as %s: %t, want it as %s", s, listed, stage)
			}
		}
		if got := w.state(uri).Stage.Stage; got != stage {
			t.Errorf("stage %s, want %s", got, stage)
		}
		withGoal := w.list(ProposalFilter{Sort: SortNew, Currency: "USD"})
		if (len(withGoal) == 1) != (stage == lifecycle.StageDevelopment) {
			t.Errorf("with something in USD: %v", withGoal)
		}
	}
	inStage(lifecycle.StageDevelopment)
	if next := w.state(uri).Stage.Next; next == nil || !next.At.Equal(start.Add(lifecycle.AttemptLapse)) {
		t.Errorf("next %+v", next)
	}
	w.s.clock.advance(lifecycle.AttemptLapse - time.Millisecond)
	inStage(lifecycle.StageDevelopment)
	w.s.clock.advance(time.Millisecond)
	inStage(lifecycle.StageProposed)
	// A reader can be asked for an earlier moment, as later pages are.
	mustRead(t, w.s, func(r *Reader) error {
		keys, err := r.At(start).ListProposals(t.Context(),
			ProposalFilter{Sort: SortNew, Stages: []lifecycle.Stage{lifecycle.StageDevelopment}}, nil, 10)
		if len(keys) != 1 {
			t.Errorf("at the start: %v", keys)
		}
		return err
	})
}
