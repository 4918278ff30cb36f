package store

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// However words are looked for, a list by them has what the list without them has of
// proposals that hold them.
func TestListProposals_ByWordsIsExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	var records []Record
	for n := range 40 {
		title := fmt.Sprintf("Number %d", n)
		if n%3 > 0 {
			title = "Dark " + title
		}
		tag := []string{"odd", "even"}[n%2]
		records = append(records, proposal(t, alice, n, onAccount(bob), fields{"title": title, "description": "Mode.", "tags": []string{tag}}))
	}
	w.apply(w.join(alice).commit(records))
	w.put(
		development(t, bob, 1, proposalURI(alice, 4), nil),
		estimate(t, dave, 1, proposalURI(alice, 7), 2000, "USD", nil), estimate(t, carol, 2, proposalURI(alice, 8), 2500, "USD", nil),
	)
	pages := func(b bounds, f ProposalFilter) (all []Key) {
		var after *Key
		for {
			var page []Key
			mustRead(t, w.s, func(r *Reader) (err error) {
				r = r.At(start)
				r.crowd = b
				page, err = r.ListProposals(t.Context(), f, after, 3)
				return err
			})
			all = append(all, page...)
			if len(page) < 3 {
				return all
			}
			after = &page[2]
		}
	}
	ways := map[string]bounds{
		"followed":     {from: 1, followed: 100},
		"step by step": {from: 1, followed: 1},
		"sorted":       {from: 1, followed: 0},
		"of few":       crowd,
	}
	filters := map[string]ProposalFilter{
		"none": {}, "tag": {Tag: "even"}, "author": {Author: alice}, "stage": {Stages: []lifecycle.Stage{lifecycle.StageProposed}},
	}
	asked := map[string]func(n int) bool{
		"dark":             func(n int) bool { return n%3 > 0 },
		"mode dark":        func(n int) bool { return n%3 > 0 },
		"number dark even": func(n int) bool { return n%3 > 0 && n%2 == 1 },
		"dark 31":          func(n int) bool { return n == 31 },
		"light":            func(int) bool { return false },
	}
	for name, f := range filters {
		for _, sort := range ProposalSorts() {
			f.Sort, f.SortCurrency, f.Words = sort, "USD", nil
			all := pages(crowd, f)
			for q, holds := range asked {
				var want []Key
				for _, k := range all {
					if holds(numbers([]syntax.ATURI{k.URI})[0]) {
						want = append(want, k)
					}
				}
				if len(want) == 0 && q != "light" && q != "dark 31" {
					t.Fatalf("%q by %s, filter %s: nothing", q, sort, name)
				}
				f.Words = &q
				for way, b := range ways {
					if diff := gocmp.Diff(want, pages(b, f)); diff != "" {
						t.Errorf("%q by %s, filter %s, %s (-want +got):\n%s", q, sort, name, way, diff)
					}
				}
			}
		}
	}
}

// Those indexed last may all be hidden, or not pass.
func TestSearch_LooksFurtherWhereTooFewOfACrowdPass(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	library(t, w, nil, [2]string{"Dark", "."}, [2]string{"Dark", "."}, [2]string{"Light", "Dark."}, [2]string{"Light", "Dark."})
	w.put(
		development(t, bob, 1, proposalURI(alice, 0), nil), development(t, bob, 2, proposalURI(alice, 3), nil),
		estimate(t, dave, 1, proposalURI(alice, 1), 2000, "USD", nil), estimate(t, dave, 2, proposalURI(alice, 2), 2000, "USD", nil),
	)
	for n := range 6 {
		w.put(proposal(t, carol, n, onAccount(bob), fields{"title": "Dark", "description": "Dark."}))
	}
	w.status(carol, AccountTakendown)
	for _, c := range []struct {
		f    ProposalFilter
		want []int
	}{
		{ProposalFilter{}, []int{1, 0, 2, 3}}, // in the title, and there what is hot
		{ProposalFilter{Stages: []lifecycle.Stage{lifecycle.StageDevelopment}}, []int{0, 3}},
	} {
		mustRead(t, w.s, func(r *Reader) error {
			r = r.At(start)
			r.crowd.from, r.crowd.front, r.crowd.ahead, r.crowd.reach = 1, 3, 0, 1
			got, _, err := r.SearchProposals(t.Context(), "dark ", c.f, Seen{}, 4)
			if diff := gocmp.Diff(c.want, numbers(got)); diff != "" {
				t.Errorf("in stages %v (-want +got):\n%s", c.f.Stages, diff)
			}
			return err
		})
	}
}

// A title of many words that are each in not too many others would otherwise be
// compared with all of these.
func TestSearchSimilar_ComparesByTheRarestWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	library(t, w, nil,
		[2]string{"Dark export", "."}, [2]string{"Dark", "."}, [2]string{"Dark import", "."}, [2]string{"Export", "."}, [2]string{"Light", "."},
	)
	for from, want := range map[int][]int{
		100: {0, 1, 2, 3},
		5:   {0, 3}, // dark is in three titles, export in two
		3:   {0, 3}, // dark is in too many anyway
		2:   {0},    // both are: a title has to have both
	} {
		mustRead(t, w.s, func(r *Reader) error {
			r.crowd.from = from
			got, err := r.SearchSimilar(t.Context(), "dark export ", ProposalFilter{}, 10)
			found := slices.Sorted(slices.Values(numbers(got)))
			if diff := gocmp.Diff(want, found); diff != "" {
				t.Errorf("where %d are a crowd (-want +got):\n%s", from, diff)
			}
			return err
		})
	}
}

// The words of a title go with it.
func TestTitleWords_AreThoseOfTheRecordsThatAreThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	library(t, w, nil, [2]string{"Dark", "."}, [2]string{"Light", "."})
	w.put(proposal(t, alice, 1, onAccount(bob), fields{"title": "Bright"}))
	w.delete(proposalURI(alice, 0))
	want := []string{fmt.Sprintf("title_fts %s bright title 0 from %d to %d", proposalURI(alice, 1), millis(lifecycle.Beginning), millis(lifecycle.End))}
	if diff := gocmp.Diff(want, dumpWords(t, w.s, "title_fts")); diff != "" {
		t.Errorf("words of titles (-want +got):\n%s", diff)
	}
}
