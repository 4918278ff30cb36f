package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/words"
	"github.com/stratosfund/stratosfund/lexicons"
)

// search finds everything for a text, by pages.
func (w *world) search(t tester, q string, f ProposalFilter, limit int) []syntax.ATURI {
	t.Helper()
	return w.searchAmong(t, crowd.from, q, f, limit)
}

// searchAmong is search where so many are a crowd.
func (w *world) searchAmong(t tester, from int, q string, f ProposalFilter, limit int) []syntax.ATURI {
	t.Helper()
	return w.searchPages(t, from, func(r *Reader, seen Seen) ([]syntax.ATURI, *Seen, error) {
		return r.SearchProposals(t.Context(), q, f, seen, limit)
	})
}

func (w *world) searchPages(t tester, from int, search func(*Reader, Seen) ([]syntax.ATURI, *Seen, error)) []syntax.ATURI {
	t.Helper()
	var out []syntax.ATURI
	var seen Seen
	for {
		var next *Seen
		mustRead(t, w.s, func(r *Reader) error {
			r = r.At(start)
			r.crowd.from = from
			page, more, err := search(r, seen)
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
		for _, from := range []int{crowd.from, 1} {
			if diff := gocmp.Diff(c.want, w.searchAmong(t, from, "dark", c.f, 50)); diff != "" {
				t.Errorf("%s, where %d are a crowd (-want +got):\n%s", name, from, diff)
			}
		}
	}
}

// Of words that very many hold, none says which proposal is meant; the others do.
func TestSearch_WordsOfACrowdRankNothing(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	library(t, w, nil,
		[2]string{"Dark", "Mode of eyes."},
		[2]string{"Export", "Dark mode, dark mode, dark mode."},
		[2]string{"Dark mode", "It would save us many hours of work every week."},
		[2]string{"Mode", "Dark eyes, eyes and eyes again."},
		[2]string{"Mode, dark", "."},
		[2]string{"Lists", "Eyes."},
		[2]string{"Light", "Mode."},
	)
	w.put(estimate(t, dave, 1, proposalURI(alice, 1), 2000, "USD", nil), estimate(t, carol, 1, proposalURI(alice, 2), 2500, "USD", nil))
	for q, want := range map[string][]int{
		"dark mode":          {2, 4, 1, 3, 0}, // first in the title, and there what is hot
		"mode dar":           {2, 4, 1, 3, 0},
		"dark mode eyes":     {3, 0}, // eyes are few
		"dark mode ":         {2, 4, 1, 3, 0},
		"dark mode nothing ": {},
		"eyes mod":           {3, 0}, // still a beginning
	} {
		if diff := gocmp.Diff(want, numbers(w.searchAmong(t, 4, q, ProposalFilter{}, 2))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", q, diff)
		}
		if diff := gocmp.Diff(want, numbers(w.searchAmong(t, 4, q, ProposalFilter{Account: bob}, 2))); diff != "" {
			t.Errorf("%q for bob (-want +got):\n%s", q, diff)
		}
		mustRead(t, w.s, func(r *Reader) error {
			r.crowd.from = 4
			keys, err := r.ListProposals(t.Context(), ProposalFilter{Words: &q, Sort: SortNew}, nil, 50)
			if len(keys) != len(want) {
				t.Errorf("%q: %d listed, and %d found", q, len(keys), len(want))
			}
			return err
		})
	}
}

// No space says where their words end, and people look for words in them.
func TestSearch_FindsWordsInScriptsWithoutSpaces(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	library(t, w, nil,
		[2]string{"请添加暗色模式", "我的眼睛在晚上很疼。"},
		[2]string{"ダークモードに対応してほしい", "夜に目が疲れます。設定で切り替えたいです。"},
		[2]string{"다크 모드를 지원해 주세요", "밤에 눈이 아파요."},
		[2]string{"อยากให้มีโหมดมืด", "แสบตาตอนกลางคืน"},
		[2]string{"Webアプリの通知", "iOS17でも使いたい"},
		[2]string{"हिन्दी में अनुवाद", "सभी पृष्ठ"},
	)
	for q, want := range map[string][]int{
		"暗色":      {0},
		"模式":      {0},
		"暗色模式":    {0},
		"暗模":      {}, // not one after the other
		"暗色 眼睛":   {0},
		"疼":       {0}, // the last before a stop
		"モード":     {1},
		"ダーク 夜":   {1},
		"ﾀﾞｰｸ":    {1},
		"対応し":     {1},
		"夜":       {1},
		"모드":      {2}, // with an ending
		"지원":      {2},
		"눈":       {2},
		"드모":      {},
		"มืด":     {3},
		"โหมด":    {3},
		"มด":      {3}, // in โหมด: too much rather than too little
		"กลางคืน": {3},
		"มี":      {3},
		"web アプリ": {4},
		"通知":      {4},
		"ios17":   {4},
		"अनुवाद":  {5},
		"अनु":     {5},
		"अनव":     {}, // vowels make other words
	} {
		got := numbers(w.search(t, q, ProposalFilter{}, 50))
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", q, diff)
		}
	}
	for title, want := range map[string][]int{"暗色模式的支持": {0}, "ダークモードがほしい": {1}, "โหมดกลางคืน": {3}} {
		mustRead(t, w.s, func(r *Reader) error {
			got, err := r.SearchSimilar(t.Context(), title, ProposalFilter{}, 5)
			if diff := gocmp.Diff(want, numbers(got)); diff != "" {
				t.Errorf("like %q (-want +got):\n%s", title, diff)
			}
			return err
		})
	}
}

func TestSearchProjects_ByNameDescriptionAndTagsBestFirst(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	named := func(owner syntax.DID, slug, name, description string, hoursAgo int, tags ...string) Record {
		tags = append([]string{}, tags...) // a list, also when it is empty
		return mustRecord(t, owner, lexicons.CollectionProject, syntax.RecordKey(slug), fields{
			"name": name, "description": description, "tags": tags, "createdAt": stamp(start.Add(-time.Duration(hoursAgo) * time.Hour)),
		})
	}
	w.put(
		named(alice, "a", "Graysky", "A client for Bluesky.", 4, "client"),
		named(bob, "b", "Deck", "Columns, not a Graysky.", 3, "Bluesky", "desktop"),
		named(carol, "c", "天気予報", "毎日の天気", 2),
		named(dave, "d", "Graysky too", "Graysky, for a desktop.", 1),
		named(dave, "e", "Later", "Graysky", -2),
	)
	a, b, c, d := projectURI(alice, "a"), projectURI(bob, "b"), projectURI(carol, "c"), projectURI(dave, "d")
	search := func(q string, owner syntax.DID, from int) []syntax.ATURI {
		return w.searchPages(t, from, func(r *Reader, seen Seen) ([]syntax.ATURI, *Seen, error) {
			return r.SearchProjects(t.Context(), q, owner, seen, 1)
		})
	}
	for _, k := range []struct {
		q     string
		owner syntax.DID
		crowd int
		want  []syntax.ATURI
	}{
		{"graysky", "", crowd.from, []syntax.ATURI{d, a, b}}, // twice, in the name, in the text
		{"grays", "", crowd.from, []syntax.ATURI{d, a, b}},
		{"grays ", "", crowd.from, nil},
		{"graysky", dave, crowd.from, []syntax.ATURI{d}},
		{"bluesky desktop", "", crowd.from, []syntax.ATURI{b}},
		{"天気", "", crowd.from, []syntax.ATURI{c}},
		{`"NEAR(`, "", crowd.from, nil},
		{"!", "", crowd.from, nil},
		{"graysky", "", 2, []syntax.ATURI{d, a, b}}, // the newer of those with the name
		{"graysky", bob, 2, []syntax.ATURI{b}},
		{"graysky client", "", 2, []syntax.ATURI{a}},
	} {
		if diff := gocmp.Diff(k.want, search(k.q, k.owner, k.crowd)); diff != "" {
			t.Errorf("%q of %q, where %d are a crowd (-want +got):\n%s", k.q, k.owner, k.crowd, diff)
		}
	}
	w.put(named(alice, "a", "Sky", "It is blue.", 4))
	w.status(bob, AccountSuspended)
	w.delete(d)
	if got := search("graysky", "", crowd.from); len(got) > 0 {
		t.Errorf("renamed, hidden and deleted: %v", got)
	}
	w.status(bob, AccountActive)
	if diff := gocmp.Diff([]syntax.ATURI{b}, search("graysky", "", crowd.from)); diff != "" {
		t.Errorf("after bob is back (-want +got):\n%s", diff)
	}
	before := dumpRecordWords(t, w.s, "project_fts")
	if slices.ContainsFunc(before, func(word string) bool { return strings.Contains(word, d.String()) }) {
		t.Errorf("words outlive their project: %v", before)
	}
	if _, err := w.s.Rebuild(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(before, dumpRecordWords(t, w.s, "project_fts")); diff != "" {
		t.Errorf("words (-before +rebuilt):\n%s", diff)
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
		"Export dark things":    {2, 1, 0}, // of one that is shorter more is alike
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
		words := words.Parse(q, searchTokens)
		if len(words) == 0 && len(found) > 0 {
			t.Errorf("%q has no words and finds %v", q, found)
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
