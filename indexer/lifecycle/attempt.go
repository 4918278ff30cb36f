package lifecycle

import (
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// AttemptState is an attempt as it stands at some moment.
type AttemptState struct {
	Development
	Preview      *Preview
	Release      *Release
	Cancellation *Cancellation
	// Consents are the accounts that agreed to be payees, sorted.
	Consents []syntax.DID
	// Authorized: its author may act for the proposal's subject (rule 3).
	Authorized bool
	// Over: it was cancelled, or nothing changed for too long.
	Over bool
}

// AttemptsAt returns all attempts that exist at t, oldest first.
func AttemptsAt(f Facts, t time.Time) []AttemptState {
	devs := f.authority(t)
	var out []AttemptState
	for _, a := range f.attempts() {
		if !a.existsAt(t) {
			continue
		}
		s := AttemptState{Development: a.Development, Authorized: devs[a.Author], Over: a.overAt(t)}
		if a.preview != nil && a.preview.existsAt(t) {
			s.Preview = a.preview
		}
		if a.release != nil && a.release.existsAt(t) {
			s.Release = a.release
		}
		if a.cancellation != nil && a.cancellation.existsAt(t) {
			s.Cancellation = a.cancellation
		}
		for _, c := range f.Consents {
			if c.Attempt == a.URI && c.existsAt(t) {
				s.Consents = append(s.Consents, c.Author)
			}
		}
		slices.Sort(s.Consents)
		s.Consents = slices.Compact(s.Consents)
		out = append(out, s)
	}
	return out
}

// attempt is a development record with what belongs to it.
type attempt struct {
	Development
	preview      *Preview
	release      *Release
	cancellation *Cancellation
	changes      []Meta // the records by which the attempt changed, its own first
}

// attempts joins each development with its preview, release and cancellation,
// and returns them oldest first.
// There is exactly one of each, since they share the development's record key;
// a record that names a development we do not know belongs to nothing.
func (f *Facts) attempts() []attempt {
	byURI := make(map[AttemptURI]*attempt, len(f.Developments))
	order := make([]*attempt, 0, len(f.Developments))
	for _, d := range f.Developments {
		if byURI[d.URI] == nil {
			a := &attempt{Development: d}
			byURI[d.URI] = a
			order = append(order, a)
		}
	}
	for i, p := range f.Previews {
		if a := byURI[p.Attempt]; a != nil && a.Author == p.Author {
			a.preview = &f.Previews[i]
		}
	}
	for i, r := range f.Releases {
		if a := byURI[r.Attempt]; a != nil && a.Author == r.Author {
			a.release = &f.Releases[i]
		}
	}
	for i, c := range f.Cancellations {
		if a := byURI[c.Attempt]; a != nil && a.Author == c.Author {
			a.cancellation = &f.Cancellations[i]
		}
	}
	out := make([]attempt, len(order))
	for i, a := range order {
		a.changes = []Meta{a.Meta}
		if a.preview != nil {
			a.changes = append(a.changes, a.preview.Meta)
		}
		if a.release != nil {
			a.changes = append(a.changes, a.release.Meta)
		}
		out[i] = *a
	}
	slices.SortFunc(out, func(a, b attempt) int { return a.compare(b.Meta) })
	return out
}

// lapsesAt is when the attempt is over if nothing happens after t: 180 days
// after its last change. Records say of themselves when they changed, so an
// edit that is to renew the attempt carries a newer createdAt.
func (a *attempt) lapsesAt(t time.Time) time.Time {
	var last time.Time
	for _, p := range a.changes {
		if p.existsAt(t) && p.CreatedAt.After(last) {
			last = p.CreatedAt
		}
	}
	return last.Add(AttemptLapse)
}

// overAt reports whether the attempt, which has no campaign, is over at t.
func (a *attempt) overAt(t time.Time) bool {
	if a.cancellation != nil && a.cancellation.existsAt(t) {
		return true
	}
	return !t.Before(a.lapsesAt(t))
}

// next is what the clock brings for the attempt after t. An announced opening
// comes before the lapse unless it lies beyond it.
func (a *attempt) next(t time.Time) *Next {
	lapse := a.lapsesAt(t)
	if p := a.preview; p != nil && p.existsAt(t) && p.OpensAt.After(t) && p.OpensAt.Before(lapse) {
		return &Next{Event: NextPreviewOpens, At: p.OpensAt}
	}
	return &Next{Event: NextAttemptLapses, At: lapse}
}

// breakpoints are the moments at which the attempt alone may change the stage.
func (a *attempt) breakpoints() []time.Time {
	var out []time.Time
	for _, p := range a.changes {
		out = append(out, p.existsFrom(), p.CreatedAt.Add(AttemptLapse))
	}
	if a.preview != nil {
		out = append(out, a.preview.OpensAt)
	}
	if a.cancellation != nil {
		out = append(out, a.cancellation.existsFrom())
	}
	return out
}
