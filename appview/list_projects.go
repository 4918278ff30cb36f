package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

type listProjectsParams struct {
	Owner  syntax.AtIdentifier `param:"owner"`
	Q      string              `param:"q"`
	Limit  int64               `param:"limit"`
	Cursor string              `param:"cursor"`
}

// listProjects answers fund.stratos.project.listProjects, newest first.
func (a *API) listProjects(ctx context.Context, p listProjectsParams) (*stratos.ProjectListProjects_Output, error) {
	if p.Q != "" {
		return nil, &notServedError{"q: search"}
	}
	out := &stratos.ProjectListProjects_Output{}
	err := a.store.Read(ctx, func(r *store.Reader) error {
		owner, err := did(ctx, r, p.Owner)
		if err != nil {
			return err
		}
		page, err := newPage(p.Cursor, r.Now(), []string{"listProjects", owner.String()})
		if err != nil {
			return err
		}
		r = r.At(page.now)
		keys, err := r.ListProjects(ctx, owner, page.after, int(p.Limit)+1)
		if err != nil {
			return err
		}
		keys, out.Cursor, err = page.next(keys, int(p.Limit))
		if err != nil {
			return err
		}
		out.Projects, err = projects(ctx, r, uris(keys))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
