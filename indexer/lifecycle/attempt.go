package lifecycle

import (
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// AttemptState is an attempt as it stands at some moment.
type AttemptState struct {
	URI    AttemptURI
	Author syntax.DID
	// Development is the record; nil when only the campaign is left of it.
	Development  *Development
	Preview      *Preview
	Release      *Release
	Cancellation *Cancellation
	// Campaign is the one that decides about the attempt; nil when none does.
	Campaign *Campaign
	// Claimed is what the escrow that the development names says, and what
	// decides nothing here: the escrow is not trusted, or the money is not real.
	Claimed *Campaign
	// Consents are the accounts that agreed to be payees, sorted.
	Consents []syntax.DID
	// Authorized: its author may act for the proposal's subject, or could when
	// the campaign opened (rule 3).
	Authorized bool
	// Over: its campaign has ended, or without one it was cancelled, or nothing
	// changed for too long.
	Over bool
	// Current: it is the current attempt, or the one that decided the stage.
	Current bool
}

// AttemptsAt returns all attempts that exist at t, oldest first.
func AttemptsAt(f Facts, t time.Time) []AttemptState {
	e := evaluate(&f)
	now, _ := e.at(t)
	consents := map[AttemptURI][]syntax.DID{}
	for _, c := range f.Consents {
		if c.existsAt(t) {
			consents[c.Attempt] = append(consents[c.Attempt], c.Author)
		}
	}
	devs := e.reigns.at(t).devs
	var out []AttemptState
	for _, a := range e.attempts {
		if !a.existsAt(t) {
			continue
		}
		s := AttemptState{
			URI: a.URI, Author: a.Author,
			Development:  existing(a.development, t),
			Preview:      existing(a.preview, t),
			Release:      existing(a.release, t),
			Cancellation: existing(a.cancellation, t),
			Campaign:     existing(a.campaign, t),
			Claimed:      existing(a.claimed, t),
			Authorized:   devs[a.Author] || a.decidedAt(t),
			Over:         a.overAt(t),
			Current:      a.URI == now.Attempt,
			Consents:     consents[a.URI],
		}
		slices.Sort(s.Consents)
		s.Consents = slices.Compact(s.Consents)
		out = append(out, s)
	}
	return out
}

// existing returns the record if it is there and exists at t.
func existing[R interface{ existsAt(time.Time) bool }](r *R, t time.Time) *R {
	if r == nil || !(*r).existsAt(t) {
		return nil
	}
	return r
}

// attempt is a development record with what belongs to it. Its Meta is that of
// the record, or where only the campaign is left, what that says of it.
type attempt struct {
	Meta
	development  *Development
	preview      *Preview
	release      *Release
	cancellation *Cancellation
	campaign     *Campaign // the one that decides
	claimed      *Campaign // the named escrow's, which does not
	changes      []Meta    // the records by which the attempt changed, its own first
}

// joinAttempts joins each development and each deciding campaign with what
// belongs to it, oldest first.
// There is exactly one of each part, since they share the development's record
// key; one that names a development we do not know belongs to nothing.
func (e *evaluation) joinAttempts() {
	e.byURI = make(map[AttemptURI]*attempt, len(e.Developments))
	for i := range e.Developments {
		d := &e.Developments[i]
		// What was frozen for another proposal stays there (rule 8).
		if c := e.deciding[d.URI]; c != nil && c.Proposal.URI != e.Proposal.URI {
			continue
		}
		e.byURI[d.URI] = &attempt{Meta: d.Meta, development: d}
	}
	for uri, c := range e.deciding {
		if c.Proposal.URI != e.Proposal.URI {
			continue
		}
		a := e.byURI[uri]
		if a == nil {
			a = &attempt{Meta: Meta{URI: uri, Author: c.Developer, CreatedAt: c.CreatedAt}}
			e.byURI[uri] = a
		}
		a.campaign = c
	}
	e.joinParts()
	e.joinClaims()
	e.attempts = make([]*attempt, 0, len(e.byURI))
	for _, a := range e.byURI {
		a.changes = a.listChanges()
		e.attempts = append(e.attempts, a)
	}
	slices.SortFunc(e.attempts, func(a, b *attempt) int { return a.compare(b.Meta) })
}

func (e *evaluation) joinParts() {
	of := func(uri AttemptURI, author syntax.DID) *attempt {
		if a := e.byURI[uri]; a != nil && a.Author == author {
			return a
		}
		return nil
	}
	for i := range e.Previews {
		if p := &e.Previews[i]; of(p.Attempt, p.Author) != nil {
			of(p.Attempt, p.Author).preview = p
		}
	}
	for i := range e.Releases {
		if r := &e.Releases[i]; of(r.Attempt, r.Author) != nil {
			of(r.Attempt, r.Author).release = r
		}
	}
	for i := range e.Cancellations {
		if c := &e.Cancellations[i]; of(c.Attempt, c.Author) != nil {
			of(c.Attempt, c.Author).cancellation = c
		}
	}
}

// joinClaims finds what escrows say that decides nothing. Only the one that the
// developer named is heard: anybody may write campaigns.
func (e *evaluation) joinClaims() {
	for i := range e.Campaigns {
		c := &e.Campaigns[i]
		a := e.byURI[c.Development.URI]
		if a == nil || a.development == nil || a.development.Escrow != c.Author || a.campaign != nil && a.campaign.URI == c.URI {
			continue
		}
		if a.claimed == nil || c.before(a.claimed.Meta) {
			a.claimed = c
		}
	}
}

func (a *attempt) listChanges() []Meta {
	changes := []Meta{a.Meta}
	if a.preview != nil {
		changes = append(changes, a.preview.Meta)
	}
	if a.release != nil {
		changes = append(changes, a.release.Meta)
	}
	return changes
}

func (a *attempt) existsAt(t time.Time) bool {
	return a.Meta.existsAt(t) || a.decidedAt(t)
}

// decidedAt: a campaign decides about the attempt (F2).
func (a *attempt) decidedAt(t time.Time) bool { return existing(a.campaign, t) != nil }

// waitsAt: without a campaign, the attempt may be the current one.
func (a *attempt) waitsAt(t time.Time) bool {
	return a.existsAt(t) && !a.decidedAt(t) && !a.overAt(t)
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

// overAt reports whether the attempt is over at t. With a campaign, the campaign
// says so.
func (a *attempt) overAt(t time.Time) bool {
	if a.decidedAt(t) {
		return a.campaign.Phase.over()
	}
	return existing(a.cancellation, t) != nil || !t.Before(a.lapsesAt(t))
}

// next is what the clock brings after t for an attempt without a campaign. What
// is announced comes before the lapse unless it lies beyond it.
func (a *attempt) next(t time.Time) *Next {
	lapse := a.lapsesAt(t)
	comes := func(at time.Time) bool { return at.After(t) && at.Before(lapse) }
	switch p := existing(a.preview, t); {
	case p != nil && comes(p.OpensAt):
		return &Next{Event: NextPreviewOpens, At: p.OpensAt}
	case p == nil && a.development.ExpectedAt != nil && comes(*a.development.ExpectedAt):
		return &Next{Event: NextPreviewExpected, At: *a.development.ExpectedAt}
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
	if a.development != nil && a.development.ExpectedAt != nil {
		out = append(out, *a.development.ExpectedAt)
	}
	if a.cancellation != nil {
		out = append(out, a.cancellation.existsFrom())
	}
	if a.campaign != nil {
		out = append(out, a.campaign.breakpoints()...)
	}
	return out
}
