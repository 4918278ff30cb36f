package store

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
)

// A proposal is found by the name that its project has now.
func TestWords_FollowTheProjectsName(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := proposalURI(alice, 1)
	found := func(q string, want bool) {
		t.Helper()
		if got := len(w.search(t, q, ProposalFilter{}, 5)) > 0; got != want {
			t.Errorf("%s finds it: %t", q, got)
		}
	}
	renamed := mustRecord(t, carol, lexicons.CollectionProject, "graysky", fields{"name": "Bluesky"})
	w.put(proposal(t, alice, 1, onProject(projectURI(carol, "graysky")), nil))
	found("graysky", false)
	w.put(project(t, carol, "graysky"))
	found("graysky", true)
	w.put(renamed)
	found("graysky", false)
	found("bluesky dark", true)
	w.status(carol, AccountSuspended)
	found("bluesky", false)
	found("dark", true)
	w.status(carol, AccountActive)
	found("bluesky", true)
	w.put(proposal(t, alice, 1, onAccount(bob), fields{"title": "Light"}))
	found("bluesky", false)
	found("dark", false)
	found("light", true)
	w.delete(uri)
	found("light", false)
	if words := dumpWords(t, w.s, "proposal_fts"); len(words) > 0 {
		t.Errorf("words of nothing: %v", words)
	}
}

// More proposals than one transaction indexes again.
func TestWords_AWideFanOutIsQueued(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	var records []Record
	for n := range reindexAtOnce + 10 {
		records = append(records, proposal(t, alice, n, onProject(projectURI(carol, "graysky")), nil))
	}
	w.apply(w.join(alice).commit(records))
	w.join(carol)
	w.behind = true
	w.put(project(t, carol, "graysky"))
	if n := count(t, w.s, "dirty_words"); n != len(records) {
		t.Fatalf("%d proposals are queued", n)
	}
	mustDrain(t, w.s)
	if n := count(t, w.s, "dirty_words"); n != 0 {
		t.Errorf("%d proposals are left", n)
	}
	q := "graysky"
	if got := len(w.list(ProposalFilter{Sort: SortNew, Words: &q})); got != len(records) {
		t.Errorf("%d found", got)
	}
}

func TestRebuild_FindsTheSameWords(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(proposal(t, alice, 1, onProject(projectURI(carol, "graysky")), nil), project(t, carol, "graysky"), proposal(t, bob, 1, onAccount(carol), nil))
	before := dumpWords(t, w.s, "proposal_fts")
	if len(before) == 0 {
		t.Fatal("no words")
	}
	differences, err := w.s.Rebuild(t.Context(), nil)
	if err != nil || len(differences) > 0 {
		t.Fatalf("rebuild: %v, %v", differences, err)
	}
	if diff := gocmp.Diff(before, dumpWords(t, w.s, "proposal_fts")); diff != "" {
		t.Errorf("words (-before +after):\n%s", diff)
	}
}
