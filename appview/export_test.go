package appview

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/acts"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// MostAttempts is how many attempts a view shows.
const MostAttempts = mostAttempts

// NewForgetful makes an API that keeps no parts of answers.
func NewForgetful(st *store.Store, policy lifecycle.Policy) *API {
	return &API{store: st, policy: policy, stats: newStatsKeeper()}
}

// Forms are the API's methods for what visitors do.
func (a *API) Forms() acts.Queries { return a.forms() }

// PartsReused is how many views were shown again that were made for another answer.
func PartsReused(a *API) int64 { return a.parts.hits.Load() }

// AnswersSize is how many bytes are kept.
func AnswersSize(a *Answers) int { return a.kept.Bytes() }

// AnswersHold reports whether a question would be answered by what is kept.
func AnswersHold(a *Answers, method syntax.NSID, query string) bool {
	_, ok := a.recall(question{method, query})
	return ok
}
