package campaign

import "time"

// Progress is how far the escrow's index is in its upstream.
type Progress struct {
	Connected bool
	// Received and Applied are the sequence numbers of the last event that came, and of
	// the last one that is in the index.
	Received, Applied int64
	// EventAt is when the last applied event happened, by its own time; zero before.
	EventAt time.Time
}

const (
	// tolerance is how far an event's own time may be from ours when it has just
	// happened.
	tolerance = time.Minute
	// calmFor is how long nothing must have come until that means that nothing
	// happened: what was missed comes as soon as there is a connection.
	calmFor = 20 * time.Second
	// longestLook is what one look can see of a calm.
	longestLook = 5 * time.Second
	// leap is how much the clock may go on from one look to the next: more is a clock
	// that was set, or a process that slept.
	leap = time.Minute
	// agreeing is how many looks in a row have to find an event of the present, after one
	// that was not. An event's time is what its PDS writes: while what was missed is read,
	// a single one may lie.
	agreeing = 3
	// evenFor is how long the clock must have gone on evenly to be believed where no
	// event says what time it is.
	evenFor = time.Hour
)

// knowing finds out up to when the index knows what its upstream told, and whether the
// clock can be believed. It goes by what it saw itself: after a start it knows nothing
// yet. It belongs to one goroutine.
type knowing struct {
	looked   time.Time
	received int64
	calm     time.Duration // how long nothing has come
	even     time.Duration // how long the clock has gone on evenly, and no event denied it
	agreed   bool          // an event confirmed the clock since it leapt last
	owed     int           // how many looks in a row have to find an event of the present
}

// look returns up to when the index knows what happened, zero when it does not know; and
// whether the clock is right, as far as anybody can tell.
func (w *knowing) look(p Progress, now time.Time) (known time.Time, certain bool) {
	step, came := now.Sub(w.looked), p.Received != w.received
	off := now.Sub(p.EventAt)
	ofNow := p.Connected && off >= -tolerance && off <= tolerance
	switch {
	case !came || !p.Connected:
	case !ofNow:
		w.owed = agreeing
	case w.owed > 0:
		w.owed--
	}
	agrees := ofNow && (w.owed == 0 || w.calm >= calmFor) // what was missed comes without a pause
	switch {
	case w.looked.IsZero() || step < 0 || step > leap:
		w.calm, w.even, w.agreed = 0, 0, false
	case came || !p.Connected || p.Applied < p.Received:
		w.calm, w.even = 0, w.even+step
	default:
		w.calm, w.even = w.calm+min(step, longestLook), w.even+step
	}
	switch {
	case agrees:
		w.agreed = true
	case came && p.Connected && !ofNow:
		w.even, w.agreed = 0, false // of another time: the index is behind, or the clock is wrong
	}
	w.looked, w.received = now, p.Received
	if p.EventAt.After(now) {
		p.EventAt = now // what happens from now on is not known yet
	}
	certain = w.agreed || w.even >= evenFor
	switch {
	case agrees && p.EventAt.After(now.Add(-calmFor)):
		return p.EventAt, certain
	case p.Connected && w.calm >= calmFor && certain:
		return now.Add(-calmFor), certain
	case agrees:
		return p.EventAt, certain
	}
	return time.Time{}, certain
}
