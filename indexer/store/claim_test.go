package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

const (
	itsRepository weburi.URI = "https://git.example/it"
	itsPages      weburi.URI = "https://it.example"
)

// living makes a project that lists addresses, each a kind and an address.
func living(t tester, owner syntax.DID, slug string, addresses ...string) Record {
	t.Helper()
	uris := []fields{}
	for _, a := range addresses {
		kind, uri, _ := strings.Cut(a, " ")
		uris = append(uris, fields{"kind": kind, "uri": uri})
	}
	return mustRecord(t, owner, lexicons.CollectionProject, syntax.RecordKey(slug), fields{"name": slug, "uris": uris})
}

// claims are those of a project, without what only bookkeeping needs.
func (w *world) claims(project syntax.ATURI) []ProjectClaim {
	w.t.Helper()
	var out []ProjectClaim
	mustRead(w.t, w.s, func(r *Reader) error {
		all, err := r.ProjectClaims(w.t.Context(), []syntax.ATURI{project})
		out = all[project]
		return err
	})
	return out
}

func (w *world) claimed(uri weburi.URI) []Claim {
	w.t.Helper()
	var out []Claim
	mustRead(w.t, w.s, func(r *Reader) (err error) {
		out, err = r.Claims(w.t.Context(), uri)
		return err
	})
	return out
}

// take takes the next claim, which must be this one.
func (w *world) take(project syntax.ATURI, uri weburi.URI) ClaimJob {
	w.t.Helper()
	job, ok, err := w.s.TakeClaim(w.t.Context(), time.Minute)
	if err != nil || !ok || job.Project != project || job.URI != uri {
		w.t.Fatalf("took %+v, %t, %v; want %s of %s", job, ok, err, uri, project)
	}
	return job
}

func (w *world) nothingToTake() {
	w.t.Helper()
	if job, ok, err := w.s.TakeClaim(w.t.Context(), time.Minute); ok || err != nil {
		w.t.Fatalf("took %+v, %v", job, err)
	}
}

func (w *world) prove(job ClaimJob, method ClaimMethod) {
	w.t.Helper()
	now := w.s.clock.Now()
	if err := w.s.ClaimProven(w.t.Context(), job, method, now.Add(7*24*time.Hour), now.Add(24*time.Hour)); err != nil {
		w.t.Fatalf("prove %s: %v", job.URI, err)
	}
}

func (w *world) disprove(job ClaimJob) {
	w.t.Helper()
	if err := w.s.ClaimDisproven(w.t.Context(), job, "there is nothing", w.s.clock.Now().Add(time.Hour)); err != nil {
		w.t.Fatalf("disprove %s: %v", job.URI, err)
	}
}

func (w *world) undecided(job ClaimJob) {
	w.t.Helper()
	if err := w.s.ClaimUndecided(w.t.Context(), job, "nobody answers", w.s.clock.Now().Add(time.Hour)); err != nil {
		w.t.Fatalf("put %s off: %v", job.URI, err)
	}
}

func TestR4_AClaimIsThereAsLongAsTheProjectListsTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := projectURI(alice, "p")
	uris := func() (out []weburi.URI) {
		for _, c := range w.claims(p) {
			out = append(out, c.URI)
		}
		return out
	}
	w.put(living(t, alice, "p", "website http://www.it.example/", "website https://it.example", "repository https://git.example/it.git", "website https://git.example/it/"))
	if diff := cmp.Diff([]weburi.URI{itsRepository, itsPages}, uris()); diff != "" {
		t.Fatalf("claims (-want +got):\n%s", diff)
	}
	job := w.take(p, itsRepository)
	if !job.Repository {
		t.Error("an address that is once called a repository is none")
	}
	w.prove(job, ClaimByRepository)
	proven := w.claims(p)[0]

	w.put(living(t, alice, "p", "repository https://git.example/it", "website https://new.example/"))
	if diff := cmp.Diff([]weburi.URI{itsRepository, "https://new.example"}, uris()); diff != "" {
		t.Errorf("claims after an edit (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(proven, w.claims(p)[0]); diff != "" {
		t.Errorf("the edit changed a claim that is still listed:\n%s", diff)
	}
	w.put(maybeInvalid(t, alice, lexicons.CollectionProject, "p", fields{"name": "", "uris": []fields{{"kind": "repository", "uri": "https://git.example/it"}}}))
	if got := uris(); len(got) != 0 {
		t.Errorf("an invalid record claims %v", got)
	}
	w.put(living(t, alice, "p", "repository https://git.example/it"))
	if c := w.claims(p); len(c) != 1 || c[0].State != ClaimUnchecked {
		t.Errorf("a claim that was gone is back as %+v", c)
	}
	w.delete(p)
	w.put(living(t, alice, "p", "website https://it.example"))
	w.status(alice, AccountDeleted)
	if n := count(t, w.s, "claim") + count(t, w.s, "project_uri"); n != 0 {
		t.Errorf("%d rows outlive the account", n)
	}
}

func TestTakeClaim_IsTakenOnceUntilTheLeaseEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p, q := projectURI(alice, "p"), projectURI(bob, "q")
	if _, ok, err := w.s.NextClaim(t.Context()); ok || err != nil {
		t.Fatalf("something is due in an empty index: %v", err)
	}
	w.put(living(t, alice, "p", "website https://it.example"))
	w.s.clock.advance(time.Second)
	w.put(living(t, bob, "q", "website https://it.example"))
	if at, ok, err := w.s.NextClaim(t.Context()); !ok || err != nil || !at.Equal(start) {
		t.Fatalf("the next is due at %s, %t, %v", at, ok, err)
	}
	if job := w.take(p, itsPages); job.Attempts != 1 || job.Repository {
		t.Errorf("took %+v", job)
	}
	w.take(q, itsPages)
	w.nothingToTake()
	w.s.clock.advance(time.Minute)
	if job := w.take(p, itsPages); job.Attempts != 2 {
		t.Errorf("%d attempts after a taker died", job.Attempts)
	}
	w.status(bob, AccountDeactivated)
	w.nothingToTake()
	w.status(bob, AccountActive)
	w.take(q, itsPages)
}

func TestR4_AClaimIsProvenSinceTheFirstOfProofsWithoutAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := projectURI(alice, "p")
	w.put(living(t, alice, "p", "website https://it.example"))
	w.put(mustRecord(t, alice, lexicons.CollectionProject, "p", fields{
		"name": "p", "uris": []fields{{"kind": "website", "uri": "https://it.example"}}, "maintainers": []fields{{"did": bob.String()}},
	}))
	since := func(want time.Time, method ClaimMethod) {
		t.Helper()
		now := w.s.clock.Now()
		got := w.claimed(itsPages)
		if len(got) != 1 || !got[0].VerifiedAt.Equal(want) || got[0].Method != method || !got[0].ExpiresAt.Equal(now.Add(7*24*time.Hour)) {
			t.Fatalf("claims %+v, want since %s", got, want)
		}
		if j := got[0].Project; j.URI != p || j.Author != alice || !cmp.Equal(j.Maintainers, []syntax.DID{bob}) || !j.CreatedAt.Equal(start) {
			t.Errorf("the project is %+v", j)
		}
	}
	job := w.take(p, itsPages)
	w.prove(job, ClaimByHost)
	since(start, ClaimByHost)
	w.s.clock.advance(24 * time.Hour)
	if job = w.take(p, itsPages); job.Attempts != 1 {
		t.Errorf("%d attempts after a proof", job.Attempts)
	}
	w.prove(job, ClaimByHost)
	since(start, ClaimByHost)
	w.s.clock.advance(7 * 24 * time.Hour) // it expires
	w.prove(w.take(p, itsPages), ClaimByHost)
	since(w.s.clock.Now(), ClaimByHost)
	w.s.clock.advance(24 * time.Hour)
	w.prove(w.take(p, itsPages), ClaimByRepository)
	since(w.s.clock.Now(), ClaimByRepository)
}

func TestR4_ARefutedClaimEndsAndAnUnansweredOneWaitsToExpire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := projectURI(alice, "p")
	w.put(living(t, alice, "p", "website https://it.example"))
	job := w.take(p, itsPages)
	w.undecided(job)
	want := ProjectClaim{URI: itsPages, State: ClaimUnchecked, Reason: "nobody answers"}
	if diff := cmp.Diff([]ProjectClaim{want}, w.claims(p)); diff != "" {
		t.Errorf("after no answer (-want +got):\n%s", diff)
	}
	w.prove(job, ClaimByHost)
	w.undecided(job)
	want = ProjectClaim{
		URI: itsPages, State: ClaimVerified, Method: ClaimByHost, Reason: "nobody answers",
		VerifiedAt: start, ExpiresAt: start.Add(7 * 24 * time.Hour), CheckedAt: start,
	}
	if diff := cmp.Diff([]ProjectClaim{want}, w.claims(p)); diff != "" {
		t.Errorf("after no answer to a recheck (-want +got):\n%s", diff)
	}
	w.s.clock.advance(time.Hour)
	w.disprove(w.take(p, itsPages))
	want = ProjectClaim{URI: itsPages, State: ClaimRefuted, Reason: "there is nothing", CheckedAt: start.Add(time.Hour)}
	if diff := cmp.Diff([]ProjectClaim{want}, w.claims(p)); diff != "" {
		t.Errorf("after a refutation (-want +got):\n%s", diff)
	}
	if got := w.claimed(itsPages); len(got) != 0 {
		t.Errorf("a refuted claim counts: %+v", got)
	}
}

func TestR4_AnAnswerToAnotherQuestionIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := projectURI(alice, "p")
	w.put(living(t, alice, "p", "website https://git.example/it"))
	job := w.take(p, itsRepository)
	w.put(living(t, alice, "p", "repository https://git.example/it"))
	w.prove(job, ClaimByHost) // a host proves no repository
	if got := w.claims(p); len(got) != 1 || got[0].State != ClaimUnchecked {
		t.Errorf("claims %+v", got)
	}
	w.s.clock.advance(recheckPause)
	job = w.take(p, itsRepository)
	w.delete(p)
	w.prove(job, ClaimByRepository)
	if got := w.claims(p); len(got) != 0 {
		t.Errorf("claims %+v", got)
	}
}

func TestR4_HiddenProjectsClaimNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.put(living(t, alice, "p", "website https://it.example"))
	w.prove(w.take(projectURI(alice, "p"), itsPages), ClaimByHost)
	w.status(alice, AccountTakendown)
	if got := w.claimed(itsPages); len(got) != 0 {
		t.Errorf("claims %+v", got)
	}
	w.status(alice, AccountActive)
	if got := w.claimed(itsPages); len(got) != 1 {
		t.Errorf("claims %+v", got)
	}
}

func TestClaims_AnEditMakesAClaimDueButNotWithoutEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := projectURI(alice, "p")
	edit := 0
	change := func() {
		edit++
		w.put(mustRecord(t, alice, lexicons.CollectionProject, "p", fields{
			"name": fmt.Sprint(edit), "uris": []fields{{"kind": "website", "uri": "https://it.example"}},
		}))
	}
	change()
	w.disprove(w.take(p, itsPages))
	change()
	w.nothingToTake()
	w.s.clock.advance(recheckPause)
	w.undecided(w.take(p, itsPages)) // the edit made it due; nobody answered
	change()
	w.nothingToTake()
	w.s.clock.advance(recheckPause)
	w.take(p, itsPages)
}

func TestClaims_MakeStaleTheProposalsThatNameTheAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p, about := projectURI(alice, "p"), proposalURI(carol, 1)
	w.put(living(t, alice, "p", "website https://it.example"), proposal(t, carol, 1, onURI("http://www.it.example/#top"), nil))
	job := w.take(p, itsPages)
	// Derived rows that are missing come back only by a derivation.
	derives := func(what string, want bool, do func()) {
		t.Helper()
		mustExec(t, w.s, `DELETE FROM stage_interval WHERE proposal_uri = $1`, about)
		do()
		if got := w.state(about) != nil; got != want {
			t.Errorf("%s: the proposal was derived again: %t", what, got)
		}
	}
	derives("no answer", false, func() { w.undecided(job) })
	derives("a refutation of nothing", false, func() { w.disprove(job) })
	derives("an edit of a project without a proof", false, func() { w.put(living(t, alice, "p", "website https://it.example/", "website https://b.example")) })
	derives("a proof", true, func() { w.prove(job, ClaimByHost) })
	derives("a later proof", true, func() { w.prove(job, ClaimByHost) })
	derives("no answer to a recheck", false, func() { w.undecided(job) })
	derives("an edit of the project", true, func() { w.put(living(t, alice, "p", "website https://it.example")) })
	derives("the account is hidden", true, func() { w.status(alice, AccountSuspended) })
	derives("the account is shown", true, func() { w.status(alice, AccountActive) })
	derives("a refutation", true, func() { w.disprove(job) })
	w.prove(job, ClaimByHost)
	derives("it is listed no more", true, func() { w.put(living(t, alice, "p")) })
	w.put(living(t, alice, "p", "website https://it.example"))
	w.prove(job, ClaimByHost)
	derives("the project is gone", true, func() { w.delete(p) })
	w.put(living(t, alice, "p", "website https://it.example"))
	w.prove(job, ClaimByHost)
	derives("the account is gone", true, func() { w.status(alice, AccountDeleted) })
}

func TestClaims_AreSettledAlsoByWhoeverDerivesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	w.join(alice)
	w.behind = true
	w.put(living(t, alice, "p", "website https://it.example"))
	if got := w.claims(projectURI(alice, "p")); len(got) != 1 {
		t.Errorf("claims %+v", got)
	}
}

func TestRebuild_KeepsClaimsOfAddressesThatAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := projectURI(alice, "p")
	w.put(living(t, alice, "p", "website https://it.example", "repository https://git.example/it"), proposal(t, carol, 1, onURI("https://it.example/"), nil))
	w.prove(w.take(p, itsRepository), ClaimByRepository)
	w.prove(w.take(p, itsPages), ClaimByHost)
	before := dumpQuery(t, w.s, "claim", `SELECT * FROM claim`)
	differences, err := w.s.Rebuild(t.Context(), nil)
	if err != nil || len(differences) > 0 {
		t.Fatalf("a rebuild found %v, %v", differences, err)
	}
	if diff := cmp.Diff(before, dumpQuery(t, w.s, "claim", `SELECT * FROM claim`)); diff != "" {
		t.Errorf("claims (-before +after):\n%s", diff)
	}
	mustExec(t, w.s, `UPDATE claim SET uri = 'https://stale.example' WHERE uri = $1`, itsPages)
	mustExec(t, w.s, `DELETE FROM project_uri WHERE uri = $1`, itsPages)
	differences, err = w.s.Rebuild(t.Context(), nil)
	if want := []Difference{{Table: "project_uri", New: 1}}; err != nil || !cmp.Equal(differences, want) {
		t.Errorf("a rebuild found %v, %v", differences, err)
	}
	var got []string
	for _, c := range w.claims(p) {
		got = append(got, fmt.Sprint(c.URI, " ", c.State))
	}
	if diff := cmp.Diff([]string{itsRepository.String() + " verified", itsPages.String() + " unchecked"}, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestStatus_CountsClaimsByWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newTestStore(t))
	p := projectURI(alice, "p")
	w.put(living(t, alice, "p", "website https://a.example", "website https://b.example", "website https://c.example", "website https://d.example"))
	w.prove(w.take(p, "https://a.example"), ClaimByHost)
	w.s.clock.advance(7 * 24 * time.Hour)
	w.prove(w.take(p, "https://b.example"), ClaimByHost)
	w.disprove(w.take(p, "https://c.example"))
	status, err := w.s.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"expired": 1, "verified": 1, "refuted": 1, "unchecked": 1}
	if diff := cmp.Diff(want, status.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}
