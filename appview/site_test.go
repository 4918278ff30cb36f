package appview_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/acts"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/xrpc"
)

// newPages are the pages on an index.
func newPages(t testing.TB, o *offline, visitor *web.Visitor) *web.Site {
	t.Helper()
	return newPagesKept(t, o, visitor, nil)
}

func newPagesKept(t testing.TB, o *offline, visitor *web.Visitor, answers xrpc.Answers) *web.Site {
	t.Helper()
	pages, err := web.New(web.Options{
		Queries: o.api.Queries(), Answers: answers, PublicURL: "https://fund.example", Now: o.clock, Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
		Visitor: func(context.Context) *web.Visitor { return visitor },
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func page(pages *web.Site, path string) (status int, body string) {
	w := httptest.NewRecorder()
	pages.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func proposalPath(p store.Record) string { return "/p/" + p.DID.String() + "/" + p.RKey.String() }

// inPhase is the campaign of an attempt in a phase.
func (o *offline) inPhase(proposal, work store.Record, phase string) store.Record {
	part := func(collection syntax.NSID) fields {
		return fields{"uri": "at://" + work.DID.String() + "/" + collection.String() + "/" + work.RKey.String(), "cid": work.CID}
	}
	closes := -30
	if phase == "open" {
		closes = 60
	}
	return o.record(broker, lexicons.CollectionCampaign, lexicons.DerivedKey(work.URI()), -55, fields{
		"development": refTo(work), "preview": part(lexicons.CollectionPreview), "proposal": refTo(proposal), "terms": o.terms(),
		"author": work.DID.String(), "title": "It", "payees": []fields{{"did": work.DID.String(), "share": 10_000}}, "currency": "USD", "phase": phase,
		"opensAt": minuteOf(-55), "closesAt": minuteOf(closes), "releaseBy": minuteOf(closes + 60), "finalAt": minuteOf(60 * 24 * 60),
		"verificationEndsAt": minuteOf(14 * 24 * 60),
	})
}

func TestEachStageOfTheIndexIsAPage(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	phases := map[lifecycle.Stage]string{
		lifecycle.StagePreview: "open", lifecycle.StageReleasing: "closed", lifecycle.StageVerification: "verifying", lifecycle.StageDisputed: "disputed",
		lifecycle.StageSettling: "settling", lifecycle.StageCompleted: "released", lifecycle.StageCancelled: "refunded",
	}
	proposals := map[lifecycle.Stage]store.Record{}
	for n, stage := range lifecycle.Stages() {
		proposal := o.proposal(carol, n, -60, fmt.Sprintf("Number %d", n), "For **eyes**.")
		proposals[stage] = proposal
		o.write(proposal)
		switch {
		case stage == lifecycle.StageDeclined:
			o.write(o.record(bob, lexicons.CollectionResponse, tid(n), -50, fields{"proposal": refTo(proposal), "answer": "declined", "statement": "No."}))
		case stage != lifecycle.StageProposed:
			work := o.development(bob, n, -59, proposal)
			o.write(work)
			if phase, ok := phases[stage]; ok {
				o.write(o.inPhase(proposal, work, phase))
			}
		}
	}
	for _, did := range []syntax.DID{carol, bob, broker} {
		o.fetch(did)
	}
	pages := newPages(t, o, nil)
	for stage, proposal := range proposals {
		status, body := page(pages, proposalPath(proposal))
		if status != http.StatusOK || !strings.Contains(body, "For <strong>eyes</strong>.") {
			t.Fatalf("%s: %d\n%s", stage, status, body)
		}
		if status, list := page(pages, "/?stage="+string(stage)); status != http.StatusOK || strings.Count(list, `class="entry"`) != 1 {
			t.Errorf("the board of what is %s: %d, %d entries", stage, status, strings.Count(list, `class="entry"`))
		} else if got := strings.Contains(list, "<h1>What should be built next</h1>"); got != (stage == lifecycle.StageProposed) {
			t.Errorf("the heading says of what is %s that it should be built next: %t", stage, got)
		}
		acts := map[lifecycle.Stage]string{lifecycle.StageProposed: "/estimate", lifecycle.StageDevelopment: "/donate", lifecycle.StagePreview: "/pledge", lifecycle.StageVerification: "/verify"}
		if act := acts[stage]; act != "" && !strings.Contains(body, proposalPath(proposal)+act) {
			t.Errorf("%s does not offer %s", stage, act)
		}
	}
}

func TestPagesShowWhatTheIndexHolds(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	path := proposalPath(l.proposal)
	for _, c := range []struct {
		path  string
		parts []string
	}{
		{path, []string{"$10", "pledged by 1 person", "It is another program.", "stops the payout", "It matches", "A developer began to work on it."}},
		{path + "/timeline", []string{"The feature was proposed."}},
		{path + "/backers", []string{"held", "arrived"}},
		{path + "/feed.atom", []string{"<feed", "The feature was proposed."}},
		{path + "/badge.svg", []string{"$10 pledged by 1 person, Verification"}},
		{"/?q=dark", []string{"Dark mode", path}},
		{"/@" + alice.String() + "?backed", []string{"Dark mode"}},
		{"/at/" + bob.String() + "/" + lexicons.CollectionDevelopment.String() + "/" + l.work.RKey.String(), []string{"All of it.", l.work.CID}},
	} {
		status, body := page(newPages(t, l.offline, nil), c.path)
		for _, part := range c.parts {
			if status != http.StatusOK || !strings.Contains(body, part) {
				t.Errorf("%s (%d) lacks %q", c.path, status, part)
			}
		}
	}
	for _, gone := range []string{
		"/p/" + carol.String() + "/nothing", "/@" + mallet.String() + "x", "/project/" + carol.String() + "/x",
		"/at/" + carol.String() + "/" + lexicons.CollectionProposal.String() + "/nothing",
	} {
		if status, _ := page(newPages(t, l.offline, nil), gone); status != http.StatusNotFound {
			t.Errorf("%s answers %d", gone, status)
		}
	}
	if status, body := page(newPages(t, l.offline, nil), "/?stage=nonsense"); status != http.StatusBadRequest || !strings.Contains(body, "is not a stage") {
		t.Errorf("a stage that is none: %d", status)
	}
}

func TestTheNewestStatementOfAnEscrowIsFound(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	queries := o.api.Queries()
	none := func(escrow syntax.DID) {
		t.Helper()
		_, err := queries.Statement(t.Context(), escrow)
		if wire, ok := errors.AsType[*xrpc.Error](err); !ok || wire.Name != "StatementNotFound" {
			t.Errorf("the statement of %s: %v", escrow, err)
		}
	}
	none(broker)
	statement := func(by syntax.DID, n int) store.Record {
		return o.record(by, lexicons.CollectionStatement, tid(n), -60+n, fields{
			"asOf": minuteOf(-60 + n), "owed": []fields{}, "receipts": n, "root": strings.Repeat("a", 64),
			"ledgerHead": fields{"sequence": n, "hash": strings.Repeat("b", 64)},
		})
	}
	o.put(statement(broker, 1), statement(broker, 3), statement(broker, 2), statement("did:plc:brokers", 7), statement("did:plc:aroker", 8))
	got, err := queries.Statement(t.Context(), broker)
	if err != nil || got.Uri != statement(broker, 3).URI().String() {
		t.Errorf("the newest is %+v, %v", got, err)
	}
	none(carol)
	o.status(broker, store.AccountTakendown)
	none(broker)
}

func TestAKeptPageShowsWhatIsWritten(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	pages := newPagesKept(t, l.offline, nil, l.answers)
	path := proposalPath(l.proposal)
	for range 2 {
		if _, body := page(pages, path); strings.Contains(body, "Night mode") {
			t.Fatal("it is there before it was written")
		}
	}
	l.put(l.offline.proposal(carol, 1, -60, "Night mode", "For eyes."))
	if _, body := page(pages, path); !strings.Contains(body, "Night mode") {
		t.Error("the page is older than the index")
	}
}

func TestAVisitorSeesTheirOwnState(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	path := proposalPath(l.proposal)
	_, public := page(newPages(t, l.offline, nil), path)
	_, own := page(newPages(t, l.offline, &web.Visitor{DID: alice, Handle: "alice.example"}), path)
	if strings.Contains(public, "Your pledges") || !strings.Contains(own, "Your pledges") {
		t.Error("a pledge is shown to others as theirs, or not to its author")
	}
	if !strings.Contains(own, "You disputed this release before.") {
		t.Error("the page does not say why the visitor may not dispute again")
	}
}

// BenchmarkPages times the pages that most people see, in the AppView's own time.
func BenchmarkPages(b *testing.B) {
	o := newOffline(b)
	var full store.Record
	for n := range 50 {
		proposal := o.proposal(carol, n, -60, fmt.Sprintf("Proposal number %d", n), strings.Repeat("What it *should* do. ", 20))
		o.write(proposal)
		for i := range 20 {
			by := syntax.DID(fmt.Sprintf("did:plc:backer%d", i))
			o.write(o.record(by, lexicons.CollectionEstimate, tid(n), -50, fields{"proposal": refTo(proposal), "value": dollars(int64(100 * (i + 1)))}))
		}
		work := o.development(bob, n, -59, proposal)
		o.write(work)
		if full = proposal; n%2 == 0 {
			continue
		}
		for i := range 20 {
			by := syntax.DID(fmt.Sprintf("did:plc:backer%d", i))
			pledge := o.payment(by, lexicons.CollectionPledge, n, -40, proposal, work, 1000)
			o.write(pledge)
			o.write(o.receipt(pledge, work, -39, 1000, "held"))
			o.write(o.about(by, lexicons.CollectionVerification, n, -20, proposal, work))
		}
		o.write(o.campaign(proposal, work, -55))
	}
	for did := range o.repos {
		o.fetch(did)
	}
	for name, pages := range map[string]*web.Site{"fresh": newPages(b, o, nil), "kept": newPagesKept(b, o, nil, o.answers)} {
		for what, path := range map[string]string{"board": "/", "proposal": proposalPath(full)} {
			b.Run(name+" "+what, func(b *testing.B) {
				for b.Loop() {
					if status, body := page(pages, path); status != http.StatusOK {
						b.Fatalf("%d %s", status, body)
					}
				}
			})
		}
	}
}

func TestVisitorsAreToldWhatTheIndexHoldsOfTheirs(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	forms := l.api.Forms()
	shared := l.record(carol, lexicons.CollectionDevelopment, tid(7), -40, fields{
		"proposal": refTo(l.proposal), "title": "It", "summary": "All of it.", "currency": "USD", "escrow": broker.String(),
		"payees": []fields{{"did": carol.String(), "share": 9000}, {"did": bob.String(), "share": 1000}},
	})
	project := l.record(carol, lexicons.CollectionProject, "maps", -40, fields{"name": "Maps", "maintainers": []fields{{"did": bob.String()}}})
	l.put(shared, project)

	backed, err := forms.Backings(t.Context(), alice, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	status := map[syntax.ATURI]lifecycle.ReceiptStatus{}
	for _, b := range backed {
		status[b.URI] = b.Status
		if b.Proposal != l.proposal.URI() || b.Moved || b.Deleted {
			t.Errorf("what alice paid is %+v", b)
		}
	}
	if len(backed) != 2 || status[l.pledge.URI()] != lifecycle.ReceiptHeld || status[l.donation.URI()] != lifecycle.ReceiptPaid {
		t.Errorf("what alice paid is %+v", backed)
	}
	rest, err := forms.Backings(t.Context(), alice, &acts.After{At: backed[0].At, URI: backed[0].URI}, 10)
	if err != nil || len(rest) != 1 || rest[0].URI != backed[1].URI {
		t.Errorf("after the first of them: %+v, %v", rest, err)
	}

	earned, err := forms.Earnings(t.Context(), bob, nil, 10)
	if err != nil || len(earned) != 1 {
		t.Fatalf("bob earned %+v, %v", earned, err)
	}
	if e := earned[0]; e.Proposal != l.proposal.URI() || e.Development != l.work.URI() || e.Share != 10_000 || e.Phase != lifecycle.PhaseVerifying ||
		e.Held.String() != "USD 10.00" || e.Released.Amount != 0 {
		t.Errorf("bob earned %+v", e)
	}
	if built, err := forms.Built(t.Context(), bob, 10); err != nil || !slices.Equal(built, []syntax.ATURI{l.proposal.URI()}) {
		t.Errorf("bob builds %q, %v", built, err)
	}
	if paying, err := forms.Paying(t.Context(), bob, 10); err != nil || !slices.Equal(paying, []syntax.ATURI{l.proposal.URI()}) {
		t.Errorf("bob is paid for %q, %v", paying, err)
	}
	maintained, err := forms.Maintained(t.Context(), bob, 10)
	if err != nil || len(maintained) != 1 || maintained[0].Uri != project.URI().String() || maintained[0].Author.Did != carol.String() {
		t.Errorf("bob maintains %+v, %v", maintained, err)
	}
}
