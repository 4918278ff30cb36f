package appview

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
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
func (f *facts) project(uri syntax.ATURI, state *store.ProjectState, claims []store.ProjectClaim, now time.Time) (view stratos.ProjectDefs_ProjectView, ok bool, err error) {
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
	for _, u := range profile.Uris {
		claim, err := claimView(u.Uri, claims, now)
		if err != nil {
			return view, false, fmt.Errorf("appview: read %s: %w", uri, err)
		}
		view.Claims = append(view.Claims, claim)
	}
	return view, true, nil
}

// claimView shows what is known of an address, under the spelling of the record.
func claimView(listed string, claims []store.ProjectClaim, now time.Time) (stratos.ProjectDefs_ClaimView, error) {
	view := stratos.ProjectDefs_ClaimView{Uri: listed}
	form, err := weburi.Normalize(listed)
	if err != nil {
		return view, fmt.Errorf("an address of a valid record: %w", err)
	}
	i := slices.IndexFunc(claims, func(c store.ProjectClaim) bool { return c.URI == form })
	if i < 0 {
		return view, nil
	}
	c := claims[i]
	if c.State == store.ClaimVerified && now.Before(c.ExpiresAt) {
		method, since := string(c.Method), datetime(c.VerifiedAt)
		view.Verified, view.Method, view.VerifiedAt = true, &method, &since
	}
	if !c.CheckedAt.IsZero() {
		checked := datetime(c.CheckedAt)
		view.CheckedAt = &checked
	}
	if !view.Verified && c.Reason != "" {
		view.Message = &c.Reason
	}
	return view, nil
}
