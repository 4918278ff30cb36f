package appview

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// dispute is the view of a dispute; ok is false for one that is not visible.
func (f *facts) dispute(uri syntax.ATURI, state lifecycle.DisputeState) (view stratos.FeatureDefs_DisputeView, ok bool) {
	rec, found := f.records[uri]
	if !found {
		return view, false
	}
	view = stratos.FeatureDefs_DisputeView{
		Uri: uri.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Record: rec.json,
		IndexedAt: datetime(rec.IndexedAt), Standing: state.Standing,
	}
	if state.Ruling != nil {
		outcome := string(state.Ruling.Outcome)
		view.Ruling, view.Outcome = f.recordView(state.Ruling.URI), &outcome
	}
	return view, true
}
