package appview

import (
	"encoding/json"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// projectBasic names a project; nil when its record is not there.
func (f *facts) projectBasic(uri syntax.ATURI) *stratos.ProjectDefs_ProjectViewBasic {
	rec, ok := f.records[uri]
	if !ok {
		return nil
	}
	var profile struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(rec.json, &profile); err != nil {
		return nil
	}
	return &stratos.ProjectDefs_ProjectViewBasic{
		Uri: uri.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Name: profile.Name,
	}
}

// project is the full view; ok is false for one that is not visible.
func (f *facts) project(uri syntax.ATURI, state *store.ProjectState) (view stratos.ProjectDefs_ProjectView, ok bool, err error) {
	rec, found := f.records[uri]
	if !found || state == nil {
		return view, false, nil
	}
	var profile stratos.ProjectProfile
	if err := json.Unmarshal(rec.json, &profile); err != nil {
		return view, false, fmt.Errorf("appview: read %s: %w", uri, err)
	}
	view = stratos.ProjectDefs_ProjectView{
		Uri: uri.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Record: rec.json,
		IndexedAt: datetime(rec.IndexedAt), Proposals: state.Proposals,
	}
	for _, did := range state.Maintainers {
		view.Maintainers = append(view.Maintainers, f.profile(did))
	}
	// No claim is checked by this version, so none is shown as proved.
	for _, u := range profile.Uris {
		view.Claims = append(view.Claims, stratos.ProjectDefs_ClaimView{Uri: u.Uri})
	}
	return view, true, nil
}
