package main

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/e2e"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// visit opens a browser, signs somebody of the cast in, and goes to a page.
func (s *showing) visit(t *testing.T, handle, path string) *e2e.Browser {
	t.Helper()
	b := e2e.New(t)
	b.Open(s.api.Host + "/sign-in?for=building&return=" + url.QueryEscape(path))
	b.SignIn(handle, password)
	b.Arrive(path)
	return b
}

// path is where a record of the pages' is.
func pagePath(uri string) string {
	at := syntax.ATURI(uri)
	return "/p/" + at.Authority().String() + "/" + at.RecordKey().String()
}

// allInStage are the sample data's proposals in a stage.
func (s *showing) allInStage(t *testing.T, stage lifecycle.Stage) []stratos.FeatureDefs_ProposalViewBasic {
	t.Helper()
	out, err := stratos.FeatureListProposals(t.Context(), s.api, "", "", "", "", nil, "", "", []string{string(stage)}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	found := slices.DeleteFunc(out.Proposals, func(p stratos.FeatureDefs_ProposalViewBasic) bool { return p.Uri == s.subject })
	if len(found) == 0 {
		t.Fatalf("the story has no proposal in stage %s", stage)
	}
	return found
}

// inStage is one of them.
func (s *showing) inStage(t *testing.T, stage lifecycle.Stage) stratos.FeatureDefs_ProposalViewBasic {
	t.Helper()
	return s.allInStage(t, stage)[0]
}

// payCard pays on the escrow's page and then on the simulator's.
func payCard(b *e2e.Browser, card string) {
	b.Reach("/pay/")
	b.Click(`input[name="terms"]`)
	b.Press("Go on to pay")
	b.Click(`input[name="card"][value="` + card + `"]`)
	b.Press("of play money")
}

// What the simulator's cards do.
const (
	cardSucceeds = "4242424242424242"
	cardDeclined = "4000000000000002"
)

func TestDemo_PeopleDoItAllOnThePages(t *testing.T) {
	t.Parallel()
	e2e.New(t) // without a browser, nothing of this can be done
	s := show(t, t.TempDir(), t.TempDir())

	t.Run("every page can be used by everybody", func(t *testing.T) { everyPage(t, s) })
	t.Run("a pledge is paid, held and taken back", func(t *testing.T) { pledgedAndTakenBack(t, s) })
	t.Run("a payment that is declined or given up charges nothing", func(t *testing.T) { givenUp(t, s) })
	t.Run("a feature is proposed, built, donated for and shown", func(t *testing.T) { developed(t, s) })
	t.Run("a release is verified and disputed", func(t *testing.T) { verifiedAndDisputed(t, s) })
	t.Run("a developer releases", func(t *testing.T) { released(t, s) })
	t.Run("a pledge whose backer loses the connection at each step is charged once", func(t *testing.T) { lostOnTheWay(t, s) })
	t.Run("an escrow that does not answer charges nothing", func(t *testing.T) { silentEscrow(t, s) })
	t.Run("a feature goes all the way from an idea to a payout", func(t *testing.T) { wholeLife(t, s) })
}

func pledgedAndTakenBack(t *testing.T, s *showing) {
	path := pagePath(s.subject)
	b := s.visit(t, "chloe-backs.test", path)
	b.Press("Pledge for its release")
	b.See("become public for good")
	b.Inspect("pledge")
	b.Fill("Amount", "20")
	b.Choose("I know that this stays public")
	b.Press("Sign the pledge")
	b.Reach("/me/pledge/")
	b.See("Go on to pay $20")
	b.Inspect("pledge-unpaid")
	b.Press("Go on to pay")
	b.Reach("/pay/")
	b.Inspect("escrow-pay")
	offer := b.At()
	b.Press("The terms on a page of their own")
	b.Reach("/terms/")
	b.Inspect("escrow-terms")
	b.Open(offer)
	payCard(b, cardSucceeds)
	b.See("Your pledge is held")
	b.Inspect("escrow-paid")
	b.Press("Go to 127.0.0.1")
	b.Reach("/me/pledge/")
	b.See("Your money is held")
	b.See("What the escrow signed for you")
	b.Inspect("pledge-held")

	b.Go(path + "/withdraw")
	b.See("Take your pledge back")
	b.Inspect("withdraw")
	b.Press("Take it back")
	b.Arrive(path)
	b.Go("/me")
	b.See("(its record is deleted)")
	b.SeeAfterReload("refunded")
	b.Inspect("me-refunded")
}

func givenUp(t *testing.T, s *showing) {
	path := pagePath(s.subject)
	b := s.visit(t, "ben-backs.test", path+"/pledge")
	b.Fill("Amount", "0.10")
	b.Choose("I know that this stays public")
	b.Press("Sign the pledge")
	b.See("nothing was written")
	b.See("The escrow takes from $1")
	b.Inspect("pledge-too-little")

	b.Fill("Amount", "30")
	b.Press("Sign the pledge")
	b.Press("Go on to pay $30")
	payCard(b, cardDeclined)
	b.See("declined")
	b.Inspect("processor-declined")
	b.Press("Leave without paying")
	b.Inspect("escrow-not-paid")
	b.Press("go to 127.0.0.1")
	b.Reach("/me/pledge/")
	b.See("not paid")
	b.Inspect("pledge-given-up")
	// It can still be paid.
	b.Press("Go")
	payCard(b, cardSucceeds)
	b.Press("Go to 127.0.0.1")
	b.See("Your money is held")
}

func developed(t *testing.T, s *showing) {
	backer := s.visit(t, "emi-backs.test", "/propose")
	backer.Fill("The feature in a few words", "A compass on every map")
	backer.Fill("For which project", "@lin-builds.test")
	backer.Fill("What it should do", "Show where north is.")
	backer.Press("Sign the proposal")
	backer.See("Nothing is written yet")
	backer.Inspect("propose-similar-live")
	backer.Press("Sign the proposal")
	backer.Reach("/p/")
	backer.See("A compass on every map")
	rkey := path.Base(backer.Path())
	path := "/p/emi-backs.test/" + rkey // as links of the page have it

	b := s.visit(t, "lin-builds.test", path)
	b.Press("Start to build it")
	b.See("Build it in a private branch")
	b.Inspect("develop")
	b.Fill("What you will deliver", "A needle in the corner.")
	b.Fill("Goal", "150")
	b.Choose("The demo's escrow")
	b.PressOffline("Sign, and start")
	if got := b.Value("What you will deliver"); got != "A needle in the corner." {
		t.Errorf("offline, what was typed became %q", got)
	}
	b.Press("Sign, and start")
	b.Arrive(path)
	b.See("A needle in the corner.")
	b.Inspect("proposal-in-development")

	backer.Go(path + "/donate")
	backer.See("It is not held")
	backer.Fill("Amount", "5")
	backer.Choose("I know that this stays public")
	backer.Press("Sign the donation")
	backer.Reach("/me/donation/")
	backer.Press("Go on to pay $5")
	payCard(backer, cardSucceeds)
	backer.Press("Go to 127.0.0.1")
	backer.See("The developers have your donation")
	backer.Inspect("donation-paid")

	b.Go(path + "/preview")
	b.See("Announce the preview")
	b.Inspect("preview-form")
	b.Fill("Where it runs", "https://preview.lin-builds.test/compass")
	b.Fill("How to reach the feature", "Open any map.")
	b.PressOffline("Sign the preview")
	if got := b.Value("How to reach the feature"); got != "Open any map." {
		t.Errorf("offline, what was typed became %q", got)
	}
	b.Press("Sign the preview")
	b.Arrive(path)
	b.See("Open any map.")
	b.Go(path + "/preview")
	if got := b.Value("Where it runs"); got != "https://preview.lin-builds.test/compass" {
		t.Errorf("to be changed, the form says %q", got)
	}
	b.Fill("How to reach the feature", "Open any map, and look into the corner.")
	b.Press("Sign the preview")
	b.See("and look into the corner.")

	b.Go(path + "/cancel")
	b.Fill("Why", "North moved.")
	b.Inspect("cancel")
	b.Press("Sign, and give it up")
	b.Arrive(path)
	b.See("Start to build it") // by whoever wants to, from the beginning
}

// onboarded makes a developer one whom the processor can pay.
func onboarded(b *e2e.Browser) {
	b.Go("/me/payout")
	b.See("You have no payment account with this escrow.")
	b.Inspect("payout")
	b.Fill("Your country", "US")
	b.Press("Set it up")
	b.See("Provide everything")
	b.Inspect("processor-onboarding")
	b.Press("Provide everything")
	b.See("Thank you")
	b.Inspect("escrow-payout")
	b.Press("127.0.0.1")
	b.Reach("/me/payout")
	b.SeeAfterReload("You can be paid.")
	b.Inspect("payout-ready")
}

func verifiedAndDisputed(t *testing.T, s *showing) {
	proposal := s.inStage(t, lifecycle.StageVerification)
	path := pagePath(proposal.Uri)
	b := s.visit(t, "ana-backs.test", path+"/verify") // whose pledge is held
	b.Choose("It does what the preview showed")
	b.Fill("What you compared", "I built it twice.")
	b.Inspect("verify")
	b.Press("Sign what you found")
	b.Arrive(path)
	b.See("I built it twice.")
	b.Go(path + "/dispute")
	b.Choose("The code cannot be had")
	b.Fill("What you tried", "The server answers 404.")
	b.Fill("Pages that show it", "https://example.org/404")
	b.Inspect("dispute")
	b.PressOffline("Sign the dispute")
	if got := b.Value("What you tried"); got != "The server answers 404." {
		t.Errorf("offline, what was typed became %q", got)
	}
	b.Press("Sign the dispute")
	b.Arrive(path)
	b.See("The server answers 404.")
	b.Go(path + "/dispute")
	b.See("You disputed this release before.")
	b.Inspect("refused")
}

func released(t *testing.T, s *showing) {
	proposal := s.inStage(t, lifecycle.StageReleasing)
	got, err := stratos.FeatureGetProposal(t.Context(), s.api, proposal.Uri)
	if err != nil {
		t.Fatal(err)
	}
	path := pagePath(proposal.Uri)
	b := s.visit(t, got.Proposal.Attempt.Author.Handle, path+"/release")
	b.See("The pot is final")
	b.Inspect("release")
	b.Fill("Public git repository", "https://git.example/maps")
	b.Fill("Commit", strings.Repeat("0a", 20))
	b.Fill("Licence", "MIT")
	b.Press("Sign the release")
	b.Arrive(path)
	b.See("https://git.example/maps"[len("https://"):])
}
