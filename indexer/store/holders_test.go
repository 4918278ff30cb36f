package store

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"
)

// holding are the proposals that are known to hold words, where whatever was found out is
// kept.
func holding(t *testing.T, r *Reader, q string) []syntax.ATURI {
	t.Helper()
	r.crowd.from = 1
	phrases, err := r.crowds(proposalWords).phrases(t.Context(), q, searchTokens)
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.holdersOfAll(t.Context(), proposalWords, phrases)
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.ListProposals(t.Context(), ProposalFilter{Sort: SortNew}, nil, 1000)
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.holding(t.Context(), wordsOfList{holders: found}, all)
	if err != nil {
		t.Fatal(err)
	}
	var out []syntax.ATURI
	for _, k := range in {
		out = append(out, k.URI)
	}
	slices.Sort(out)
	return out
}

// What was found out once is kept, while proposals come, are written anew and go.
func TestHolders_AreTrueWhateverIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	r := rand.New(rand.NewPCG(1, 2))
	texts := map[int]string{}
	vocabulary := []string{"dark", "mode", "export", "light"}
	for range 60 {
		n := r.IntN(12)
		if _, ok := texts[n]; ok && r.IntN(4) == 0 {
			w.delete(proposalURI(alice, n))
			delete(texts, n)
		} else {
			var some []string
			for _, word := range vocabulary {
				if r.IntN(2) == 0 {
					some = append(some, word)
				}
			}
			texts[n] = "Number " + strings.Join(some, " ")
			w.put(proposal(t, alice, n, onAccount(bob), fields{"title": texts[n], "description": "."}))
		}
		for _, q := range []string{"dark ", "mode ", "dark mode ", "export light dark ", "d"} {
			want := []syntax.ATURI(nil)
			for n, text := range texts {
				holds := func(word string) bool { return strings.Contains(text, word) }
				if !slices.ContainsFunc(strings.Fields(q), func(word string) bool { return !holds(" " + word) }) {
					want = append(want, proposalURI(alice, n))
				}
			}
			slices.Sort(want)
			mustRead(t, w.s, func(r *Reader) error {
				if diff := gocmp.Diff(want, holding(t, r.At(start), q)); diff != "" {
					t.Fatalf("%q of %v (-want +got):\n%s", q, texts, diff)
				}
				return nil
			})
		}
	}
}

// Somebody reads the state from before a proposal got other words, while it is known
// already who holds them since.
func TestHolders_AreThoseOfTheStateThatIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	library(t, w, nil, [2]string{"Dark", "."}, [2]string{"Dark", "."})
	both, one := []syntax.ATURI{proposalURI(alice, 0), proposalURI(alice, 1)}, []syntax.ATURI{proposalURI(alice, 0)}
	mustRead(t, w.s, func(before *Reader) error {
		if diff := gocmp.Diff(both, holding(t, before, "dark ")); diff != "" {
			t.Errorf("before (-want +got):\n%s", diff)
		}
		w.put(proposal(t, alice, 1, onAccount(bob), fields{"title": "Light"}))
		w.s.known = newKnown() // as if nobody had asked before
		mustRead(t, w.s, func(after *Reader) error {
			if diff := gocmp.Diff(one, holding(t, after, "dark ")); diff != "" {
				t.Errorf("after (-want +got):\n%s", diff)
			}
			return nil
		})
		before.known = w.s.known
		if diff := gocmp.Diff(both, holding(t, before, "dark ")); diff != "" {
			t.Errorf("before, asked once more (-want +got):\n%s", diff)
		}
		return nil
	})
}

// What few hold is asked for each time, and takes no memory.
func TestHolders_OfACrowdAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	library(t, w, nil, [2]string{"Dark mode", "."}, [2]string{"Dark", "."}, [2]string{"Dark", "."})
	for range 2 {
		mustRead(t, w.s, func(r *Reader) error {
			r.crowd.from = 3
			_, err := r.holdersOfAll(t.Context(), titleWords, []string{`"dark"`, `"mode"`})
			return err
		})
	}
	for phrase, want := range map[string]bool{`"dark"`: true, `"mode"`: false} {
		if _, kept := w.s.known.holders.Get(phraseOf{"title_fts", phrase}); kept != want {
			t.Errorf("%s: kept %t", phrase, kept)
		}
	}
	if w.s.known.holders.Bytes() == 0 {
		t.Error("what is kept takes no memory")
	}
}

// Each time that a proposal is written anew its words get another id, and what is known
// of the last one is of no use any more.
func TestHolders_DoNotCollectWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	for range 30 {
		w.put(proposal(t, alice, 1, onAccount(bob), fields{"title": "Dark"}), proposal(t, alice, 2, onAccount(bob), fields{"title": "Dark"}))
		mustRead(t, w.s, func(r *Reader) error {
			if got := holding(t, r, "dark "); len(got) != 2 {
				t.Fatalf("%v hold the word", got)
			}
			return nil
		})
	}
	found, ok := w.s.known.holders.Get(phraseOf{"proposal_fts", `"dark"`})
	if n := found.rows.GetCardinality(); !ok || n > 10 {
		t.Errorf("%d rows are known of two proposals that were written 30 times", n)
	}
}
