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
	// longestLook is what one look can see of a calm. A clock that leaps shows none.
	longestLook = 5 * time.Second
)

// watch finds out up to when the index knows what its upstream told. It goes by what it
// saw itself: after a start it knows nothing yet. It belongs to one goroutine.
type watch struct {
	looked   time.Time
	received int64
	calm     time.Duration
}

// look returns up to when the index knows what happened; zero when it does not know.
func (w *watch) look(p Progress, now time.Time) time.Time {
	step := min(now.Sub(w.looked), longestLook)
	if w.looked.IsZero() || step < 0 || !p.Connected || p.Received != w.received || p.Applied < p.Received {
		w.calm = 0
	} else {
		w.calm += step
	}
	w.looked, w.received = now, p.Received
	switch off := now.Sub(p.EventAt); {
	case !p.Connected:
		return time.Time{}
	case w.calm >= calmFor:
		return now.Add(-calmFor)
	case off >= -tolerance && off <= tolerance:
		return p.EventAt
	}
	return time.Time{}
}
