package appview

import (
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// verification is the view of a report; ok is false for one that is not visible.
func (f *facts) verification(row store.VerificationRow, backer bool) (view stratos.FeatureDefs_VerificationView, ok bool) {
	rec, found := f.records[row.URI]
	if !found {
		return view, false
	}
	return stratos.FeatureDefs_VerificationView{
		Uri: row.URI.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Record: rec.json,
		IndexedAt: datetime(rec.IndexedAt), Matches: row.Matches, Backer: backer,
	}, true
}
