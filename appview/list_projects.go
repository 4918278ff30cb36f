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

// listProjects answers fund.stratos.project.listProjects: newest first, or, of those
// that hold words, best first.
func (a *API) listProjects(ctx context.Context, p listProjectsParams) (*stratos.ProjectListProjects_Output, error) {
	out := &stratos.ProjectListProjects_Output{}
	read := a.store.Read
	if p.Q != "" {
		read = a.store.Search
	}
	err := read(ctx, func(r *store.Reader) error {
		owner, err := did(ctx, r, p.Owner)
		if err != nil {
			return err
		}
		page, err := newPage(p.Cursor, r.Now(), []string{"listProjects", owner.String(), p.Q})
		if err != nil {
			return err
		}
		r = r.At(page.now)
		var found []syntax.ATURI
		if p.Q == "" {
			found, out.Cursor, err = newestProjects(ctx, r, owner, page, int(p.Limit))
		} else {
			found, out.Cursor, err = searchProjects(ctx, r, p.Q, owner, page, int(p.Limit))
		}
		if err != nil {
			return err
		}
		out.Projects, err = projects(ctx, r, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newestProjects is a page of all projects, or of one owner's.
func newestProjects(ctx context.Context, r *store.Reader, owner syntax.DID, p page, limit int) (found []syntax.ATURI, next *string, err error) {
	keys, err := r.ListProjects(ctx, owner, p.after, limit+1)
	if err != nil {
		return nil, nil, err
	}
	keys, next, err = p.next(keys, limit)
	return uris(keys), next, err
}

// searchProjects is a page of those of them that hold the words.
func searchProjects(ctx context.Context, r *store.Reader, q string, owner syntax.DID, p page, limit int) (found []syntax.ATURI, next *string, err error) {
	found, seen, err := r.SearchProjects(ctx, q, owner, p.seen, limit)
	if err != nil {
		return nil, nil, err
	}
	next, err = p.nextOfSearch(seen)
	return found, next, err
}
