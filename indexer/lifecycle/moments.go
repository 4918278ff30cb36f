package lifecycle

import "time"

// MomentsAfter lists, in no order, the moments after now at which the clock alone
// may change anything that this package says of a proposal: between two of them
// every function here returns the same for the same facts. There may be moments
// among them at which nothing changes.
func MomentsAfter(f Facts, now time.Time) []time.Time {
	e := evaluate(&f)
	out := ahead{now: now}
	out.add(f.Proposal.existsFrom())
	if f.Project != nil {
		out.add(f.Project.existsFrom())
	}
	for _, r := range e.reigns[1:] { // the first began before everything
		out.add(r.from)
	}
	addExistence(&out, f.Responses)
	addExistence(&out, f.Consents)
	addExistence(&out, f.Estimates)
	addExistence(&out, f.Pledges)
	addExistence(&out, f.Donations)
	addExistence(&out, f.Receipts)
	addExistence(&out, f.Disputes)
	addExistence(&out, f.Rulings)
	addExistence(&out, f.Verifications)
	for _, a := range e.attempts {
		out.add(a.breakpoints()...)
	}
	for i := range f.Campaigns { // also those that decide nothing, and are shown as that
		out.add(f.Campaigns[i].moments()...)
	}
	for _, r := range f.Receipts {
		if r.HeldUntil != nil {
			out.add(overdueFrom(*r.HeldUntil))
		}
	}
	return out.moments
}

// ahead collects the moments that are still to come.
type ahead struct {
	now     time.Time
	moments []time.Time
}

func (a *ahead) add(moments ...time.Time) {
	for _, t := range moments {
		if t.After(a.now) && t.Before(End) {
			a.moments = append(a.moments, t)
		}
	}
}

// addExistence adds when records begin to exist.
func addExistence[R interface{ existsFrom() time.Time }](a *ahead, records []R) {
	for _, r := range records {
		a.add(r.existsFrom())
	}
}
