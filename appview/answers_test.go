package appview_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// fresh reads the answer from the index, past all answers and parts of them that are
// kept.
func (o *offline) fresh(method syntax.NSID, query string) (status int, body string) {
	b, err := o.reads.Ask(context.Background(), method, query)
	if err == nil {
		return http.StatusOK, string(b)
	}
	e := appview.WireError(err)
	if e == nil && !errors.As(err, &e) {
		o.t.Fatal(err)
	}
	b, err = json.Marshal(map[string]string{"error": e.Name, "message": e.Message})
	if err != nil {
		o.t.Fatal(err)
	}
	return e.Status, string(b)
}

// from counts the answers of an origin.
func (o *offline) from(where string) float64 {
	for _, m := range o.metric("stratos_appview_answers_total") {
		if m.GetLabel()[0].GetValue() == where {
			return m.GetCounter().GetValue()
		}
	}
	return 0
}

// metric is one of the service, with all its labels.
func (o *offline) metric(name string) []*dto.Metric {
	families, err := o.metrics.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()
		}
	}
	return nil
}

var (
	cursorField = regexp.MustCompile(`"cursor":"([^".]*)([^"]*)"`)
	cursorNow   = regexp.MustCompile(`"n":\d+`)
)

// timeless takes the moment out of the cursor of a list, which is the one thing
// in an answer that may differ while the answer holds. What the pages of a search
// have shown is marked by that moment.
func timeless(body string) string {
	found := cursorField.FindStringSubmatch(body)
	if found == nil {
		return body
	}
	raw, err := base64.RawURLEncoding.DecodeString(found[1])
	if err != nil {
		return body
	}
	return strings.Replace(body, found[0], string(cursorNow.ReplaceAll(raw, []byte(`"n":0`))), 1)
}

// The people of a world, each of whom may be anything; one of them is the escrow.
var people = []syntax.DID{alice, broker}

var (
	// ages are how long ago records say they were written: long before what they
	// begin has lapsed or just so, now, and ahead of time.
	ages = []time.Duration{
		180*24*time.Hour - 2*time.Second, 180*24*time.Hour - time.Minute, time.Hour, 0, -4 * time.Minute,
		-5*time.Minute - time.Second, -5*time.Minute - 90*time.Second, -time.Hour,
	}
	// passing is how the clock moves when it moves anyhow.
	passing = []time.Duration{0, time.Millisecond, time.Second, 89 * time.Second, 5 * time.Minute, 25 * time.Hour}
)

// drawn is a world that rapid draws.
type drawn struct {
	*offline
	rt *rapid.T
	// moments are those at which anything might change, by the dates of its records.
	moments []time.Time
	// questions are asked at every step; of lists also the pages that follow.
	questions []question
	given     map[question]bool
	compared  map[syntax.NSID]int // answers that were kept
}

type question struct {
	method syntax.NSID
	query  string
}

func (w *drawn) remember(moments ...time.Time) { w.moments = append(w.moments, moments...) }

// due remembers when a date comes, and when what was due then is overdue.
func (w *drawn) due(dates ...time.Time) {
	for _, d := range dates {
		w.remember(d, d.Add(lifecycle.OverdueTolerance+time.Millisecond))
	}
}

// near draws a date around now that something is due at.
func (w *drawn) near(what string) time.Time {
	at := w.clock().Add(rapid.SampledFrom([]time.Duration{-3 * time.Hour, -time.Hour, -time.Minute, time.Second, time.Minute, 2 * time.Hour}).Draw(w.rt, what))
	w.due(at)
	return at
}

func someone(rt *rapid.T, what string) syntax.DID { return rapid.SampledFrom(people).Draw(rt, what) }

const (
	firstKey  syntax.RecordKey = "3l6ovf2k7dk2a"
	secondKey syntax.RecordKey = "3l6ovf2k7dk2b"
)

func placeOf(by syntax.DID, collection syntax.NSID, key syntax.RecordKey) syntax.ATURI {
	return syntax.ATURI("at://" + by.String() + "/" + collection.String() + "/" + key.String())
}

// strong points to the first record of somebody's collection.
func strong(by syntax.DID, collection syntax.NSID) fields {
	return fields{"uri": placeOf(by, collection, firstKey).String(), "cid": "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q"}
}

// record draws a record for one of few places.
func (w *drawn) record() store.Record {
	by, other := someone(w.rt, "by"), someone(w.rt, "other")
	created := w.clock().Add(-rapid.SampledFrom(ages).Draw(w.rt, "age"))
	key := rapid.SampledFrom([]syntax.RecordKey{firstKey, secondKey}).Draw(w.rt, "key")
	collection := rapid.SampledFrom([]syntax.NSID{
		lexicons.CollectionProject, lexicons.CollectionProposal, lexicons.CollectionEstimate, lexicons.CollectionDevelopment, lexicons.CollectionDevelopment,
		lexicons.CollectionPledge, lexicons.CollectionDonation, lexicons.CollectionResponse, lexicons.CollectionConsent, lexicons.CollectionPreview,
		lexicons.CollectionRelease, lexicons.CollectionCancellation, lexicons.CollectionDispute, lexicons.CollectionVerification, lexicons.CollectionRuling,
		lexicons.CollectionCampaign, lexicons.CollectionCampaign, lexicons.CollectionReceipt, lexicons.CollectionReceipt,
	}).Draw(w.rt, "collection")
	proposal, development, release := strong(other, lexicons.CollectionProposal), strong(by, lexicons.CollectionDevelopment), strong(other, lexicons.CollectionRelease)
	var f fields
	switch collection {
	case lexicons.CollectionProject:
		key = "p"
		f = fields{
			"name": rapid.SampledFrom([]string{"Project", "Dark"}).Draw(w.rt, "name"), "maintainers": []fields{{"did": other}},
			"uris": []fields{{"uri": "https://it.example", "kind": "website"}},
		}
	case lexicons.CollectionProposal:
		key = firstKey
		f = fields{
			"title": rapid.SampledFrom([]string{"Dark <mode>", "Offline"}).Draw(w.rt, "title"), "description": "x", "tags": []string{"ui"},
			"subject": rapid.SampledFrom([]fields{
				{"$type": "fund.stratos.feature.proposal#projectSubject", "project": placeOf(alice, lexicons.CollectionProject, "p")},
				{"$type": "fund.stratos.feature.proposal#uriSubject", "uri": "https://it.example/"},
			}).Draw(w.rt, "subject"),
		}
	case lexicons.CollectionEstimate:
		f = fields{"proposal": proposal, "value": dollars(rapid.Int64Range(1, 9000).Draw(w.rt, "amount"))}
	case lexicons.CollectionDevelopment:
		f = fields{"proposal": proposal, "title": "x", "summary": "x", "currency": "USD", "escrow": other, "goal": dollars(1000)}
	case lexicons.CollectionPledge, lexicons.CollectionDonation:
		key = firstKey
		f = fields{"proposal": proposal, "development": strong(other, lexicons.CollectionDevelopment), "escrow": broker, "value": dollars(500)}
	case lexicons.CollectionResponse:
		f = fields{"proposal": proposal, "answer": rapid.SampledFrom([]string{"planned", "declined", "duplicate"}).Draw(w.rt, "answer")}
		if f["answer"] == "duplicate" {
			f["proposal"], f["duplicateOf"] = strong(alice, lexicons.CollectionProposal), strong(broker, lexicons.CollectionProposal)["uri"]
		}
	case lexicons.CollectionConsent:
		f = fields{"development": strong(other, lexicons.CollectionDevelopment)}
	case lexicons.CollectionPreview:
		opens := w.near("opens")
		f = fields{
			"development": development, "uri": "https://preview.example/", "instructions": "x",
			"opensAt": datetimeOf(opens), "closesAt": datetimeOf(opens.Add(time.Hour)),
		}
		w.due(opens.Add(time.Hour))
	case lexicons.CollectionRelease:
		f = fields{
			"development": development, "repository": "https://code.example/it", "license": "MIT",
			"commit": strings.Repeat("0", 40),
		}
	case lexicons.CollectionCancellation:
		f = fields{"development": development}
	case lexicons.CollectionDispute:
		f = fields{"proposal": proposal, "release": release, "reason": "other", "statement": "x"}
	case lexicons.CollectionVerification:
		f = fields{"release": release, "matches": true}
	case lexicons.CollectionRuling:
		by = broker
		f = fields{"dispute": strong(other, lexicons.CollectionDispute), "outcome": rapid.SampledFrom([]string{"upheld", "rejected"}).Draw(w.rt, "outcome"), "rationale": "x"}
	case lexicons.CollectionCampaign:
		by = broker
		key, f = w.campaign(other, someone(w.rt, "proposer"))
	case lexicons.CollectionReceipt:
		by = broker
		kind := rapid.SampledFrom([]syntax.NSID{lexicons.CollectionPledge, lexicons.CollectionDonation}).Draw(w.rt, "kind")
		key, f = w.receipt(kind, other, someone(w.rt, "developer"))
	}
	if collection == lexicons.CollectionPreview || collection == lexicons.CollectionRelease || collection == lexicons.CollectionCancellation {
		key = firstKey // that of the development
	}
	return w.dated(by, collection, key, created, f)
}

// dated makes a record, and remembers when it begins to exist and when an attempt
// that it was the last word of lapses.
func (w *drawn) dated(by syntax.DID, collection syntax.NSID, key syntax.RecordKey, created time.Time, f fields) store.Record {
	w.remember(created.Add(-lifecycle.FutureTolerance), created.Add(lifecycle.AttemptLapse))
	return w.recordAt(by, collection, key, created, f)
}

// begin lets alice have an attempt that the escrow has a campaign for and holds
// money for.
func (w *drawn) begin() {
	now := w.clock()
	put := func(by syntax.DID, collection syntax.NSID, key syntax.RecordKey, f fields) {
		w.commit(by, w.dated(by, collection, key, now.Add(-3*time.Hour), f))
	}
	proposal, development := strong(alice, lexicons.CollectionProposal), strong(alice, lexicons.CollectionDevelopment)
	put(alice, lexicons.CollectionProposal, firstKey, fields{
		"title": "Dark", "description": "x", "subject": fields{"$type": "fund.stratos.feature.proposal#accountSubject", "did": alice},
	})
	put(alice, lexicons.CollectionDevelopment, firstKey, fields{
		"proposal": proposal, "title": "x", "summary": "x", "currency": "USD", "escrow": broker, "goal": dollars(1000),
	})
	put(broker, lexicons.CollectionPledge, firstKey, fields{"proposal": proposal, "development": development, "escrow": broker, "value": dollars(500)})
	key, f := w.campaign(alice, alice)
	put(broker, lexicons.CollectionCampaign, key, f)
	key, f = w.receipt(lexicons.CollectionPledge, broker, alice)
	put(broker, lexicons.CollectionReceipt, key, f)
}

func datetimeOf(t time.Time) string { return t.Format(syntax.AtprotoDatetimeLayout) }

// campaign draws the escrow's campaign for somebody's attempt at a proposal.
func (w *drawn) campaign(author, proposer syntax.DID) (key syntax.RecordKey, f fields) {
	opens := w.near("opens")
	closes, release, final := opens.Add(time.Hour), opens.Add(90*time.Minute), opens.Add(2*time.Hour)
	w.due(closes, release, final)
	w.remember(closes.Add(-lifecycle.CheckoutMargin))
	f = fields{
		"development": strong(author, lexicons.CollectionDevelopment), "preview": strong(author, lexicons.CollectionPreview),
		"proposal": strong(proposer, lexicons.CollectionProposal), "terms": strong(broker, lexicons.CollectionTerms),
		"author": author, "title": "x", "payees": []fields{{"did": author, "share": 10_000}}, "currency": "USD",
		"opensAt": datetimeOf(opens), "closesAt": datetimeOf(closes), "releaseBy": datetimeOf(release), "finalAt": datetimeOf(final),
		"phase": rapid.SampledFrom(lifecycle.Phases()).Draw(w.rt, "phase"), "updatedAt": datetimeOf(w.clock()),
	}
	if rapid.Bool().Draw(w.rt, "is accepted") {
		f["release"], f["acceptedAt"], f["verificationEndsAt"] = strong(author, lexicons.CollectionRelease), datetimeOf(w.near("accepted")), datetimeOf(w.near("verified"))
	}
	if rapid.Bool().Draw(w.rt, "is paused") {
		from := w.near("paused")
		w.due(from.Add(lifecycle.RulingTime))
		f["pauses"] = []fields{{"from": datetimeOf(from), "dispute": strong(someone(w.rt, "disputer"), lexicons.CollectionDispute)}}
	}
	if rapid.Bool().Draw(w.rt, "is checked") {
		at := w.near("checked")
		w.due(at.Add(lifecycle.CorrectionTime))
		name := rapid.SampledFrom([]string{lifecycle.CheckPreviewReachable, "license"}).Draw(w.rt, "check")
		f["checks"] = []fields{{"name": name, "passed": false, "checkedAt": datetimeOf(at)}}
	}
	return lexicons.DerivedKey(placeOf(author, lexicons.CollectionDevelopment, firstKey)), f
}

// receipt draws what the escrow says of somebody's pledge or donation.
func (w *drawn) receipt(kind syntax.NSID, payer, developer syntax.DID) (key syntax.RecordKey, f fields) {
	status := "paid"
	if kind == lexicons.CollectionPledge {
		status = rapid.SampledFrom([]string{"held", "held", "released", "refunding"}).Draw(w.rt, "status")
	}
	f = fields{
		"subject": strong(payer, kind), "development": strong(developer, lexicons.CollectionDevelopment), "terms": strong(broker, lexicons.CollectionTerms),
		"payer": payer, "value": dollars(500), "status": status,
		"history": []fields{{"status": status, "at": datetimeOf(w.near("moved"))}}, "updatedAt": datetimeOf(w.clock()),
	}
	if rapid.Bool().Draw(w.rt, "is held for a time") {
		f["heldUntil"] = datetimeOf(w.near("until"))
	}
	return lexicons.DerivedKey(placeOf(payer, kind, firstKey)), f
}

// prove finds out about a claim that is due, if one is.
func (w *drawn) prove() {
	ctx := context.Background()
	job, ok, err := w.store.TakeClaim(ctx, time.Minute)
	if err == nil && ok {
		until := w.clock().Add(rapid.SampledFrom(passing).Draw(w.rt, "proven for"))
		w.remember(until)
		err = w.store.ClaimProven(ctx, job, lifecycle.ClaimByHost, until, w.clock())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// allQuestions are what may be asked of a world: every query but the numbers, which
// are a minute old, with what narrows and orders it.
func allQuestions() (out []question) {
	ask := func(method syntax.NSID, query url.Values) { out = append(out, question{method, query.Encode()}) }
	one := func(parts ...string) url.Values {
		query := url.Values{}
		for i := 0; i < len(parts); i += 2 {
			query.Set(parts[i], parts[i+1])
		}
		return query
	}
	const list, search = "fund.stratos.feature.listProposals", "fund.stratos.feature.searchProposals"
	for _, sort := range store.ProposalSorts() {
		ask(list, one("sort", string(sort), "currency", "USD"))
		ask(list, one("sort", string(sort), "limit", "1"))
	}
	for _, stage := range lifecycle.Stages() {
		ask(list, one("stage", string(stage)))
	}
	ask(list, one("tag", "ui", "sort", "new"))
	ask(list, one("subject", "https://it.example/"))
	ask(search, one("q", "dark"))
	ask(search, one("q", "dar", "limit", "1"))
	ask(search, one("q", "project", "sort", "new", "limit", "1"))
	ask("fund.stratos.feature.searchSimilar", one("title", "The dark"))
	ask("fund.stratos.project.listProjects", one("limit", "1"))
	ask("fund.stratos.project.listProjects", one("q", "dark"))
	for _, did := range people {
		proposal, project := placeOf(did, lexicons.CollectionProposal, firstKey).String(), placeOf(did, lexicons.CollectionProject, "p").String()
		for _, method := range []syntax.NSID{"getProposal", "getFunding"} {
			ask("fund.stratos.feature."+method, one("uri", proposal))
		}
		for _, method := range []syntax.NSID{"getTimeline", "listEstimates", "listPledges", "listDonations", "listDisputes", "listVerifications"} {
			ask("fund.stratos.feature."+method, one("uri", proposal))
			ask("fund.stratos.feature."+method, one("uri", proposal, "limit", "1"))
		}
		ask("fund.stratos.feature.getProposals", one("uris", proposal))
		ask(list, one("author", did.String(), "sort", "pledged", "currency", "USD"))
		ask(list, one("backer", did.String()))
		ask(list, one("project", project))
		ask(search, one("q", "dark", "backer", did.String()))
		ask("fund.stratos.project.getProject", one("uri", project))
		ask("fund.stratos.project.listProjects", one("owner", did.String()))
		ask("fund.stratos.actor.getActor", one("actor", did.String()))
		ask("fund.stratos.actor.getStanding", one("currency", "USD", "actor", did.String()))
	}
	return out
}

func TestAnswers_EveryQueryIsAskedWhetherItsAnswersHold(t *testing.T) {
	t.Parallel()
	asked := map[syntax.NSID]bool{"fund.stratos.getStats": true} // see TestNumbersAreAMinuteOldAtMost
	for _, q := range allQuestions() {
		asked[q.method] = true
	}
	for _, method := range appview.Methods() {
		if isQuery(t, method.String()) && !asked[method] {
			t.Errorf("%s is not asked", method)
		}
	}
}

// agree compares what is answered, of what is kept or in parts of it, with what would
// be without, for the world's questions, and goes on in the lists that have more.
func (w *drawn) agree() {
	compare := func(q question) string {
		if appview.AnswersHold(w.answers, q.method, q.query) {
			w.compared[q.method]++
		}
		got := w.ask(context.Background(), q.method, q.query)
		if status, want := w.fresh(q.method, q.query); got.Code != status || timeless(got.Body.String()) != timeless(want) {
			w.rt.Fatalf("at %s: %s?%s\ngiven %d %s\nfresh %d %s", w.clock(), q.method, q.query, got.Code, got.Body, status, want)
		}
		return got.Body.String()
	}
	for q := range w.given {
		compare(q)
	}
	for _, q := range w.questions {
		found := cursorField.FindStringSubmatch(compare(q))
		if found != nil && len(w.given) < mostGiven {
			w.given[question{q.method, q.query + "&cursor=" + found[1] + found[2]}] = true
		}
	}
}

const (
	// askedOfAWorld is how many of the questions one world is asked, beside those that
	// all are: each step asks them all, and there are many worlds.
	askedOfAWorld = 8
	mostGiven     = 8
	// passedAtLast is how many moments a world passes when nothing is written any more.
	passedAtLast = 10
)

// passMoment lets the clock go to a moment at which something might change. Just
// before it everything is asked, so that there are answers to outlast it.
func (w *drawn) passMoment(moment int) {
	now := w.clock()
	w.moments = slices.DeleteFunc(w.moments, func(m time.Time) bool { return !m.After(now) })
	if len(w.moments) == 0 {
		return
	}
	slices.SortFunc(w.moments, time.Time.Compare)
	w.moments = slices.CompactFunc(w.moments, time.Time.Equal)
	m := w.moments[min(moment, len(w.moments)-1)]
	if before := m.Add(-time.Millisecond); before.After(now) {
		w.set(before)
		for _, q := range w.questions {
			w.ask(context.Background(), q.method, q.query)
		}
	}
	w.set(m)
}

func (w *drawn) step() {
	switch rapid.IntRange(0, 15).Draw(w.rt, "step") {
	case 0:
		status := rapid.SampledFrom([]store.AccountStatus{store.AccountDeactivated, store.AccountActive}).Draw(w.rt, "status")
		w.status(someone(w.rt, "whose"), status)
	case 1:
		handle := syntax.Handle(rapid.SampledFrom([]string{"a.example", "b.example", "handle.invalid"}).Draw(w.rt, "handle"))
		if err := w.store.SetHandle(context.Background(), someone(w.rt, "whose"), handle, w.clock().Add(time.Hour)); err != nil {
			w.rt.Fatal(err)
		}
	case 2:
		w.prove()
	case 3:
		w.set(w.clock().Add(rapid.SampledFrom(passing).Draw(w.rt, "passes")))
	case 4, 5, 6, 7, 8, 9, 10:
		w.passMoment(rapid.SampledFrom([]int{0, 0, 0, 1, 3, 8}).Draw(w.rt, "moment")) // mostly the next
	default:
		r := w.record()
		w.commit(r.DID, r)
	}
	w.agree()
}

func TestAnswers_AreThoseThatWouldBeGivenAgain(t *testing.T) {
	t.Parallel()
	compared := map[syntax.NSID]int{}
	var reused int64
	all := allQuestions()
	rapid.Check(t, func(rt *rapid.T) {
		w := &drawn{offline: openOffline(rt, t.TempDir(), false), rt: rt, given: map[question]bool{}, compared: compared}
		defer w.close()
		proposal := url.Values{"uri": {placeOf(alice, lexicons.CollectionProposal, firstKey).String()}}
		project := url.Values{"uri": {placeOf(alice, lexicons.CollectionProject, "p").String()}}
		// Few worlds have what these are about, and by chance hardly one that has is asked.
		w.questions = []question{
			{"fund.stratos.feature.getProposal", proposal.Encode()}, {"fund.stratos.feature.getFunding", proposal.Encode()},
			{"fund.stratos.project.getProject", project.Encode()},
		}
		for range askedOfAWorld {
			w.questions = append(w.questions, rapid.SampledFrom(all).Draw(rt, "question"))
		}
		if rapid.Bool().Draw(rt, "money is held") {
			w.begin()
		}
		for range rapid.IntRange(0, 8).Draw(rt, "records at first") {
			r := w.record()
			w.commit(r.DID, r)
		}
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			w.step()
		}
		for range passedAtLast {
			w.passMoment(0)
			w.agree()
		}
		reused += appview.PartsReused(w.api)
	})
	if reused == 0 {
		t.Error("no view was shown again, so nothing was compared")
	}
	for _, q := range all {
		if compared[q.method] == 0 {
			t.Errorf("no answer of %s was kept, so nothing was compared", q.method)
			compared[q.method]++ // said once
		}
	}
}

func TestAnswers_EndWhenAnAttemptLapses(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	began := o.clock().Add(time.Second - lifecycle.AttemptLapse)
	o.put(
		o.recordAt(alice, lexicons.CollectionProject, "p", began, fields{"name": "Project"}),
		o.recordAt(alice, lexicons.CollectionProposal, firstKey, began, fields{
			"title": "Dark mode", "description": "x",
			"subject": fields{"$type": "fund.stratos.feature.proposal#projectSubject", "project": placeOf(alice, lexicons.CollectionProject, "p")},
		}),
		o.recordAt(alice, lexicons.CollectionDevelopment, firstKey, began, fields{
			"proposal": strong(alice, lexicons.CollectionProposal), "title": "x", "summary": "x", "currency": "USD", "escrow": alice,
		}),
	)
	o.wantUntil(o.clock().Add(time.Second), "fund.stratos.feature.listProposals", "stage=development", "Dark mode")
}

// Who proved an address is shown to have, until the proof is too old.
func TestAnswers_EndWhenAClaimExpires(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	o.put(o.recordAt(alice, lexicons.CollectionProject, "p", o.clock(), fields{
		"name": "Project", "uris": []fields{{"uri": "https://it.example", "kind": "website"}},
	}))
	job, ok, err := o.store.TakeClaim(t.Context(), time.Minute)
	if err != nil || !ok {
		t.Fatalf("no claim is due: %v", err)
	}
	expires := o.clock().Add(time.Second)
	if err := o.store.ClaimProven(t.Context(), job, lifecycle.ClaimByHost, expires, o.clock()); err != nil {
		t.Fatal(err)
	}
	query := url.Values{"uri": {placeOf(alice, lexicons.CollectionProject, "p").String()}}
	o.wantUntil(expires, "fund.stratos.project.getProject", query.Encode(), `"verified":true`)
}

// Money that nobody says a date for is overdue when the campaign's last one passed.
func TestR15_AnswersEndWhenHeldMoneyIsOverdue(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.set(offlineBegins.Add(60*24*time.Hour + lifecycle.OverdueTolerance))
	overdue := l.clock().Add(time.Millisecond)
	warns := fmt.Sprintf(`"code":%q`, lifecycle.WarnOverdue)
	of := `"uri":"at://` + broker.String() + "/" + lexicons.CollectionReceipt.String()
	query := l.uri().Encode()
	shown := func() bool {
		body := l.ask(t.Context(), "fund.stratos.feature.getProposal", query).Body.String()
		return strings.Contains(body, warns) && strings.Contains(body, of)
	}
	for range 2 { // asked, and kept
		if shown() {
			t.Fatal("the money is overdue too early")
		}
	}
	l.set(overdue)
	if !shown() {
		t.Error("an answer outlasted the final date")
	}
}

// A ruling exists as any record does, from before the time that it names: whoever asks
// then is told, and so is whoever asks later.
func TestF3_AnswersEndWhenARulingBeginsToExist(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	created := l.clock().Add(time.Hour)
	l.put(l.recordAt(broker, lexicons.CollectionRuling, tid(1), created, fields{
		"dispute": refTo(l.dispute), "outcome": "rejected", "rationale": "It is the same.",
	}))
	begins := created.Add(-lifecycle.FutureTolerance)
	for _, c := range []struct {
		at    time.Time
		ruled bool
	}{{begins.Add(-time.Millisecond), false}, {begins, true}, {created.Add(-time.Millisecond), true}, {created, true}} {
		l.set(c.at)
		for range 2 { // asked, and kept
			body := l.ask(t.Context(), "fund.stratos.feature.getTimeline", l.uri().Encode()).Body.String()
			if got := strings.Contains(body, `"event":"ruled"`); got != c.ruled {
				t.Errorf("at %s there is a ruling: %t", c.at, got)
			}
		}
	}
}

// wantUntil checks that an answer holds a text before a moment, and not from then on.
func (o *offline) wantUntil(end time.Time, method syntax.NSID, query, text string) {
	o.t.Helper()
	shown := func() bool { return strings.Contains(o.ask(context.Background(), method, query).Body.String(), text) }
	o.set(end.Add(-time.Millisecond))
	for range 2 { // asked, and kept
		if !shown() {
			o.t.Fatalf("%s ends too early", text)
		}
	}
	o.set(end)
	if shown() {
		o.t.Errorf("an answer with %s outlasts it", text)
	}
}

func TestAnswers_AreNotForThoseWhoSayWhoTheyAre(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	const method, query = "fund.stratos.feature.listProposals", "sort=new"
	o.ask(t.Context(), method, query)
	o.ask(t.Context(), method, query)
	if asked, kept := o.from("asked"), o.from("kept"); asked != 1 || kept != 1 {
		t.Fatalf("of two questions %v were asked and %v kept", asked, kept)
	}
	for _, name := range []string{"Authorization", "DPoP", "Cookie"} {
		o.ask(t.Context(), method, query, name, "x")
	}
	if asked, kept := o.from("asked"), o.from("kept"); asked != 1 || kept != 1 {
		t.Errorf("a question with a credential was taken for one of the public: %v asked, %v kept", asked, kept)
	}
}

// The cursor moves with every frame of the network; answers must outlast that.
func TestAnswers_OutlastFramesThatAreNotOurs(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	const method, query = "fund.stratos.feature.listProposals", "sort=new"
	o.ask(t.Context(), method, query)
	if _, err := o.store.Apply(t.Context(), "upstream", 7, nil); err != nil {
		t.Fatal(err)
	}
	if o.ask(t.Context(), method, query); o.from("kept") != 1 {
		t.Error("a cursor that moved made an answer be forgotten")
	}
	o.commit(alice)
	if o.ask(t.Context(), method, query); o.from("kept") != 1 {
		t.Error("an answer outlasted a commit")
	}
}

// Whoever has written, and asks, sees it, however many others ask the same.
func TestAnswers_ShowWhatWasWrittenBefore(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	const method, query = "fund.stratos.feature.listProposals", "sort=new&limit=1"
	done := make(chan struct{})
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					o.ask(t.Context(), method, query)
				}
			}
		})
	}
	for n := range 200 {
		title := fmt.Sprintf("Proposal %d.", n)
		o.commit(alice, o.proposal(alice, 1, 0, title, "x"))
		for range 2 {
			if body := o.ask(t.Context(), method, query).Body.String(); !strings.Contains(body, title) {
				t.Errorf("after %q was written: %s", title, body)
			}
		}
	}
	close(done)
	others.Wait()
	if o.from("kept") == 0 {
		t.Error("no answer was kept")
	}
}

func TestAnswers_AreBoundedInBytes(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	answers, err := appview.NewAnswers(o.store, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 500<<10)
	for n := range 300 {
		_, err := answers.Answer(t.Context(), "a.b.c", fmt.Sprint(n), func(context.Context) ([]byte, error) { return body, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if size := appview.AnswersSize(answers); size < 32<<20 || size > 64<<20 {
		t.Errorf("%d bytes are kept", size)
	}
}

func TestAnswers_OutliveTheOneWhoAsked(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	answers, err := appview.NewAnswers(o.store, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaver, leave := context.WithCancel(t.Context())
	asked, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := answers.Answer(leaver, "a.b.c", "q", func(ctx context.Context) ([]byte, error) {
			close(asked)
			<-release
			return []byte("once"), ctx.Err()
		})
		if err != nil {
			t.Errorf("who left took the answer along: %v", err)
		}
	})
	<-asked
	leave()
	close(release)
	wg.Wait()
	body, err := answers.Answer(t.Context(), "a.b.c", "q", func(context.Context) ([]byte, error) { return []byte("twice"), nil })
	if err != nil || string(body) != "once" {
		t.Errorf("%s, %v", body, err)
	}
}
