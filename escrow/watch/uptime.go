package watch

import (
	"time"
)

// Outcome is how a question ended. The set is closed: it labels metrics.
type Outcome string

// The outcomes that count.
const (
	Up   Outcome = "up"
	Down Outcome = "down"
	// TurnedAway: somebody is there, who does not answer to the likes of us.
	TurnedAway Outcome = "turned-away"
)

// Outcomes lists those that count.
func Outcomes() []Outcome { return []Outcome{Up, Down, TurnedAway} }

// Probe is one question and what became of it.
type Probe struct {
	At      time.Time
	Outcome Outcome
	// Status is that of the answer; 0 for none.
	Status int
	// Reason says why it counts as down.
	Reason string
	// Latency is how long the answer's head took.
	Latency time.Duration
	// TLSUntil is when the certificate ends; zero where none was seen.
	TLSUntil time.Time
}

// Outage is a time in which a preview was down.
type Outage struct {
	From time.Time
	// To is when it answered again; zero while it does not.
	To time.Time
	// Checks is how often it was asked and did not answer.
	Checks int64
	// Reason is that of the last of them.
	Reason string
}

// Uptime is how reachable a preview was.
type Uptime struct {
	// URI is where it is now.
	URI string
	// Checks counts the questions; of them Failures went unanswered, and TurnedAway were
	// answered by somebody who wants no robots.
	Checks, Failures, TurnedAway int64
	// LastAt and Last are about the newest question; LastAt is zero before the first.
	LastAt     time.Time
	Last       Outcome
	LastStatus int
	// Latency is that of the newest answer, and Slowest that of the slowest one.
	Latency, Slowest time.Duration
	// TLSUntil is when the certificate ends; zero when it is not known.
	TLSUntil time.Time
	// Outages are in their order; only the last one may go on.
	Outages []Outage
}

// LastOK reports whether somebody was there when it was last asked.
func (u *Uptime) LastOK() bool { return u.Checks > 0 && u.Last != Down }

// DownSince is since when it has not answered, if it does not.
func (u *Uptime) DownSince() (since time.Time, down bool) {
	if o := u.open(); o != nil {
		return o.From, true
	}
	return time.Time{}, false
}

func (u *Uptime) open() *Outage {
	if n := len(u.Outages); n > 0 && u.Outages[n-1].To.IsZero() {
		return &u.Outages[n-1]
	}
	return nil
}

// Add counts what a question came to. Questions are added in their order.
func (u *Uptime) Add(p Probe) {
	u.Checks++
	u.LastAt, u.Last, u.LastStatus = p.At, p.Outcome, p.Status
	if p.Status > 0 {
		u.Latency, u.Slowest = p.Latency, max(u.Slowest, p.Latency)
	}
	if !p.TLSUntil.IsZero() {
		u.TLSUntil = p.TLSUntil
	}
	open := u.open()
	switch {
	case p.Outcome == TurnedAway:
		u.TurnedAway++
	case p.Outcome == Down:
		u.Failures++
		if open == nil {
			u.Outages = append(u.Outages, Outage{From: p.At})
			open = u.open()
		}
		open.Checks, open.Reason = open.Checks+1, p.Reason
		return
	}
	if open != nil {
		open.To = p.At
	}
}
