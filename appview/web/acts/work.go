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
	// mostWork is how many proposals with own attempts are shown, the newest.
	mostWork = 20
	// mostProjects and mostWanted are how many projects are looked at, and how many
	// proposals for each.
	mostProjects = 10
	mostWanted   = 10
)

// Work is what a developer builds, and what people would pay for next.
type Work struct {
	Attempts []OwnAttempt
	// Wanted is what people ask of the visitor's projects and account; Elsewhere of others.
	Wanted    []WantedFor
	Elsewhere []Wanted
	Board     string // where all of it is
	// Payout is where the visitor stands with escrows; nil when they have not allowed to
	// ask, and SignIn is where they can.
	Payout *Payout
	SignIn string
}

// OwnAttempt is one that the visitor leads.
type OwnAttempt struct {
	About  Link
	Title  string
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

// developerActs are the acts of developers, by what their links say.
var developerActs = []struct {
	act  lifecycle.Act
	name string
}{
	{lifecycle.ActRelease, "Release the code"}, {lifecycle.ActPreview, "Announce or change the preview"},
	{lifecycle.ActRespond, "Answer the proposal"}, {lifecycle.ActCancel, "Give the attempt up"},
}

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

// attemptsOf are those at a proposal that an account leads.
func attemptsOf(view *stratos.FeatureDefs_ProposalView, did syntax.DID) ([]OwnAttempt, error) {
	proposal, err := readRecord[stratos.FeatureProposal](view.Record)
	if err != nil {
		return nil, err
	}
	path := pathOf(syntax.ATURI(view.Uri))
	var out []OwnAttempt
	for _, v := range view.Attempts {
		if v.Author.Did != did.String() {
			continue
		}
		own := OwnAttempt{About: Link{proposal.Title, path}, Title: proposal.Title, Over: v.Over, Money: moneyFor(view.Funding)}
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
		switch {
		case v.Over:
			own.Stage = "Over"
		case !v.Current:
			own.Stage, own.Do = "Waiting", "Another attempt at this proposal came first. Yours counts when that one is over."
		default:
			own.Stage, own.Do = web.StageName(view.Stage), upToDeveloper[lifecycle.Stage(view.Stage)]
			addNext(&own, view)
		}
		if !v.Over && v.Campaign == nil && v.Record != nil {
			own.Acts = append(own.Acts, Link{"Change what you announced", path + "/" + string(web.ActRevise)})
		}
		out = append(out, own)
	}
	return out, nil
}

// addNext adds what comes next for the current attempt, and what its leader may do.
func addNext(own *OwnAttempt, view *stratos.FeatureDefs_ProposalView) {
	if next := view.Next; next != nil && next.Description != nil && next.At != nil {
		if at, err := syntax.ParseDatetimeLenient(*next.At); err == nil {
			own.Next, own.By = *next.Description, at.Time().UTC()
		}
	}
	if waiting := notAgreed(own.Payees); waiting != "" && lifecycle.Stage(view.Stage) == lifecycle.StageDevelopment {
		own.Do += " Before it can open, these have to agree to be paid: " + waiting + "."
	}
	if view.Viewer == nil {
		return
	}
	for _, one := range developerActs {
		if slices.Contains(view.Viewer.May, string(one.act)) {
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

// addWanted adds what people would pay for: of the visitor's projects and account, and of
// everybody's.
func (a *Acts) addWanted(ctx context.Context, page *Work, did syntax.DID) error {
	projects, err := a.opts.Queries.Projects(ctx, web.ProjectsQuery{Owner: did.AtIdentifier(), Limit: mostProjects})
	if err != nil {
		return err
	}
	own := map[string]bool{}
	for _, p := range projects.Projects {
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
		page.Wanted = append(page.Wanted, WantedFor{Link{record.Name, web.ProjectPath(p.Uri)}, wanted})
	}
	wanted, err := a.wanted(ctx, web.ProposalsQuery{Subject: did.String()}, nil)
	if err != nil {
		return err
	}
	for _, one := range wanted {
		own[one.About.Path] = true
	}
	if len(wanted) > 0 {
		page.Wanted = append(page.Wanted, WantedFor{Link{"You, without a project", "/@" + did.String()}, wanted})
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
