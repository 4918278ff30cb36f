package lifecycle

import (
	"slices"
	"time"
)

// Evaluate returns the stages of a proposal over the whole of time, in order,
// without gaps from the moment the proposal exists until [End]. Before that
// moment there is no interval. Neighbours differ.
//
// What is asked of the past is answered from the records as they are now: an
// edited record leaves no trace of what it said before (F1).
func Evaluate(f Facts) []Interval {
	f.dropOutsiders()
	attempts := f.attempts()
	points := f.breakpoints(attempts)
	var out []Interval
	for i, from := range points {
		to := End
		if i+1 < len(points) {
			to = points[i+1]
		}
		iv, ok := f.at(attempts, from)
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

// dropOutsiders leaves out the records of accounts that never have authority.
// Anybody may write them, by the thousand: they must not cost us time either.
func (f *Facts) dropOutsiders() {
	devs := f.authority(End)
	f.Responses = slices.DeleteFunc(slices.Clone(f.Responses), func(r Response) bool { return !devs[r.Author] })
	f.Developments = slices.DeleteFunc(slices.Clone(f.Developments), func(d Development) bool { return !devs[d.Author] })
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

// at evaluates the stage at one moment, by the first row that fits. The current
// attempt is the earliest of an authorised developer that is not over.
func (f *Facts) at(attempts []attempt, t time.Time) (Interval, bool) {
	if !f.Proposal.existsAt(t) {
		return Interval{}, false
	}
	devs := f.authority(t)

	for i := range attempts { // oldest first
		a := &attempts[i]
		if !a.existsAt(t) {
			break
		}
		if devs[a.Author] && !a.overAt(t) {
			return Interval{Stage: StageDevelopment, Attempt: a.URI, Next: a.next(t)}, true
		}
	}

	answer := f.answer(devs, t)
	if answer != nil && (answer.Answer == AnswerDeclined || answer.Answer == AnswerDuplicate) {
		return Interval{Stage: StageDeclined}, true
	}
	return Interval{Stage: StageProposed}, true
}

// breakpoints lists, in order and once each, the moments at which the stage may
// change: between two of them it cannot.
func (f *Facts) breakpoints(attempts []attempt) []time.Time {
	points := []time.Time{f.Proposal.existsFrom()}
	if f.Project != nil {
		points = append(points, f.Project.existsFrom())
	}
	for _, r := range f.Responses {
		points = append(points, r.existsFrom())
	}
	for i := range attempts {
		points = append(points, attempts[i].breakpoints()...)
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
