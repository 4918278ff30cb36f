package appview

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// actor is the view of an account and what it did.
func (f *facts) actor(did syntax.DID, a store.Activity) stratos.ActorDefs_ProfileView {
	basic := f.profile(did)
	view := stratos.ActorDefs_ProfileView{
		Did: basic.Did, Handle: basic.Handle, Proposed: a.Proposed, Backed: a.Backed, Built: a.Built,
		Completed: a.Completed, Refunded: a.Refunded, DisputesUpheld: a.DisputesUpheld,
	}
	if !a.IndexedAt.IsZero() {
		indexed := datetime(a.IndexedAt)
		view.IndexedAt = &indexed
	}
	return view
}
