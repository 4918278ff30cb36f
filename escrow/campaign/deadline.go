package campaign

import (
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

const (
	// mostCorrections is how often a release that failed may be corrected after the end of
	// the window (rule 12).
	mostCorrections = 3
	// leftAfterRejection is how much of verification is left at least when a dispute was
	// rejected, as far as the reserve goes (rule 13).
	leftAfterRejection = 72 * time.Hour
	// mostUnheard is how long a deadline waits for repositories that the index lost, or has
	// not fetched yet.
	mostUnheard = 24 * time.Hour
)

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// ReleaseDue is until when a release has to be there.
func (c Campaign) ReleaseDue() time.Time { return latest(c.ReleaseBy, c.CorrectBy) }

// unheardFor is how long a deadline waits for what those who pledged may have said in time,
// where the index is out of step with one of them. It is bounded, since that may be
// somebody's own doing, and leaves time before the final date.
func (c Campaign) unheardFor() time.Duration {
	deadline := c.ClosesAt
	if c.Accepted != nil {
		deadline = c.Accepted.EndsAt
	}
	return min(mostUnheard, max(0, c.FinalAt.Sub(deadline)/2))
}

// failed is the campaign once a release has failed its checks: there is time to correct
// it, some of it after the window, but not for ever (rule 12).
func (c Campaign) failed(at time.Time) Campaign {
	until := earliest(at.Add(lifecycle.CorrectionTime), c.FinalAt)
	if until.After(c.ReleaseDue()) && c.Corrections < mostCorrections {
		c.CorrectBy, c.Corrections = until, c.Corrections+1
	}
	return c
}

// noted is the campaign once a version of the release was seen; late is whether that was
// behind the window, which only happens to a correction when nobody looked in time.
func (c Campaign) noted(at time.Time, late bool) Campaign {
	if late && !c.ReleaseSeenAt.IsZero() {
		c.Corrections++
	}
	if c.ReleaseSeenAt.IsZero() {
		c.ReleaseSeenAt = at
	}
	return c
}

// accept is the campaign once a release was accepted: people can look at it from then on
// (rule 13). Nothing is ever due after the final date.
func (c Campaign) accept(release comatproto.RepoStrongRef, mirror string, at time.Time) Campaign {
	c.Accepted = &Accepted{Release: release, At: at, Mirror: mirror, EndsAt: earliest(at.Add(c.Verification), c.FinalAt)}
	return c
}

// lastEnd is when verification ends at the latest, whoever disputes and however often: the
// reserve is all that is added.
func (c Campaign) lastEnd() time.Time {
	return earliest(c.Accepted.At.Add(c.Verification+c.Reserve), c.FinalAt)
}

// rulingBy is when a dispute that was seen at a moment has to be ruled on.
func (c Campaign) rulingBy(seen time.Time) time.Time {
	return latest(seen, earliest(seen.Add(c.Ruling), c.lastEnd()))
}

// pause is the campaign with its clock stopped.
func (c Campaign) pause(since time.Time) Campaign {
	c.PausedAt = since
	return c
}

// resume is the campaign whose clock goes on at a moment, where it stopped: what counts is
// for how long disputes stood, and not when somebody looked. After a rejection there is
// time left for others to look.
func (c Campaign) resume(at time.Time, s Standing) Campaign {
	accepted := *c.Accepted
	end := accepted.EndsAt.Add(s.Stopped)
	if s.Rejected {
		end = latest(end, at.Add(leftAfterRejection))
	}
	accepted.EndsAt = latest(accepted.EndsAt, earliest(end, c.lastEnd()))
	c.Accepted, c.PausedAt = &accepted, time.Time{}
	return c
}

// stop is a time in which disputes stopped the clock. The zero to is that they still do.
type stop struct{ from, to time.Time }

// stops puts together when disputes stood, in the order in which they were seen.
func stops(disputes []Dispute) (list []stop) {
	for _, d := range disputes {
		if last := len(list) - 1; last >= 0 && (list[last].to.IsZero() || d.SeenAt.Before(list[last].to)) {
			if d.Stands() || !list[last].to.IsZero() && d.EndedAt.After(list[last].to) {
				list[last].to = d.EndedAt
			}
			continue
		}
		list = append(list, stop{d.SeenAt, d.EndedAt})
	}
	return list
}
