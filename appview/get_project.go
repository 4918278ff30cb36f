package appview

import (
	"context"
	"errors"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type getProjectParams struct {
	URI syntax.ATURI `param:"uri"`
}

// getProject answers fund.stratos.project.getProject.
func (a *API) getProject(ctx context.Context, p getProjectParams) (*stratos.ProjectGetProject_Output, error) {
	var views []stratos.ProjectDefs_ProjectView
	err := a.store.Read(ctx, func(r *store.Reader) error {
		uri, err := recordURI(ctx, r, p.URI)
		if errors.Is(err, errActorNotFound) {
			return errProjectNotFound
		}
		if err != nil {
			return err
		}
		views, err = projects(ctx, r, []syntax.ATURI{uri})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(views) == 0 {
		return nil, errProjectNotFound
	}
	return &stratos.ProjectGetProject_Output{Project: views[0]}, nil
}

// projects are the full views of those of the projects that are visible, in
// the order asked for.
func projects(ctx context.Context, r *store.Reader, uris []syntax.ATURI) ([]stratos.ProjectDefs_ProjectView, error) {
	states, err := r.ProjectStates(ctx, uris)
	if err != nil {
		return nil, err
	}
	claims, err := r.ProjectClaims(ctx, uris)
	if err != nil {
		return nil, err
	}
	f := newFacts()
	if err := f.loadRecords(ctx, r, uris); err != nil {
		return nil, err
	}
	var maintainers []syntax.DID
	for _, s := range states {
		maintainers = append(maintainers, s.Maintainers...)
	}
	if err := f.loadHandles(ctx, r, maintainers...); err != nil {
		return nil, err
	}
	views := make([]stratos.ProjectDefs_ProjectView, 0, len(uris))
	for _, uri := range uris {
		view, ok, err := f.project(uri, states[uri], claims[uri], r.Now())
		if err != nil {
			return nil, err
		}
		if ok {
			views = append(views, view)
		}
	}
	return views, nil
}
