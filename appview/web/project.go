package web

import (
	"net/http"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// someProposals is how many of a project's or a person's there are on one page.
const someProposals = 25

// projectPage is a project, and what is proposed for it.
type projectPage struct {
	Name, Path  string
	URI         string
	Description string
	License     string
	Owner       person
	Maintainers []person
	Tags        []string
	Claims      []claim
	Proposals   int64
	Listing     listing
	Track       track
	Own         bool // the visitor's
}

// claim is an address that the project says is its own.
type claim struct {
	Link     *link
	Address  string
	Verified bool
	How      string
	Since    *moment
	Why      string // it is not proven
}

var claimMethods = map[string]string{"repository": "proven by a file in the repository", "host": "proven by the host"}

// track is what an account has done.
type track struct {
	Proposed, Backed, Built, Completed, Refunded, DisputesUpheld int64
}

func trackOf(a *stratos.ActorDefs_ProfileView) track {
	return track{a.Proposed, a.Backed, a.Built, a.Completed, a.Refunded, a.DisputesUpheld}
}

func (s *Site) project(w http.ResponseWriter, r *http.Request) error {
	page, err := s.projectPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "project", head{
		Description: firstWords(page.Description, 200), Path: page.Path, AtURI: page.URI,
		JSON: xrpcURL("fund.stratos.project.getProject", "uri", page.URI),
		Feed: page.Path + "/feed.atom", FeedTitle: "New proposals for " + page.Name, Hidden: r.URL.Query().Has("cursor"),
	}, page)
}

func (s *Site) projectPage(r *http.Request) (*projectPage, error) {
	uri, err := recordURI(r, lexicons.CollectionProject)
	if err != nil {
		return nil, err
	}
	v, err := s.opts.Queries.Project(r.Context(), uri)
	if err != nil {
		return nil, err
	}
	record, err := read[stratos.ProjectProfile](v.Record)
	if err != nil {
		return nil, err
	}
	p := &projectPage{
		Name: plain(record.Name), Path: projectPath(v.Uri, v.Author), URI: v.Uri, License: plainOf(record.License),
		Owner: personIn(v.Author), Tags: record.Tags, Proposals: v.Proposals,
	}
	if record.Description != nil {
		p.Description = *record.Description
	}
	for _, m := range v.Maintainers {
		p.Maintainers = append(p.Maintainers, personIn(m))
	}
	for _, c := range v.Claims {
		p.Claims = append(p.Claims, s.claimOf(c))
	}
	visitor := s.visitor(r.Context())
	p.Own = visitor != nil && visitor.DID.String() == v.Author.Did
	owner, err := s.opts.Queries.Actor(r.Context(), syntax.AtIdentifier(v.Author.Did))
	if err != nil {
		return nil, err
	}
	p.Track = trackOf(owner)
	p.Listing, err = s.proposalsOf(r, ProposalsQuery{Project: syntax.ATURI(v.Uri), Sort: sortHot}, p.Path, "Nothing has been proposed for it yet.")
	for i := range p.Listing.Entries {
		p.Listing.Entries[i].Home = true
	}
	return p, err
}

func (s *Site) claimOf(c stratos.ProjectDefs_ClaimView) claim {
	out := claim{Link: linkTo(c.Uri), Address: plain(c.Uri), Verified: c.Verified, Since: s.maybe(c.VerifiedAt), Why: plainOf(c.Message)}
	if c.Method != nil {
		out.How = claimMethods[*c.Method]
	}
	return out
}

// proposalsOf is a page of a list that goes on under path.
func (s *Site) proposalsOf(r *http.Request, q ProposalsQuery, path, empty string) (listing, error) {
	q.Limit, q.Cursor = someProposals, r.URL.Query().Get("cursor")
	found, err := s.opts.Queries.Proposals(r.Context(), q)
	if err != nil {
		return listing{}, err
	}
	out := listing{Empty: empty}
	if found.Cursor != nil {
		out.More = path + "?" + cursorQuery(*found.Cursor)
	}
	out.Entries, err = s.entriesOf(found.Proposals)
	return out, err
}
