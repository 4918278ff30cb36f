package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	// someEvents, someBackers and someReports are how many of each a proposal's page shows;
	// pages of their own have the rest.
	someEvents  = 100
	someBackers = 10
	someReports = 10
)

// proposalPage is everything that is known about a proposal.
type proposalPage struct {
	entry
	URI, CID     string
	Description  string
	Links        []link
	Steps        []step
	Accounts     []currencyAccounts
	Actions      []action
	Refusals     []string
	Warnings     []warning
	Answer       *answer
	Duplicates   []reference
	Attempt      *attempt
	Others       []attempt // attempts beside it
	Disputes     []dispute
	MoreDisputes bool
	Reports      []report
	MoreReports  bool
	Backers      backers
	Spread       []spread
	Held         *curve
	Events       []event
	MoreEvents   bool
	Badge        string
	Mine         []mine
	// TakeBack and TakeEstimateBack are where the visitor takes the proposal back, and their
	// estimate; empty when it is not theirs, or cannot be.
	TakeBack, TakeEstimateBack string
}

// warning is something that does not fit together.
type warning struct{ Message, Record string }

// answer is what developers said to the proposal.
type answer struct {
	By          person
	Says        string
	Statement   string
	DuplicateOf string
	At          *moment
	Record      string
	TakeBack    string // where its author takes it back; empty for others
}

// answers are what developers may say.
var answers = map[string]string{"planned": "plan to build it", "declined": "will not build it", "duplicate": "call it a duplicate"}

// reference is another record by its title.
type reference struct{ Title, Path string }

// mine is a pledge of the visitor.
type mine struct{ Amount, Status, Path, Record string }

// step is a part of the way, as far as it has been gone.
type step struct {
	Name  string
	State string // done, here, stopped, open
	Word  string // what When is: its beginning, its end
	When  *moment
}

func (s *Site) proposal(w http.ResponseWriter, r *http.Request) error {
	uri, err := recordURI(r, lexicons.CollectionProposal)
	if err != nil {
		return err
	}
	view, err := s.opts.Queries.Proposal(r.Context(), uri)
	if err != nil {
		return err
	}
	page, err := s.proposalPage(r, view)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "proposal", s.proposalHead(page), page)
}

func (s *Site) proposalHead(p *proposalPage) head {
	return head{
		Description: firstWords(p.Description, 200), Path: p.Path, AtURI: p.URI,
		JSON: xrpcURL("fund.stratos.feature.getProposal", "uri", p.URI),
		Feed: p.Path + "/feed.atom", FeedTitle: "What happens to this proposal", Card: p.Path + "/card.png",
	}
}

func (s *Site) proposalPage(r *http.Request, v *stratos.FeatureDefs_ProposalView) (*proposalPage, error) {
	record, err := read[stratos.FeatureProposal](v.Record)
	if err != nil {
		return nil, err
	}
	p := &proposalPage{URI: v.Uri, CID: v.Cid, Description: record.Description, Accounts: accountsOf(v.Funding)}
	p.entry, err = s.entryOf(basicOf(v))
	if err != nil {
		return nil, err
	}
	p.Tags, p.Badge = record.Tags, p.Path+"/badge.svg"
	for _, l := range record.Links {
		if to := linkTo(l.Uri); to != nil {
			p.Links = append(p.Links, *to)
		}
	}
	for _, w := range v.Warnings {
		if w.Code == string(lifecycle.WarnTestMoney) && v.Attempt != nil && v.Attempt.Test != nil {
			continue // the attempt says so
		}
		p.Warnings = append(p.Warnings, warning{plain(w.Message), recordPathOf(w.Uri)})
	}
	if p.Answer, err = s.answerOf(v.Answer); err != nil {
		return nil, err
	}
	for _, d := range v.Duplicates {
		other, err := read[stratos.FeatureProposal](d.Record)
		if err != nil {
			return nil, err
		}
		p.Duplicates = append(p.Duplicates, reference{plain(other.Title), proposalPathOf(&d.Uri)})
	}
	if err := s.addAttempts(p, v); err != nil {
		return nil, err
	}
	p.Steps = s.stepsOf(p.Stage, v.Attempt)
	p.Actions = actionsOf(v, p.Path)
	p.Refusals = refusalsOf(v.Viewer)
	if v.Viewer != nil {
		for _, pledge := range v.Viewer.Pledges {
			p.Mine = append(p.Mine, mine{amount(pledge.Value.Amount, pledge.Value.Currency), statusName(pledge.Status), pledgePath(pledge.Uri), recordPath(pledge.Uri)})
		}
		if v.Viewer.Estimate != nil {
			p.TakeEstimateBack = s.ownTakeBack(r, *v.Viewer.Estimate)
		}
	}
	if len(v.Attempts) == 0 {
		p.TakeBack = s.ownTakeBack(r, v.Uri)
	}
	if p.Answer != nil {
		p.Answer.TakeBack = s.ownTakeBack(r, v.Answer.Uri)
	}
	if p.Attempt != nil {
		if v.Attempt.Campaign == nil && v.Attempt.Record != nil && s.isOwn(r, v.Attempt.Uri) {
			p.Attempt.Revise = p.Path + "/" + string(ActRevise)
		}
		p.Attempt.Said = s.saidOf(r, v.Attempt)
		if p.Attempt.Statement, err = s.statementOf(r, v.Attempt); err != nil {
			return nil, err
		}
	}
	return p, s.addActivity(r, p)
}

// addAttempts adds the attempt that decides, and the others.
func (s *Site) addAttempts(p *proposalPage, v *stratos.FeatureDefs_ProposalView) error {
	for _, a := range v.Attempts {
		made, err := s.attemptOf(a)
		if err != nil {
			return err
		}
		if v.Attempt != nil && a.Uri == v.Attempt.Uri {
			p.Attempt = made
		} else {
			p.Others = append(p.Others, *made)
		}
	}
	slices.Reverse(p.Others) // the newest is the most interesting
	return nil
}

// addActivity adds what people did about it. What cannot be there yet is not asked for.
func (s *Site) addActivity(r *http.Request, p *proposalPage) error {
	if p.released() {
		if err := s.addReports(r, p); err != nil {
			return err
		}
	}
	var err error
	if p.Backers, p.Spread, err = s.backersOf(r, p.atURI(), someBackers, p.Attempt != nil || len(p.Others) > 0); err != nil {
		return err
	}
	timeline, err := s.opts.Queries.Timeline(r.Context(), About{URI: p.atURI(), Limit: someEvents})
	if err != nil {
		return err
	}
	p.Events, p.MoreEvents = s.eventsOf(timeline.Events), timeline.Cursor != nil
	if !p.MoreEvents { // a curve that leaves out the end would lie
		p.Held = s.heldOver(timeline.Events)
	}
	return nil
}

// released tells whether there may be a release of any attempt, which people disputed or
// looked at. The record of one may be gone while the campaign is there.
func (p *proposalPage) released() bool {
	may := func(a attempt) bool { return a.Release != nil || a.Campaign != "" || a.Claimed != "" }
	return p.Attempt != nil && may(*p.Attempt) || slices.ContainsFunc(p.Others, may)
}

// addReports adds what people said about the release.
func (s *Site) addReports(r *http.Request, p *proposalPage) error {
	about := About{URI: p.atURI(), Limit: someReports}
	disputes, err := s.opts.Queries.Disputes(r.Context(), about)
	if err != nil {
		return err
	}
	for _, d := range disputes.Disputes {
		made, err := s.disputeOf(d)
		if err != nil {
			return err
		}
		if made.TakeBack = s.ownTakeBack(r, d.Uri); d.Outcome != nil {
			made.TakeBack = "" // what was ruled on stays
		}
		p.Disputes = append(p.Disputes, made)
	}
	p.MoreDisputes = disputes.Cursor != nil
	reports, err := s.opts.Queries.Verifications(r.Context(), about)
	if err != nil {
		return err
	}
	for _, v := range reports.Verifications {
		made, err := s.reportOf(v)
		if err != nil {
			return err
		}
		made.TakeBack = s.ownTakeBack(r, v.Uri)
		p.Reports = append(p.Reports, made)
	}
	p.MoreReports = reports.Cursor != nil
	return nil
}

// ownTakeBack is where the visitor takes a record back; empty for one of somebody else.
func (s *Site) ownTakeBack(r *http.Request, uri string) string {
	if !s.isOwn(r, uri) {
		return ""
	}
	return TakeBackPathOf(uri)
}

// isOwn tells whether a record is the visitor's.
func (s *Site) isOwn(r *http.Request, uri string) bool {
	v := s.visitor(r.Context())
	author, _, _, ok := partsOf(uri)
	return v != nil && ok && author == v.DID.String()
}

// pledgePath is where its author follows a pledge, which package acts shows.
func pledgePath(uri string) string { return "/me/pledge/" + url.PathEscape(rkeyOf(uri)) }

func (s *Site) answerOf(v *stratos.FeatureDefs_AnswerView) (*answer, error) {
	if v == nil {
		return nil, nil
	}
	record, err := read[stratos.WorkResponse](v.Record)
	if err != nil {
		return nil, err
	}
	a := &answer{
		By: personIn(v.Author), Says: cmp.Or(answers[v.Answer], plain(v.Answer)), At: s.momentOf(record.CreatedAt), Record: recordPath(v.Uri),
		DuplicateOf: proposalPathOf(v.DuplicateOf),
	}
	if record.Statement != nil {
		a.Statement = *record.Statement
	}
	return a, nil
}

// stepsOf is the whole way, and how far it has been gone.
func (s *Site) stepsOf(at stage, a *stratos.FeatureDefs_AttemptView) []step {
	if at.Stopped && a != nil && a.AcceptedAt != nil { // it went as far as that
		at.Step = stepVerification
	}
	out := make([]step, steps)
	for i := range out {
		out[i] = step{Name: stepNames[i], State: "open"}
		switch {
		case i < at.Step:
			out[i].State = "done"
		case i == at.Step && at.Stopped:
			out[i].State = "stopped"
		case i == at.Step && lifecycle.Stage(at.ID) == lifecycle.StageCompleted:
			out[i].State = "done"
		case i == at.Step:
			out[i].State = "here"
		}
	}
	if a == nil {
		return out
	}
	for i, when := range map[int]struct {
		word string
		at   *string
	}{
		stepPreview:      {"until", a.ClosesAt},
		stepRelease:      {"by", cmp.Or(a.AcceptedAt, a.ReleaseBy)},
		stepVerification: {"until", a.VerificationEndsAt},
		stepPaid:         {"by", a.FinalAt},
	} {
		if i == stepPreview && at.Step < stepPreview {
			when.word, when.at = "from", a.OpensAt
		}
		// What will not come any more has no date, and when the last one came is not known here.
		if at.Stopped && i >= at.Step || out[i].State == "done" && i == stepPaid {
			continue
		}
		if out[i].When = s.maybe(when.at); out[i].When != nil && !out[i].When.Past {
			out[i].Word = when.word
		}
	}
	return out
}

func recordPathOf(uri *string) string {
	if uri == nil {
		return ""
	}
	return recordPath(*uri)
}
