package appview

import "github.com/bluesky-social/indigo/atproto/syntax"

// AnswersSize is how many bytes are kept.
func AnswersSize(a *Answers) int { return a.kept.held() }

// AnswersHold reports whether a question would be answered by what is kept.
func AnswersHold(a *Answers, method syntax.NSID, query string) bool {
	_, ok := a.recall(question{method, query})
	return ok
}
