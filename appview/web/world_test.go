package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/net/html"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// now is when everything is asked.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func daysOn(days int) string {
	return now.Add(time.Duration(days) * day).Format(syntax.AtprotoDatetimeLayout)
}

func ref[T any](v T) *T { return &v }

// world is a project, a proposal for it and everything that can be known about that, as
// typed records that a test may change before it asks for a page.
type world struct {
	Wrote wrote

	Stage     lifecycle.Stage
	Funding   []stratos.FeatureDefs_Funding
	Name      string // of the project, as lists show it
	Handle    string // everybody's
	Warning   string
	Checks    []stratos.EscrowCampaign_Check
	Claim     stratos.ProjectDefs_ClaimView
	Viewer    *stratos.FeatureDefs_ViewerState
	Uptime    *stratos.EscrowDefs_UptimeView // as the escrow says
	Against   string                         // what it says where it has no campaign; that counts unless it is empty
	Away      bool                           // it does not answer
	Error     error                          // what every query fails with, unless it is nil
	Ruled     bool                           // the escrow ruled on the dispute
	Attempted bool                           // somebody works on the proposal
	Proposed  int                            // how many times the proposal is on the board
}

// wrote are the records.
type wrote struct {
	Proposal     stratos.FeatureProposal
	Project      stratos.ProjectProfile
	Response     stratos.WorkResponse
	Duplicate    stratos.FeatureProposal
	Development  stratos.WorkDevelopment
	Preview      stratos.WorkPreview
	Release      stratos.WorkRelease
	Cancellation stratos.WorkCancellation
	Campaign     stratos.EscrowCampaign
	Receipt      stratos.EscrowReceipt
	Pledge       stratos.FeaturePledge
	Donation     stratos.FeatureDonation
	Estimate     stratos.FeatureEstimate
	Dispute      stratos.FeatureDispute
	Ruling       stratos.EscrowRuling
	Verification stratos.FeatureVerification
	Statement    stratos.EscrowStatement
}

const (
	author    = "did:plc:author"
	developer = "did:plc:developer"
	escrow    = "did:plc:escrow"
	cid       = "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q"
	proposed  = "at://did:plc:author/fund.stratos.feature.proposal/3kabc"
	built     = "at://did:plc:developer/fund.stratos.work.development/3kdev"
	projected = "at://did:plc:developer/fund.stratos.project.profile/skylight"
)

func newWorld() *world {
	money := stratos.Defs_Money{Amount: 2500, Currency: "USD"}
	to := func(uri string) comatproto.RepoStrongRef { return comatproto.RepoStrongRef{Uri: uri, Cid: cid} }
	w := &world{Stage: lifecycle.StageVerification, Name: "Skylight", Handle: "ana.example", Warning: "A deadline passed.", Proposed: 1, Ruled: true, Attempted: true}
	w.Wrote.Proposal = stratos.FeatureProposal{
		Title: "Dark mode", Description: "For **eyes** at night.", CreatedAt: daysOn(-60), Tags: []string{"night"}, Langs: []string{"en"},
		Links:   []stratos.FeatureProposal_Link{{Uri: "https://forum.example/42"}},
		Subject: stratos.FeatureProposal_Subject{FeatureProposal_ProjectSubject: &stratos.FeatureProposal_ProjectSubject{Project: projected}},
	}
	w.Wrote.Duplicate = w.Wrote.Proposal
	w.Wrote.Duplicate.Title = "Night mode"
	w.Wrote.Project = stratos.ProjectProfile{
		Name: "Skylight", Description: ref("A calm client."), License: ref("MIT"), CreatedAt: daysOn(-90), Tags: []string{"client"},
		Uris: []stratos.ProjectProfile_Uri{{Uri: "https://skylight.example/", Kind: "website"}},
	}
	w.Wrote.Response = stratos.WorkResponse{Answer: "planned", Statement: ref("In spring."), Proposal: to(proposed), CreatedAt: daysOn(-50)}
	w.Wrote.Development = stratos.WorkDevelopment{
		Title: "A dark theme", Summary: "All pages.", Currency: "USD", Goal: &money, Escrow: escrow, Proposal: to(proposed),
		ExpectedAt: ref(daysOn(-30)), CreatedAt: daysOn(-45),
	}
	w.Wrote.Preview = stratos.WorkPreview{
		Uri: "https://preview.example/", Instructions: "Press *d*.", OpensAt: daysOn(-30), ClosesAt: daysOn(-16), Development: to(built), CreatedAt: daysOn(-31),
		Commitment: &stratos.WorkPreview_Commitment{Tree: strings.Repeat("ab", 20), Algorithm: "sha1", Path: ref("theme")},
	}
	w.Wrote.Release = stratos.WorkRelease{
		Repository: "https://git.example/skylight", Commit: strings.Repeat("cd", 20), Ref: ref("main"), License: "MIT", Path: ref("theme"),
		Notes: ref("It is dark."), Development: to(built), CreatedAt: daysOn(-10),
	}
	w.Wrote.Cancellation = stratos.WorkCancellation{Reason: ref("Too little."), Development: to(built), CreatedAt: daysOn(-9)}
	w.Wrote.Campaign = stratos.EscrowCampaign{
		Title: "A dark theme", Author: developer, Currency: "USD", Phase: "verifying", Reason: ref("cancelled"), Terms: to("at://" + escrow + "/fund.stratos.escrow.terms/3kterm"),
		Development: to(built), Proposal: to(proposed), OpensAt: daysOn(-30), ClosesAt: daysOn(-16), ReleaseBy: daysOn(-2), FinalAt: daysOn(40), CreatedAt: daysOn(-30), UpdatedAt: daysOn(-9),
	}
	w.Wrote.Receipt = stratos.EscrowReceipt{Status: "held", Value: money, Payer: author, CreatedAt: daysOn(-20), UpdatedAt: daysOn(-20)}
	w.Wrote.Pledge = stratos.FeaturePledge{Value: money, Escrow: escrow, Note: ref("Thank you."), Proposal: to(proposed), Development: to(built), CreatedAt: daysOn(-20)}
	w.Wrote.Donation = stratos.FeatureDonation{Value: money, Escrow: escrow, Note: ref("For tea."), Proposal: to(proposed), Development: to(built), CreatedAt: daysOn(-40)}
	w.Wrote.Estimate = stratos.FeatureEstimate{Value: money, Note: ref("Please."), Proposal: to(proposed), CreatedAt: daysOn(-55)}
	w.Wrote.Dispute = stratos.FeatureDispute{
		Reason: "source-mismatch", Statement: "It is grey.", Proposal: to(proposed), CreatedAt: daysOn(-5),
		Evidence: []stratos.FeatureDispute_Evidence{{Uri: "https://shots.example/1", Note: ref("A picture.")}},
	}
	w.Wrote.Ruling = stratos.EscrowRuling{Outcome: "rejected", Rationale: "It is dark grey.", CreatedAt: daysOn(-3)}
	w.Wrote.Verification = stratos.FeatureVerification{Matches: true, Statement: ref("It is dark here."), Copy: ref("https://fork.example/skylight"), CreatedAt: daysOn(-4)}
	w.Wrote.Statement = stratos.EscrowStatement{
		AsOf: daysOn(-1), CreatedAt: daysOn(-1), Root: strings.Repeat("ef", 32), Receipts: 12, LedgerHead: stratos.EscrowStatement_Head{Sequence: 99, Hash: strings.Repeat("0f", 32)},
		Owed: []stratos.EscrowStatement_Owed{
			{Development: built, Amount: 12500, Currency: "USD", Receipts: 5}, {Development: "at://did:plc:other/fund.stratos.work.development/3k", Amount: 700, Currency: "USD", Receipts: 7},
		},
		Processor: &stratos.EscrowStatement_Processor{
			Available: []stratos.Defs_Balance{{Amount: 14000, Currency: "USD"}}, Pending: []stratos.Defs_Balance{{Amount: 300, Currency: "USD"}}, At: ref(daysOn(-1)),
		},
		Float: []stratos.Defs_Balance{{Amount: 900, Currency: "USD"}}, Unmatched: []stratos.EscrowStatement_Unmatched{{Count: 1, Amount: -100, Currency: "USD"}},
	}
	w.Uptime = &stratos.EscrowDefs_UptimeView{Checks: 400, Failures: 3, LastAt: ref(daysOn(-1)), LastOk: ref(true)}
	w.Funding = []stratos.FeatureDefs_Funding{
		{Currency: "EUR", Estimated: 1800, Estimators: 1},
		{
			Currency: "USD", Estimated: 42000, Estimators: 37, EstimatedProven: 2000, EstimatorsProven: 2, Pledged: 12500, Pledgers: 5, Pending: 1,
			Donated: 500, Donors: 1, Goal: ref(int64(40000)), Raised: ref(int64(13000)), Refunded: 100,
		},
	}
	w.Checks = []stratos.EscrowCampaign_Check{
		{Name: "license-open", Passed: true, CheckedAt: daysOn(-9), Evidence: ref("MIT.")},
		{Name: checkPreview, Passed: false, CheckedAt: daysOn(-1)},
	}
	w.Claim = stratos.ProjectDefs_ClaimView{Uri: "https://skylight.example/", Verified: true, Method: ref("host"), VerifiedAt: ref(daysOn(-80)), Message: ref("Proven.")}
	return w
}

// as is a record of the world as a view has it.
func as(record any) json.RawMessage {
	b, err := json.Marshal(record)
	if err != nil {
		panic(err) // a record of a test that is none
	}
	return b
}

func (w *world) who(did string) stratos.ActorDefs_ProfileBasic {
	return stratos.ActorDefs_ProfileBasic{Did: did, Handle: w.Handle}
}

func (w *world) basic() stratos.FeatureDefs_ProposalViewBasic {
	return stratos.FeatureDefs_ProposalViewBasic{
		Uri: proposed, Cid: cid, Author: w.who(author), Record: as(w.Wrote.Proposal), IndexedAt: daysOn(-60), Stage: string(w.Stage), Funding: w.Funding,
		Next:    &stratos.FeatureDefs_Next{Event: "verification-ends", At: ref(daysOn(5)), Description: ref("Verification ends.")},
		Project: &stratos.ProjectDefs_ProjectViewBasic{Uri: projected, Cid: cid, Name: w.Name, Author: w.who(developer)}, Viewer: w.Viewer,
	}
}

func view(uri string, record any) *stratos.FeatureDefs_RecordView {
	return &stratos.FeatureDefs_RecordView{Uri: uri, Cid: cid, Record: as(record), IndexedAt: daysOn(-20)}
}

var _ Queries = (*world)(nil)

func (w *world) Proposals(context.Context, ProposalsQuery) (*stratos.FeatureListProposals_Output, error) {
	out := &stratos.FeatureListProposals_Output{}
	for range w.Proposed {
		out.Proposals = append(out.Proposals, w.basic())
	}
	return out, w.Error
}

func (w *world) Proposal(_ context.Context, uri syntax.ATURI) (*stratos.FeatureDefs_ProposalView, error) {
	if uri.RecordKey() != syntax.ATURI(proposed).RecordKey() {
		return nil, xrpc.Named("ProposalNotFound", "no such proposal")
	}
	b := w.basic()
	attempt := stratos.FeatureDefs_AttemptView{
		Uri: built, Cid: cid, Author: w.who(developer), Authorized: true, Current: true, Trusted: true, Test: ref(true), Escrow: escrow, Currency: "USD",
		Record: ref(as(w.Wrote.Development)), Preview: view("at://"+developer+"/fund.stratos.work.preview/3kdev", w.Wrote.Preview),
		Release:      view("at://"+developer+"/fund.stratos.work.release/3kdev", w.Wrote.Release),
		Cancellation: view("at://"+developer+"/fund.stratos.work.cancellation/3kdev", w.Wrote.Cancellation),
		Campaign:     view("at://"+escrow+"/fund.stratos.escrow.campaign/x", w.Wrote.Campaign), Phase: &w.Wrote.Campaign.Phase,
		Payees: []stratos.FeatureDefs_PayeeView{{Actor: w.who(developer), Share: 10000, Consented: true}}, Checks: w.Checks,
		OpensAt: ref(daysOn(-30)), ClosesAt: ref(daysOn(-16)), ReleaseBy: ref(daysOn(-2)), AcceptedAt: ref(daysOn(-9)), VerificationEndsAt: ref(daysOn(5)), FinalAt: ref(daysOn(40)),
		Mirror: ref("https://escrow.example/mirror/a.git"), Pot: &stratos.Defs_Total{Amount: 12500, Currency: "USD"},
	}
	if w.Against != "" {
		attempt.Campaign, attempt.Phase = nil, nil // it has not opened
	}
	out := &stratos.FeatureDefs_ProposalView{
		Uri: b.Uri, Cid: b.Cid, Author: b.Author, Record: b.Record, IndexedAt: b.IndexedAt, Stage: b.Stage, Funding: b.Funding, Next: b.Next, Project: b.Project,
		Answer: &stratos.FeatureDefs_AnswerView{
			Uri: "at://" + developer + "/fund.stratos.work.response/3k", Cid: cid, Author: w.who(developer), Answer: w.Wrote.Response.Answer, Record: as(w.Wrote.Response), IndexedAt: daysOn(-50),
		},
		Attempt: &attempt, Attempts: []stratos.FeatureDefs_AttemptView{attempt}, Viewer: w.Viewer,
		Duplicates: []stratos.FeatureDefs_RecordView{*view("at://"+author+"/fund.stratos.feature.proposal/3kdup", w.Wrote.Duplicate)},
		Warnings:   []stratos.FeatureDefs_Warning{{Code: "overdue", Message: w.Warning, Uri: ref(built)}},
	}
	if !w.Attempted {
		out.Attempt, out.Attempts = nil, nil
	}
	return out, w.Error
}

func (w *world) Estimates(context.Context, About) (*stratos.FeatureListEstimates_Output, error) {
	return &stratos.FeatureListEstimates_Output{
		Estimates: []stratos.FeatureDefs_EstimateView{{
			Uri: "at://" + author + "/fund.stratos.feature.estimate/3k", Cid: cid, Author: w.who(author), Record: as(w.Wrote.Estimate), IndexedAt: daysOn(-55),
			Amount: 2500, Counted: 2000, Cap: 2000, Currency: "USD",
		}},
		Distribution: []stratos.FeatureDefs_Distribution{{Currency: "USD", Count: 37, Total: 42000, Buckets: []stratos.FeatureDefs_Bucket{
			{Minimum: 500, Maximum: ref(int64(999)), Count: 30, Total: 21000}, {Minimum: 1000, Count: 7, Total: 21000},
		}}},
	}, w.Error
}

func (w *world) Pledges(context.Context, About) (*stratos.FeatureListPledges_Output, error) {
	return &stratos.FeatureListPledges_Output{Pledges: []stratos.FeatureDefs_PledgeView{{
		Uri: "at://" + author + "/fund.stratos.feature.pledge/3k", Cid: cid, Author: w.who(author), Record: as(w.Wrote.Pledge), IndexedAt: daysOn(-20),
		Status: w.Wrote.Receipt.Status, Value: w.Wrote.Pledge.Value, Receipt: view("at://"+escrow+"/fund.stratos.escrow.receipt/x", w.Wrote.Receipt),
	}}}, w.Error
}

func (w *world) Donations(context.Context, About) (*stratos.FeatureListDonations_Output, error) {
	return &stratos.FeatureListDonations_Output{Donations: []stratos.FeatureDefs_DonationView{{
		Uri: "at://" + author + "/fund.stratos.feature.donation/3k", Cid: cid, Author: w.who(author), Record: as(w.Wrote.Donation), IndexedAt: daysOn(-40),
		Status: "paid", Value: w.Wrote.Donation.Value,
	}}}, w.Error
}

func (w *world) Disputes(context.Context, About) (*stratos.FeatureListDisputes_Output, error) {
	v := stratos.FeatureDefs_DisputeView{
		Uri: "at://" + author + "/fund.stratos.feature.dispute/3k", Cid: cid, Author: w.who(author), Record: as(w.Wrote.Dispute), IndexedAt: daysOn(-5), Standing: true,
	}
	if w.Ruled {
		v.Outcome, v.Ruling = &w.Wrote.Ruling.Outcome, view("at://"+escrow+"/fund.stratos.escrow.ruling/3k", w.Wrote.Ruling)
	}
	return &stratos.FeatureListDisputes_Output{Disputes: []stratos.FeatureDefs_DisputeView{v}}, w.Error
}

func (w *world) Verifications(context.Context, About) (*stratos.FeatureListVerifications_Output, error) {
	return &stratos.FeatureListVerifications_Output{Verifications: []stratos.FeatureDefs_VerificationView{{
		Uri: "at://" + author + "/fund.stratos.feature.verification/3k", Cid: cid, Author: w.who(author), Record: as(w.Wrote.Verification), IndexedAt: daysOn(-4),
		Matches: w.Wrote.Verification.Matches, Backer: true,
	}}}, w.Error
}

func (w *world) Timeline(context.Context, About) (*stratos.FeatureGetTimeline_Output, error) {
	event := func(kind, at string, cents int64) stratos.FeatureDefs_TimelineEvent {
		e := stratos.FeatureDefs_TimelineEvent{Event: kind, At: at, Actor: ref(w.who(author)), Uri: ref(proposed), Cid: ref(cid), Description: ref("It was " + kind + ".")}
		if cents > 0 {
			e.Value = &stratos.Defs_Total{Amount: cents, Currency: "USD"}
		}
		return e
	}
	return &stratos.FeatureGetTimeline_Output{Events: []stratos.FeatureDefs_TimelineEvent{
		event("proposed", daysOn(-60), 0), event("pledged", daysOn(-20), 2500), event("pledged", daysOn(-18), 10100), event("refunded", daysOn(-17), 100),
	}}, w.Error
}

func (w *world) Project(context.Context, syntax.ATURI) (*stratos.ProjectDefs_ProjectView, error) {
	return &stratos.ProjectDefs_ProjectView{
		Uri: projected, Cid: cid, Author: w.who(developer), Record: as(w.Wrote.Project), IndexedAt: daysOn(-90), Proposals: 1,
		Maintainers: []stratos.ActorDefs_ProfileBasic{w.who(author)}, Claims: []stratos.ProjectDefs_ClaimView{w.Claim, {Uri: w.Claim.Uri, Message: w.Claim.Message}},
	}, w.Error
}

func (w *world) Projects(ctx context.Context, _ ProjectsQuery) (*stratos.ProjectListProjects_Output, error) {
	p, err := w.Project(ctx, projected)
	return &stratos.ProjectListProjects_Output{Projects: []stratos.ProjectDefs_ProjectView{*p}}, err
}

func (w *world) Actor(context.Context, syntax.AtIdentifier) (*stratos.ActorDefs_ProfileView, error) {
	return &stratos.ActorDefs_ProfileView{Did: author, Handle: w.Handle, IndexedAt: ref(daysOn(-90)), Proposed: 1, Backed: 2}, w.Error
}

func (w *world) Stats(context.Context) (*stratos.GetStats_Output, error) {
	return &stratos.GetStats_Output{
		Proposals: 1, Backers: 5, Developers: 1, Stages: []stratos.GetStats_StageCount{{Stage: string(w.Stage), Count: 1}},
		Money: []stratos.GetStats_MoneyTotals{{Currency: "USD", Estimated: 42000, Pledged: 12500}},
	}, w.Error
}

func (w *world) Record(_ context.Context, uri syntax.ATURI) (*stratos.FeatureDefs_RecordView, error) {
	return view(uri.String(), w.Wrote.Proposal), w.Error
}

func (w *world) Statement(context.Context, syntax.DID) (*stratos.FeatureDefs_RecordView, error) {
	return view("at://"+escrow+"/fund.stratos.escrow.statement/3kstate", w.Wrote.Statement), w.Error
}

var _ Escrows = (*world)(nil)

func (w *world) Campaign(context.Context, syntax.DID, syntax.ATURI) (*stratos.EscrowDefs_CampaignView, error) {
	switch {
	case w.Away:
		return nil, errors.New("nobody is there")
	case w.Against != "":
		return nil, xrpc.Named("CampaignNotFound", "%s", w.Against)
	}
	return &stratos.EscrowDefs_CampaignView{Uptime: w.Uptime}, nil
}

// pages are addresses of every page that shows something of the world.
var pages = []string{
	"/", "/?q=dark&tag=night&sort=new&stage=proposed", "/board/list", "/p/ana.example/3kabc", "/p/did:plc:author/3kabc/timeline", "/p/ana.example/3kabc/backers",
	"/project/ana.example/skylight", "/@ana.example", "/@did:plc:author?backed", "/at/did:plc:author/fund.stratos.feature.proposal/3kabc",
	"/about", "/how-it-works", "/api", "/nothing/here",
}

// heard are the escrows of a world, however it is asked.
func heard(w Queries) Escrows {
	if e, ok := w.(Escrows); ok {
		return e
	}
	return nil
}

func newSite(t testing.TB, w Queries, change ...func(*Options)) *Site {
	t.Helper()
	opts := Options{Queries: w, Escrows: heard(w), PublicURL: "https://fund.example", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&opts)
	}
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

func get(s *Site, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// open gets a page that has to be there.
func open(t testing.TB, s *Site, path string) (*html.Node, string) {
	t.Helper()
	w := get(s, path)
	if w.Code != http.StatusOK {
		t.Fatalf("%s answers %d:\n%s", path, w.Code, w.Body)
	}
	return parse(t, w.Body.String()), w.Body.String()
}

func parse(t testing.TB, body string) *html.Node {
	t.Helper()
	page, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// words are all text of a page, as a person reads it.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// watched tells who asks.
type watched struct {
	*world
	tell func(context.Context)
}

func (w watched) Proposals(ctx context.Context, q ProposalsQuery) (*stratos.FeatureListProposals_Output, error) {
	w.tell(ctx)
	return w.world.Proposals(ctx, q)
}

func viewerState(may ...string) *stratos.FeatureDefs_ViewerState {
	return &stratos.FeatureDefs_ViewerState{May: may, MayNot: []stratos.FeatureDefs_Refusal{
		{Act: "pledge", Reason: "own-work", Description: ref("The money would come back to you.")},
		{Act: "release", Reason: "not-author", Description: ref("Only the developer.")},
	}}
}
