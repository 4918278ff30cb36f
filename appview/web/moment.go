package web

import (
	"fmt"
	"time"
)

const (
	day   = 24 * time.Hour
	month = 30 * day
	year  = 365 * day
)

// moment is a time on a page: for machines, for people, and how far it is from now.
type moment struct {
	Machine string // RFC 3339
	Date    string // 6 June 2026
	Exact   string // 6 June 2026, 12:00 UTC
	Away    string // in 3 days, 2 hours ago
	Past    bool
	at      time.Time
}

// momentOf reads a datetime of a view or record. The AppView lets none in that cannot be
// read, so what is nil is absent.
func (s *Site) momentOf(datetime string) *moment {
	at, err := time.Parse(time.RFC3339, datetime)
	if err != nil {
		return nil
	}
	return momentAt(at, s.opts.Now())
}

func momentAt(at, now time.Time) *moment {
	at = at.UTC()
	return &moment{
		Machine: at.Format(time.RFC3339), Date: at.Format("2 January 2006"), Exact: at.Format("2 January 2006, 15:04 UTC"),
		Away: away(at.Sub(now)), Past: at.Before(now), at: at,
	}
}

// maybe is momentOf for what may be absent.
func (s *Site) maybe(datetime *string) *moment {
	if datetime == nil {
		return nil
	}
	return s.momentOf(*datetime)
}

// away says how far a moment is, in the largest unit that says enough.
func away(d time.Duration) string {
	size, past := d, d < 0
	if past {
		size = -d
	}
	var text string
	switch {
	case size < time.Minute:
		return "now"
	case size < time.Hour:
		text = plural(int64(size/time.Minute), "minute", "minutes")
	case size < 2*day:
		text = plural(int64(size/time.Hour), "hour", "hours")
	case size < 2*month:
		text = plural(int64(size/day), "day", "days")
	case size < 2*year:
		text = plural(int64(size/month), "month", "months")
	default:
		text = plural(int64(size/year), "year", "years")
	}
	if past {
		return fmt.Sprintf("%s ago", text)
	}
	return fmt.Sprintf("in %s", text)
}
