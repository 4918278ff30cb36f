package lifecycle_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

const (
	proposed    = lifecycle.StageProposed
	declined    = lifecycle.StageDeclined
	development = lifecycle.StageDevelopment

	lapse = lifecycle.AttemptLapse
)

type stageCase struct {
	name string
	f    lifecycle.Facts
	when time.Duration
	want at
}

func runStages(t *testing.T, tests []stageCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := stageAt(t, tt.f, tt.when)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// lapsing is a current attempt whose only future is to lapse.
func lapsing(author syntax.DID, rkey string, in time.Duration) at {
	return at{development, attemptURI(author, rkey), lifecycle.NextAttemptLapses, in}
}

func TestR1_AnyoneProposesForAnything(t *testing.T) {
	t.Parallel()
	runStages(t, []stageCase{
		{"a project", facts(byProject), 0, at{Stage: proposed}},
		{"a project whose record is missing", facts(byProject, noProject), 0, at{Stage: proposed}},
		{"an account", facts(byAccount), 0, at{Stage: proposed}},
		{"a URL", facts(byURL), 0, at{Stage: proposed}},
		{"for ever", facts(byURL), 100_000 * day, at{Stage: proposed}},
	})
}

func TestR3_AuthorityDecidesWhoseAttemptsCount(t *testing.T) {
	t.Parallel()
	d := func(who syntax.DID) part { return develop(who, "d", day) }
	runStages(t, []stageCase{
		{"the owner of the project", facts(byProject, d(owner)), 2 * day, lapsing(owner, "d", day+lapse)},
		{"the owner, although the record is missing", facts(byProject, noProject, d(owner)), 2 * day, lapsing(owner, "d", day+lapse)},
		{"a maintainer", facts(byProject, project(-day, maintainer), d(maintainer)), 2 * day, lapsing(maintainer, "d", day+lapse)},
		{"a maintainer who is not listed any more", facts(byProject, d(maintainer)), 2 * day, at{Stage: proposed}},
		{"a maintainer of a record that is missing", facts(byProject, noProject, d(maintainer)), 2 * day, at{Stage: proposed}},
		{"a maintainer before the record exists", facts(byProject, project(3*day, maintainer), d(maintainer)), 2 * day, at{Stage: proposed}},
		{"a maintainer from when the record exists", facts(byProject, project(3*day, maintainer), d(maintainer)), 3*day - lifecycle.FutureTolerance, lapsing(maintainer, "d", day+lapse)},
		{"the account itself", facts(byAccount, d(owner)), 2 * day, lapsing(owner, "d", day+lapse)},
		{"a maintainer of no project", facts(byAccount, d(maintainer)), 2 * day, at{Stage: proposed}},
		{"a URL has no developer", facts(byURL, d(owner)), 2 * day, at{Stage: proposed}},
		{"the proposer", facts(byProject, d(backer)), 2 * day, at{Stage: proposed}},
		{"a stranger", facts(byAccount, d(stranger)), 2 * day, at{Stage: proposed}},
		{"a stranger beside the owner", facts(byAccount, d(owner), develop(stranger, "d", 0)), 2 * day, lapsing(owner, "d", day+lapse)},
	})
}

func TestR3_AuthorityDecidesWhoseAnswersCount(t *testing.T) {
	t.Parallel()
	no := func(who syntax.DID) part { return answer(who, "a", day, lifecycle.AnswerDeclined) }
	runStages(t, []stageCase{
		{"the owner", facts(byProject, no(owner)), 2 * day, at{Stage: declined}},
		{"a maintainer", facts(byProject, project(-day, maintainer), no(maintainer)), 2 * day, at{Stage: declined}},
		{"a maintainer who is not listed any more", facts(byProject, no(maintainer)), 2 * day, at{Stage: proposed}},
		{"the account itself", facts(byAccount, no(owner)), 2 * day, at{Stage: declined}},
		{"a URL has no developer", facts(byURL, no(owner)), 2 * day, at{Stage: proposed}},
		{"the proposer", facts(byProject, no(backer)), 2 * day, at{Stage: proposed}},
		{"a stranger after the owner", facts(byAccount, no(owner), answer(stranger, "a", 2*day, lifecycle.AnswerPlanned)), 3 * day, at{Stage: declined}},
	})
}

func TestR6_TheNewestAnswerDecides(t *testing.T) {
	t.Parallel()
	yes, no, dup := lifecycle.AnswerPlanned, lifecycle.AnswerDeclined, lifecycle.AnswerDuplicate
	a := func(rkey string, at time.Duration, what lifecycle.Answer) part { return answer(owner, rkey, at, what) }
	runStages(t, []stageCase{
		{"planned", facts(byAccount, a("1", day, yes)), 2 * day, at{Stage: proposed}},
		{"declined", facts(byAccount, a("1", day, no)), 2 * day, at{Stage: declined}},
		{"duplicate", facts(byAccount, a("1", day, dup)), 2 * day, at{Stage: declined}},
		{"one that we do not know", facts(byAccount, a("1", day, "later")), 2 * day, at{Stage: proposed}},
		{"declined, then planned", facts(byAccount, a("1", day, no), a("2", 2*day, yes)), 2 * day, at{Stage: proposed}},
		{"planned, then declined", facts(byAccount, a("2", day, yes), a("1", 2*day, no)), 2 * day, at{Stage: declined}},
		{"declined, then one that we do not know", facts(byAccount, a("1", day, no), a("2", 2*day, "later")), 2 * day, at{Stage: proposed}},
		{"of two at the same time the greater uri", facts(byAccount, a("1", day, no), a("2", day, yes)), 2 * day, at{Stage: proposed}},
		{"whichever came first", facts(byAccount, a("2", day, yes), a("1", day, no)), 2 * day, at{Stage: proposed}},
		{"of two developers", facts(byProject, project(-day, maintainer), a("1", day, no), answer(maintainer, "1", 2*day, yes)), 2 * day, at{Stage: proposed}},
		{"an attempt stands above an answer", facts(byAccount, a("1", day, no), develop(owner, "d", 0)), 2 * day, lapsing(owner, "d", lapse)},
		{"the answer stands again when the attempt is over", facts(byAccount, a("1", day, no), develop(owner, "d", 0), cancel(owner, "d", day)), 2 * day, at{Stage: declined}},
		{"an answer dated ahead waits", facts(byAccount, a("1", day, no), a("2", 9*day, yes)), 2 * day, at{Stage: declined}},
	})
}

func TestF1_TheCurrentAttempt(t *testing.T) {
	t.Parallel()
	d := func(rkey string, at time.Duration) part { return develop(owner, rkey, at) }
	runStages(t, []stageCase{
		{"the earliest", facts(byAccount, d("b", day), d("a", 2*day)), 3 * day, lapsing(owner, "b", day+lapse)},
		{"of two at the same time the smaller uri", facts(byAccount, d("b", day), d("a", day)), 3 * day, lapsing(owner, "a", day+lapse)},
		{"one dated back comes first", facts(byAccount, d("a", day), d("b", -day)), 3 * day, lapsing(owner, "b", -day+lapse)},
		{"one dated back too far is over", facts(byAccount, d("a", day), d("b", -lapse)), 3 * day, lapsing(owner, "a", day+lapse)},
		{"the next when the first is cancelled", facts(byAccount, d("a", day), d("b", 2*day), cancel(owner, "a", 3*day)), 3 * day, lapsing(owner, "b", 2*day+lapse)},
		{"the next when the first lapses", facts(byAccount, d("a", day), d("b", 2*day)), day + lapse, lapsing(owner, "b", 2*day+lapse)},
		{"none when all are over", facts(byAccount, d("a", day), d("b", 2*day), cancel(owner, "b", 3*day)), day + lapse, at{Stage: proposed}},
		{"a stranger's is passed over", facts(byAccount, develop(stranger, "a", 0), d("b", day)), 2 * day, lapsing(owner, "b", day+lapse)},
		{"a cancelled one stays so after a later preview", facts(byAccount, d("a", 0), cancel(owner, "a", day), preview(owner, "a", 2*day, 9*day)), 3 * day, at{Stage: proposed}},
		{"an escrow's word is not asked for yet: a release changes no stage", facts(byAccount, d("a", 0), release(owner, "a", day)), 2 * day, lapsing(owner, "a", day+lapse)},
	})
}

func TestF1_AnAttemptWithoutACampaignLapses(t *testing.T) {
	t.Parallel()
	d := develop(owner, "d", 0)
	runStages(t, []stageCase{
		{"just before 180 days", facts(byAccount, d), 180*day - ms, lapsing(owner, "d", lapse)},
		{"after exactly 180 days", facts(byAccount, d), 180 * day, at{Stage: proposed}},
		{"a preview renews it", facts(byAccount, d, preview(owner, "d", 100*day, 0)), 180 * day, lapsing(owner, "d", 100*day+lapse)},
		{"a release renews it", facts(byAccount, d, release(owner, "d", 100*day)), 180 * day, lapsing(owner, "d", 100*day+lapse)},
		{"a preview before it does not", facts(byAccount, d, preview(owner, "d", -day, 0)), 180 * day, at{Stage: proposed}},
		{"another's preview does not", facts(byAccount, d, previewOf(stranger, owner, "d", 100*day, 0)), 180 * day, at{Stage: proposed}},
		{"a renewed one lapses as well", facts(byAccount, d, preview(owner, "d", 100*day, 0)), 280 * day, at{Stage: proposed}},
		{"a preview after the lapse brings it back", facts(byAccount, d, preview(owner, "d", 200*day, 0)), 201 * day, lapsing(owner, "d", 200*day+lapse)},
		{"until then it was over", facts(byAccount, d, preview(owner, "d", 200*day, 0)), 190 * day, at{Stage: proposed}},
	})
}

func TestF1_ACancelledAttemptIsOver(t *testing.T) {
	t.Parallel()
	d := develop(owner, "d", 0)
	runStages(t, []stageCase{
		{"from when the cancellation exists", facts(byAccount, d, cancel(owner, "d", day)), day - lifecycle.FutureTolerance, at{Stage: proposed}},
		{"not before", facts(byAccount, d, cancel(owner, "d", day)), day - lifecycle.FutureTolerance - ms, lapsing(owner, "d", lapse)},
		{"also when it says to be older than the attempt", facts(byAccount, d, cancel(owner, "d", -9*day)), day, at{Stage: proposed}},
		{"not by another", facts(byAccount, d, cancelOf(stranger, owner, "d", day)), 2 * day, lapsing(owner, "d", lapse)},
		{"not by another developer", facts(byProject, project(-day, maintainer), d, cancelOf(maintainer, owner, "d", day)), 2 * day, lapsing(owner, "d", lapse)},
		{"not by the cancellation of another attempt", facts(byAccount, d, cancel(owner, "e", day)), 2 * day, lapsing(owner, "d", lapse)},
	})
}

func TestR7_AnAnnouncedPreviewStaysInDevelopment(t *testing.T) {
	t.Parallel()
	f := facts(byAccount, develop(owner, "d", 0), preview(owner, "d", day, 10*day))
	opening := at{development, attemptURI(owner, "d"), lifecycle.NextPreviewOpens, 10 * day}
	runStages(t, []stageCase{
		{"before it is announced", f, day - lifecycle.FutureTolerance - ms, lapsing(owner, "d", lapse)},
		{"from when it is announced", f, day - lifecycle.FutureTolerance, opening},
		{"just before it opens", f, 10*day - ms, opening},
		{"when it should open, without an escrow", f, 10 * day, lapsing(owner, "d", day+lapse)},
		{"when it would open after the lapse", facts(byAccount, develop(owner, "d", 0), preview(owner, "d", day, day+lapse)), 2 * day, lapsing(owner, "d", day+lapse)},
		{"another's announcement", facts(byAccount, develop(owner, "d", 0), previewOf(stranger, owner, "d", day, 10*day)), 2 * day, lapsing(owner, "d", lapse)},
	})
}

func TestR7_WhenAPreviewIsExpectedIsNext(t *testing.T) {
	t.Parallel()
	d := func(expected time.Duration) part {
		return func(f *lifecycle.Facts) {
			develop(owner, "d", 0)(f)
			f.Developments[len(f.Developments)-1].ExpectedAt = ptr(t0.Add(expected))
		}
	}
	expecting := at{development, attemptURI(owner, "d"), lifecycle.NextPreviewExpected, 20 * day}
	runStages(t, []stageCase{
		{"until then", facts(byAccount, d(20*day)), 20*day - ms, expecting},
		{"not any more", facts(byAccount, d(20*day)), 20 * day, lapsing(owner, "d", lapse)},
		{"beyond the lapse", facts(byAccount, d(lapse)), day, lapsing(owner, "d", lapse)},
		{"once a preview is announced, its opening", facts(byAccount, d(20*day), preview(owner, "d", day, 30*day)), 2 * day,
			at{development, attemptURI(owner, "d"), lifecycle.NextPreviewOpens, 30 * day}},
		{"until it is announced", facts(byAccount, d(20*day), preview(owner, "d", 9*day, 30*day)), 2 * day, expecting},
		{"an announced one is expected no more, also when its opening passed", facts(byAccount, d(20*day), preview(owner, "d", day, 5*day)), 6 * day, lapsing(owner, "d", day+lapse)},
	})
}

func TestF3_ARecordFromTheFutureDoesNotExistYet(t *testing.T) {
	t.Parallel()
	const tolerance = 5 * time.Minute
	runStages(t, []stageCase{
		{"a proposal exactly five minutes ahead", facts(byAccount), -tolerance, at{Stage: proposed}},
		{"a proposal a millisecond more", facts(byAccount), -tolerance - ms, at{}},
		{"an attempt exactly five minutes ahead", facts(byAccount, develop(owner, "d", day)), day - tolerance, lapsing(owner, "d", day+lapse)},
		{"an attempt a millisecond more", facts(byAccount, develop(owner, "d", day)), day - tolerance - ms, at{Stage: proposed}},
		{"an answer exactly five minutes ahead", facts(byAccount, answer(owner, "a", day, lifecycle.AnswerDeclined)), day - tolerance, at{Stage: declined}},
		{"an answer a millisecond more", facts(byAccount, answer(owner, "a", day, lifecycle.AnswerDeclined)), day - tolerance - ms, at{Stage: proposed}},
		{"a release a millisecond more does not renew", facts(byAccount, develop(owner, "d", 0), release(owner, "d", lapse+tolerance+ms)), lapse, at{Stage: proposed}},
		{"a release exactly five minutes ahead does", facts(byAccount, develop(owner, "d", 0), release(owner, "d", lapse+tolerance)), lapse, lapsing(owner, "d", 2*lapse+tolerance)},
	})
}

func TestF3_TheEndOfTimeIsNotPassed(t *testing.T) {
	t.Parallel()
	f := facts(byAccount)
	f.Proposal.CreatedAt = lifecycle.End
	got := lifecycle.Evaluate(f)
	want := []lifecycle.Interval{{From: lifecycle.End.Add(-lifecycle.FutureTolerance), To: lifecycle.End, Stage: proposed}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, ok := lifecycle.StageAt(got, lifecycle.End); ok {
		t.Error("there is a stage at the end of time")
	}
}

func TestAttemptsAt_ShowsEveryAttempt(t *testing.T) {
	t.Parallel()
	f := facts(byProject,
		develop(stranger, "s", 0), develop(owner, "o", day), develop(owner, "later", 99*day),
		preview(owner, "o", 2*day, 5*day), release(owner, "o", 3*day), cancel(owner, "o", 9*day),
		previewOf(stranger, owner, "o", 2*day, 5*day),
	)
	type shown struct {
		URI                            lifecycle.AttemptURI
		Authorized, Over               bool
		Preview, Release, Cancellation bool
	}
	tests := []struct {
		name string
		when time.Duration
		want []shown
	}{
		{"before any", -day, nil},
		{"the first", 0, []shown{{URI: attemptURI(stranger, "s")}}},
		{"with a preview", 2 * day, []shown{{URI: attemptURI(stranger, "s")}, {URI: attemptURI(owner, "o"), Authorized: true, Preview: true}}},
		{"cancelled", 9 * day, []shown{{URI: attemptURI(stranger, "s")}, {attemptURI(owner, "o"), true, true, true, true, true}}},
		{"lapsed", lapse, []shown{{URI: attemptURI(stranger, "s"), Over: true}, {attemptURI(owner, "o"), true, true, true, true, true}, {URI: attemptURI(owner, "later"), Authorized: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []shown
			for _, a := range lifecycle.AttemptsAt(f, t0.Add(tt.when)) {
				got = append(got, shown{a.URI, a.Authorized, a.Over, a.Preview != nil, a.Release != nil, a.Cancellation != nil})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestR3_AuthorityIsPinnedAtTheOpening(t *testing.T) {
	t.Parallel()
	f := facts(byProject, develop(maintainer, "m", 0), campaignOf(maintainer, "m", 10*day, refunded), // not listed any more
		campaignOf(maintainer, "gone", 20*day, open), // the record is gone
		develop(owner, "o", day), consent(stranger, attemptURI(owner, "o"), 2*day), consent(backer, attemptURI(owner, "o"), 2*day),
		consent(backer, attemptURI(owner, "o"), 3*day), consent(maintainer, attemptURI(owner, "o"), 99*day))
	type shown struct {
		URI                       lifecycle.AttemptURI
		Recorded, Decided         bool
		Authorized, Over, Current bool
		Consents                  []syntax.DID
	}
	show := func(when time.Duration) (out []shown) {
		for _, a := range lifecycle.AttemptsAt(f, t0.Add(when)) {
			out = append(out, shown{
				URI: a.URI, Recorded: a.Development != nil, Decided: a.Campaign != nil,
				Authorized: a.Authorized, Over: a.Over, Current: a.Current, Consents: a.Consents,
			})
		}
		return out
	}
	m, o, gone := attemptURI(maintainer, "m"), attemptURI(owner, "o"), attemptURI(maintainer, "gone")
	agreed := []syntax.DID{backer, stranger}
	tests := []struct {
		name string
		when time.Duration
		want []shown
	}{
		{"before any opening", 5 * day, []shown{{URI: m, Recorded: true}, {URI: o, Recorded: true, Authorized: true, Current: true, Consents: agreed}}},
		{"after the first", 11 * day, []shown{{URI: m, Recorded: true, Decided: true, Authorized: true, Over: true}, {URI: o, Recorded: true, Authorized: true, Current: true, Consents: agreed}}},
		{"after the second", 21 * day, []shown{
			{URI: m, Recorded: true, Decided: true, Authorized: true, Over: true}, {URI: o, Recorded: true, Authorized: true, Consents: agreed},
			{URI: gone, Decided: true, Authorized: true, Current: true},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, show(tt.when)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStages_AreThoseOfTheSchemaAndTheLexicon(t *testing.T) {
	t.Parallel()
	var want []string
	for _, s := range lifecycle.Stages() {
		want = append(want, string(s))
		if !s.Valid() {
			t.Errorf("%s is listed and not valid", s)
		}
	}
	if lifecycle.Stage("").Valid() || lifecycle.Stage("done").Valid() {
		t.Error("what is not listed is valid")
	}

	if diff := cmp.Diff(want, checkList(t, "stage")); diff != "" {
		t.Errorf("the schema (-stages +schema):\n%s", diff)
	}

	if diff := cmp.Diff(want, knownValues(t, "stage", "")); diff != "" {
		t.Errorf("the lexicon (-stages +lexicon):\n%s", diff)
	}
}

func TestNextEvents_AreInTheLexicon(t *testing.T) {
	t.Parallel()
	known := knownValues(t, "next", "event")
	var want []string
	for _, event := range lifecycle.NextEvents() {
		want = append(want, string(event))
	}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("(-events +lexicon):\n%s", diff)
	}
}

// knownValues reads what the lexicon knows of a definition, or of its property.
func knownValues(t *testing.T, def, property string) []string {
	t.Helper()
	raw, err := os.ReadFile("../../lexicons/fund/stratos/feature/defs.json")
	if err != nil {
		t.Fatal(err)
	}
	type values struct{ KnownValues []string }
	var doc struct {
		Defs map[string]struct {
			values
			Properties map[string]values
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if property == "" {
		return doc.Defs[def].KnownValues
	}
	return doc.Defs[def].Properties[property].KnownValues
}

// checkList reads the values that the schema allows in a column.
func checkList(t *testing.T, column string) []string {
	t.Helper()
	files, err := os.ReadDir("../store/migrations")
	if err != nil {
		t.Fatal(err)
	}
	var values []string // of the last migration that says it
	for _, file := range files {
		sql, err := os.ReadFile("../store/migrations/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		list := regexp.MustCompile(`CHECK \(` + column + ` IN \(([^)]*)\)`).FindSubmatch(sql)
		if list == nil {
			continue
		}
		values = nil
		for _, v := range regexp.MustCompile(`'([^']*)'`).FindAllSubmatch(list[1], -1) {
			values = append(values, string(v[1]))
		}
	}
	return values
}
