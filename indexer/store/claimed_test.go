package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// team makes a project that lists the pages, with maintainers.
func team(t tester, owner syntax.DID, slug string, maintainers ...syntax.DID) Record {
	t.Helper()
	dids := []fields{}
	for _, did := range maintainers {
		dids = append(dids, fields{"did": did.String()})
	}
	return mustRecord(t, owner, lexicons.CollectionProject, syntax.RecordKey(slug), fields{
		"name": slug, "uris": []fields{{"kind": "website", "uri": itsPages.String()}}, "maintainers": dids,
	})
}

// claimJob is the check of a claim on the pages, due or not.
func claimJob(project syntax.ATURI) ClaimJob { return ClaimJob{Project: project, URI: itsPages} }

// belongs are the places where a reader sees that a proposal is a project's.
func (w *world) belongs(t *testing.T, name string, project, proposal syntax.ATURI) (places []string) {
	t.Helper()
	for _, sort := range ProposalSorts() {
		if slices.Contains(w.list(ProposalFilter{Project: project, Sort: sort, SortCurrency: "USD"}), proposal) {
			places = append(places, string(sort))
		}
	}
	if slices.Contains(w.list(ProposalFilter{Words: &name, Sort: SortNew}), proposal) {
		places = append(places, "words")
	}
	mustRead(t, w.s, func(r *Reader) error {
		for place, search := range map[string]func() ([]syntax.ATURI, error){
			"search": func() ([]syntax.ATURI, error) {
				found, _, err := r.SearchProposals(t.Context(), name, ProposalFilter{}, Seen{}, 50)
				return found, err
			},
			"search in it": func() ([]syntax.ATURI, error) {
				found, _, err := r.SearchProposals(t.Context(), "dark", ProposalFilter{Project: project}, Seen{}, 50)
				return found, err
			},
			"similar": func() ([]syntax.ATURI, error) {
				return r.SearchSimilar(t.Context(), "dark", ProposalFilter{Project: project}, 50)
			},
		} {
			found, err := search()
			if err != nil {
				return err
			}
			if slices.Contains(found, proposal) {
				places = append(places, place)
			}
		}
		states, err := r.ProjectStates(t.Context(), []syntax.ATURI{project})
		if state := states[project]; state != nil && state.Proposals > 0 {
			places = append(places, fmt.Sprint("count ", state.Proposals))
		}
		return err
	})
	slices.Sort(places)
	return places
}

func everywhere() []string {
	places := append(texts(ProposalSorts()), "words", "search", "search in it", "similar", "count 1")
	slices.Sort(places)
	return places
}

func (w *world) wantBelonging(t *testing.T, name string, project, proposal syntax.ATURI, want bool) {
	t.Helper()
	var places []string
	if want {
		places = everywhere()
	}
	if diff := gocmp.Diff(places, w.belongs(t, name, project, proposal)); diff != "" {
		t.Errorf("%s of %s (-want +got):\n%s", proposal, project, diff)
	}
}

func TestR4_AVerifiedClaimDecidesUntilItIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		lose, find func(*world, syntax.ATURI)
	}{
		"disproven":         {func(w *world, p syntax.ATURI) { w.disprove(claimJob(p)) }, nil},
		"expired":           {func(w *world, p syntax.ATURI) { w.s.clock.advance(7 * 24 * time.Hour) }, nil},
		"listed no more":    {func(w *world, p syntax.ATURI) { w.put(living(w.t, bob, "graysky")) }, func(w *world, p syntax.ATURI) { w.put(team(w.t, bob, "graysky")) }},
		"project deleted":   {func(w *world, p syntax.ATURI) { w.delete(p) }, func(w *world, p syntax.ATURI) { w.put(team(w.t, bob, "graysky")) }},
		"another subject":   {func(w *world, p syntax.ATURI) { w.put(proposal(w.t, carol, 1, onAccount(dave), nil)) }, func(w *world, p syntax.ATURI) { w.put(proposal(w.t, carol, 1, onURI("https://it.example/"), nil)) }},
		"owner is hidden":   {func(w *world, p syntax.ATURI) { w.status(bob, AccountSuspended) }, func(w *world, p syntax.ATURI) { w.status(bob, AccountActive) }},
		"outdone by a repo": {func(w *world, p syntax.ATURI) { w.proveOther() }, func(w *world, p syntax.ATURI) { w.delete(projectURI(dave, "other")) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newTestStore(t))
			p, about := projectURI(bob, "graysky"), proposalURI(carol, 1)
			w.put(proposal(t, carol, 1, onURI("https://www.it.example/#top"), nil), development(t, bob, 1, about, nil), team(t, bob, "graysky"))
			w.wantStage(about, lifecycle.StageProposed)
			w.wantBelonging(t, "graysky", p, about, false)

			w.prove(claimJob(p), lifecycle.ClaimByHost)
			w.wantStage(about, lifecycle.StageDevelopment)
			w.wantBelonging(t, "graysky", p, about, true)

			c.lose(w, p)
			w.wantStage(about, lifecycle.StageProposed)
			w.wantBelonging(t, "graysky", p, about, false)

			if c.find != nil {
				c.find(w, p)
			}
			w.prove(claimJob(p), lifecycle.ClaimByHost)
			w.wantStage(about, lifecycle.StageDevelopment)
			w.wantBelonging(t, "graysky", p, about, true)
			w.wantRebuilt(t)
		})
	}
}

// proveOther is a project of dave with the better proof.
func (w *world) proveOther() {
	w.t.Helper()
	other := projectURI(dave, "other")
	w.put(team(w.t, dave, "other"))
	w.prove(claimJob(other), lifecycle.ClaimByRepository)
}

// wantRebuilt wants a rebuild to change nothing.
func (w *world) wantRebuilt(t tester) {
	t.Helper()
	before := dumpWords(t, w.s, "proposal_fts")
	differences, err := w.s.Rebuild(t.Context(), nil)
	if err != nil || len(differences) > 0 {
		t.Fatalf("a rebuild found %v, %v", differences, err)
	}
	if diff := gocmp.Diff(before, dumpWords(t, w.s, "proposal_fts")); diff != "" {
		t.Fatalf("words (-before +rebuilt):\n%s", diff)
	}
}

// One project takes over from another when the clock says so, and nobody edits a
// row.
func TestR4_TheProjectOfAnAddressChangesWithTheClockAlone(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	first, second, about := projectURI(alice, "firstly"), projectURI(bob, "secondly"), proposalURI(carol, 1)
	w.put(proposal(t, carol, 1, onURI(itsPages.String()), nil), team(t, alice, "firstly"), team(t, bob, "secondly"))
	w.prove(claimJob(first), lifecycle.ClaimByHost)
	w.s.clock.advance(time.Hour)
	w.prove(claimJob(second), lifecycle.ClaimByHost)
	for _, step := range []struct {
		after         time.Duration
		first, second bool
	}{
		{0, true, false}, // of two the earliest
		{7*24*time.Hour - time.Hour - time.Millisecond, true, false},
		{time.Millisecond, false, true},
		{time.Hour, false, false},
	} {
		w.s.clock.advance(step.after)
		w.wantBelonging(t, "firstly", first, about, step.first)
		w.wantBelonging(t, "secondly", second, about, step.second)
	}
	w.wantRebuilt(t)
}

func TestWords_FollowTheNameOfAClaimingProject(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p, about := projectURI(bob, "p"), proposalURI(carol, 1)
	named := func(name string) Record {
		return mustRecord(t, bob, lexicons.CollectionProject, "p", fields{"name": name, "uris": []fields{{"kind": "website", "uri": itsPages.String()}}})
	}
	w.put(proposal(t, carol, 1, onURI(itsPages.String()), nil), named("Graysky"))
	w.prove(claimJob(p), lifecycle.ClaimByHost)
	w.wantBelonging(t, "graysky", p, about, true)
	w.put(named("Bluesky"))
	w.wantBelonging(t, "bluesky", p, about, true)
	if got := w.search(t, "graysky", ProposalFilter{}, 5); len(got) > 0 {
		t.Errorf("the old name finds %v", got)
	}
	w.status(carol, AccountDeactivated)
	w.wantBelonging(t, "bluesky", p, about, false)
	w.status(carol, AccountActive)
	w.wantBelonging(t, "bluesky", p, about, true)
	w.delete(about)
	if n := count(t, w.s, "wording") + count(t, w.s, "claimed") + len(dumpWords(t, w.s, "proposal_fts")); n != 0 {
		t.Errorf("%d rows outlive the proposal", n)
	}
}

// Pages of a project's list go through both kinds of its proposals in one order.
func TestListProposals_MixesWhatNamesAProjectWithWhatItClaims(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := projectURI(bob, "p")
	w.put(team(t, bob, "p"))
	w.prove(claimJob(p), lifecycle.ClaimByHost)
	var want []syntax.ATURI
	for n := range 9 {
		subject := onProject(p)
		if n%3 == 1 {
			subject = onURI(itsPages.String())
		}
		w.put(proposal(t, carol, n, subject, fields{"createdAt": stamp(start.Add(-time.Duration(n/2) * time.Hour))}))
		want = append(want, proposalURI(carol, n))
	}
	w.put(proposal(t, carol, 9, onURI("https://other.example"), nil), proposal(t, carol, 10, onAccount(bob), nil))
	for _, sort := range ProposalSorts() {
		var got []Key
		var after *Key
		for {
			var keys []Key
			mustRead(t, w.s, func(r *Reader) (err error) {
				keys, err = r.ListProposals(t.Context(), ProposalFilter{Project: p, Sort: sort, SortCurrency: "USD"}, after, 2)
				return err
			})
			if len(keys) > 2 {
				t.Fatalf("%s: a page of %d", sort, len(keys))
			}
			got = append(got, keys...)
			if len(keys) < 2 {
				break
			}
			after = &keys[1]
		}
		if !slices.IsSortedFunc(got, func(a, b Key) int { return -compareKeys(a, b) }) {
			t.Errorf("%s: out of order: %v", sort, got)
		}
		uris := []syntax.ATURI{}
		for _, k := range got {
			uris = append(uris, k.URI)
		}
		slices.Sort(uris)
		if diff := gocmp.Diff(slices.Sorted(slices.Values(want)), uris); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sort, diff)
		}
	}
}

// Until it is derived again, a proposal that named an address and names its
// project now is listed once.
func TestListProposals_ListsOnceWhatWasClaimedAndNamesTheProjectNow(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p := projectURI(bob, "p")
	w.put(team(t, bob, "p"), proposal(t, carol, 1, onURI(itsPages.String()), nil))
	w.prove(claimJob(p), lifecycle.ClaimByHost)
	w.behind = true
	w.put(proposal(t, carol, 1, onProject(p), nil))
	if got := w.list(ProposalFilter{Project: p, Sort: SortNew}); len(got) != 1 {
		t.Errorf("listed %v", got)
	}
	mustDrain(t, w.s)
	if got := w.list(ProposalFilter{Project: p, Sort: SortNew}); len(got) != 1 {
		t.Errorf("listed %v", got)
	}
}

func TestRebuild_FindsWordsOfAClaimThatNeverWas(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	p, about := projectURI(bob, "graysky"), proposalURI(carol, 1)
	w.put(team(t, bob, "graysky"), proposal(t, carol, 1, onURI(itsPages.String()), nil))
	mustExec(t, w.s, `INSERT INTO claimed (proposal_uri, from_at, to_at, project) VALUES ($1, $2, $3, $4)`,
		about, start.UnixMilli(), start.Add(time.Hour).UnixMilli(), p)
	differences, err := w.s.Rebuild(t.Context(), nil)
	if want := []Difference{{Table: "claimed", Lost: 1}}; err != nil || !gocmp.Equal(differences, want) {
		t.Errorf("a rebuild found %v, %v", differences, err)
	}
	w.wantBelonging(t, "graysky", p, about, false)
	w.wantRebuilt(t)
}

// claimedWork is a proposal about the pages with work by bob that alice paid for,
// and another proposal, which alice estimates high.
func claimedWork(t *testing.T, receipts ...Record) (w *world, other syntax.ATURI) {
	t.Helper()
	w = newWorld(t, newTestStore(t))
	one, two := proposalURI(carol, 1), proposalURI(carol, 2)
	w.put(proposal(t, carol, 1, onURI(itsPages.String()), nil), proposal(t, carol, 2, onAccount(dave), nil))
	w.put(development(t, bob, 1, one, nil), estimate(t, alice, 1, two, 50_000, "USD", nil))
	w.put(receipts...)
	w.put(receipt(t, escrow, alice, 1, developmentURI(bob, 1), 10_000, "USD", "released", nil))
	w.wantCounted(two, 20_000, 20_000)
	return w, two
}

func TestR2_WorkOfTheClaimingProjectIsItsTeamsOwn(t *testing.T) {
	by := func(owner syntax.DID) syntax.ATURI { return projectURI(owner, "p") }
	for name, c := range map[string]struct {
		own  func(*testing.T, *world)
		lose func(*testing.T, *world)
	}{
		"its owner's, until it is disproven": {
			func(t *testing.T, w *world) {
				w.put(team(t, alice, "p"))
				w.wantCounted(proposalURI(carol, 2), 20_000, 20_000) // listing it is not enough
				w.prove(claimJob(by(alice)), lifecycle.ClaimByHost)
			},
			func(t *testing.T, w *world) { w.disprove(claimJob(by(alice))) },
		},
		"a maintainer's, until she is none": {
			func(t *testing.T, w *world) {
				w.put(team(t, dave, "p"))
				w.prove(claimJob(by(dave)), lifecycle.ClaimByHost)
				w.wantCounted(proposalURI(carol, 2), 20_000, 20_000)
				w.put(team(t, dave, "p", alice))
			},
			func(t *testing.T, w *world) { w.put(team(t, dave, "p")) },
		},
		"a maintainer's, until the project is hidden": {
			func(t *testing.T, w *world) {
				w.put(team(t, dave, "p", alice))
				w.prove(claimJob(by(dave)), lifecycle.ClaimByHost)
			},
			func(t *testing.T, w *world) { w.status(dave, AccountDeactivated) },
		},
		"a maintainer's, until the project is gone": {
			func(t *testing.T, w *world) {
				w.put(team(t, dave, "p", alice))
				w.prove(claimJob(by(dave)), lifecycle.ClaimByHost)
			},
			func(t *testing.T, w *world) { w.delete(by(dave)) },
		},
		"its owner's, until a better claim was there all along": {
			func(t *testing.T, w *world) {
				w.put(team(t, alice, "p"))
				w.prove(claimJob(by(alice)), lifecycle.ClaimByHost)
			},
			func(t *testing.T, w *world) {
				w.put(team(t, dave, "p"))
				w.prove(claimJob(by(dave)), lifecycle.ClaimByRepository)
			},
		},
	} {
		for pinned, receipts := range map[string][]Record{
			"development": nil,
			// The campaign alone says what the money was for.
			"campaign": {campaign(t, escrow, developmentURI(bob, 1), proposalURI(carol, 1), payees(bob)), development(t, bob, 1, proposalURI(carol, 2), nil)},
		} {
			t.Run(name+" by "+pinned, func(t *testing.T) {
				t.Parallel()
				w, other := claimedWork(t, receipts...)
				c.own(t, w)
				w.wantCounted(other, 2500, 0)
				w.wantRebuilt(t)
				c.lose(t, w)
				w.wantCounted(other, 20_000, 20_000)
			})
		}
	}
}

func TestF5_HiddenRecordsMakeNoWorkTheClaimantsOwn(t *testing.T) {
	w, _ := claimedWork(t)
	w.put(team(t, alice, "p"))
	w.prove(claimJob(projectURI(alice, "p")), lifecycle.ClaimByHost)
	for _, did := range []syntax.DID{bob, carol} { // whose work it is, and whose proposal
		for status, want := range map[AccountStatus]bool{AccountDeactivated: true, AccountActive: false} {
			w.status(did, status)
			mustRead(t, w.s, func(r *Reader) error {
				if _, ok, err := r.Standing(t.Context(), alice, "USD"); err != nil || ok != want {
					t.Errorf("%s is %s: a standing %t, %v", did, status, ok, err)
				}
				return nil
			})
		}
		w.status(did, AccountActive)
	}
}

// No clock moves a cap: what was the team's own work stays so.
func TestR2_WorkStaysTheTeamsOwnWhenTheClaimExpires(t *testing.T) {
	w, other := claimedWork(t)
	w.put(team(t, alice, "p"))
	w.prove(claimJob(projectURI(alice, "p")), lifecycle.ClaimByHost)
	w.s.clock.advance(8 * 24 * time.Hour)
	w.wantCounted(other, 2500, 0)
	w.wantRebuilt(t)
	w.wantCounted(other, 2500, 0)
}

// Whatever happens to claims, records and accounts, in whatever order: what was
// derived step by step is what follows from all of it.
func TestF1_ARebuildFindsWhatClaimsDecidedStepByStep(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := openTestStore(rt, filepath.Join(dir, fmt.Sprintf("%d.db", n)), trusting, newClock())
		rt.Cleanup(func() { mustClose(rt, s) })
		w := newWorld(rt, s)
		for _, did := range everybody {
			w.join(did)
		}
		final := newTruth()
		var written []syntax.ATURI
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			w.behind = rapid.Bool().Draw(rt, "behind")
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				randomTeam(rt, w, final)
			case 1, 2:
				randomFinding(rt, w)
			default:
				st := randomStep(rt, written)
				if st.put != nil {
					written = append(written, st.put.URI())
				}
				if final.take(st) {
					w.do(st)
				}
			}
		}
		mustDrain(rt, w.s)
		w.wantRebuilt(rt)
	})
}

// randomTeam writes a project that lists the pages.
func randomTeam(t *rapid.T, w *world, final *truth) {
	maintainers := rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, 2, rapid.ID).Draw(t, "maintainers")
	r := team(t, pick(t, people, "owner"), "p", maintainers...)
	if st := (step{put: &r}); final.take(st) {
		w.do(st)
	}
}

// randomFinding lets time pass, and some claim be checked.
func randomFinding(t *rapid.T, w *world) {
	w.s.clock.advance(pick(t, []time.Duration{0, time.Minute, 25 * time.Hour, 8 * 24 * time.Hour}, "later"))
	job := ClaimJob{Project: projectURI(pick(t, people, "whose claim"), "p"), URI: weburi.URI("https://it.example")}
	switch rapid.IntRange(0, 3).Draw(t, "finding") {
	case 0:
		w.disprove(job)
	case 1:
		w.prove(job, lifecycle.ClaimByRepository)
	default:
		w.prove(job, lifecycle.ClaimByHost)
	}
}
