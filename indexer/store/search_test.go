package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// search finds everything for a text, by pages.
func (w *world) search(t tester, q string, f ProposalFilter, limit int) []syntax.ATURI {
	t.Helper()
	var out []syntax.ATURI
	var seen Seen
	for {
		var next *Seen
		mustRead(t, w.s, func(r *Reader) error {
			page, more, err := r.At(start).SearchProposals(t.Context(), q, f, seen, limit)
			out, next = append(out, page...), more
			return err
		})
		if next == nil {
			return out
		}
		seen = *next
	}
}

// library are proposals of alice with titles and texts, in the order of their
// numbers.
func library(t *testing.T, w *world, more fields, texts ...[2]string) {
	t.Helper()
	for n, text := range texts {
		w.put(proposal(t, alice, n, onAccount(bob), fields{"title": text[0], "description": text[1]}.with(more)))
	}
}

func numbers(uris []syntax.ATURI) []int {
	out := []int{}
	for _, uri := range uris {
		for n := 0; ; n++ {
			if uri.RecordKey() == key(n) {
				out = append(out, n)
				break
			}
		}
	}
	return out
}

func TestSearch_FindsAllWordsWhereverTheyStand(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	library(t, w, nil,
		[2]string{"Dark mode", "My eyes hurt."},
		[2]string{"Export", "A dark page when the mode is set."},
		[2]string{"Größere Schrift im Café", "Für müde Augen. C++ and .NET, can't they?"},
		[2]string{"Lists", "NEAR OR AND NOT"},
	)
	w.put(proposal(t, alice, 4, onProject(projectURI(carol, "graysky")), fields{"title": "Sort", "tags": []string{"Bulk-Edit"}}))
	w.put(project(t, carol, "graysky"))
	for q, want := range map[string][]int{
		"dark mode":                          {0, 1}, // the title weighs most
		"MODE dark":                          {0, 1},
		"dar":                                {0, 1}, // the last word may go on
		"dar ":                               {},     // and here it ended
		"dar mode":                           {},
		"dark  dark,mod":                     {0, 1},
		"eyes mode":                          {0},
		"grossere":                           {}, // ß is a letter of its own
		"großere cafe":                       {2},
		"GRÖSSERE":                           {},
		"mude":                               {2},
		"can't":                              {2},
		"c++":                                {2},
		"graysky sort":                       {4},
		"bulk":                               {4},
		"edit-bulk":                          {4},
		"NEAR OR AND":                        {3},
		`"dark" OR "mode"`:                   {},
		"title : dark":                       {},
		"dark*":                              {0, 1},
		"(dark":                              {0, 1},
		"dark) NOT":                          {},
		"-dark":                              {0, 1},
		"^dark":                              {0, 1},
		"dark\x00mode":                       {0, 1},
		"dark\xff\xfemode":                   {0, 1},
		"":                                   {},
		" \t\n":                              {},
		"!?*\"'()-+:^{}\x00":                 {},
		"\u0301":                             {},
		"\u0301 dark \u0301":                 {0, 1},
		"𞤀":                                  {},
		"a":                                  {1, 2, 3}, // a beginning of one letter
		strings.Repeat("dark mode ", 1000):   {0, 1},
		strings.Repeat(`"`, 10_000):          {},
		strings.Repeat("x", 10_000):          {},
		"dark" + strings.Repeat(" (", 5_000): {0, 1},
		"dark " + strings.Repeat("mode-dark ", 30): {0, 1},
	} {
		got := numbers(w.search(t, q, ProposalFilter{}, 50))
		if q != "dark mode" {
			slices.Sort(got)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%.40q (-want +got):\n%s", q, diff)
		}
		listed := numbers(w.list(ProposalFilter{Sort: SortNew, Words: &q}))
		slices.Sort(listed)
		slices.Sort(got)
		if diff := gocmp.Diff(got, listed); diff != "" {
			t.Errorf("%.40q: listed otherwise (-found +listed):\n%s", q, diff)
		}
	}
}

func TestSearch_HiddenAndFutureProposalsAreNotFound(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(
		proposal(t, alice, 1, onAccount(bob), nil), proposal(t, carol, 1, onAccount(bob), nil), proposal(t, dave, 1, onAccount(bob), nil),
		proposal(t, dave, 2, onAccount(bob), fields{"createdAt": at(1)}),
	)
	w.status(alice, AccountTakendown)
	w.delete(proposalURI(carol, 1))
	want := []syntax.ATURI{proposalURI(dave, 1)}
	if diff := gocmp.Diff(want, w.search(t, "dark", ProposalFilter{}, 50)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	mustRead(t, w.s, func(r *Reader) error {
		got, err := r.SearchSimilar(t.Context(), "Dark mode", ProposalFilter{}, 50)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("similar (-want +got):\n%s", diff)
		}
		return err
	})
	w.status(alice, AccountActive)
	if got := w.search(t, "dark", ProposalFilter{}, 50); len(got) != 2 {
		t.Errorf("alice is back, and %v is found", got)
	}
}

func TestSearch_TheFilterNarrows(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	w.put(
		proposal(t, alice, 1, onAccount(bob), fields{"tags": []string{"ui"}}), proposal(t, alice, 2, onURI("https://it.example/"), nil),
		proposal(t, carol, 1, onAccount(bob), nil), estimate(t, dave, 1, proposalURI(carol, 1), 100, "USD", nil),
	)
	for name, c := range map[string]struct {
		f    ProposalFilter
		want []syntax.ATURI
	}{
		"account": {ProposalFilter{Account: bob, Author: alice}, []syntax.ATURI{proposalURI(alice, 1)}},
		"uri":     {ProposalFilter{URI: "https://it.example"}, []syntax.ATURI{proposalURI(alice, 2)}},
		"tag":     {ProposalFilter{Tag: "UI"}, []syntax.ATURI{proposalURI(alice, 1)}},
		"backer":  {ProposalFilter{Backer: dave, Currency: "USD"}, []syntax.ATURI{proposalURI(carol, 1)}},
		"stage":   {ProposalFilter{Stages: []lifecycle.Stage{lifecycle.StageCompleted}}, nil},
	} {
		if diff := gocmp.Diff(c.want, w.search(t, "dark", c.f, 50)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is written between two pages moves the ranks of everything.
func TestSearch_PagesRepeatAndSkipNothing(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	const most = 30
	for n := range most {
		words := strings.Repeat("dark ", 1+n%4) + strings.Repeat("mode ", 1+n%3) + strings.Repeat("filler ", n)
		w.put(proposal(t, alice, n, onAccount(bob), fields{"title": fmt.Sprintf("Dark %d", n), "description": words}))
	}
	shown := map[syntax.ATURI]bool{}
	var seen Seen
	for page := 0; ; page++ {
		var found []syntax.ATURI
		var next *Seen
		mustRead(t, w.s, func(r *Reader) (err error) {
			again, err := ParseSeen(seen.String())
			if err != nil {
				return err
			}
			found, next, err = r.SearchProposals(t.Context(), "dark mode", ProposalFilter{}, again, 4)
			return err
		})
		for _, uri := range found {
			if shown[uri] {
				t.Errorf("page %d repeats %s", page, uri)
			}
			shown[uri] = true
		}
		if next == nil {
			break
		}
		seen = *next
		w.put(proposal(t, carol, page, onAccount(bob), fields{"title": "mode", "description": strings.Repeat("mode dark ", 20*page+1)}))
	}
	for n := range most {
		if !shown[proposalURI(alice, n)] {
			t.Errorf("%d was skipped", n)
		}
	}
}

func TestSearch_EndsAtItsDepth(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	var records []Record
	for n := range SearchDepth + 20 {
		records = append(records, proposal(t, alice, n, onAccount(bob), nil))
	}
	w.apply(w.join(alice).commit(records))
	for _, limit := range []int{SearchDepth, 100, 40} {
		got := w.search(t, "dark", ProposalFilter{}, limit)
		slices.Sort(got)
		if len(got) != SearchDepth || len(slices.Compact(got)) != SearchDepth {
			t.Errorf("by pages of %d: %d found", limit, len(got))
		}
	}
	var full Seen
	for range SearchDepth {
		full.shown = append(full.shown, 1<<31)
	}
	if n := len(full.String()); n > 1024-150 {
		t.Errorf("%d characters are too many for a cursor", n)
	}
}

func TestParseSeen_RefusesWhatNoPageWrote(t *testing.T) {
	for _, text := range []string{"?", "AAA", strings.Repeat("AAAA", SearchDepth+3)} {
		if _, err := ParseSeen(text); err == nil {
			t.Errorf("%.20q is taken", text)
		}
	}
}

func TestSearchSimilar_ComparesTitlesByTheWordsTheyShare(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	library(t, w, nil,
		[2]string{"Dark mode for the editor", "."},
		[2]string{"A dark theme", "editor editor editor"},
		[2]string{"Export to PDF", "dark mode"},
		[2]string{"Import", "."},
	)
	for title, want := range map[string][]int{
		"dark mode in the edit": {0, 1},
		"Export dark things":    {2, 0, 1},
		"unheard of":            {},
		"…":                     {},
		"":                      {},
	} {
		mustRead(t, w.s, func(r *Reader) error {
			got, err := r.SearchSimilar(t.Context(), title, ProposalFilter{Account: bob}, 5)
			if diff := gocmp.Diff(want, numbers(got)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", title, diff)
			}
			return err
		})
	}
}

func FuzzSearch(f *testing.F) {
	s := openTestStore(f, f.TempDir()+"/index.db", trusting, newClock())
	f.Cleanup(func() { mustClose(f, s) })
	w := newWorld(f, s)
	w.put(proposal(f, alice, 1, onAccount(bob), nil))
	for _, q := range []string{"dark", `"`, `a" OR "b`, "NEAR(a b)", "\x00", "title:x*", "é ß 𞤀 हिन्दी", strings.Repeat("( ", 99)} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		found := w.search(t, q, ProposalFilter{}, 5)
		words, _ := splitWords(q, searchWords)
		if len(words) == 0 && len(found) > 0 {
			t.Errorf("%q has no words and finds %v", q, found)
		}
		if _, ok := matchTitle(q); ok != (len(words) > 0) {
			t.Errorf("%q: words for one search and none for the other", q)
		}
		mustRead(t, w.s, func(r *Reader) error {
			_, err := r.SearchSimilar(t.Context(), q, ProposalFilter{}, 5)
			return err
		})
		// A word of the title finds it, whatever stands around it that is no word.
		if len(words) == 0 && !slices.Contains(w.search(t, "dark "+q, ProposalFilter{}, 5), proposalURI(alice, 1)) {
			t.Errorf("%q hides what it stands beside", q)
		}
	})
}
