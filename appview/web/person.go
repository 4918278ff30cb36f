package web

import (
	"net/http"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// personPage is what an account did here.
type personPage struct {
	Who      person
	Since    *moment
	Track    track
	Projects []projectItem
	Parts    []part
	Listing  listing
}

// projectItem is a project in a list.
type projectItem struct{ Name, Path, License string }

// part is one of the lists of a person's page.
type part struct {
	Name    string
	Path    string
	Count   int64
	Current bool
}

func (s *Site) person(w http.ResponseWriter, r *http.Request) error {
	text, ok := strings.CutPrefix(r.PathValue("at"), "@")
	if !ok {
		return errNothing
	}
	actor, err := actorIn(text)
	if err != nil {
		return err
	}
	v, err := s.opts.Queries.Actor(r.Context(), actor)
	if err != nil {
		return err
	}
	page := personPage{Who: personOf(v.Did, v.Handle), Track: trackOf(v), Since: s.maybe(v.IndexedAt)}
	if err := s.addProjects(r, &page); err != nil {
		return err
	}
	did := syntax.AtIdentifier(v.Did)
	query, empty := ProposalsQuery{Author: did, Sort: "new"}, "No proposals by this account."
	backed := r.URL.Query().Has("backed")
	if backed {
		query, empty = ProposalsQuery{Backer: did, Sort: "new"}, "No money of this account is held, or reached a developer."
	}
	page.Parts = []part{{"Proposed", page.Who.Path, v.Proposed, !backed}, {"Backed", page.Who.Path + "?backed", v.Backed, backed}}
	if page.Listing, err = s.proposalsOf(r, query, page.Who.Path, empty); err != nil {
		return err
	}
	if backed && page.Listing.More != "" {
		page.Listing.More += "&backed"
	}
	return s.render(w, r, http.StatusOK, "person", head{
		Path: page.Who.Path, AtURI: "at://" + v.Did, JSON: xrpcURL("fund.stratos.actor.getActor", "actor", v.Did), Hidden: r.URL.RawQuery != "",
	}, page)
}

func (s *Site) addProjects(r *http.Request, page *personPage) error {
	found, err := s.opts.Queries.Projects(r.Context(), ProjectsQuery{Owner: syntax.AtIdentifier(page.Who.DID), Limit: someProposals})
	if err != nil {
		return err
	}
	for _, v := range found.Projects {
		record, err := read[stratos.ProjectProfile](v.Record)
		if err != nil {
			return err
		}
		page.Projects = append(page.Projects, projectItem{plain(record.Name), projectPath(v.Uri, v.Author), plainOf(record.License)})
	}
	return nil
}
