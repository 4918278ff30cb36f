package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The index is a function of the records and statuses (F1): it does not matter
// how they came, and everything derived can be derived again.
func TestF1_OrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		world := func(name string) *world {
			s := openTestStore(rt, filepath.Join(dir, fmt.Sprintf("%d-%s.db", n, name)), trusting, newClock())
			rt.Cleanup(func() { mustClose(rt, s) })
			w := newWorld(rt, s)
			for _, did := range everybody {
				w.join(did)
			}
			return w
		}
		final := newTruth()
		inSequence, behind, replaced := world("sequence"), world("behind"), world("replaced")
		behind.behind = true
		steps := rapid.IntRange(5, 40).Draw(rt, "steps")
		lost := rapid.IntRange(0, steps).Draw(rt, "steps before the stream is lost")
		var written []syntax.ATURI
		for i := range steps {
			s := randomStep(rt, written)
			if s.put != nil {
				written = append(written, s.put.URI())
			}
			if !final.take(s) {
				continue
			}
			inSequence.do(s)
			behind.do(s)
			if i < lost {
				replaced.do(s)
			}
		}
		want := dump(rt, inSequence.s)

		mustDrain(rt, behind.s)
		mustEqual(rt, "derived at the end", want, dump(rt, behind.s))
		arriveShuffled(rt, world("shuffled"), final, want)
		replaceAll(rt, replaced, final, want)
		rebuild(rt, inSequence, want)
	})
}

func mustEqual(t *rapid.T, how string, want, got []string) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-in sequence +got):\n%s", how, diff)
	}
}

// arriveShuffled lets only the last versions arrive, in another order.
func arriveShuffled(t *rapid.T, w *world, final *truth, want []string) {
	t.Helper()
	var steps []step
	for _, r := range sortedRecords(final) {
		steps = append(steps, step{put: &r})
	}
	for _, did := range everybody {
		if status := final.status[did]; status != "" && status != AccountActive {
			steps = append(steps, step{did: did, status: status})
		}
	}
	for _, s := range rapid.Permutation(steps).Draw(t, "order") {
		w.do(s)
	}
	mustEqual(t, "final versions in another order", want, dump(t, w.s))
}

// replaceAll makes a store that lost the stream hold the last versions.
func replaceAll(t *rapid.T, w *world, final *truth, want []string) {
	t.Helper()
	for _, did := range rapid.Permutation(everybody).Draw(t, "order of resyncs") {
		status := cmp.Or(final.status[did], AccountActive)
		w.apply(Change{Kind: ChangeAccount, DID: did, Status: status})
		p := w.join(did)
		clear(p.records)
		for uri, r := range final.records {
			if r.DID == did {
				p.records[uri] = r
			}
		}
		p.rev++
		w.resync(did)
	}
	mustEqual(t, "by resyncs", want, dump(t, w.s))
}

// rebuild derives everything again from nothing.
func rebuild(t *rapid.T, w *world, want []string) {
	t.Helper()
	err := w.s.update(t.Context(), "rebuild", func(ctx context.Context, tx *tx) error {
		for _, table := range derivedTables {
			if err := tx.exec(t.Context(), `DELETE FROM `+table); err != nil {
				return err
			}
		}
		return tx.dirtyEverything(t.Context())
	})
	if err != nil {
		t.Fatalf("rebuild: %v", err)
	}
	mustDrain(t, w.s)
	mustEqual(t, "derived again", want, dump(t, w.s))
}

func sortedRecords(m *truth) []Record {
	return slices.SortedFunc(maps.Values(m.records), func(a, b Record) int { return cmp.Compare(a.URI(), b.URI()) })
}
