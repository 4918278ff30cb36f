package appview_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// Each change is of one thing that a view in a list shows, and of nothing else that it
// shows. What another view shows stays kept.
func TestParts_AreMadeAnewWhenWhatTheyShowChanges(t *testing.T) {
	t.Parallel()
	const list = "sort=new"
	project := placeOf(alice, lexicons.CollectionProject, "p")
	profile := fields{"name": "Project", "uris": []fields{{"uri": "https://it.example", "kind": "website"}}}
	about := func(n int, subject fields) fields {
		return fields{"title": "Proposal " + string(tid(n)), "description": "x", "subject": subject}
	}
	var o *offline
	setHandle := func(did syntax.DID, handle syntax.Handle) {
		if err := o.store.SetHandle(t.Context(), did, handle, o.clock().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	prove := func(until time.Time) {
		job, ok, err := o.store.TakeClaim(t.Context(), time.Minute)
		if err != nil || !ok {
			t.Fatalf("no claim is due: %v", err)
		}
		if err := o.store.ClaimProven(t.Context(), job, lifecycle.ClaimByHost, until, until); err != nil {
			t.Fatal(err)
		}
	}
	ofProject := fields{"$type": "fund.stratos.feature.proposal#projectSubject", "project": project}
	for _, change := range []struct {
		name  string
		first func() // before anything is asked
		make  func()
		shows string // afterwards, and not before
		hides string // the other way round
	}{
		{name: "the author's handle", make: func() { setHandle(carol, "carol.test") }, shows: "carol.test"},
		{name: "the handle of who owns the project", make: func() { setHandle(alice, "alice.test") }, shows: "alice.test"},
		{name: "the account's handle", make: func() { setHandle(bob, "bob.test") }, shows: "bob.test"},
		{name: "the project's name", make: func() {
			o.commit(alice, o.recordAt(alice, lexicons.CollectionProject, "p", o.clock(), fields{"name": "Renamed", "uris": profile["uris"]}))
		}, shows: "Renamed"},
		{name: "the project's owner goes", make: func() { o.status(alice, store.AccountDeactivated) }, hides: `"name":"Project"`},
		{name: "the stage", make: func() {
			o.commit(alice, o.record(alice, lexicons.CollectionResponse, tid(1), 0, fields{
				"proposal": strong(carol, lexicons.CollectionProposal), "answer": "declined",
			}))
		}, shows: `"stage":"declined"`},
		{name: "the funding", make: func() {
			o.commit(bob, o.record(bob, lexicons.CollectionEstimate, tid(1), 0, fields{"proposal": strong(carol, lexicons.CollectionProposal), "value": dollars(777)}))
		}, shows: `"estimated":777`},
		{name: "the record", make: func() {
			o.commit(carol, o.recordAt(carol, lexicons.CollectionProposal, firstKey, o.clock(), about(9, ofProject)))
		}, shows: "Proposal " + string(tid(9))},
		{name: "a claim", make: func() { prove(o.clock().Add(time.Hour)) }},
		{name: "a claim that expires", first: func() { prove(o.clock().Add(time.Minute)) }, make: func() { o.set(o.clock().Add(time.Minute)) }},
	} {
		o = newOffline(t)
		setUp := []store.Record{
			o.recordAt(alice, lexicons.CollectionProject, "p", o.clock().Add(-time.Hour), profile),
			o.recordAt(carol, lexicons.CollectionProposal, firstKey, o.clock().Add(-time.Hour), about(1, ofProject)),
			o.recordAt(carol, lexicons.CollectionProposal, tid(2), o.clock().Add(-time.Hour), about(2, fields{
				"$type": "fund.stratos.feature.proposal#accountSubject", "did": bob,
			})),
			o.recordAt(carol, lexicons.CollectionProposal, tid(3), o.clock().Add(-time.Hour), about(3, fields{
				"$type": "fund.stratos.feature.proposal#uriSubject", "uri": "https://it.example/",
			})),
			o.recordAt(mallet, lexicons.CollectionProposal, firstKey, o.clock().Add(-time.Hour), about(4, fields{
				"$type": "fund.stratos.feature.proposal#accountSubject", "did": mallet,
			})),
		}
		o.put(setUp...)
		if change.first != nil {
			change.first()
		}
		ask := func() string {
			return o.ask(context.Background(), "fund.stratos.feature.listProposals", list).Body.String()
		}
		before := ask()
		reused := appview.PartsReused(o.api)
		change.make()
		after := ask()
		if after == before || strings.Contains(before, change.shows) && change.shows != "" || !strings.Contains(after, change.shows) ||
			change.hides != "" && (!strings.Contains(before, change.hides) || strings.Contains(after, change.hides)) {
			t.Errorf("%s: shown before\n%s\nand after\n%s", change.name, before, after)
		}
		if _, want := o.fresh("fund.stratos.feature.listProposals", list); after != want {
			t.Errorf("%s: shown\n%s\nwant\n%s", change.name, after, want)
		}
		if appview.PartsReused(o.api) == reused {
			t.Errorf("%s: also the view of another proposal was made anew", change.name)
		}
	}
}

func TestParts_SayHowMuchMemoryTheyTake(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	held := func() float64 {
		m := l.metric("stratos_appview_parts_bytes")
		if len(m) != 1 {
			t.Fatalf("the metric is %v", m)
		}
		return m[0].GetGauge().GetValue()
	}
	if got := held(); got != 0 {
		t.Errorf("%v bytes before anything was asked", got)
	}
	list := l.ask(context.Background(), "fund.stratos.feature.listProposals", "")
	if got := held(); got < float64(list.Body.Len()) {
		t.Errorf("%v bytes for a list of %d", got, list.Body.Len())
	}
}
