package acts

import (
	"net/http"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestEveryKindThatIsTakenBackSaysWhatThatMeans(t *testing.T) {
	t.Parallel()
	for kind, back := range takeBacks {
		if back.title == "" || back.button == "" || len(back.lead) == 0 || back.purpose == "" {
			t.Errorf("%s: %+v", kind, back)
		}
		if building := strings.HasPrefix(kind.String(), "fund.stratos.work."); building != (back.purpose == session.Building) {
			t.Errorf("to take back %s one signs in for %s", kind, back.purpose)
		}
	}
}

func TestWhatIsTakenBackLeadsBackToItsProposal(t *testing.T) {
	t.Parallel()
	w := newWorld()
	proposal, work := at(ben, lexicons.CollectionProposal, "3kp"), at(ben, lexicons.CollectionDevelopment, "3kw")
	to := comatproto.RepoStrongRef{Uri: proposal.String()}
	w.records[proposal] = stratos.FeatureProposal{Title: "Dark mode"}
	w.records[work] = stratos.WorkDevelopment{Proposal: to}
	for kind, record := range map[syntax.NSID]any{
		lexicons.CollectionEstimate:     stratos.FeatureEstimate{Proposal: to},
		lexicons.CollectionDispute:      stratos.FeatureDispute{Proposal: to, Release: comatproto.RepoStrongRef{Uri: at(ben, lexicons.CollectionRelease, "3kgone").String()}},
		lexicons.CollectionVerification: stratos.FeatureVerification{Release: comatproto.RepoStrongRef{Uri: at(ben, lexicons.CollectionRelease, "3kw").String()}},
		lexicons.CollectionResponse:     stratos.WorkResponse{Proposal: to},
		lexicons.CollectionPledge:       stratos.FeaturePledge{Proposal: to},
		lexicons.CollectionDonation:     stratos.FeatureDonation{Proposal: to},
	} {
		if _, ok := takeBacks[kind]; !ok {
			t.Errorf("%s is not taken back", kind)
		}
		w.records[at(ana, kind, "3k")] = record
	}
	var shown rendered
	a := newActs(t, w, &shown)
	where := func(uri syntax.ATURI) Link {
		t.Helper()
		record, err := w.Record(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		about, err := a.aboutRecord(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		return about
	}
	for uri := range w.records {
		if uri == work {
			continue
		}
		if got := where(uri); got.Name != "Dark mode" || got.Path != pathOf(proposal) {
			t.Errorf("%s is about %+v", uri, got)
		}
	}
	delete(w.records, work)
	if got := where(at(ana, lexicons.CollectionVerification, "3k")); got.Path != MePath {
		t.Errorf("what is about something that is gone leads to %+v", got)
	}
	delete(w.records, proposal)
	if got := where(at(ana, lexicons.CollectionEstimate, "3k")); got.Path != MePath {
		t.Errorf("what is about something that is gone leads to %+v", got)
	}
}

func TestOnlyWhatIsNotPaidIsDeleted(t *testing.T) {
	t.Parallel()
	for _, kind := range []syntax.NSID{lexicons.CollectionPledge, lexicons.CollectionDonation} {
		w := newWorld()
		uri := at(ana, kind, "3k")
		w.records[uri] = payable{Value: stratos.Defs_Money{Amount: 100, Currency: "USD"}, Escrow: broker.String()}
		var shown rendered
		a := newActs(t, w, &shown)
		record, err := w.Record(t.Context(), uri)
		if err != nil {
			t.Fatal(err)
		}
		why := func() string {
			t.Helper()
			never, err := takeBacks[kind].never(t.Context(), a, nobody(ana), record)
			if err != nil {
				t.Fatal(err)
			}
			return never
		}
		if never := why(); never != "" {
			t.Errorf("an unpaid %s: %s", kind, never)
		}
		w.records[at(broker, lexicons.CollectionReceipt, lexicons.DerivedKey(uri).String())] = stratos.EscrowReceipt{Status: "held"}
		if never := why(); never == "" {
			t.Errorf("a paid %s can be deleted", kind)
		}
	}
}

func TestAProposalThatSomebodyWorksOnStays(t *testing.T) {
	t.Parallel()
	w := newWorld()
	uri := at(ana, lexicons.CollectionProposal, "3k")
	w.records[uri], w.proposals[uri] = stratos.FeatureProposal{}, &stratos.FeatureDefs_ProposalView{}
	var shown rendered
	a := newActs(t, w, &shown)
	record, err := w.Record(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	for attempts, stays := range map[int]bool{0: false, 1: true} {
		w.proposals[uri].Attempts = make([]stratos.FeatureDefs_AttemptView, attempts)
		if never, err := attempted(t.Context(), a, nobody(ana), record); err != nil || (never != "") != stays {
			t.Errorf("with %d attempts: %q, %v", attempts, never, err)
		}
	}
}

func TestNothingIsTakenBackByWhoDidNotGrantIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var shown rendered
	a := newActs(t, w, &shown)
	for kind, building := range map[string]bool{lexicons.CollectionEstimate.String(): false, lexicons.CollectionResponse.String(): true} {
		answer, r := asked("/me/take-back/" + kind + "/3k")
		r.SetPathValue("collection", kind)
		r.SetPathValue("rkey", "3k")
		if a.taking(answer, r, nobody(ana)) != nil || answer.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", kind, answer.Code)
		}
		if to := answer.Header().Get("Location"); !strings.HasPrefix(to, session.SignInPath) || strings.Contains(to, "for=building") != building {
			t.Errorf("%s leads to %s", kind, to)
		}
	}
	for _, kind := range []string{lexicons.CollectionDevelopment.String(), "app.bsky.feed.post", "x", ""} {
		answer, r := asked("/me/take-back/x/3k")
		r.SetPathValue("collection", kind)
		r.SetPathValue("rkey", "3k")
		if shown = (rendered{}); a.taking(answer, r, nobody(ana)) != nil || shown.page != "failed" {
			t.Errorf("%q is taken back: %+v", kind, shown)
		}
	}
}
