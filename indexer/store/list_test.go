package store

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// listed is a proposal in the model of lists.
type listed struct {
	uri     syntax.ATURI
	author  syntax.DID
	created time.Time
	subject lifecycle.Subject
	stage   lifecycle.Stage
	tags    []string
	backers []syntax.DID
	funding []lifecycle.Funding
	pledged map[money.Currency]int64
	closes  int64 // milliseconds; 0 unless it closes next
}

// randomListed draws the n-th proposal and the records around it.
func randomListed(t *rapid.T, n int) (listed, []Record) {
	p := listed{author: pick(t, people[:2], "author"), stage: lifecycle.StageProposed}
	p.uri = proposalURI(p.author, n)
	p.created = start.Add(-time.Duration(rapid.IntRange(0, 3).Draw(t, "age")) * time.Hour)
	dev := dave
	p.subject.Account = dave
	subject := onAccount(dave)
	switch rapid.IntRange(0, 2).Draw(t, "subject") {
	case 1:
		p.subject = lifecycle.Subject{Project: projectURI(carol, "p")}
		subject, dev = onProject(p.subject.Project), carol
	case 2:
		p.subject = lifecycle.Subject{URI: "http://www.it.example/"}
		subject, dev = onURI(p.subject.URI), ""
	}
	p.tags = pick(t, [][]string{nil, {"ui"}, {"ui", "api"}}, "tags")
	more := fields{"createdAt": stamp(p.created)}
	if p.tags != nil {
		more["tags"] = p.tags
	}
	records := []Record{proposal(t, p.author, n, subject, more)}
	switch act := rapid.IntRange(0, 3).Draw(t, "act"); {
	case dev != "" && act == 1:
		p.stage = lifecycle.StageDeclined
		records = append(records, response(t, dev, n, p.uri, "declined", nil))
	case dev != "" && act == 2:
		p.stage = lifecycle.StageDevelopment
		records = append(records, development(t, dev, n, p.uri, nil))
	}
	sums := map[money.Currency]*lifecycle.Funding{}
	for _, who := range rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, 3, rapid.ID).Draw(t, "backers") {
		currency := pick(t, []money.Currency{"USD", "USD", "EUR", "CHF"}, "currency")
		amount := pick(t, []int64{100, 200, 2500}, "amount")
		p.backers = append(p.backers, who)
		records = append(records, estimate(t, who, n, p.uri, amount, currency.String(), nil))
		if currency == "CHF" {
			continue // listed and not counted
		}
		if sums[currency] == nil {
			sums[currency] = &lifecycle.Funding{Currency: currency}
		}
		sums[currency].Estimated += amount
	}
	for _, f := range sums {
		p.funding = append(p.funding, *f)
	}
	return p, records
}

// raise gives the proposal what only escrows can: money that is held, and a
// preview that closes.
func (p *listed) raise(t *rapid.T, s *testStore) {
	p.pledged = map[money.Currency]int64{}
	for i := range p.funding {
		f := &p.funding[i]
		p.pledged[f.Currency] = pick(t, []int64{0, 0, 100, 100, 200}, "pledged")
		mustExec(t, s, `UPDATE funding SET pledged = $1 WHERE proposal_uri = $2 AND currency = $3`,
			p.pledged[f.Currency], p.uri, f.Currency)
	}
	at := start.Add(time.Duration(rapid.IntRange(-1, 3).Draw(t, "closes in hours")) * time.Hour).UnixMilli()
	event := pick(t, []lifecycle.NextEvent{"", lifecycle.NextAttemptLapses, eventCloses}, "next event")
	if event == "" {
		return
	}
	mustExec(t, s, `UPDATE stage_interval SET next_event = $1, next_at = $2 WHERE proposal_uri = $3`, event, at, p.uri)
	if event == eventCloses && at > start.UnixMilli() {
		p.closes = at
	}
}

func (p *listed) estimated(c money.Currency) int64 {
	for _, f := range p.funding {
		if f.Currency == c {
			return f.Estimated
		}
	}
	return 0
}

func (p *listed) key(f ProposalFilter) Key {
	switch f.Sort {
	case SortHot:
		return Key{lifecycle.Hot(p.created, p.funding), p.uri}
	case SortNew:
		return Key{p.created.UnixMilli(), p.uri}
	}
	compared := map[ProposalSort]int64{
		SortEstimated: p.estimated(f.SortCurrency),
		SortPledged:   p.pledged[f.SortCurrency],
		SortClosing:   -p.closes,
	}[f.Sort]
	if compared == 0 {
		return Key{p.created.UnixMilli() + behind, p.uri}
	}
	return Key{compared, p.uri}
}

func (p *listed) passes(f ProposalFilter) bool {
	return (len(f.Stages) == 0 || slices.Contains(f.Stages, p.stage)) &&
		(f.Project == "" || f.Project == p.subject.Project) &&
		(f.Account == "" || f.Account == p.subject.Account) &&
		(f.URI == "" || f.URI == "https://it.example" && p.subject.URI == "http://www.it.example/") &&
		(f.Author == "" || f.Author == p.author) &&
		(f.Backer == "" || slices.Contains(p.backers, f.Backer)) &&
		(f.Tag == "" || slices.Contains(p.tags, foldTag(f.Tag))) &&
		(f.Currency == "" || p.estimated(f.Currency) > 0)
}

// randomFilter draws each field seldom, so that combinations are not empty.
func randomFilter(t *rapid.T) ProposalFilter {
	f := ProposalFilter{
		Sort:         pick(t, ProposalSorts(), "sort"),
		SortCurrency: pick(t, []money.Currency{"USD", "EUR"}, "sort currency"),
	}
	seldom := func(field string) bool { return rapid.IntRange(0, 4).Draw(t, field) == 0 }
	if seldom("by stage") {
		f.Stages = pick(t, [][]lifecycle.Stage{{lifecycle.StageProposed}, {lifecycle.StageDeclined, lifecycle.StageDevelopment}}, "stages")
	}
	switch rapid.IntRange(0, 7).Draw(t, "by subject") {
	case 0:
		f.Project = projectURI(carol, "p")
	case 1:
		f.Account = dave
	case 2:
		f.URI = "https://it.example"
	}
	if seldom("by author") {
		f.Author = alice
	}
	if seldom("by backer") {
		f.Backer = bob
	}
	if seldom("by tag") {
		f.Tag = pick(t, []string{"ui", " UI", "api", "none"}, "tag")
	}
	if seldom("by currency") {
		f.Currency = "USD"
	}
	return f
}

func model(all []listed, f ProposalFilter) []Key {
	var keys []Key
	for _, p := range all {
		if p.passes(f) {
			keys = append(keys, p.key(f))
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return -compareKeys(a, b) })
	return keys
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.URI, b.URI))
}

func page(t tester, s *testStore, f ProposalFilter, after *Key, limit int) (keys []Key) {
	t.Helper()
	mustRead(t, s, func(r *Reader) error {
		var err error
		keys, err = r.ListProposals(t.Context(), f, after, limit)
		return err
	})
	return keys
}

func TestListProposals_PagesAgreeWithAModel(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := openTestStore(rt, filepath.Join(dir, fmt.Sprintf("%d.db", n)), trusting, newClock())
		defer mustClose(rt, s)
		w := newWorld(rt, s)
		w.put(project(rt, carol, "p"))
		// A hidden account's proposals are in no list.
		w.put(proposal(rt, shady, 1, onAccount(dave), nil))
		w.status(shady, AccountSuspended)
		var all []listed
		insert := func(most int) {
			for range rapid.IntRange(0, most).Draw(rt, "inserted") {
				p, records := randomListed(rt, len(all)+1)
				w.put(records...)
				p.raise(rt, s)
				all = append(all, p)
			}
		}
		insert(16)
		for range 6 {
			f := randomFilter(rt)
			before := model(all, f)
			var got []Key
			var after *Key
			limit := rapid.IntRange(1, 5).Draw(rt, "limit")
			for {
				keys := page(rt, s, f, after, limit)
				got = append(got, keys...)
				if len(keys) < limit {
					break
				}
				after = &keys[len(keys)-1]
				if len(all) < 24 {
					insert(1)
				}
			}
			if !slices.IsSortedFunc(got, func(a, b Key) int { return -compareKeys(a, b) }) || len(slices.Compact(slices.Clone(got))) != len(got) {
				rt.Fatalf("%+v: out of order, or twice: %v", f, got)
			}
			// What was inserted meanwhile may be there or not; all else is.
			if diff := gocmp.Diff(before, intersect(got, before)); diff != "" {
				rt.Fatalf("%+v: pages skipped (-want +got):\n%s", f, diff)
			}
			if diff := gocmp.Diff(model(all, f), page(rt, s, f, nil, 1000)); diff != "" {
				rt.Fatalf("%+v: whole list (-want +got):\n%s", f, diff)
			}
		}
	})
}

func intersect(keys, with []Key) []Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return !slices.Contains(with, k) })
}

func TestListProposals_UnknownOrderIsRefused(t *testing.T) {
	s := newTestStore(t)
	mustRead(t, s, func(r *Reader) error {
		for _, sort := range []ProposalSort{"", "best"} {
			if _, err := r.ListProposals(t.Context(), ProposalFilter{Sort: sort}, nil, 1); err == nil {
				t.Errorf("order %q is taken", sort)
			}
		}
		return nil
	})
}

func TestListProjects_NewestFirstByPages(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	var want []syntax.ATURI
	for n := range 7 {
		owner := people[n%2]
		slug := syntax.RecordKey(fmt.Sprintf("p%d", n))
		r := mustRecord(t, owner, projectURI(owner, "p").Collection(), slug,
			fields{"name": "P", "createdAt": stamp(start.Add(time.Duration(n/2) * -time.Hour))})
		w.put(r)
		want = append(want, r.URI())
	}
	for _, owner := range []syntax.DID{"", alice} {
		var got []Key
		var after *Key
		for {
			var keys []Key
			mustRead(t, w.s, func(r *Reader) (err error) {
				keys, err = r.ListProjects(t.Context(), owner, after, 2)
				return err
			})
			got = append(got, keys...)
			if len(keys) < 2 {
				break
			}
			after = &keys[1]
		}
		wanted := 0
		for _, uri := range want {
			if owner == "" || syntax.DID(uri.Authority()) == owner {
				wanted++
			}
		}
		if len(got) != wanted || !slices.IsSortedFunc(got, func(a, b Key) int { return -compareKeys(a, b) }) {
			t.Errorf("projects of %q: %v, want %d", owner, got, wanted)
		}
	}
}

func TestProjectStates_CountVisibleProposals(t *testing.T) {
	w := newWorld(t, newTestStore(t))
	uri := projectURI(alice, "p")
	w.put(project(t, alice, "p", carol, bob))
	w.put(proposal(t, bob, 1, onProject(uri), nil), proposal(t, carol, 1, onProject(uri), nil))
	w.put(proposal(t, dave, 1, onProject(uri), nil), proposal(t, dave, 2, onAccount(alice), nil))
	w.put(proposal(t, dave, 3, onProject(uri), fields{"createdAt": stamp(start.Add(time.Hour))}))
	want := func(n int64) {
		t.Helper()
		mustRead(t, w.s, func(r *Reader) error {
			got, err := r.ProjectStates(t.Context(), []syntax.ATURI{uri, projectURI(bob, "none")})
			want := map[syntax.ATURI]*ProjectState{uri: {Name: "p", Maintainers: []syntax.DID{bob, carol}, Proposals: n}}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
			return err
		})
	}
	want(3)
	w.status(bob, AccountDeactivated)
	want(2)
	w.delete(proposalURI(carol, 1))
	want(1)
	w.s.clock.advance(time.Hour)
	want(2)
}
