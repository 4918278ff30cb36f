package simulator

import (
	"fmt"
	"sync"
	"time"
)

// Clock is the simulator's time as the control API shows and sets it.
type Clock struct {
	// Now is in seconds, as all of Stripe's times are.
	Now int64 `json:"now"`
	// Manual says that time stands until it is set or advanced.
	Manual bool `json:"manual"`
}

// clock tells the simulator's time: a base clock with an offset, or a time that stands.
type clock struct {
	base func() time.Time

	mu     sync.Mutex
	manual bool
	stands time.Time
	offset time.Duration
}

// savedClock is what outlives a restart.
type savedClock struct {
	Manual bool          `json:"manual"`
	Stands time.Time     `json:"stands"`
	Offset time.Duration `json:"offset"`
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.locked()
}

func (c *clock) locked() time.Time {
	if c.manual {
		return c.stands
	}
	return c.base().Add(c.offset).UTC()
}

// until is how long to wait for t by the base clock; ok is false when waiting is vain
// because time stands.
func (c *clock) until(t time.Time) (wait time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Sub(c.locked()), !c.manual
}

// set moves the clock. Time does not run backwards: what happened would lie ahead.
func (c *clock) set(to time.Time, manual bool) (savedClock, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.locked()
	if to.Before(now.Truncate(time.Second)) {
		return savedClock{}, fmt.Errorf("simulator: set the clock to %s: it is %s already", to.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	if to.Before(now) {
		to = now // the same second
	}
	return c.moved(to, manual), nil
}

// advance moves the clock ahead, and leaves it running or standing as it was.
func (c *clock) advance(by time.Duration) savedClock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moved(c.locked().Add(by), c.manual)
}

func (c *clock) moved(to time.Time, manual bool) savedClock {
	c.manual, c.stands, c.offset = manual, to.UTC(), to.Sub(c.base())
	return savedClock{c.manual, c.stands, c.offset}
}

func (c *clock) saved() savedClock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return savedClock{c.manual, c.stands, c.offset}
}

func (c *clock) restore(s savedClock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.manual, c.stands, c.offset = s.Manual, s.Stands, s.Offset
}

func (c *clock) show() Clock {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Clock{Now: c.locked().Unix(), Manual: c.manual}
}
