package lifecycle

import (
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// sweep goes through time once, forwards, keeping what decides the stage. A
// developer may write attempts and answers by the thousand: a moment must not
// cost as much as all of them.
type sweep struct {
	*evaluation
	wakes     []wake      // what may become the current attempt, by when
	answers   []*Response // what does not exist yet, oldest first
	campaigns []*attempt  // those whose campaign does not exist yet, oldest first

	// waiting are each account's attempts without a campaign, the oldest on top.
	waiting map[syntax.DID]*lazyHeap[*attempt]
	// answer is each account's newest.
	answer map[syntax.DID]*Response

	released  *attempt // the first
	live      *attempt // the first
	refunding *attempt // the last
	refunded  *attempt // the last
}

// wake is a moment from which an attempt may wait for a campaign.
type wake struct {
	at      time.Time
	attempt *attempt
}

func (e *evaluation) sweep() *sweep {
	s := &sweep{evaluation: e, waiting: map[syntax.DID]*lazyHeap[*attempt]{}, answer: map[syntax.DID]*Response{}}
	for _, a := range e.attempts {
		if a.campaign != nil {
			s.campaigns = append(s.campaigns, a)
		}
		if a.development == nil || !e.devs[a.Author] {
			continue
		}
		for _, m := range a.changes {
			s.wakes = append(s.wakes, wake{m.existsFrom(), a})
		}
	}
	for i := range e.Responses {
		if r := &e.Responses[i]; e.devs[r.Author] {
			s.answers = append(s.answers, r)
		}
	}
	slices.SortFunc(s.wakes, func(a, b wake) int { return a.at.Compare(b.at) })
	slices.SortFunc(s.answers, func(a, b *Response) int { return a.compare(b.Meta) })
	slices.SortFunc(s.campaigns, func(a, b *attempt) int { return a.campaign.compare(b.campaign.Meta) })
	return s
}

// advance takes in what has come into being by t.
func (s *sweep) advance(t time.Time) {
	for ; len(s.wakes) > 0 && !s.wakes[0].at.After(t); s.wakes = s.wakes[1:] {
		a := s.wakes[0].attempt
		if s.waiting[a.Author] == nil {
			s.waiting[a.Author] = newHeap(func(a, b *attempt) bool { return a.before(b.Meta) })
		}
		s.waiting[a.Author].push(a)
	}
	for ; len(s.answers) > 0 && s.answers[0].existsAt(t); s.answers = s.answers[1:] {
		s.answer[s.answers[0].Author] = s.answers[0]
	}
	for ; len(s.campaigns) > 0 && s.campaigns[0].campaign.existsAt(t); s.campaigns = s.campaigns[1:] {
		s.open(s.campaigns[0])
	}
}

// open takes in an attempt whose campaign is newer than those before.
func (s *sweep) open(a *attempt) {
	switch phase := a.campaign.Phase; {
	case phase == PhaseReleased && s.released == nil:
		s.released = a
	case phase.live() && s.live == nil:
		s.live = a
	case phase == PhaseRefunding:
		s.refunding = a
	case phase == PhaseRefunded:
		s.refunded = a
	}
}

// state says, by the first row of the table that fits, what holds at t, up to
// which the sweep has advanced. A proposal that had a campaign exists: its author
// cannot date it ahead of that.
func (s *sweep) state(t time.Time) (Interval, bool) {
	for _, decided := range [...]*attempt{s.released, s.live, s.refunding} {
		if decided != nil {
			stage, _ := decided.campaign.Phase.stage()
			return Interval{Stage: stage, Attempt: decided.URI, Next: decided.campaign.next(t)}, true
		}
	}
	if !s.Proposal.existsAt(t) && s.refunded == nil {
		return Interval{}, false
	}
	devs := s.reigns.at(t).devs
	if a := s.current(devs, t); a != nil {
		return Interval{Stage: StageDevelopment, Attempt: a.URI, Next: a.next(t)}, true
	}
	if s.refunded != nil {
		return Interval{Stage: StageCancelled, Attempt: s.refunded.URI}, true
	}
	if r := s.newest(devs); r != nil && (r.Answer == AnswerDeclined || r.Answer == AnswerDuplicate) {
		return Interval{Stage: StageDeclined}, true
	}
	return Interval{Stage: StageProposed}, true
}

// current is the earliest attempt of an authorised developer that waits.
func (s *sweep) current(devs map[syntax.DID]bool, t time.Time) *attempt {
	var first *attempt
	for who, heap := range s.waiting {
		if !devs[who] {
			continue
		}
		a, ok := heap.top(func(a *attempt) bool { return a.waitsAt(t) })
		if ok && (first == nil || a.before(first.Meta)) {
			first = a
		}
	}
	return first
}

// newest is the newest answer of an authorised developer (rule 6).
func (s *sweep) newest(devs map[syntax.DID]bool) *Response {
	var newest *Response
	for who, r := range s.answer {
		if devs[who] && (newest == nil || newest.before(r.Meta)) {
			newest = r
		}
	}
	return newest
}
