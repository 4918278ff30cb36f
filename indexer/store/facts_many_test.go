package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// verdict is all that lifecycle says of a proposal.
type verdict struct {
	Stages        []lifecycle.Interval
	Funding       []lifecycle.FundingInterval
	Project       lifecycle.Project
	Answer        lifecycle.Response
	Attempts      []lifecycle.AttemptState
	Estimates     []lifecycle.Counting
	Pledges       []lifecycle.Payment
	Donations     []lifecycle.Payment
	Disputes      []lifecycle.DisputeState
	Verifications []lifecycle.VerificationState
	Warnings      []lifecycle.Warning
	May           map[syntax.DID][]lifecycle.Permission
}

func judge(f lifecycle.Facts, now time.Time) verdict {
	v := verdict{
		Stages: lifecycle.Evaluate(f), Attempts: lifecycle.AttemptsAt(f, now), Estimates: lifecycle.CountEstimates(f, now),
		Pledges: lifecycle.PledgesAt(f, now), Donations: lifecycle.DonationsAt(f, now),
		Disputes: lifecycle.DisputesAt(f, now), Verifications: lifecycle.VerificationsAt(f, now),
		Warnings: lifecycle.WarningsAt(f, now), May: map[syntax.DID][]lifecycle.Permission{},
	}
	v.Funding = lifecycle.EvaluateFunding(f, v.Stages, now)
	v.Project, _ = lifecycle.ProjectAt(f, now)
	v.Answer, _ = lifecycle.AnswerAt(f, now)
	for _, did := range everybody {
		v.May[did] = lifecycle.MayAt(f, now, did)
	}
	return v
}

// shown is what FactsShown must be enough for.
func (v verdict) shown() verdict {
	return verdict{Stages: v.Stages, Project: v.Project, Answer: v.Answer, Attempts: v.Attempts, Warnings: v.Warnings}
}

// withRecord picks an account's payments, but for those whose record is gone:
// FactsOfBacker need not find them.
func withRecord(payments []lifecycle.Payment, payer syntax.DID) (out []lifecycle.Payment) {
	for _, p := range payments {
		if p.Recorded && p.Payer == payer {
			out = append(out, p)
		}
	}
	return out
}

func countedBy(estimates []lifecycle.Counting, author syntax.DID) (out []lifecycle.Counting) {
	for _, e := range estimates {
		if e.Author == author {
			out = append(out, e)
		}
	}
	return out
}

// What is loaded for many proposals, with sums of estimates, says of each what is
// loaded for it alone, with each single estimate.
func TestFactsOf_DecideAsThoseOfOneProposalDo(t *testing.T) {
	t.Parallel()
	dir, runs := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		s := openTestStore(rt, filepath.Join(dir, fmt.Sprintf("%d.db", runs)), trusting, newClock())
		defer mustClose(rt, s)
		w, m := newWorld(rt, s), newTruth()
		var written []syntax.ATURI
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			st := randomStep(rt, written)
			if !m.take(st) {
				continue
			}
			if st.put != nil {
				written = append(written, st.put.URI())
			}
			w.do(st)
		}
		var uris []syntax.ATURI
		for _, did := range people {
			uris = append(uris, proposalURI(did, 1), proposalURI(did, 2))
		}
		later := rapid.SampledFrom([]time.Duration{0, 30 * 24 * time.Hour, 100 * 24 * time.Hour}).Draw(rt, "later")
		mustRead(rt, s, func(r *Reader) error {
			r = r.At(r.Now().Add(later)) // money is overdue
			many, err := r.FactsOf(rt.Context(), uris)
			if err != nil {
				return err
			}
			shown, err := r.FactsShown(rt.Context(), uris)
			if err != nil {
				return err
			}
			for _, uri := range uris {
				one, err := r.FactsWithEstimates(rt.Context(), uri)
				facts, ok := many[uri]
				if (err == nil) != ok {
					rt.Fatalf("%s is there: %t, among many: %t", uri, err == nil, ok)
				}
				if _, there := shown[uri]; there != ok {
					rt.Fatalf("%s is there: %t, shown: %t", uri, ok, there)
				}
				if !ok {
					continue
				}
				want := judge(one, r.Now())
				all := want.Estimates
				want.Estimates = lifecycle.CountEstimates(facts, r.Now()) // has no other
				if diff := gocmp.Diff(want, judge(facts, r.Now()), cmpopts.EquateEmpty()); diff != "" {
					rt.Fatalf("%s (-alone +among many):\n%s", uri, diff)
				}
				if diff := gocmp.Diff(want.shown(), judge(shown[uri], r.Now()).shown(), cmpopts.EquateEmpty()); diff != "" {
					rt.Fatalf("%s (-all +shown):\n%s", uri, diff)
				}
				for _, did := range everybody {
					own, err := r.FactsOfBacker(rt.Context(), did, uris)
					if err != nil {
						return err
					}
					if diff := gocmp.Diff(countedBy(all, did), lifecycle.CountEstimates(own[uri], r.Now()), cmpopts.EquateEmpty()); diff != "" {
						rt.Fatalf("estimates of %s for %s (-all +own):\n%s", did, uri, diff)
					}
					if diff := gocmp.Diff(withRecord(want.Pledges, did), withRecord(lifecycle.PledgesAt(own[uri], r.Now()), did), cmpopts.EquateEmpty()); diff != "" {
						rt.Fatalf("pledges of %s for %s (-all +own):\n%s", did, uri, diff)
					}
				}
			}
			return nil
		})
	})
}

func TestFactsOf_StatementsDoNotGrowAndReadNoWholeTable(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	uris := []syntax.ATURI{l.proposal}
	for n := 2; n <= 100; n++ {
		l.put(proposal(t, carol, n, onURI(fmt.Sprintf("https://it.example/%d", n)), nil))
		uris = append(uris, proposalURI(carol, n))
	}
	for name, load := range map[string]func(*Reader, []syntax.ATURI) error{
		"facts":   func(r *Reader, uris []syntax.ATURI) error { _, err := r.FactsOf(t.Context(), uris); return err },
		"shown":   func(r *Reader, uris []syntax.ATURI) error { _, err := r.FactsShown(t.Context(), uris); return err },
		"answers": func(r *Reader, uris []syntax.ATURI) error { _, err := r.AnswersTo(t.Context(), uris); return err },
		"backer": func(r *Reader, uris []syntax.ATURI) error {
			_, err := r.FactsOfBacker(t.Context(), dave, uris)
			return err
		},
		"projects":   func(r *Reader, uris []syntax.ATURI) error { _, err := r.ProjectsOf(t.Context(), uris); return err },
		"duplicates": func(r *Reader, uris []syntax.ATURI) error { _, err := r.Duplicates(t.Context(), uris, 5); return err },
	} {
		one := record(t, l.s, func(r *Reader) error { return load(r, uris[:1]) })
		all := record(t, l.s, func(r *Reader) error { return load(r, uris) })
		if len(one) != len(all) || len(all) == 0 {
			t.Errorf("%s: %d statements for one proposal, %d for %d", name, len(one), len(all), len(uris))
		}
		for _, st := range all {
			details := plan(t, l.s, st.query, st.args...)
			whole := slices.DeleteFunc(tableScans(details), argument)
			if len(whole) > 0 {
				t.Errorf("%s: %s\n%s", name, st.query, whole)
			}
		}
	}
}

func TestR4_FactsOfAnAddressHoldItsClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.put(living(t, alice, "p", "website https://it.example/"), proposal(t, bob, 1, onURI("http://www.it.example"), nil))
	w.prove(w.take(projectURI(alice, "p"), "https://it.example"), lifecycle.ClaimByHost)
	mustRead(t, w.s, func(r *Reader) error {
		projects, err := r.ProjectsOf(t.Context(), []syntax.ATURI{proposalURI(bob, 1)})
		if got := projects[proposalURI(bob, 1)]; got != projectURI(alice, "p") {
			t.Errorf("the project is %q", got)
		}
		return err
	})
}

// argument: the elements of an argument are gone through, as they should be.
func argument(detail string) bool { return strings.HasPrefix(detail, "SCAN json_each") }

// Only an answer that can stand makes a candidate: the proposal was declined.
func TestR6_DuplicatesAreDeclinedAndSaidToBeOfTheProposal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	original := proposalURI(carol, 1)
	duplicate := fields{"duplicateOf": original.String()}
	w.put(
		proposal(t, carol, 1, onAccount(bob), nil),
		proposal(t, carol, 2, onAccount(bob), nil), response(t, bob, 2, proposalURI(carol, 2), "duplicate", duplicate.with(fields{"createdAt": at(-2)})),
		proposal(t, carol, 3, onAccount(bob), nil), response(t, bob, 3, proposalURI(carol, 3), "duplicate", duplicate.with(fields{"createdAt": at(-1)})),
		proposal(t, carol, 4, onAccount(bob), nil), response(t, shady, 4, proposalURI(carol, 4), "duplicate", duplicate), // not bob
		proposal(t, carol, 5, onAccount(bob), nil), response(t, bob, 5, proposalURI(carol, 5), "declined", nil),
	)
	duplicates := func(limit int) (out []syntax.ATURI) {
		mustRead(t, w.s, func(r *Reader) error {
			found, err := r.Duplicates(t.Context(), []syntax.ATURI{original}, limit)
			for _, d := range found {
				out = append(out, d.Proposal)
			}
			return err
		})
		return out
	}
	if got, want := duplicates(5), []syntax.ATURI{proposalURI(carol, 3), proposalURI(carol, 2)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := duplicates(1); len(got) != 1 || got[0] != proposalURI(carol, 3) {
		t.Errorf("the latest of them is %v", got)
	}
}
