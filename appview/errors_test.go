package appview_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

func TestBadRequestsGetTheRightErrorAndNameTheParameter(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	const nobody = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.feature.proposal/3aaaaaaaaaa2a"
	for _, c := range []struct {
		name, path string
		status     int
		err        string
		mentions   string
	}{
		{"a method that nobody declares", "fund.stratos.feature.noSuchThing", 501, "MethodNotImplemented", ""},
		{"a missing parameter", "fund.stratos.feature.getProposal", 400, "InvalidRequest", "uri"},
		{"a malformed at-uri", "fund.stratos.feature.getProposal?uri=nonsense", 400, "InvalidRequest", "uri"},
		{"an unknown proposal", "fund.stratos.feature.getProposal?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"a proposal of an unknown handle", "fund.stratos.feature.getProposal?uri=at://nobody.test/fund.stratos.feature.proposal/3aaaaaaaaaa2a", 400, "ProposalNotFound", "uri"},
		{"an at-uri of an account alone", "fund.stratos.feature.getProposal?uri=at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", 400, "ProposalNotFound", "uri"},
		{"funding of an unknown proposal", "fund.stratos.feature.getFunding?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"estimates of an unknown proposal", "fund.stratos.feature.listEstimates?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"too many uris", "fund.stratos.feature.getProposals?" + strings.Repeat("uris="+nobody+"&", 26), 400, "InvalidRequest", "uris"},
		{"a limit that is too large", "fund.stratos.feature.listProposals?limit=101", 400, "InvalidRequest", "limit"},
		{"a limit that is no number", "fund.stratos.feature.listProposals?limit=ten", 400, "InvalidRequest", "limit"},
		{"an unknown order", "fund.stratos.feature.listProposals?sort=best", 400, "InvalidRequest", "sort"},
		{"an unknown stage", "fund.stratos.feature.listProposals?stage=done", 400, "InvalidRequest", "stage"},
		{"a currency in lower case", "fund.stratos.feature.listProposals?currency=usd", 400, "InvalidRequest", "currency"},
		{"a cursor of nobody's", "fund.stratos.feature.listProposals?cursor=abc", 400, "InvalidCursor", "cursor"},
		{"a cursor that is no base64", "fund.stratos.project.listProjects?cursor=%25", 400, "InvalidCursor", "cursor"},
		{"an author without a known handle", "fund.stratos.feature.listProposals?author=nobody.test", 400, "ActorNotFound", ""},
		{"a project that is none", "fund.stratos.feature.listProposals?project=" + nobody, 400, "InvalidRequest", "project"},
		{"an unknown project", "fund.stratos.feature.listProposals?project=at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.project.profile/x", 400, "ProjectNotFound", ""},
		{"a subject that is nothing", "fund.stratos.feature.listProposals?subject=%20", 400, "InvalidRequest", "subject"},
		{"an unknown project by itself", "fund.stratos.project.getProject?uri=at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.project.profile/x", 400, "ProjectNotFound", ""},
		{"pledges of an unknown proposal", "fund.stratos.feature.listPledges?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"donations of an unknown proposal", "fund.stratos.feature.listDonations?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"disputes of an unknown proposal", "fund.stratos.feature.listDisputes?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"verifications of an unknown proposal", "fund.stratos.feature.listVerifications?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"a timeline of an unknown proposal", "fund.stratos.feature.getTimeline?uri=" + nobody, 400, "ProposalNotFound", "uri"},
		{"pledges of a proposal of an unknown handle", "fund.stratos.feature.listPledges?uri=at://nobody.test/fund.stratos.feature.proposal/3aaaaaaaaaa2a", 400, "ProposalNotFound", "uri"},
		{"pledges after a cursor of nobody's", "fund.stratos.feature.listPledges?cursor=abc&uri=" + nobody, 400, "InvalidCursor", "cursor"},
		{"donations after a cursor of nobody's", "fund.stratos.feature.listDonations?cursor=abc&uri=" + nobody, 400, "InvalidCursor", "cursor"},
		{"disputes after a cursor of nobody's", "fund.stratos.feature.listDisputes?cursor=abc&uri=" + nobody, 400, "InvalidCursor", "cursor"},
		{"verifications after a cursor of nobody's", "fund.stratos.feature.listVerifications?cursor=abc&uri=" + nobody, 400, "InvalidCursor", "cursor"},
		{"a timeline after a cursor of nobody's", "fund.stratos.feature.getTimeline?cursor=abc&uri=" + nobody, 400, "InvalidCursor", "cursor"},
		{"too many pledges", "fund.stratos.feature.listPledges?limit=101&uri=" + nobody, 400, "InvalidRequest", "limit"},
		{"a search for nothing", "fund.stratos.feature.searchProposals", 400, "InvalidRequest", "q"},
		{"a search in an unknown order", "fund.stratos.feature.searchProposals?q=x&sort=best", 400, "InvalidRequest", "relevance"},
		{"a search in an unknown stage", "fund.stratos.feature.searchProposals?q=x&stage=done", 400, "InvalidRequest", "stage"},
		{"a search after a cursor of nobody's", "fund.stratos.feature.searchProposals?q=x&cursor=abc", 400, "InvalidCursor", "cursor"},
		{"a search for an unknown handle's", "fund.stratos.feature.searchProposals?q=x&author=nobody.test", 400, "ActorNotFound", ""},
		{"a search in an unknown project", "fund.stratos.feature.searchProposals?q=x&project=at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.project.profile/x", 400, "ProjectNotFound", ""},
		{"a title of nothing", "fund.stratos.feature.searchSimilar", 400, "InvalidRequest", "title"},
		{"similar titles about nothing", "fund.stratos.feature.searchSimilar?title=x&subject=%20", 400, "InvalidRequest", "subject"},
		{"similar titles in an unknown project", "fund.stratos.feature.searchSimilar?title=x&subject=at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.project.profile/x", 400, "ProjectNotFound", ""},
		{"similar titles in a project of an unknown handle", "fund.stratos.feature.searchSimilar?title=x&subject=at://nobody.test/fund.stratos.project.profile/x", 400, "ActorNotFound", ""},
		{"an account of an unknown handle", "fund.stratos.actor.getActor?actor=nobody.test", 400, "ActorNotFound", "handle"},
		{"an account that nobody saw", "fund.stratos.actor.getActor?actor=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", 400, "ActorNotFound", "actor"},
		{"an account without an actor", "fund.stratos.actor.getActor", 400, "InvalidRequest", "actor"},
		{"a standing without actor", "fund.stratos.actor.getStanding?currency=USD", 400, "InvalidRequest", "actor"},
		{"a standing in no currency", "fund.stratos.actor.getStanding?actor=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa&currency=XXQ", 400, "InvalidRequest", "currency"},
		{"a standing in a currency without cap", "fund.stratos.actor.getStanding?actor=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa&currency=CHF", 400, "UnsupportedCurrency", "currency"},
		{"a standing of an unknown handle", "fund.stratos.actor.getStanding?actor=nobody.test&currency=USD", 400, "ActorNotFound", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			method, query, _ := strings.Cut(c.path, "?")
			resp := o.ask(t.Context(), syntax.NSID(method), query)
			var body struct{ Error, Message string }
			if err := json.Unmarshal(resp.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			if resp.Code != c.status || body.Error != c.err || !strings.Contains(body.Message, c.mentions) {
				t.Errorf("got %d %s %q, want %d %s and a message with %q", resp.Code, body.Error, body.Message, c.status, c.err, c.mentions)
			}
		})
	}
}

func TestACursorOfAnotherListIsRefused(t *testing.T) {
	t.Parallel()
	o := newOffline(t)
	o.put(o.proposal(alice, 1, -2, "Once", "."), o.proposal(alice, 2, -1, "Twice", "."))
	get := func(query string) (status int, body struct{ Error, Cursor string }) {
		resp := o.ask(t.Context(), "fund.stratos.feature.listProposals", "limit=1&author="+alice.String()+query)
		if err := json.Unmarshal(resp.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		return resp.Code, body
	}
	_, first := get("&sort=new")
	if first.Cursor == "" {
		t.Fatal("a list of two has one page")
	}
	if status, body := get("&sort=new&cursor=" + first.Cursor); status != http.StatusOK || body.Cursor != "" {
		t.Errorf("the list's own cursor got %d %+v", status, body)
	}
	if status, body := get("&sort=hot&cursor=" + first.Cursor); status != http.StatusBadRequest || body.Error != "InvalidCursor" {
		t.Errorf("another list's cursor got %d %s, want 400 InvalidCursor", status, body.Error)
	}
}
