package e2e

import (
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestSomebodyProposesAndAnotherOneSaysWhatItIsWorth(t *testing.T) {
	ana, ben := New(t), New(t)
	s := newSite(t)
	proposer, backer := atmospheretest.NewAccount(t, s.network, "ana"), atmospheretest.NewAccount(t, s.network, "ben")

	ana.Open(s.page("/propose"))
	ana.SignIn(proposer.Handle.String(), proposer.Password)
	ana.See("Propose a feature")
	ana.Inspect("propose")
	ana.Fill("The feature in a few words", "Maps of the night sky")
	ana.Fill("For which project", "https://maps.example/")
	ana.Fill("What it should do", "Who posts while others sleep, as *stars*.")
	ana.Fill("Tags", "maps, night")
	ana.Press("Sign the proposal")
	ana.Reach("/p/")
	ana.See("Maps of the night sky")
	path := pathOf(t, ana.At())
	records := recordsOf[stratos.FeatureProposal](t, proposer, lexicons.CollectionProposal)
	if len(records) != 1 || strings.Join(records[0].Tags, " ") != "maps night" || records[0].Subject.FeatureProposal_UriSubject.Uri != "https://maps.example/" {
		t.Errorf("the proposer's repository has %+v", records)
	}

	ben.Open(s.page(path + "/estimate"))
	ben.SignIn(backer.Handle.String(), backer.Password)
	ben.See("Yours count up to €25, £20, ¥3,500, $25")
	ben.Inspect("estimate")
	ben.Fill("Amount", "a lot")
	ben.Choose("USD")
	ben.Press("Sign the estimate")
	ben.See("Write the amount in digits")
	if got := ben.Value("Amount"); got != "a lot" {
		t.Errorf("what was typed became %q", got)
	}
	ben.Inspect("estimate-wrong")
	ben.Fill("Amount", "12.50")
	ben.PressOffline("Sign the estimate")
	if got := ben.Value("Amount"); got != "12.50" {
		t.Errorf("offline, what was typed became %q", got)
	}
	ben.Press("Sign the estimate")
	ben.Arrive(path)
	ben.See("$12.50")
	estimates := recordsOf[stratos.FeatureEstimate](t, backer, lexicons.CollectionEstimate)
	if len(estimates) != 1 || estimates[0].Value.Amount != 1250 || estimates[0].Value.Currency != "USD" {
		t.Errorf("the backer's repository has %+v", estimates)
	}
	ben.Open(strings.TrimSuffix(ben.At(), path) + "/me")
	ben.See("$12.50")
	ben.Inspect("me")
}

func TestSimilarProposalsAreShownBeforeAnotherOneIsWritten(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	b.Open(s.page("/propose"))
	b.SignIn(ana.Handle.String(), ana.Password)
	propose := func(title string) {
		b.Fill("The feature in a few words", title)
		b.Fill("For which project", "https://clock.example/")
		b.Fill("What it should do", "Show the time of the reader.")
		b.Press("Sign the proposal")
	}
	propose("Clocks in every time zone")
	b.Reach("/p/")
	b.See("Clocks in every time zone")
	origin := strings.SplitAfter(b.At(), "/p/")[0]
	b.WithoutScripts()
	b.Open(strings.TrimSuffix(origin, "/p/") + "/propose")
	propose("Clocks in each time zone")
	b.See("Is it one of these?")
	b.Inspect("propose-similar")
	if got := len(recordsOf[stratos.FeatureProposal](t, ana, lexicons.CollectionProposal)); got != 1 {
		t.Errorf("%d proposals are written", got)
	}
	b.Press("Sign the proposal")
	b.Reach("/p/")
	b.See("Clocks in each time zone")
}

func TestAnEndedSessionLosesNothingThatWasTyped(t *testing.T) {
	b := New(t)
	s := newSite(t)
	ana := atmospheretest.NewAccount(t, s.network, "ana")
	b.Open(s.page("/propose"))
	b.SignIn(ana.Handle.String(), ana.Password)
	b.Fill("The feature in a few words", "Quieter notifications")
	b.Fill("For which project", "https://bells.example/")
	b.Fill("What it should do", "Ring only when it matters.")
	b.ForgetCookies()
	b.Press("Sign the proposal")
	b.See("You are not signed in any more, so nothing was written")
	b.Inspect("session-ended")
	if got := b.Value("What it should do"); got != "Ring only when it matters." {
		t.Errorf("what was typed became %q", got)
	}
	if got := len(recordsOf[stratos.FeatureProposal](t, ana, lexicons.CollectionProposal)); got != 0 {
		t.Errorf("%d proposals are written", got)
	}
}

func TestADeveloperIntroducesAProjectAndAnswers(t *testing.T) {
	b := New(t)
	s := newSite(t)
	lin := atmospheretest.NewAccount(t, s.network, "lin")
	b.Open(s.page("/claim"))
	b.SignIn(lin.Handle.String(), lin.Password)
	b.See("Introduce your project")
	b.Inspect("claim")
	b.Fill("Name", "Bells")
	b.Fill("Short name", "bells")
	b.Fill("Where it lives", "website https://bells.example/")
	b.Press("Sign the project")
	b.Reach("/project/")
	b.See("Bells")
	project := b.At()
	b.Open(project + "/edit")
	b.Fill("Name", "Quiet bells")
	b.Press("Sign the project")
	b.See("Quiet bells")
	if got := recordsOf[stratos.ProjectProfile](t, lin, lexicons.CollectionProject); len(got) != 1 || got[0].Name != "Quiet bells" {
		t.Errorf("the repository has %+v", got)
	}
	b.Open(strings.SplitAfter(project, "/project/")[0][:strings.Index(project, "/project/")] + "/propose?subject=" + pathOf(t, project))
	b.Fill("The feature in a few words", "Bells that whisper")
	b.Fill("What it should do", "Ring softly.")
	b.Press("Sign the proposal")
	b.Reach("/p/")
	b.See("Bells that whisper")
	b.Open(b.At() + "/respond")
	b.Choose("Planned: it will be built")
	b.Fill("Your reasons", "After the summer.")
	b.Press("Sign the answer")
	b.See("After the summer.")
}
