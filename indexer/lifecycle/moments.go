package lifecycle

import "time"

// MomentsAfter lists, in no order, the moments after now at which the clock alone
// may change anything that this package says of a proposal: between two of them
// every function here returns the same for the same facts. There may be moments
// among them at which nothing changes.
func MomentsAfter(f Facts, now time.Time) []time.Time {
	var out []time.Time
	add := func(t time.Time) {
		if t.After(now) && t.Before(End) {
			out = append(out, t)
		}
	}
	add(f.Proposal.existsFrom())
	if f.Project != nil {
		add(f.Project.existsFrom())
	}
	for _, r := range f.Responses {
		add(r.existsFrom())
	}
	for _, c := range f.Consents {
		add(c.existsFrom())
	}
	for _, e := range f.Estimates {
		add(e.existsFrom())
	}
	for _, p := range f.Pledges {
		add(p.existsFrom())
	}
	for _, a := range f.attempts() {
		for _, t := range a.breakpoints() {
			add(t)
		}
	}
	return out
}
