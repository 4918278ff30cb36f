package appview

import (
	"context"
	"encoding/json"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// facts are what views are made of: the rows that a skeleton needs, read in
// batches from one snapshot.
type facts struct {
	records map[syntax.ATURI]record
	states  map[syntax.ATURI]*store.ProposalState
	handles map[syntax.DID]syntax.Handle
	// projects are those that proposals are for.
	projects map[syntax.ATURI]syntax.ATURI
	viewer   *viewer // nil when nobody in particular asks
}

// record is a stored record with its JSON, verbatim but for the encoding.
type record struct {
	store.RecordRow
	json json.RawMessage
}

func newFacts() *facts {
	return &facts{
		records:  map[syntax.ATURI]record{},
		states:   map[syntax.ATURI]*store.ProposalState{},
		handles:  map[syntax.DID]syntax.Handle{},
		projects: map[syntax.ATURI]syntax.ATURI{},
	}
}

// loadRecords adds records; those that are missing, invalid or hidden stay out.
func (f *facts) loadRecords(ctx context.Context, r *store.Reader, uris []syntax.ATURI) error {
	if len(uris) == 0 {
		return nil
	}
	rows, err := r.Records(ctx, uris)
	if err != nil {
		return err
	}
	for uri, row := range rows {
		b, err := asJSON(row)
		if err != nil {
			return err
		}
		f.records[uri] = record{RecordRow: row, json: b}
	}
	return nil
}

// loadHandles adds the handles of all accounts that the views name.
func (f *facts) loadHandles(ctx context.Context, r *store.Reader, more ...syntax.DID) error {
	set := map[syntax.DID]bool{}
	for _, did := range more {
		set[did] = true
	}
	for _, rec := range f.records {
		set[rec.Author] = true
	}
	for _, s := range f.states {
		if s.Subject.Account != "" {
			set[s.Subject.Account] = true
		}
	}
	dids := make([]syntax.DID, 0, len(set))
	for did := range set {
		dids = append(dids, did)
	}
	handles, err := r.Handles(ctx, dids)
	if err != nil {
		return err
	}
	f.handles = handles
	return nil
}

// hydrateProposals reads what the basic views of proposals need, in a fixed
// number of statements whatever theirs.
func hydrateProposals(ctx context.Context, r *store.Reader, uris []syntax.ATURI) (*facts, error) {
	f := newFacts()
	var err error
	if f.states, err = r.ProposalStates(ctx, uris); err != nil {
		return nil, err
	}
	if err := f.loadProjects(ctx, r); err != nil {
		return nil, err
	}
	needed := append([]syntax.ATURI(nil), uris...)
	for _, project := range f.projects {
		needed = append(needed, project)
	}
	if err := f.loadRecords(ctx, r, needed); err != nil {
		return nil, err
	}
	if f.viewer, err = loadViewer(ctx, r); err != nil {
		return nil, err
	}
	if err := f.viewer.loadOwn(ctx, r, uris); err != nil {
		return nil, err
	}
	return f, f.loadHandles(ctx, r)
}

// loadProjects finds the projects that the proposals are for. Only an address is
// a project's by more than its name.
func (f *facts) loadProjects(ctx context.Context, r *store.Reader) error {
	var addresses []syntax.ATURI
	for uri, s := range f.states {
		switch {
		case s.Subject.Project != "":
			f.projects[uri] = s.Subject.Project
		case s.Subject.URI != "":
			addresses = append(addresses, uri)
		}
	}
	if len(addresses) == 0 {
		return nil
	}
	claimed, err := r.ProjectsOf(ctx, addresses)
	if err != nil {
		return err
	}
	for uri, project := range claimed {
		f.projects[uri] = project
	}
	return nil
}

// profile names an account. Without a proven handle it is shown with
// handle.invalid, as everywhere in atproto.
func (f *facts) profile(did syntax.DID) stratos.ActorDefs_ProfileBasic {
	handle, ok := f.handles[did]
	if !ok {
		handle = syntax.HandleInvalid
	}
	return stratos.ActorDefs_ProfileBasic{Did: did.String(), Handle: handle.String()}
}

// details are what the full views of proposals need beside the basic facts.
type details map[syntax.ATURI]*detail

type detail struct {
	lifecycle.Facts
	attempts   []attempt
	answer     *lifecycle.Response
	duplicates []syntax.ATURI
	warnings   []lifecycle.Warning
}

// hydrateDetails reads what the full views of proposals need, in a fixed number
// of statements whatever theirs.
func hydrateDetails(ctx context.Context, r *store.Reader, uris []syntax.ATURI) (*facts, details, error) {
	f := newFacts()
	var err error
	if f.states, err = r.ProposalStates(ctx, uris); err != nil {
		return nil, nil, err
	}
	if f.viewer, err = loadViewer(ctx, r); err != nil {
		return nil, nil, err
	}
	read := r.FactsShown
	if f.viewer != nil {
		read = r.FactsOf // also what the viewer may do, which depends on payments
	}
	known, err := read(ctx, uris)
	if err != nil {
		return nil, nil, err
	}
	if err := f.viewer.loadEstimates(ctx, r, known); err != nil {
		return nil, nil, err
	}
	duplicates, err := duplicatesOf(ctx, r, uris)
	if err != nil {
		return nil, nil, err
	}
	all, needed := details{}, append([]syntax.ATURI(nil), uris...)
	for uri, lf := range known {
		d := newDetail(lf, r.Now())
		d.duplicates = duplicates[uri]
		if project, ok := lifecycle.ProjectAt(lf, r.Now()); ok {
			f.projects[uri] = project.URI
			needed = append(needed, project.URI)
		}
		all[uri] = d
		needed = append(needed, d.shown()...)
	}
	if err := f.loadRecords(ctx, r, needed); err != nil {
		return nil, nil, err
	}
	named, err := f.readAttempts(all)
	if err != nil {
		return nil, nil, err
	}
	return f, all, f.loadHandles(ctx, r, named...)
}
