package lifecycle

import (
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Evaluate returns the stages of a proposal over the whole of time, in order,
// without gaps from the moment the proposal exists until [End]. Before that
// moment there is no interval. Neighbours differ.
//
// What is asked of the past is answered from the records as they are now: an
// edited record leaves no trace of what it said before (F1). A campaign's phase
// is taken to hold since its beginning.
func Evaluate(f Facts) []Interval {
	e := evaluate(&f)
	s := e.sweep()
	points := e.breakpoints()
	var out []Interval
	for i, from := range points {
		to := End
		if i+1 < len(points) {
			to = points[i+1]
		}
		s.advance(from)
		iv, ok := s.state(from)
		if !ok {
			continue
		}
		iv.From, iv.To = from, to
		if n := len(out); n > 0 && sameState(out[n-1], iv) {
			out[n-1].To = to
			continue
		}
		out = append(out, iv)
	}
	return out
}

// StageAt picks the interval that holds at t; ok is false before the proposal
// exists.
func StageAt(intervals []Interval, t time.Time) (Interval, bool) {
	for _, iv := range intervals {
		if !t.Before(iv.From) && t.Before(iv.To) {
			return iv, true
		}
	}
	return Interval{}, false
}

// evaluation is the facts of a proposal, joined and in order.
type evaluation struct {
	*Facts
	reigns   reigns
	devs     map[syntax.DID]bool      // who has authority at some time
	deciding map[AttemptURI]*Campaign // of each attempt the one that decides
	byURI    map[AttemptURI]*attempt
	attempts []*attempt // oldest first
	receipts map[word]*Receipt
}

func evaluate(f *Facts) *evaluation {
	e := &evaluation{Facts: f, reigns: f.reigns(), deciding: f.deciding(), receipts: f.joinReceipts()}
	e.devs = e.reigns.everybody()
	e.joinAttempts()
	return e
}

// deciding finds each attempt's campaign: the earliest of a trusted escrow. One
// in a phase that we do not know decides nothing.
func (f *Facts) deciding() map[AttemptURI]*Campaign {
	out := map[AttemptURI]*Campaign{}
	for i := range f.Campaigns {
		c := &f.Campaigns[i]
		if _, known := c.Phase.stage(); !known || !f.Policy.counts(c.Author, c.Test) {
			continue
		}
		if first := out[c.Development.URI]; first == nil || c.before(first.Meta) {
			out[c.Development.URI] = c
		}
	}
	return out
}

// at evaluates the stage at one moment.
func (e *evaluation) at(t time.Time) (Interval, bool) {
	s := e.sweep()
	s.advance(t)
	return s.state(t)
}

// breakpoints lists, in order and once each, the moments at which the stage may
// change: between two of them it cannot. The records of accounts that never have
// authority are left out: anybody may write them, by the thousand.
func (e *evaluation) breakpoints() []time.Time {
	points := []time.Time{e.Proposal.existsFrom()}
	for _, r := range e.reigns[1:] {
		points = append(points, r.from)
	}
	for _, r := range e.Responses {
		if e.devs[r.Author] {
			points = append(points, r.existsFrom())
		}
	}
	for _, a := range e.attempts {
		if e.devs[a.Author] || a.campaign != nil {
			points = append(points, a.breakpoints()...)
		}
	}
	slices.SortFunc(points, time.Time.Compare)
	points = slices.CompactFunc(points, time.Time.Equal)
	return slices.DeleteFunc(points, func(t time.Time) bool { return !t.Before(End) })
}

func sameState(a, b Interval) bool {
	if a.Stage != b.Stage || a.Attempt != b.Attempt {
		return false
	}
	if a.Next == nil || b.Next == nil {
		return a.Next == b.Next
	}
	return a.Next.Event == b.Next.Event && a.Next.At.Equal(b.Next.At)
}
