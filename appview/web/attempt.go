package web

import (
	"cmp"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// attempt is somebody's work on a proposal.
type attempt struct {
	Title, Summary string
	By             person
	Trusted, Test  bool
	Over           bool
	Payees         []payee
	Goal           string
	Expected       *moment
	Started        *moment
	Escrow         person
	Phase          string
	Pot            string
	Preview        *preview
	Release        *release
	Cancelled      *cancellation
	Terms          string
	Reason         string // why the money goes back
	Deadlines      []deadline
	Record         string // empty when only the campaign is left
	Campaign       string
	CampaignURI    string
	Said           *said
	Statement      *statement
	Revise         string // where its developer changes what was announced; empty for others
	Claimed        string // the campaign of an escrow that decides nothing here
}

type payee struct {
	Person    person
	Share     string
	Consented bool
}

type deadline struct {
	Name string
	At   *moment
}

// preview is where the feature can be seen.
type preview struct {
	Link         *link
	Instructions string
	Opens        *moment
	Closes       *moment
	Tree         string // what it committed to
	Algorithm    string
	Path         string
	Seen         *check // whether the escrow reached it when it last looked
	Record       string
}

// release is the code.
type release struct {
	Repository *link
	Commit     string
	Ref        string
	License    string
	Path       string
	Notes      string
	Checks     []check
	Mirror     *link
	Accepted   *moment
	Verified   *moment // when verification ends
	Record     string
}

// check is something that the escrow looked at.
type check struct {
	Name     string
	Passed   bool
	Evidence string
	At       *moment
}

type cancellation struct {
	Reason string
	At     *moment
	Record string
}

// checkNames say what an escrow's checks are about. Those of the preview stand beside it.
var checkNames = map[string]string{
	"repository-public":    "Everybody can see the repository",
	"repository-cloneable": "Everybody can clone it",
	"commit-present":       "It holds the named commit",
	"license-open":         "The licence is open source",
	"license-matches":      "The licence is the one that was announced",
	"tree-matches":         "The code is what the preview committed to",
	checkPreview:           "The preview can be reached",
}

const checkPreview = "preview-reachable"

// wentBack are the reasons for which an escrow returns money.
var wentBack = map[string]string{
	"cancelled":       "The developer gave up the attempt.",
	"not-released":    "Nothing that passed the checks was released in time.",
	"dispute-upheld":  "A dispute about the release was upheld.",
	"undecided":       "The final date came before a decision.",
	"payee-unpayable": "One of the payees could not be paid.",
	"nothing-pledged": "Nobody pledged.",
	"wind-down":       "The escrow ended its service, and returns everything.",
	"legal-order":     "A legal order made the escrow return everything.",
}

func (s *Site) attemptOf(v stratos.FeatureDefs_AttemptView) (*attempt, error) {
	a := &attempt{
		By: personIn(v.Author), Trusted: v.Trusted, Test: v.Test != nil && *v.Test, Over: v.Over, Escrow: personOf(v.Escrow, ""),
	}
	if v.Phase != nil {
		a.Phase = plain(*v.Phase)
	}
	if v.Pot != nil {
		a.Pot = amount(v.Pot.Amount, v.Pot.Currency)
	}
	for _, p := range v.Payees {
		a.Payees = append(a.Payees, payee{personIn(p.Actor), share(p.Share), p.Consented})
	}
	if v.Record != nil {
		record, err := read[stratos.WorkDevelopment](*v.Record)
		if err != nil {
			return nil, err
		}
		a.Title, a.Summary, a.Record = plain(record.Title), record.Summary, recordPath(v.Uri)
		a.Expected, a.Started = s.maybe(record.ExpectedAt), s.momentOf(record.CreatedAt)
		if record.Goal != nil {
			a.Goal = amount(record.Goal.Amount, record.Goal.Currency)
		}
	}
	if err := s.addCampaign(a, v); err != nil {
		return nil, err
	}
	for _, d := range []struct {
		name string
		at   *string
	}{
		{"Preview opens", v.OpensAt}, {"Pledging ends", v.ClosesAt}, {"Release at the latest", v.ReleaseBy}, {"Release accepted", v.AcceptedAt},
		{"Verification ends", v.VerificationEndsAt}, {"Everything is decided, or goes back", v.FinalAt},
	} {
		if at := s.maybe(d.at); at != nil {
			a.Deadlines = append(a.Deadlines, deadline{d.name, at})
		}
	}
	return a, s.addParts(a, v)
}

// addCampaign adds what the escrow froze.
func (s *Site) addCampaign(a *attempt, v stratos.FeatureDefs_AttemptView) error {
	if v.Claimed != nil {
		a.Claimed = recordPath(v.Claimed.Uri)
	}
	if v.Campaign == nil {
		return nil
	}
	record, err := read[stratos.EscrowCampaign](v.Campaign.Record)
	if err != nil {
		return err
	}
	a.Campaign, a.CampaignURI, a.Terms = recordPath(v.Campaign.Uri), v.Campaign.Uri, recordPath(record.Terms.Uri)
	a.Title = cmp.Or(a.Title, plain(record.Title))
	if record.Reason != nil {
		a.Reason = cmp.Or(wentBack[*record.Reason], plain(*record.Reason))
	}
	return nil
}

// addParts adds the records that belong to the development.
func (s *Site) addParts(a *attempt, v stratos.FeatureDefs_AttemptView) error {
	checks := s.checksOf(v.Checks)
	if v.Preview != nil {
		record, err := read[stratos.WorkPreview](v.Preview.Record)
		if err != nil {
			return err
		}
		a.Preview = &preview{
			Link: linkTo(record.Uri), Instructions: record.Instructions, Opens: s.maybe(v.OpensAt), Closes: s.maybe(v.ClosesAt),
			Record: recordPath(v.Preview.Uri),
		}
		if c := record.Commitment; c != nil {
			a.Preview.Tree, a.Preview.Algorithm = plain(c.Tree), plain(c.Algorithm)
			if c.Path != nil {
				a.Preview.Path = plain(*c.Path)
			}
		}
		for i, c := range v.Checks {
			if c.Name == checkPreview {
				a.Preview.Seen = &checks[i]
			}
		}
	}
	if v.Release != nil {
		record, err := read[stratos.WorkRelease](v.Release.Record)
		if err != nil {
			return err
		}
		a.Release = &release{
			Repository: linkTo(record.Repository), Commit: plain(record.Commit), License: plain(record.License), Record: recordPath(v.Release.Uri),
			Ref: plainOf(record.Ref), Path: plainOf(record.Path), Accepted: s.maybe(v.AcceptedAt), Verified: s.maybe(v.VerificationEndsAt),
		}
		if record.Notes != nil {
			a.Release.Notes = *record.Notes
		}
		if v.Mirror != nil {
			a.Release.Mirror = linkTo(*v.Mirror)
		}
		for i, c := range v.Checks {
			if c.Name != checkPreview {
				a.Release.Checks = append(a.Release.Checks, checks[i])
			}
		}
	}
	if v.Cancellation != nil {
		record, err := read[stratos.WorkCancellation](v.Cancellation.Record)
		if err != nil {
			return err
		}
		a.Cancelled = &cancellation{plainOf(record.Reason), s.momentOf(record.CreatedAt), recordPath(v.Cancellation.Uri)}
	}
	return nil
}

func (s *Site) checksOf(all []stratos.EscrowCampaign_Check) []check {
	out := make([]check, 0, len(all))
	for _, c := range all {
		out = append(out, check{
			Name: cmp.Or(checkNames[c.Name], plain(c.Name)), Passed: c.Passed, Evidence: plainOf(c.Evidence), At: s.momentOf(c.CheckedAt),
		})
	}
	return out
}

func plainOf(text *string) string {
	if text == nil {
		return ""
	}
	return plain(*text)
}
