package acts

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// WorkPath is where developers see what to do next.
const WorkPath = "/me/work"

const (
	// mostWork is how many proposals are shown with own attempts, and how many with those of
	// others that pay the visitor.
	mostWork = 20
	// mostProjects and mostWanted are how many projects are looked at, and how many
	// proposals for each.
	mostProjects = 10
	mostWanted   = 10
)

// Work is what a developer builds, and what people would pay for next.
type Work struct {
	Attempts []OwnAttempt
	// Wanted is what people ask of the projects that the visitor acts for, and of their
	// account; Elsewhere of others.
	Wanted    []WantedFor
	Elsewhere []Wanted
	Board     string // where all of it is
	// Payout is where the visitor stands with escrows; nil when they have not allowed to
	// ask, and SignIn is where they can.
	Payout *Payout
	SignIn string
}

// OwnAttempt is one that the visitor leads, or is a payee of.
type OwnAttempt struct {
	About  Link
	Title  string
	Leader string // who leads it; empty for the visitor
	Share  string // of a payee
	Stage  string // its name
	Over   bool
	Money  string // what counts for it so far
	Do     string // what is up to the visitor
	Next   string // what comes next
	By     time.Time
	Acts   []Link
	Payees []Payee
}

// Payee is who gets a part of it.
type Payee struct {
	Name      string
	Share     string
	Consented bool
}

// WantedFor are the proposals for one project or account.
type WantedFor struct {
	About Link
	Owner string // of a project that the visitor maintains for somebody else
	All   []Wanted
}

// Wanted is a proposal that nobody builds.
type Wanted struct {
	About  Link
	For    string // the project, where that is not said before
	Worth  string // what people would pay; empty for nothing yet
	People int64
}

// unbuilt are the stages in which nobody works on a proposal.
var unbuilt = []string{string(lifecycle.StageProposed), string(lifecycle.StageCancelled)}

// boardOfWanted is the board with the same.
const boardOfWanted = "/?sort=estimated&stage=" + string(lifecycle.StageProposed)

// upToDeveloper says what the leader of the current attempt has to do in a stage; nothing
// where they can only wait.
var upToDeveloper = map[lifecycle.Stage]string{
	lifecycle.StageDevelopment:  "Build it in private, and announce a preview when there is something to see.",
	lifecycle.StagePreview:      "Keep the preview reachable: the escrow publishes whether it is.",
	lifecycle.StageReleasing:    "Release the code, or give the attempt up. What was pledged is final now.",
	lifecycle.StageVerification: "Wait: people look at your release.",
	lifecycle.StageDisputed:     "Wait for the ruling. You can answer where the project is discussed.",
	lifecycle.StageSettling:     "Wait: the money is on its way.",
}

// The next steps of a payee.
const (
	doAgree      = "You are to be paid for it, and have not agreed yet. The preview cannot open before you do."
	doAgreeLater = "You are to be paid for it, and have not agreed yet. You can when no other attempt at this proposal is ahead of it."
	doGetReady   = "You agreed to be paid for it. The preview cannot open before the escrow can pay you, too."
)

// namedAct is one, and what its link says.
type namedAct struct {
	act  lifecycle.Act
	name string
}

// developerActs are the acts of who leads an attempt.
var developerActs = []namedAct{
	{lifecycle.ActRelease, "Release the code"}, {lifecycle.ActPreview, "Announce or change the preview"},
	{lifecycle.ActRespond, "Answer the proposal"}, {lifecycle.ActCancel, "Give the attempt up"},
}

// payeeActs are the acts of who is paid for one.
var payeeActs = []namedAct{{lifecycle.ActConsent, "Agree to be a payee"}}

func (a *Acts) work(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil {
		toSignIn(w, r, session.Building)
		return
	}
	page, err := a.workOf(r.Context(), visitor.DID)
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	if visitor.MayCall(methodCreatePayoutAccount) {
		payout := a.payoutPage(r.Context(), visitor)
		page.Payout = &payout
	} else {
		page.SignIn = session.LinkToSignIn(session.Building, WorkPath)
	}
	a.opts.Render(w, r, http.StatusOK, PageWork, page)
}

// workOf is everything but the payment accounts.
func (a *Acts) workOf(ctx context.Context, did syntax.DID) (Work, error) {
	page := Work{Board: boardOfWanted}
	built, err := a.opts.Queries.Built(ctx, did, mostWork)
	if err != nil {
		return page, err
	}
	paying, err := a.opts.Queries.Paying(ctx, did, mostWork)
	if err != nil {
		return page, err
	}
	for _, uri := range paying {
		if !slices.Contains(built, uri) {
			built = append(built, uri)
		}
	}
	for _, uri := range built {
		view, err := a.opts.Queries.Proposal(ctx, uri)
		if isNotFound(err) {
			continue // it is gone, and so are its pages
		}
		if err != nil {
			return page, err
		}
		attempts, err := attemptsOf(view, did)
		if err != nil {
			return page, err
		}
		page.Attempts = append(page.Attempts, attempts...)
	}
	slices.SortStableFunc(page.Attempts, func(a, b OwnAttempt) int { // what goes on first
		switch {
		case a.Over == b.Over:
			return 0
		case a.Over:
			return 1
		}
		return -1
	})
	return page, a.addWanted(ctx, &page, did)
}

// attemptsOf are those at a proposal that an account leads, or is a payee of.
func attemptsOf(view *stratos.FeatureDefs_ProposalView, did syntax.DID) ([]OwnAttempt, error) {
	proposal, err := readRecord[stratos.FeatureProposal](view.Record)
	if err != nil {
		return nil, err
	}
	var out []OwnAttempt
	for _, v := range view.Attempts {
		share := shareOf(v.Payees, did)
		// Anybody can announce work for a project of others, and say who is to be paid.
		if v.Author.Did != did.String() && (share == nil || !v.Authorized && v.Campaign == nil) {
			continue
		}
		own := OwnAttempt{About: Link{proposal.Title, pathOf(syntax.ATURI(view.Uri))}, Title: proposal.Title, Over: v.Over, Money: moneyFor(view.Funding)}
		if v.Record != nil {
			record, err := readRecord[stratos.WorkDevelopment](*v.Record)
			if err != nil {
				return nil, err
			}
			own.Title = record.Title
		}
		for _, p := range v.Payees {
			own.Payees = append(own.Payees, Payee{web.NameOf(p.Actor), web.Share(p.Share), p.Consented})
		}
		if v.Author.Did == did.String() {
			own.asLeader(view, v)
		} else {
			own.asPayee(view, v, *share)
		}
		out = append(out, own)
	}
	return out, nil
}

// shareOf is an account among payees; nil when it is none.
func shareOf(payees []stratos.FeatureDefs_PayeeView, did syntax.DID) *stratos.FeatureDefs_PayeeView {
	i := slices.IndexFunc(payees, func(p stratos.FeatureDefs_PayeeView) bool { return p.Actor.Did == did.String() })
	if i < 0 {
		return nil
	}
	return &payees[i]
}

// asLeader says where an attempt stands to who leads it.
func (own *OwnAttempt) asLeader(view *stratos.FeatureDefs_ProposalView, v stratos.FeatureDefs_AttemptView) {
	switch {
	case v.Over:
		own.Stage = "Over"
	case !v.Current:
		own.Stage, own.Do = "Waiting", "Another attempt at this proposal came first. Yours counts when that one is over."
	default:
		own.Stage, own.Do = web.StageName(view.Stage), upToDeveloper[lifecycle.Stage(view.Stage)]
		own.addNext(view)
		if waiting := notAgreed(own.Payees); waiting != "" && lifecycle.Stage(view.Stage) == lifecycle.StageDevelopment {
			own.Do += " Before it can open, these have to agree to be paid: " + waiting + "."
		}
		own.addActs(view, developerActs)
	}
	if !v.Over && v.Campaign == nil && v.Record != nil {
		own.Acts = append(own.Acts, Link{"Change what you announced", own.About.Path + "/" + string(web.ActRevise)})
	}
}

// asPayee says where an attempt stands to somebody who is paid for it.
func (own *OwnAttempt) asPayee(view *stratos.FeatureDefs_ProposalView, v stratos.FeatureDefs_AttemptView, p stratos.FeatureDefs_PayeeView) {
	own.Leader, own.Share = web.NameOf(v.Author), web.Share(p.Share)
	if v.Over {
		own.Stage = "Over"
		return
	}
	own.Stage = "Waiting"
	if v.Current {
		own.Stage = web.StageName(view.Stage)
		own.addNext(view)
	}
	switch {
	case !p.Consented && v.Current:
		own.Do = doAgree
		own.addActs(view, payeeActs)
	case !p.Consented:
		own.Do = doAgreeLater
	case v.Campaign == nil:
		own.Do = doGetReady
	}
	if v.Campaign == nil {
		own.Acts = append(own.Acts, Link{"Set up how you are paid", PayoutPath})
	}
}

// addNext adds what comes next for the current attempt.
func (own *OwnAttempt) addNext(view *stratos.FeatureDefs_ProposalView) {
	next := view.Next
	if next == nil || next.Description == nil || next.At == nil {
		return
	}
	if at, err := syntax.ParseDatetimeLenient(*next.At); err == nil {
		own.Next, own.By = *next.Description, at.Time().UTC()
	}
}

// addActs adds those of some acts that the visitor may do.
func (own *OwnAttempt) addActs(view *stratos.FeatureDefs_ProposalView, acts []namedAct) {
	for _, one := range acts {
		if view.Viewer != nil && slices.Contains(view.Viewer.May, string(one.act)) {
			own.Acts = append(own.Acts, Link{one.name, own.About.Path + "/" + string(one.act)})
		}
	}
}

func notAgreed(payees []Payee) string {
	var out []string
	for _, p := range payees {
		if !p.Consented {
			out = append(out, p.Name)
		}
	}
	return strings.Join(out, ", ")
}

// addWanted adds what people would pay for: of the visitor's projects, of those that they
// maintain for others, of their account, and of everybody's.
func (a *Acts) addWanted(ctx context.Context, page *Work, did syntax.DID) error {
	projects, err := a.opts.Queries.Projects(ctx, web.ProjectsQuery{Owner: did.AtIdentifier(), Limit: mostProjects})
	if err != nil {
		return err
	}
	maintained, err := a.opts.Queries.Maintained(ctx, did, mostProjects)
	if err != nil {
		return err
	}
	own := map[string]bool{}
	for _, p := range append(projects.Projects, maintained...) {
		record, err := readRecord[stratos.ProjectProfile](p.Record)
		if err != nil {
			return err
		}
		wanted, err := a.wanted(ctx, web.ProposalsQuery{Project: syntax.ATURI(p.Uri)}, nil)
		if err != nil {
			return err
		}
		for _, one := range wanted {
			own[one.About.Path] = true
		}
		one := WantedFor{About: Link{record.Name, web.ProjectPath(p.Uri)}, All: wanted}
		if p.Author.Did != did.String() {
			one.Owner = web.NameOf(p.Author)
		}
		page.Wanted = append(page.Wanted, one)
	}
	wanted, err := a.wanted(ctx, web.ProposalsQuery{Subject: did.String()}, nil)
	if err != nil {
		return err
	}
	for _, one := range wanted {
		own[one.About.Path] = true
	}
	if len(wanted) > 0 {
		page.Wanted = append(page.Wanted, WantedFor{About: Link{"You, without a project", "/@" + did.String()}, All: wanted})
	}
	page.Elsewhere, err = a.wanted(ctx, web.ProposalsQuery{}, own)
	return err
}

// wanted are the proposals that nobody builds, by what people would pay, without those that
// are shown already.
func (a *Acts) wanted(ctx context.Context, q web.ProposalsQuery, shown map[string]bool) ([]Wanted, error) {
	q.Stages, q.Sort, q.Limit = unbuilt, "estimated", mostWanted
	found, err := a.opts.Queries.Proposals(ctx, q)
	if err != nil {
		return nil, err
	}
	var out []Wanted
	for _, v := range found.Proposals {
		record, err := readRecord[stratos.FeatureProposal](v.Record)
		if err != nil {
			return nil, err
		}
		one := Wanted{About: Link{record.Title, pathOf(syntax.ATURI(v.Uri))}}
		if shown[one.About.Path] {
			continue
		}
		switch {
		case v.Project != nil:
			one.For = v.Project.Name
		case record.Subject.FeatureProposal_UriSubject != nil:
			one.For = record.Subject.FeatureProposal_UriSubject.Uri
		}
		one.Worth, one.People = worthOf(v.Funding)
		out = append(out, one)
	}
	return out, nil
}

// worthOf is what counts of the estimates, by currency, and of how many people.
func worthOf(funding []stratos.FeatureDefs_Funding) (text string, people int64) {
	var parts []string
	for _, f := range funding {
		if f.Estimated > 0 {
			parts = append(parts, web.Amount(f.Estimated, f.Currency))
		}
		people += f.Estimators
	}
	return strings.Join(parts, " + "), people
}

// moneyFor is what an attempt is worth so far: what is held or was paid, else estimates.
func moneyFor(funding []stratos.FeatureDefs_Funding) string {
	var held, paid []string
	for _, f := range funding {
		if f.Pledged > 0 {
			held = append(held, web.Amount(f.Pledged, f.Currency))
		}
		if f.Released > 0 {
			paid = append(paid, web.Amount(f.Released, f.Currency))
		}
	}
	switch estimated, _ := worthOf(funding); {
	case paid != nil:
		return strings.Join(paid, " + ") + " paid to the developers"
	case held != nil:
		return strings.Join(held, " + ") + " held"
	case estimated != "":
		return estimated + " estimated"
	}
	return ""
}
