package lifecycle

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Answer is what a developer says to a proposal.
type Answer string

// The answers known to the rules. Another one declines nothing, and is an answer
// like any other: when it is the newest, it stands.
const (
	AnswerPlanned   Answer = "planned"
	AnswerDeclined  Answer = "declined"
	AnswerDuplicate Answer = "duplicate"
)

// Response is a work.response record.
type Response struct {
	Meta
	Proposal    Ref
	Answer      Answer
	DuplicateOf syntax.ATURI // empty unless the answer is that it is one
}

// AnswerAt returns the answer that stands at t: the newest of an authorised
// developer (rule 6).
func AnswerAt(f Facts, t time.Time) (Response, bool) {
	e := evaluate(&f)
	s := e.sweep()
	s.advance(t)
	if r := s.newest(e.reigns.at(t).devs); r != nil {
		return *r, true
	}
	return Response{}, false
}
