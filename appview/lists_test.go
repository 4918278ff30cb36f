package appview_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestListsAboutAProposalPageThroughEverythingOnce(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	for method, field := range map[syntax.NSID]string{
		"fund.stratos.feature.listPledges":       "pledges",
		"fund.stratos.feature.listDonations":     "donations",
		"fund.stratos.feature.listDisputes":      "disputes",
		"fund.stratos.feature.listVerifications": "verifications",
		"fund.stratos.feature.getTimeline":       "events",
	} {
		whole := mustGet[map[string]any](l.offline, method, l.uri())
		if whole["cursor"] != nil || len(whole[field].([]any)) < 2 {
			t.Errorf("%s: %v", method, whole)
		}
		var pages []any
		query := l.uri()
		query.Set("limit", "1")
		for {
			page := mustGet[map[string]any](l.offline, method, query)
			pages = append(pages, page[field].([]any)...)
			cursor, more := page["cursor"].(string)
			if !more {
				break
			}
			query.Set("cursor", cursor)
		}
		if diff := cmp.Diff(whole[field], pages); diff != "" {
			t.Errorf("%s by pages (-whole +pages):\n%s", method, diff)
		}
	}
}

func TestR9_APledgeIsWorthWhatItsReceiptSays(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	// Who paid ten dollars claims a million, and names other work.
	edited := l.payment(alice, lexicons.CollectionPledge, 1, -50, l.proposal, l.work, 100_000_000)
	l.put(edited)
	out := mustGet[stratos.FeatureListPledges_Output](l.offline, "fund.stratos.feature.listPledges", l.uri())
	type shown struct {
		URI     string
		Value   int64
		Status  string
		Receipt bool
	}
	var got []shown
	for _, p := range out.Pledges {
		got = append(got, shown{p.Uri, p.Value.Amount, p.Status, p.Receipt != nil})
	}
	want := []shown{
		{l.wish.URI().String(), 2000, "pending", false},
		{edited.URI().String(), 1000, "held", true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestR5_DonationsSayWhetherTheyArrived(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	out := mustGet[stratos.FeatureListDonations_Output](l.offline, "fund.stratos.feature.listDonations", l.uri())
	got := map[string]string{}
	for _, d := range out.Donations {
		got[d.Author.Did] = d.Status
	}
	if diff := cmp.Diff(map[string]string{alice.String(): "paid", carol.String(): "pending"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestR13_ADisputeOfAHolderStandsUntilTheEscrowRules(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	type shown struct {
		Standing bool
		Outcome  string
		Ruling   bool
	}
	disputes := func() map[string]shown {
		out := mustGet[stratos.FeatureListDisputes_Output](l.offline, "fund.stratos.feature.listDisputes", l.uri())
		got := map[string]shown{}
		for _, d := range out.Disputes {
			s := shown{Standing: d.Standing, Ruling: d.Ruling != nil}
			if d.Outcome != nil {
				s.Outcome = *d.Outcome
			}
			got[d.Author.Did] = s
		}
		return got
	}
	if diff := cmp.Diff(map[string]shown{alice.String(): {Standing: true}, carol.String(): {}}, disputes()); diff != "" {
		t.Errorf("before a ruling (-want +got):\n%s", diff)
	}
	l.put(
		l.record(broker, lexicons.CollectionRuling, tid(1), -10, fields{"dispute": refTo(l.dispute), "outcome": "rejected", "rationale": "It is the same."}),
		l.record(mallet, lexicons.CollectionRuling, tid(1), -11, fields{"dispute": refTo(l.dispute), "outcome": "upheld", "rationale": "Because."}),
	)
	if diff := cmp.Diff(map[string]shown{alice.String(): {Outcome: "rejected", Ruling: true}, carol.String(): {}}, disputes()); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
}

func TestR13_VerificationsOfBackersStayTheirsWhenTheMoneyIsPaidOut(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	for _, status := range []string{"held", "released"} {
		l.put(l.receipt(l.pledge, l.work, -45, 1000, status))
		out := mustGet[stratos.FeatureListVerifications_Output](l.offline, "fund.stratos.feature.listVerifications", l.uri())
		got := map[string]bool{}
		for _, v := range out.Verifications {
			got[v.Author.Did] = v.Backer
		}
		if diff := cmp.Diff(map[string]bool{alice.String(): true, carol.String(): false}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
	}
}

func TestR3_TheTimelineTellsWhatDevelopersAndEscrowsDidAndNotWhatStrangersDid(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	l.put(
		l.record(bob, lexicons.CollectionResponse, tid(1), -58, fields{"proposal": refTo(l.proposal), "answer": "planned"}),
		l.record(mallet, lexicons.CollectionResponse, tid(1), -58, fields{"proposal": refTo(l.proposal), "answer": "declined"}),
	)
	out := mustGet[stratos.FeatureGetTimeline_Output](l.offline, "fund.stratos.feature.getTimeline", l.uri())
	var got []string
	for _, e := range out.Events {
		line := e.Event + " " + e.Actor.Did
		if e.Value != nil {
			line += " " + e.Value.Currency
		}
		got = append(got, line)
		if e.Uri == nil || e.Cid == nil || e.Description == nil {
			t.Errorf("%s lacks a record or a sentence: %+v", line, e)
		}
	}
	want := []string{
		"proposed did:plc:carol", "development-started did:plc:bob", "answered did:plc:bob",
		"preview-opened did:plc:broker", "preview-closed did:plc:broker", "release-accepted did:plc:broker",
		"pledged did:plc:alice USD", "donated did:plc:alice USD",
		"verified did:plc:alice", "verified did:plc:carol", "disputed did:plc:alice", "disputed did:plc:carol",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestListsAboutAProposalAnswerForTheMomentOfTheFirstPage(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	query := l.uri()
	query.Set("limit", "1")
	first := mustGet[stratos.FeatureListPledges_Output](l.offline, "fund.stratos.feature.listPledges", query)
	if first.Cursor == nil {
		t.Fatal("there is no second page")
	}
	l.put(l.payment(carol, lexicons.CollectionPledge, 3, 30, l.proposal, l.work, 100)) // dated between the moments
	query.Set("cursor", *first.Cursor)
	l.set(offlineBegins.Add(time.Hour))
	second := mustGet[stratos.FeatureListPledges_Output](l.offline, "fund.stratos.feature.listPledges", query)
	if len(second.Pledges) != 1 || second.Pledges[0].Uri != l.pledge.URI().String() || second.Cursor != nil {
		t.Errorf("the second page has %+v", second.Pledges)
	}
	l.set(offlineBegins.Add(25 * time.Hour))
	var refused struct{ Error string }
	if status := l.get("fund.stratos.feature.listPledges", query, &refused); status != http.StatusBadRequest || refused.Error != "InvalidCursor" {
		t.Errorf("a day later: %d %s", status, refused.Error)
	}
}

func TestSearchFindsByRelevanceAndInEveryOrderByPages(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	inTitle := o.proposal(carol, 1, -1, "Maps", "Where am I?")
	newer := o.proposal(alice, 2, -2, "Offline", "Show maps without a network, and do other things that take many words to tell.")
	other := o.proposal(alice, 3, -3, "Dark mode", "For eyes.")
	o.put(inTitle, newer, other)
	for sort, want := range map[string][]string{
		"relevance": {inTitle.URI().String(), newer.URI().String()},
		"new":       {inTitle.URI().String(), newer.URI().String()},
		"hot":       {inTitle.URI().String(), newer.URI().String()},
	} {
		var got []string
		query := url.Values{"q": {"map"}, "limit": {"1"}, "sort": {sort}}
		for {
			out := mustGet[stratos.FeatureSearchProposals_Output](o, "fund.stratos.feature.searchProposals", query)
			for _, p := range out.Proposals {
				got = append(got, p.Uri)
			}
			if out.Cursor == nil {
				break
			}
			query.Set("cursor", *out.Cursor)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", sort, diff)
		}
	}
	out := mustGet[stratos.FeatureSearchProposals_Output](o, "fund.stratos.feature.searchProposals", url.Values{"q": {"map"}, "author": {alice.String()}})
	if len(out.Proposals) != 1 || out.Proposals[0].Uri != newer.URI().String() {
		t.Errorf("of alice: %+v", out.Proposals)
	}
}

func TestACursorOfASearchFitsAndIsForItsWordsAlone(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	var all []store.Record
	for n := range store.SearchDepth + 1 {
		all = append(all, o.proposal(carol, n, -n, "Maps", "Where am I?"))
	}
	o.put(all...)
	seen := map[string]bool{}
	query := url.Values{"q": {"maps"}}
	for _, limit := range []string{"100", "49", "100"} { // the second page shows all but one of what a search shows
		query.Set("limit", limit)
		out := mustGet[stratos.FeatureSearchProposals_Output](o, "fund.stratos.feature.searchProposals", query)
		for _, p := range out.Proposals {
			seen[p.Uri] = true
		}
		if out.Cursor == nil {
			break
		}
		query.Set("cursor", *out.Cursor)
	}
	if len(seen) != store.SearchDepth {
		t.Errorf("the pages show %d proposals, want %d", len(seen), store.SearchDepth)
	}
	for name, change := range map[string]func(url.Values){
		"other words":       func(q url.Values) { q.Set("q", "map") },
		"another order":     func(q url.Values) { q.Set("sort", "new") },
		"another filter":    func(q url.Values) { q.Set("author", carol.String()) },
		"what nobody wrote": func(q url.Values) { q.Set("cursor", q.Get("cursor")+"!") },
		"half a mark":       func(q url.Values) { q.Set("cursor", q.Get("cursor")+"AA") },
	} {
		changed := maps.Clone(query)
		change(changed)
		var refused struct{ Error string }
		if status := o.get("fund.stratos.feature.searchProposals", changed, &refused); status != http.StatusBadRequest || refused.Error != "InvalidCursor" {
			t.Errorf("%s: %d %s", name, status, refused.Error)
		}
	}
}

func TestSimilarTitlesAreFoundWhileTypingAndForOneSubject(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	here := o.proposal(carol, 1, -1, "Dark mode for the settings", "Please.")
	there := o.record(carol, lexicons.CollectionProposal, tid(2), -2, fields{
		"title": "Dark theme", "description": "Please.",
		"subject": fields{"$type": "fund.stratos.feature.proposal#uriSubject", "uri": "https://tool.example/"},
	})
	o.put(here, there, o.proposal(carol, 3, -3, "Maps", "It is dark."))
	found := func(query url.Values) (uris []string) {
		for _, p := range mustGet[stratos.FeatureSearchSimilar_Output](o, "fund.stratos.feature.searchSimilar", query).Proposals {
			uris = append(uris, p.Uri)
		}
		slices.Sort(uris)
		return uris
	}
	if diff := cmp.Diff([]string{here.URI().String(), there.URI().String()}, found(url.Values{"title": {"A dar"}})); diff != "" {
		t.Errorf("anywhere (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{there.URI().String()}, found(url.Values{"title": {"A dark"}, "subject": {"http://tool.example"}})); diff != "" {
		t.Errorf("for the tool (-want +got):\n%s", diff)
	}
}

func TestAnAccountIsShownWithWhatItDidUnlessItIsHidden(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	got := mustGet[stratos.ActorGetActor_Output](l.offline, "fund.stratos.actor.getActor", url.Values{"actor": {alice.String()}}).Actor
	indexed := offlineBegins.Format(syntax.AtprotoDatetimeLayout)
	if diff := cmp.Diff(stratos.ActorDefs_ProfileView{Did: alice.String(), Handle: "handle.invalid", Backed: 1, IndexedAt: &indexed}, got); diff != "" {
		t.Errorf("alice (-want +got):\n%s", diff)
	}
	if got := mustGet[stratos.ActorGetActor_Output](l.offline, "fund.stratos.actor.getActor", url.Values{"actor": {bob.String()}}).Actor; got.Built != 1 || got.Proposed != 0 {
		t.Errorf("bob: %+v", got)
	}
	l.apply(store.Change{Kind: store.ChangeAccount, DID: alice, Status: store.AccountTakendown})
	for _, did := range []syntax.DID{alice, "did:plc:nobody"} {
		var refused struct{ Error string }
		if status := l.get("fund.stratos.actor.getActor", url.Values{"actor": {did.String()}}, &refused); status != http.StatusBadRequest || refused.Error != "ActorNotFound" {
			t.Errorf("%s: %d %s", did, status, refused.Error)
		}
	}
}

func TestNumbersAreAMinuteOldAtMost(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	stats := func() stratos.GetStats_Output {
		return mustGet[stratos.GetStats_Output](l.offline, "fund.stratos.getStats", nil)
	}
	want := stratos.GetStats_Output{
		AsOf: offlineBegins.Format(syntax.AtprotoDatetimeLayout), Proposals: 1, Backers: 1, Developers: 1,
		Stages: []stratos.GetStats_StageCount{{Stage: "verification", Count: 1}},
		Money:  []stratos.GetStats_MoneyTotals{{Currency: "USD", Pledged: 1000, Donated: 300}},
	}
	if diff := cmp.Diff(want, stats()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	l.put(l.offline.proposal(carol, 9, -1, "Maps", "Where am I?"))
	l.set(offlineBegins.Add(time.Minute - time.Millisecond))
	if diff := cmp.Diff(want, stats()); diff != "" {
		t.Errorf("within the minute (-want +got):\n%s", diff)
	}
	l.set(offlineBegins.Add(time.Minute))
	if got := stats(); got.Proposals != 2 || got.AsOf == want.AsOf {
		t.Errorf("after it %+v", got)
	}
}
